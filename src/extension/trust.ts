// Workspace trust, for what runs a person's code or evaluates in it.
import * as vscode from 'vscode';

const MANAGE = 'Manage Workspace Trust';

/** False in a workspace that is not trusted: then `why` is shown, with a way to change that. */
export function isTrusted(why: string): boolean {
  if (vscode.workspace.isTrusted) return true;
  void vscode.window.showErrorMessage(why, MANAGE).then((answer) => {
    if (answer === MANAGE) void vscode.commands.executeCommand('workbench.trust.manage');
  });
  return false;
}
