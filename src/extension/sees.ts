// "Make a Test That Sees": inputs that show what a program's own run cannot, as a test file beside it.
import { basename, dirname, join } from 'node:path';
import * as vscode from 'vscode';
import { runCommandLine } from './commandLine.ts';
import { withProgress } from './progress.ts';
import { isTrusted } from './trust.ts';
import { editedFile } from './uris.ts';

/** Of the program that is given, else of the one in the editor. */
export async function makeTest(extension: vscode.Uri, given?: unknown): Promise<void> {
  if (!isTrusted('Running your program takes a trusted workspace.')) return;
  const program = given instanceof vscode.Uri ? given : editedFile();
  if (program?.scheme !== 'file' || !program.path.endsWith('.py')) {
    void vscode.window.showErrorMessage('Open the Python program that a test is to be made for.');
    return;
  }
  await vscode.workspace.openTextDocument(program).then((document) => document.save());
  const folder = dirname(program.fsPath);
  const proposed = `test_sees_${basename(program.fsPath)}`;
  const file = await vscode.window.showSaveDialog({
    defaultUri: vscode.Uri.file(join(folder, proposed)),
    filters: { Python: ['py'] },
    title: 'Make a Test That Sees',
  });
  if (!file) return;
  const words = ['lines', program.fsPath, '--test', file.fsPath, '--json'];
  try {
    const said = await withProgress('Making a test that sees …', (token) =>
      runCommandLine(extension, { words, cwd: vscode.Uri.file(folder) }, token),
    );
    const { sizes, passes, said: why } = JSON.parse(said) as Record<string, string>;
    await vscode.window.showTextDocument(file, { viewColumn: vscode.ViewColumn.Beside });
    if (passes) void vscode.window.showInformationMessage(`Your program passes with ${sizes}.`);
    else void vscode.window.showWarningMessage(`Your program fails with ${sizes}: ${why}`);
  } catch (error) {
    void vscode.window.showErrorMessage((error as Error).message);
  }
}
