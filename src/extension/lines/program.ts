// The program that is meant: a .py file or a notebook, and where in the editor its lines are.
import { dirname, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import * as vscode from 'vscode';
import type { LinePlace } from '../../lines/tell/result.ts';
import { editedFile } from '../uris.ts';

export const isNotebookFile = ({ path }: vscode.Uri): boolean => path.endsWith('.ipynb');
export const isPythonFile = ({ path }: vscode.Uri): boolean => /\.pyw?$/.test(path);

export const notebookAt = (uri: vscode.Uri): vscode.NotebookDocument | undefined =>
  vscode.workspace.notebookDocuments.find((each) => each.uri.toString() === uri.toString());

/** The notebook that a cell's document is of. */
export const notebookOf = (document: vscode.TextDocument): vscode.NotebookDocument | undefined =>
  vscode.workspace.notebookDocuments.find((each) =>
    each.getCells().some((cell) => cell.document === document),
  );

/** A text as it is compared: whatever ends its lines. */
export const plainText = (text: string): string => text.replaceAll(/\r\n?/g, '\n');

/** The program that a command is about: given by a menu, else the one in the editor. */
export function programUri(given: unknown): vscode.Uri | undefined {
  const edited = vscode.window.activeNotebookEditor?.notebook.uri ?? editedFile();
  const found = [given, edited].find(
    (uri): uri is vscode.Uri => uri instanceof vscode.Uri && uri.path !== '',
  );
  if (!found) return undefined;
  const cell = vscode.workspace.textDocuments.find(
    (each) => each.uri.toString() === found.toString(),
  );
  return (cell && notebookOf(cell)?.uri) ?? found;
}

/** Until what was typed is known here, in ms. */
const TOLD = 300;
const SAVES = 5;

/** Changes with the text of a program that is open. */
const versionOf = (open: vscode.TextDocument | vscode.NotebookDocument): string =>
  ['getCells' in open ? open.getCells().map(({ document }) => document.version) : [], open.version]
    .flat()
    .join();

/** 0 where it is not there (any more). */
const writtenAt = async (program: vscode.Uri): Promise<number> =>
  vscode.workspace.fs.stat(program).then(
    ({ mtime }) => mtime,
    () => 0,
  );

/** Saves what the editor has of the program: what is run is what is on the disk. False where it cannot be. */
export async function saved(program: vscode.Uri): Promise<boolean> {
  const key = program.toString();
  for (let saves = 0; saves < SAVES; saves++) {
    const open =
      notebookAt(program) ??
      vscode.workspace.textDocuments.find((each) => each.uri.toString() === key);
    if (!open?.isDirty) return true;
    const [version, before] = [versionOf(open), await writtenAt(program)];
    // Of a notebook that was edited since it began, saving says that it failed, be it written or not.
    if ((await open.save()) || (await writtenAt(program)) !== before) return true;
    await sleep(TOLD);
    if (versionOf(open) === version && open.isDirty) return false;
  }
  return false;
}

/** The document of a line, where it is open; `path` and cells are as in a recording of the program. */
export function documentAt(
  program: vscode.Uri,
  { file, cell }: Pick<LinePlace, 'file' | 'cell'>,
): vscode.Uri | undefined {
  if (cell !== undefined) return notebookAt(program)?.getCells()[cell]?.document.uri;
  return vscode.Uri.file(resolve(dirname(program.fsPath), file));
}

/** Scrolls to a line where its document is shown; the cursor stays. */
export function showLine(program: vscode.Uri, place: LinePlace): void {
  const uri = documentAt(program, place)?.toString();
  const line = new vscode.Range(place.line - 1, 0, place.line - 1, 0);
  for (const editor of vscode.window.visibleTextEditors)
    if (editor.document.uri.toString() === uri)
      editor.revealRange(line, vscode.TextEditorRevealType.InCenterIfOutsideViewport);
}

/** Shows where a line is, and selects it. */
export async function reveal(
  program: vscode.Uri,
  place: LinePlace,
  preserveFocus = false,
): Promise<void> {
  const line = new vscode.Range(place.line - 1, 0, place.line - 1, 0);
  if (place.cell !== undefined) {
    const notebook = notebookAt(program) ?? (await vscode.workspace.openNotebookDocument(program));
    const range = new vscode.NotebookRange(place.cell, place.cell + 1);
    const editor = await vscode.window.showNotebookDocument(notebook, {
      selections: [range],
      preserveFocus,
    });
    editor.revealRange(range, vscode.NotebookEditorRevealType.InCenterIfOutsideViewport);
    return;
  }
  const uri = documentAt(program, place);
  if (!uri) return;
  const shown = vscode.window.visibleTextEditors.find(
    ({ document }) => document.uri.toString() === uri.toString(),
  );
  await vscode.window.showTextDocument(uri, {
    selection: line,
    preserveFocus,
    ...(shown?.viewColumn !== undefined && { viewColumn: shown.viewColumn }),
  });
}
