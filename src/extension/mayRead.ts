// Files that a setup names are read as soon as it is open: in a workspace that is not trusted, only its own.
import { realpath } from 'node:fs/promises';
import * as vscode from 'vscode';

/** Where the links of a path end; the path itself where there is no such file. */
async function real(uri: vscode.Uri): Promise<vscode.Uri> {
  if (uri.scheme !== 'file') return uri;
  const path = await realpath(uri.fsPath).catch(() => uri.fsPath);
  return vscode.Uri.file(path);
}

/** Whether `file` is in `folder`, or is it. */
function isInside(folder: vscode.Uri, file: vscode.Uri): boolean {
  if (folder.scheme !== file.scheme || folder.authority !== file.authority) return false;
  const path = folder.path.endsWith('/') ? folder.path : `${folder.path}/`;
  return `${file.path}/`.startsWith(path);
}

/** Rejects where a setup in an untrusted workspace names a file outside of the workspace, or a link out of it. */
export async function checkReadable(
  setup: vscode.Uri,
  file: vscode.Uri,
  isTrusted = vscode.workspace.isTrusted,
): Promise<void> {
  if (isTrusted) return;
  const folders = vscode.workspace.workspaceFolders?.map(({ uri }) => uri) ?? [];
  // Without a workspace, the folder of the setup is what was opened.
  const own = folders.length > 0 ? folders : [vscode.Uri.joinPath(setup, '..')];
  const found = await real(file);
  for (const folder of own) if (isInside(await real(folder), found)) return;
  throw new Error('it is outside of the workspace, which is not trusted');
}
