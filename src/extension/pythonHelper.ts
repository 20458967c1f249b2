// "Put attention_trace.py Beside My Code": the Python helper, copied to where a program can import it.
import * as vscode from 'vscode';
import { pythonInterpreter } from './settings.ts';
import { isTrusted } from './trust.ts';
import { fileName } from './uris.ts';

export const HELPER = 'attention_trace.py';

/** Records a PyTorch module as it is called, and writes the setup to compare it with. */
const SNIPPET = `from attention_trace import trace

with trace("mine.npz") as t:
    t.watch(attention)  # your module; without one log tensors instead: t.P = P
    attention(x).sum().backward()
    t.save_setup("mine.attention.json")
`;

const COPY = 'Copy the Lines';
const RUN = 'Run the File';
const OPEN = 'Open';
const OVERWRITE = 'Overwrite';

const HOW =
  'Four lines around the call of your attention record it and write its setup: copy them, put in your own names, and run your program.';

/** The helper as the extension brings it. */
export const helperOf = (extension: vscode.Uri): vscode.Uri =>
  vscode.Uri.joinPath(extension, 'python', HELPER);

/** Asks whether a file of the person's that differs may be replaced. */
export type MayReplace = (file: vscode.Uri) => PromiseLike<boolean>;

export type Placed = 'added' | 'same' | 'replaced' | 'kept';

/** Copies the helper into `folder`; a file of its name that differs is kept unless `mayReplace` says otherwise. */
export async function placeHelper(
  helper: vscode.Uri,
  folder: vscode.Uri,
  mayReplace: MayReplace,
): Promise<Placed> {
  const { fs } = vscode.workspace;
  const target = vscode.Uri.joinPath(folder, HELPER);
  const bytes = await fs.readFile(helper);
  const present = await bytesOf(target);
  if (present && Buffer.compare(present, bytes) === 0) return 'same';
  if (present && !(await mayReplace(target))) return 'kept';
  await fs.writeFile(target, bytes);
  return present ? 'replaced' : 'added';
}

/** null where there is no such file; throws where it is there and cannot be read. */
async function bytesOf(file: vscode.Uri): Promise<Uint8Array | null> {
  try {
    return await vscode.workspace.fs.readFile(file);
  } catch (error) {
    if (error instanceof vscode.FileSystemError && error.code === 'FileNotFound') return null;
    throw error;
  }
}

/**
 * The folder that is meant: that of the file or folder given by a menu, else that of the Python file being edited,
 * else the workspace's, asked for where it has several.
 */
async function folderFor(given: unknown): Promise<vscode.Uri | undefined> {
  if (given instanceof vscode.Uri) {
    const { type } = await vscode.workspace.fs.stat(given);
    return type & vscode.FileType.Directory ? given : vscode.Uri.joinPath(given, '..');
  }
  const edited = vscode.window.activeTextEditor?.document;
  if (edited && !edited.isUntitled && edited.fileName.endsWith('.py'))
    return vscode.Uri.joinPath(edited.uri, '..');
  const folders = vscode.workspace.workspaceFolders ?? [];
  if (folders.length === 0)
    throw new Error('Open the folder with your Python code first, or a .py file in it.');
  if (folders.length === 1) return folders[0].uri;
  const placeHolder = `Folder to put ${HELPER} in`;
  return (await vscode.window.showWorkspaceFolderPick({ placeHolder }))?.uri;
}

async function askToReplace(file: vscode.Uri): Promise<boolean> {
  const answer = await vscode.window.showWarningMessage(
    `${vscode.workspace.asRelativePath(file)} is there already and differs from the extension's.`,
    { modal: true, detail: 'Changes of your own in it would be lost.' },
    OVERWRITE,
  );
  return answer === OVERWRITE;
}

export async function addPythonHelper(extension: vscode.Uri, given?: unknown): Promise<void> {
  let folder: vscode.Uri | undefined;
  let placed: Placed;
  try {
    folder = await folderFor(given);
    if (!folder) return;
    placed = await placeHelper(helperOf(extension), folder, askToReplace);
  } catch (error) {
    const where = folder ? ` in ${fileName(folder)}` : '';
    void vscode.window.showErrorMessage(
      `${HELPER} was not added${where}: ${(error as Error).message}`,
    );
    return;
  }
  // The command is done; the notice may stay for as long as the person likes.
  if (placed !== 'kept') void tell(vscode.Uri.joinPath(folder, HELPER), placed);
}

async function tell(file: vscode.Uri, placed: Placed): Promise<void> {
  const name = vscode.workspace.asRelativePath(file);
  const what = {
    added: `Added ${name}.`,
    replaced: `Replaced ${name}.`,
    same: `${name} is there already, the same as the extension's.`,
    kept: '',
  }[placed];
  const answer = await vscode.window.showInformationMessage(`${what} ${HOW}`, COPY, OPEN);
  if (answer === COPY) await vscode.env.clipboard.writeText(SNIPPET);
  if (answer === OPEN) await vscode.window.showTextDocument(file);
}

/** Puts the helper beside a person's file and shows which lines of theirs record a module; runs the file if asked. */
export async function watchModule(extension: vscode.Uri, file: vscode.Uri): Promise<void> {
  const folder = vscode.Uri.joinPath(file, '..');
  if ((await placeHelper(helperOf(extension), folder, askToReplace)) === 'kept') return;
  await vscode.window.showTextDocument(file);
  for (;;) {
    const answer = await vscode.window.showInformationMessage(HOW, COPY, RUN);
    if (answer === undefined) return;
    if (answer === RUN) {
      await runInTerminal(file);
      return;
    }
    await vscode.env.clipboard.writeText(SNIPPET);
  }
}

/** As a task, in a terminal of its own, by the interpreter of the settings. */
async function runInTerminal(file: vscode.Uri): Promise<void> {
  if (!isTrusted('Running your program takes a trusted workspace.')) return;
  const { path } = await pythonInterpreter(file);
  const cwd = vscode.Uri.joinPath(file, '..').fsPath;
  const name = fileName(file);
  const execution = new vscode.ProcessExecution(path, [file.fsPath], { cwd });
  const scope = vscode.workspace.getWorkspaceFolder(file) ?? vscode.TaskScope.Global;
  await vscode.window.activeTextEditor?.document.save();
  await vscode.tasks.executeTask(
    new vscode.Task({ type: 'process' }, scope, name, 'attention', execution),
  );
}
