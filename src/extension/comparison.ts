// A person's tensors held against a setup's reference: the trace file is read again when it or the setup changes.
import * as vscode from 'vscode';
import { check } from '../compare/check.ts';
import type { NamedTensor } from '../formats/namedTensor.ts';
import { resolveName } from '../formats/nodeNames.ts';
import { readTensorFile } from '../formats/tensorFile.ts';
import type { ComparisonView } from '../protocol.ts';
import type { SetupModel } from './setups.ts';
import { fileName } from './uris.ts';

const WRITING_PAUSE = 200; // ms

async function readTrace(trace: vscode.Uri): Promise<NamedTensor[]> {
  const { type } = await vscode.workspace.fs.stat(trace);
  const read = async (file: vscode.Uri): Promise<NamedTensor[]> =>
    readTensorFile(fileName(file), await vscode.workspace.fs.readFile(file));
  if (type !== vscode.FileType.Directory) return read(trace);
  const names = (await vscode.workspace.fs.readDirectory(trace)).map(([name]) => name);
  const arrays = names.filter((name) => name.endsWith('.npy'));
  return (await Promise.all(arrays.map((name) => read(vscode.Uri.joinPath(trace, name))))).flat();
}

export class TraceModel implements vscode.Disposable {
  readonly trace: vscode.Uri;
  readonly #setup: SetupModel;
  readonly #changed = new vscode.EventEmitter<void>();
  readonly onDidChange = this.#changed.event;
  readonly #subscriptions: vscode.Disposable;
  #timer: NodeJS.Timeout | undefined;

  constructor(setup: SetupModel, trace: vscode.Uri) {
    this.#setup = setup;
    this.trace = trace;
    const changed = (): void => {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#changed.fire(), WRITING_PAUSE);
    };
    const folder = vscode.Uri.joinPath(trace, '..');
    const pattern = new vscode.RelativePattern(folder, trace.path.slice(folder.path.length + 1));
    const watcher = vscode.workspace.createFileSystemWatcher(pattern);
    this.#subscriptions = vscode.Disposable.from(
      this.#changed,
      watcher,
      watcher.onDidChange(changed),
      watcher.onDidCreate(changed),
      watcher.onDidDelete(changed),
    );
  }

  /** Never rejects: what cannot be read is told. */
  async compare(): Promise<ComparisonView> {
    const trace = fileName(this.trace);
    try {
      const { setup, graph, config } = await this.#setup.opened();
      if (!setup || !graph || !config) {
        return {
          trace,
          report: null,
          problem: 'The setup cannot be computed, so there is no reference.',
        };
      }
      const tensors = await readTrace(this.trace);
      const report = check({
        config,
        graph,
        trace: tensors,
        names: setup.names,
        resolve: resolveName,
      });
      if (report.verdict !== 'unaligned') return { trace, report, problem: null };
      const found = report.unaligned.map(({ name, reason }) => `${name} (${reason})`).join(', ');
      const problem = `${trace}: found ${found || 'no tensor'}, expected at least one node such as P or dQ`;
      return { trace, report: null, problem };
    } catch (error) {
      return { trace, report: null, problem: (error as Error).message };
    }
  }

  dispose(): void {
    clearTimeout(this.#timer);
    this.#subscriptions.dispose();
  }
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

/** Asks which of the workspace's setups is meant; undefined where there is none or the choice is dismissed. */
export async function chooseSetup(): Promise<vscode.Uri | undefined> {
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
