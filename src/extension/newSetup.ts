// "New Setup": the exercise as an unsaved *.attention.json of the person's own, to edit and save where they like.
import * as vscode from 'vscode';

export async function newSetup(example: vscode.Uri): Promise<void> {
  const content = new TextDecoder().decode(await vscode.workspace.fs.readFile(example));
  const folder = vscode.workspace.workspaceFolders?.[0]?.uri;
  const name = 'mine.attention.json';
  const target = folder
    ? vscode.Uri.joinPath(folder, name).with({ scheme: 'untitled' })
    : undefined;
  const document = target
    ? await vscode.workspace.openTextDocument(target)
    : await vscode.workspace.openTextDocument({ language: 'jsonc', content });
  if (target) {
    const edit = new vscode.WorkspaceEdit();
    edit.insert(target, new vscode.Position(0, 0), content);
    await vscode.workspace.applyEdit(edit);
  }
  await vscode.window.showTextDocument(document);
}
