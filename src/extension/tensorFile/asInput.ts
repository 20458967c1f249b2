// "Open as the Setup's Input": an unsaved setup whose x is a tensor of a file; nothing is written until it is saved.
import { relative } from 'node:path';
import * as vscode from 'vscode';
import { openUnsavedSetup } from '../untitled.ts';
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
  await openUnsavedSetup(folder, stem, content);
}
