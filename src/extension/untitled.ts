// A setup that is not saved yet, in an editor.
import * as vscode from 'vscode';
import { fileName } from './uris.ts';

/** Opens `content` as STEM.attention.json of `folder`, or as STEM-2 and so on where that is taken. */
export async function openUnsavedSetup(
  folder: vscode.Uri,
  stem: string,
  content: string,
): Promise<void> {
  const existing = await vscode.workspace.fs.readDirectory(folder).then(
    (entries) => entries.map(([name]) => name),
    () => [],
  );
  const open = vscode.workspace.textDocuments.map(({ uri }) => fileName(uri));
  const taken = new Set([...existing, ...open]);
  let name = `${stem}.attention.json`;
  for (let n = 2; taken.has(name); n++) name = `${stem}-${n}.attention.json`;
  const target = vscode.Uri.joinPath(folder, name).with({ scheme: 'untitled' });
  const document = await vscode.workspace.openTextDocument(target);
  const edit = new vscode.WorkspaceEdit();
  edit.insert(target, new vscode.Position(0, 0), content);
  await vscode.workspace.applyEdit(edit);
  await vscode.window.showTextDocument(document);
}
