// What a comparison still needs is asked for: the file with the person's tensors, or the setup.
import * as vscode from 'vscode';
import { Command } from '../commands.ts';
import { isSetup, type SetupModels } from '../setups.ts';

type Way = 'file' | typeof Command.CompareVariable | typeof Command.RunMine;

/** Where the tensors are to come from, asked for only where there is a choice. */
export async function chooseWay(models: SetupModels, uri: vscode.Uri): Promise<Way | undefined> {
  const { model, release } = models.acquire(uri);
  const { setup } = await model.opened().finally(() => release.dispose());
  const program = vscode.debug.activeDebugSession;
  const module = setup?.implementation?.module;
  const ways: (vscode.QuickPickItem & { way: Way })[] = [
    { label: 'A file of tensors...', description: '.npz, .npy, .safetensors, .json', way: 'file' },
    ...(program
      ? [{ label: `A variable of ${program.name}...`, way: Command.CompareVariable }]
      : []),
    ...(module === undefined
      ? []
      : [{ label: `Run ${module}`, description: 'the implementation', way: Command.RunMine }]),
  ];
  if (ways.length === 1) return 'file';
  return (await vscode.window.showQuickPick(ways, { title: 'Compare with which tensors?' }))?.way;
}

const TRACES = { 'Tensor files': ['npz', 'safetensors', 'json', 'npy'] };

/** Asks for the file with the person's tensors; undefined where the dialog is dismissed. */
export async function chooseTrace(setup: vscode.Uri): Promise<vscode.Uri | undefined> {
  const [trace] =
    (await vscode.window.showOpenDialog({
      title: 'Compare with my tensors',
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

/** Asks which of the workspace's setups is meant; undefined where there is none or the choice is dismissed. */
async function chooseSetup(): Promise<vscode.Uri | undefined> {
  const setups = await vscode.workspace.findFiles('**/*.attention.json', '**/node_modules/**', 100);
  if (setups.length === 0) {
    void vscode.window.showInformationMessage(
      'There is no *.attention.json in the workspace to compare with. Run "Attention: New Setup" first.',
    );
    return undefined;
  }
  const items = setups.map((uri) => ({ label: vscode.workspace.asRelativePath(uri), uri }));
  const choice = await vscode.window.showQuickPick(items, { title: 'Compare with which setup?' });
  return choice?.uri;
}
