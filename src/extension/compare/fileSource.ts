// A trace file, or a folder of .npy files, as a person's program wrote it; read again when it changes.
import * as vscode from 'vscode';
import type { NamedTensor } from '../../formats/namedTensor.ts';
import { readTensorFile } from '../../formats/tensorFile.ts';
import { fileName } from '../uris.ts';
import type { TensorSource } from './source.ts';

const WRITING_PAUSE = 200; // ms

export class FileSource implements TensorSource {
  readonly file: vscode.Uri;
  readonly #changed = new vscode.EventEmitter<void>();
  readonly onDidChange = this.#changed.event;
  readonly #subscriptions: vscode.Disposable;
  #timer: NodeJS.Timeout | undefined;

  constructor(file: vscode.Uri) {
    this.file = file;
    const changed = (): void => {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#changed.fire(), WRITING_PAUSE);
    };
    const folder = vscode.Uri.joinPath(file, '..');
    const pattern = new vscode.RelativePattern(folder, file.path.slice(folder.path.length + 1));
    const watcher = vscode.workspace.createFileSystemWatcher(pattern);
    this.#subscriptions = vscode.Disposable.from(
      this.#changed,
      watcher,
      watcher.onDidChange(changed),
      watcher.onDidCreate(changed),
      watcher.onDidDelete(changed),
    );
  }

  get name(): string {
    return fileName(this.file);
  }

  async read(): Promise<NamedTensor[]> {
    const { type } = await vscode.workspace.fs.stat(this.file);
    if (type !== vscode.FileType.Directory) return readArrays(this.file);
    const names = (await vscode.workspace.fs.readDirectory(this.file)).map(([name]) => name);
    const files = names.filter((name) => name.endsWith('.npy'));
    const read = files.map((name) => readArrays(vscode.Uri.joinPath(this.file, name)));
    return (await Promise.all(read)).flat();
  }

  dispose(): void {
    clearTimeout(this.#timer);
    this.#subscriptions.dispose();
  }
}

const readArrays = async (file: vscode.Uri): Promise<NamedTensor[]> =>
  readTensorFile(fileName(file), await vscode.workspace.fs.readFile(file));
