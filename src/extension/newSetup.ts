// "New Setup": an unsaved *.attention.json, to edit and save where they like: the exercise, or begun from a person's own files.
import * as vscode from 'vscode';
import { listTensors } from '../formats/ranges/listTensors.ts';
import { readTensorFile } from '../formats/tensorFile.ts';
import { type Entry, traceSetupText } from '../formats/traceSetup.ts';
import { watchModule } from './pythonHelper.ts';
import { openBytes } from './tensorFile/fileBytes.ts';
import { openUnsavedSetup } from './untitled.ts';
import { fileName } from './uris.ts';

/** Where a new setup may begin. */
interface Beginning extends vscode.QuickPickItem {
  readonly begin: () => Promise<void>;
}

/** What the ways need of the extension. */
export interface NewSetupServices {
  readonly extension: vscode.Uri;
  readonly exercise: vscode.Uri;
}

/** From a menu the file to begin from is given; else the person is asked. Never rejects. */
export async function newSetup(services: NewSetupServices, given: unknown): Promise<void> {
  try {
    if (given instanceof vscode.Uri) await newSetupFromTrace(given);
    else await (await chooseWay(services))?.begin();
  } catch (error) {
    void vscode.window.showErrorMessage((error as Error).message);
  }
}

async function chooseWay(services: NewSetupServices): Promise<Beginning | undefined> {
  const ways: Beginning[] = [
    {
      label: 'The exercise',
      detail: 'Four tokens, three queries, all numbers in the file: something to change.',
      begin: () => fromExercise(services.exercise),
    },
    {
      label: 'From a file of tensors...',
      detail: 'A .npz, .npy, .safetensors or .json that you saved: its names and shapes are read.',
      begin: fromTrace,
    },
    {
      label: 'From a PyTorch module in a .py file...',
      detail: 'Four lines record the module and write its setup.',
      begin: () => fromPython(services.extension),
    },
    {
      label: 'From a JavaScript or TypeScript module...',
      detail: 'It exports forward, and backward if you like; it is run and compared.',
      begin: fromModule,
    },
  ];
  return vscode.window.showQuickPick(ways, { title: 'New Setup' });
}

const folderOfWorkspace = (): vscode.Uri | undefined => vscode.workspace.workspaceFolders?.[0]?.uri;

async function textOf(file: vscode.Uri): Promise<string> {
  return new TextDecoder().decode(await vscode.workspace.fs.readFile(file));
}

async function fromExercise(exercise: vscode.Uri): Promise<void> {
  const content = await textOf(exercise);
  const folder = folderOfWorkspace();
  if (folder) {
    await openUnsavedSetup(folder, 'mine', content);
    return;
  }
  // Without a name there is no schema yet, which is what allows comments in our own language.
  const language = 'jsonc';
  await vscode.window.showTextDocument(
    await vscode.workspace.openTextDocument({ language, content }),
  );
}

async function choose(title: string, extensions: string[]): Promise<vscode.Uri | undefined> {
  const defaultUri = folderOfWorkspace();
  const [file] =
    (await vscode.window.showOpenDialog({
      ...{ title, openLabel: 'New Setup', filters: { [title]: extensions } },
      ...(defaultUri && { defaultUri }),
    })) ?? [];
  return file;
}

const stemOf = (file: vscode.Uri): string => fileName(file).replace(/\..*$/, '') || 'mine';

async function fromTrace(): Promise<void> {
  const trace = await choose('Tensor files', ['npz', 'npy', 'safetensors', 'json']);
  if (trace) await newSetupFromTrace(trace);
}

/** Opens a setup begun from what a trace holds, by its names and shapes. Throws FormatError. */
async function newSetupFromTrace(trace: vscode.Uri): Promise<void> {
  const name = fileName(trace);
  const content = traceSetupText(name, await entriesOf(trace));
  await openUnsavedSetup(vscode.Uri.joinPath(trace, '..'), stemOf(trace), content);
}

async function entriesOf(trace: vscode.Uri): Promise<readonly Entry[]> {
  const name = fileName(trace);
  if (name.endsWith('.json')) {
    const read = readTensorFile(name, await vscode.workspace.fs.readFile(trace));
    return read.map((each) => ({ name: each.name, shape: each.tensor.shape }));
  }
  const bytes = await openBytes(trace);
  try {
    return (await listTensors(bytes.source, name)).tensors;
  } finally {
    bytes.dispose();
  }
}

async function fromModule(): Promise<void> {
  const module = await choose('Modules', ['js', 'mjs', 'cjs', 'ts', 'mts', 'cts']);
  if (!module) return;
  const text = `{
  "head": "qkv", // or "kq", "multihead"
  "x": { "random": "normal", "shape": [5, 8], "seed": 1 },
  "weights": {
    "W_K": { "random": "normal", "shape": [8, 4], "seed": 2 },
    "W_Q": { "random": "normal", "shape": [8, 4], "seed": 3 },
    "W_V": { "random": "normal", "shape": [8, 4], "seed": 4 },
  },
  "mask": "causal",
  "implementation": ${JSON.stringify(`./${fileName(module)}`)}, // run by "Compare My Module"
}
`;
  await openUnsavedSetup(vscode.Uri.joinPath(module, '..'), stemOf(module), text);
}

async function fromPython(extension: vscode.Uri): Promise<void> {
  const file = await choose('Python files', ['py']);
  if (file) await watchModule(extension, file);
}
