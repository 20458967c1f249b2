// Addresses of files: their names, and the one that is being edited.
import * as vscode from 'vscode';

/** "mine.npz" for ".../mine.npz". */
export const fileName = ({ path }: vscode.Uri): string => path.replace(/^.*\//, '');

/** The file in the text editor. Just after it was opened its tab is known before its editor. */
export function editedFile(): vscode.Uri | undefined {
  const tab = vscode.window.tabGroups.activeTabGroup.activeTab?.input;
  if (tab instanceof vscode.TabInputText) return tab.uri;
  return vscode.window.activeTextEditor?.document.uri;
}
