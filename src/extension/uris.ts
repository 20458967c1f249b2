// Addresses of files: their names, and the one that is being edited.
import * as vscode from 'vscode';

/** "mine.npz" for ".../mine.npz". */
export const fileName = ({ path }: vscode.Uri): string => path.replace(/^.*\//, '');

export const isSetup = ({ path }: vscode.Uri): boolean => path.endsWith('.attention.json');

/** The file in the text editor. Just after it was opened its tab is known before its editor. */
export function editedFile(): vscode.Uri | undefined {
  const tab = vscode.window.tabGroups.activeTabGroup.activeTab?.input;
  if (tab instanceof vscode.TabInputText) return tab.uri;
  return vscode.window.activeTextEditor?.document.uri;
}

/** Shows a file's text where it is open, else in a group beside the active one that there is already, else in a new one. */
export async function showText(uri: vscode.Uri): Promise<void> {
  const { all, activeTabGroup } = vscode.window.tabGroups;
  const shows = ({ input }: vscode.Tab): boolean =>
    input instanceof vscode.TabInputText && input.uri.toString() === uri.toString();
  const group =
    all.find(({ tabs }) => tabs.some(shows)) ?? all.find((each) => each !== activeTabGroup);
  const viewColumn = group?.viewColumn ?? vscode.ViewColumn.Beside;
  await vscode.window.showTextDocument(uri, { viewColumn });
}
