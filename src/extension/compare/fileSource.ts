// A trace file, a folder of .npy files, or the parts of several ranks, as a person's program wrote it; read again when it changes.
import * as vscode from 'vscode';
import { fitsIn, wantedBy } from '../../compare/align/fits.ts';
import type { NamedTensor } from '../../formats/namedTensor.ts';
import { type ResolvedName, resolveName } from '../../formats/nodeNames.ts';
import type { ComputableSetup } from '../../formats/openSetup.ts';
import { partName, wholeName } from '../../formats/partMeta.ts';
import type { LeftOut } from '../../formats/parts.ts';
import { readTrace, readTraceFolder, type TraceFolder } from '../../formats/readTrace.ts';
import { bytesOf } from '../tensorFile/fileBytes.ts';
import { fileName } from '../uris.ts';
import { watchFiles } from '../watch.ts';
import type { TensorSource } from './source.ts';

const WRITING_PAUSE = 200; // ms

const traceFolder = (folder: vscode.Uri): TraceFolder => ({
  names: async () => (await vscode.workspace.fs.readDirectory(folder)).map(([name]) => name),
  read: (name) => bytesOf(vscode.Uri.joinPath(folder, name)),
  label: (name) => name || fileName(folder),
});

export class FileSource implements TensorSource {
  readonly file: vscode.Uri;
  readonly #changed = new vscode.EventEmitter<void>();
  readonly onDidChange = this.#changed.event;
  readonly #subscriptions: vscode.Disposable;
  #leftOut: readonly LeftOut[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(file: vscode.Uri) {
    this.file = file;
    const changed = (): void => {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#changed.fire(), WRITING_PAUSE);
    };
    const name = fileName(file);
    const folder = vscode.Uri.joinPath(file, '..');
    // The file itself, the files in it if it is a folder, and its parts.
    const patterns = [name, `${name}/*`, partName(wholeName(name) ?? name, '*')];
    const watchers = patterns.map((pattern) => watchFiles(folder, pattern, changed));
    this.#subscriptions = vscode.Disposable.from(this.#changed, ...watchers);
  }

  get name(): string {
    return fileName(this.file);
  }

  get leftOut(): readonly LeftOut[] {
    return this.#leftOut;
  }

  async read({ setup, graph }: ComputableSetup): Promise<readonly NamedTensor[]> {
    const resolve = (name: string, rank: number): ResolvedName | null =>
      resolveName(name, setup.names, rank);
    const options = { resolve, fits: fitsIn(graph), want: wantedBy(graph, resolve) };
    // A base name of which there are only parts is no file.
    const isFolder = await vscode.workspace.fs.stat(this.file).then(
      ({ type }) => Boolean(type & vscode.FileType.Directory),
      () => false,
    );
    const { tensors, leftOut } = isFolder
      ? await readTraceFolder(traceFolder(this.file), options)
      : await readTrace(traceFolder(vscode.Uri.joinPath(this.file, '..')), this.name, options);
    this.#leftOut = leftOut;
    return tensors;
  }

  dispose(): void {
    clearTimeout(this.#timer);
    this.#subscriptions.dispose();
  }
}
