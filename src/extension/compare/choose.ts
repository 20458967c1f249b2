// What a comparison still needs is asked for: the file with the person's tensors, or the setup.
import * as vscode from 'vscode';

const TRACES = { 'Tensor files': ['npz', 'safetensors', 'json', 'npy'] };

/** Asks for the file with the person's tensors; undefined where the dialog is dismissed. */
export async function chooseTrace(setup: vscode.Uri): Promise<vscode.Uri | undefined> {
  const [trace] =
    (await vscode.window.showOpenDialog({
      title: 'Compare with my tensors',
      openLabel: 'Compare',
      defaultUri: vscode.Uri.joinPath(setup, '..'),
      filters: TRACES,
    })) ?? [];
  return trace;
}

/** Asks which of the workspace's setups is meant; undefined where there is none or the choice is dismissed. */
export async function chooseSetup(): Promise<vscode.Uri | undefined> {
  const setups = await vscode.workspace.findFiles('**/*.attention.json', '**/node_modules/**', 100);
  if (setups.length === 0) {
    void vscode.window.showInformationMessage(
      'There is no *.attention.json in the workspace to compare with. Run "Attention: New Setup" first.',
    );
    return undefined;
  }
  const items = setups.map((uri) => ({ label: vscode.workspace.asRelativePath(uri), uri }));
  const choice = await vscode.window.showQuickPick(items, { title: 'Compare with which setup?' });
  return choice?.uri;
}
