// "Open as the Setup's Input": an unsaved setup whose x is a tensor of a file; nothing is written until it is saved.
import { relative } from 'node:path';
import * as vscode from 'vscode';
import { fileName } from '../uris.ts';
import { setupText } from './setupText.ts';

export async function useAsInput(
  uri: vscode.Uri,
  key: string | null,
  shape: readonly number[],
): Promise<void> {
  const folder = vscode.workspace.getWorkspaceFolder(uri)?.uri ?? vscode.Uri.joinPath(uri, '..');
  const file = relative(folder.fsPath, uri.fsPath).replaceAll('\\', '/');
  const content = setupText(file, key, shape);
  const stem = (key ?? fileName(uri).replace(/\.[^.]*$/, '')).replaceAll(/[^\w-]+/g, '_');
  const existing = await vscode.workspace.fs.readDirectory(folder);
  const taken = new Set([
    ...existing.map(([name]) => name),
    ...vscode.workspace.textDocuments.map((each) => fileName(each.uri)),
  ]);
  let name = `${stem}.attention.json`;
  for (let n = 2; taken.has(name); n++) name = `${stem}-${n}.attention.json`;
  const target = vscode.Uri.joinPath(folder, name).with({ scheme: 'untitled' });
  const document = await vscode.workspace.openTextDocument(target);
  const edit = new vscode.WorkspaceEdit();
  edit.insert(target, new vscode.Position(0, 0), content);
  await vscode.workspace.applyEdit(edit);
  await vscode.window.showTextDocument(document);
}
