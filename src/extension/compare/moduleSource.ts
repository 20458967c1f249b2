// The setup's implementation: the person's module, run again when it, a module beside it or the setup is saved.
import * as vscode from 'vscode';
import type { CodeLine, NamedTensor } from '../../formats/namedTensor.ts';
import type { ComputableSetup } from '../../formats/openSetup.ts';
import { MineError, runMine } from '../../mine/runMine.ts';
import { fileUri } from '../setups.ts';
import { fileName } from '../uris.ts';
import { watchFiles } from '../watch.ts';
import type { TensorSource } from './source.ts';

const SAVING_PAUSE = 200; // ms
const IS_MODULE = /\.[cm]?[jt]s$/;

export const UNTRUSTED =
  'Running your own module takes a trusted workspace: it is a program like any other.';

export interface MineServices {
  /** Path of the bundled runner. */
  readonly runner: string;
  readonly log: vscode.LogOutputChannel;
}

export class ModuleSource implements TensorSource {
  readonly #setup: vscode.Uri;
  readonly #services: MineServices;
  readonly #changed = new vscode.EventEmitter<void>();
  readonly onDidChange = this.#changed.event;
  /** Where the module failed. */
  readonly #problems = vscode.languages.createDiagnosticCollection('attention run');
  #file: vscode.Uri;
  #watcher: vscode.Disposable;
  #running = new AbortController();
  #latest: Promise<readonly NamedTensor[]> | null = null;
  #timer: NodeJS.Timeout | undefined;

  /** `module` as the setup has it. */
  constructor(setup: vscode.Uri, module: string, services: MineServices) {
    this.#setup = setup;
    this.#services = services;
    this.#file = fileUri(setup, module);
    this.#watcher = this.#watch();
  }

  get name(): string {
    return fileName(this.#file);
  }

  get file(): vscode.Uri {
    return this.#file;
  }

  async read(reference: ComputableSetup): Promise<readonly NamedTensor[]> {
    const run = this.#run(reference);
    this.#latest = run;
    try {
      return await run;
    } catch (error) {
      // A run that the next one has stopped is not worth a word.
      if (this.#latest !== run) return this.#latest;
      throw error;
    }
  }

  async #run({ setup, graph, config }: ComputableSetup): Promise<readonly NamedTensor[]> {
    this.#running.abort();
    this.#problems.clear();
    if (!vscode.workspace.isTrusted) throw new Error(UNTRUSTED);
    const { implementation, names } = setup;
    if (!implementation) throw new Error('The setup names no implementation any more.');
    this.#follow(fileUri(this.#setup, implementation.module));
    if (this.#file.scheme !== 'file')
      throw new Error(`${this.name}: found it on ${this.#file.scheme}:, expected it on a disk`);
    const { runner, log } = this.#services;
    const running = new AbortController();
    this.#running = running;
    const { signal } = running;
    const module = this.#file.fsPath;
    try {
      return await vscode.window.withProgress(
        { location: vscode.ProgressLocation.Window, title: `Running ${this.name}` },
        () =>
          runMine({
            ...{ runner, module, timeout: implementation.timeout, config, graph, names, signal },
            onOutput: (text, stream) => log[stream === 'stdout' ? 'info' : 'warn'](text.trimEnd()),
          }),
      );
    } catch (error) {
      if (error instanceof MineError && !signal.aborted) this.#tell(error.message, error.place);
      throw error;
    }
  }

  dispose(): void {
    clearTimeout(this.#timer);
    this.#running.abort();
    vscode.Disposable.from(this.#changed, this.#problems, this.#watcher).dispose();
  }

  #tell(message: string, place: CodeLine | null): void {
    this.#services.log.error(message);
    if (!place) return;
    const range = new vscode.Range(place.line - 1, 0, place.line - 1, 1000);
    const problem = new vscode.Diagnostic(range, message, vscode.DiagnosticSeverity.Error);
    problem.source = 'attention';
    this.#problems.set(vscode.Uri.file(place.file), [problem]);
  }

  #follow(file: vscode.Uri): void {
    if (file.toString() === this.#file.toString()) return;
    this.#file = file;
    this.#watcher.dispose();
    this.#watcher = this.#watch();
  }

  /** Its folder: what it imports is most often there. */
  #watch(): vscode.Disposable {
    const changed = ({ path }: vscode.Uri): void => {
      if (!IS_MODULE.test(path)) return;
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#changed.fire(), SAVING_PAUSE);
    };
    return watchFiles(vscode.Uri.joinPath(this.#file, '..'), '*', changed);
  }
}
