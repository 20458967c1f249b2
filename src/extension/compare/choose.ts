// What a comparison still needs is asked for: the file with the person's tensors, or the setup.
import * as vscode from 'vscode';
import { Command } from '../commands.ts';
import { type SetupModels, setupName } from '../setups.ts';
import { fileName, isSetup } from '../uris.ts';
import { ownSetup } from './ownSetup.ts';

type Way = 'file' | typeof Command.CompareVariable | typeof Command.RunMine;

/** Where the tensors are to come from, asked for only where there is a choice. */
export async function chooseWay(models: SetupModels, uri: vscode.Uri): Promise<Way | undefined> {
  const { model, release } = models.acquire(uri);
  const { setup } = await model.opened().finally(() => release.dispose());
  const program = vscode.debug.activeDebugSession;
  const module = setup?.implementation?.module;
  const ways: (vscode.QuickPickItem & { way: Way })[] = [
    {
      label: 'A file of tensors...',
      description: '.npz, .npy, .safetensors or .json',
      way: 'file',
    },
    ...(program
      ? [{ label: `A variable of ${program.name}...`, way: Command.CompareVariable }]
      : []),
    ...(module === undefined
      ? []
      : [{ label: `Run ${module}`, description: 'Compare My Module', way: Command.RunMine }]),
  ];
  if (ways.length === 1) return 'file';
  return (await vscode.window.showQuickPick(ways, { title: 'Compare My Tensors: where are they?' }))
    ?.way;
}

const TRACES = { 'Tensor files': ['npz', 'safetensors', 'json', 'npy'] };

/** Asks for the file with the person's tensors; undefined where the dialog is dismissed. */
export async function chooseTrace(setup: vscode.Uri): Promise<vscode.Uri | undefined> {
  const [trace] =
    (await vscode.window.showOpenDialog({
      title: 'Compare My Tensors: which file has them?',
      openLabel: 'Compare',
      defaultUri: vscode.Uri.joinPath(setup, '..'),
      filters: TRACES,
    })) ?? [];
  return trace;
}

/** The first of these that is a setup, else the person is asked; undefined where they choose none. */
export async function setupAmong(...files: readonly unknown[]): Promise<vscode.Uri | undefined> {
  const known = files.find((file) => file instanceof vscode.Uri && isSetup(file));
  return (known as vscode.Uri | undefined) ?? (await chooseSetup());
}

/**
 * The setup that a trace goes with: the one of its own name in its folder, else the only one there, else the person
 * is asked, `likely` first. undefined where they choose none.
 */
export async function setupOf(
  trace: vscode.Uri,
  likely: vscode.Uri | undefined,
): Promise<vscode.Uri | undefined> {
  const folder = vscode.Uri.joinPath(trace, '..');
  const beside = (await namesIn(folder))
    .map((name) => vscode.Uri.joinPath(folder, name))
    .filter(isSetup);
  const own = ownSetup(fileName(trace), beside.map(setupName));
  if (own !== null) return beside[own];
  if (beside.length === 1) return beside[0];
  return chooseSetup(likely, beside);
}

const namesIn = (folder: vscode.Uri): Thenable<string[]> =>
  vscode.workspace.fs.readDirectory(folder).then(
    (entries) => entries.map(([name]) => name),
    () => [],
  );

/**
 * Asks which of the workspace's setups is meant, these first; undefined where there is none or the choice is
 * dismissed.
 */
async function chooseSetup(
  likely?: vscode.Uri,
  beside: readonly vscode.Uri[] = [],
): Promise<vscode.Uri | undefined> {
  const found = await vscode.workspace.findFiles('**/*.attention.json', '**/node_modules/**', 100);
  const all = [...(likely ? [likely] : []), ...beside, ...found];
  const setups = [...new Map(all.map((uri) => [uri.toString(), uri])).values()];
  if (setups.length === 0) {
    void vscode.window.showInformationMessage(
      'Your tensors are compared with a setup, a *.attention.json file, and there is none in the workspace. "Attention: New Setup" makes one.',
    );
    return undefined;
  }
  const items = setups.map((uri) => ({ label: vscode.workspace.asRelativePath(uri), uri }));
  const choice = await vscode.window.showQuickPick(items, {
    title: 'Compare My Tensors: with which setup?',
  });
  return choice?.uri;
}
