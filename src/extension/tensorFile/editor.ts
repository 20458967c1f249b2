// The read-only editor of .npy, .npz and .safetensors files.
import * as vscode from 'vscode';
import { FormatError } from '../../formats/formatError.ts';
import { listTensors } from '../../formats/ranges/listTensors.ts';
import type { FromInspector } from '../../inspect/messages.ts';
import { Command } from '../commands.ts';
import { type Served, serve } from '../inspector/serve.ts';
import type { InspectorView } from '../inspector/view.ts';
import { fileName } from '../uris.ts';
import { webviewPage } from '../webviewPage.ts';
import { useAsInput } from './asInput.ts';
import type { OpenedBytes } from './diskBytes.ts';
import { openBytes } from './fileBytes.ts';
import { FileModel } from './fileModel.ts';

/** A file is written in parts: it is read anew when it has been quiet for that long, in ms. */
const CHANGE_PAUSE = 300;

class TensorFile implements vscode.CustomDocument {
  readonly uri: vscode.Uri;
  readonly prefix: string;
  readonly model: FileModel;
  readonly pages = new Set<Served>();
  readonly #log: vscode.LogOutputChannel;
  readonly #watcher: vscode.FileSystemWatcher;
  #bytes: OpenedBytes | null = null;
  #timer: NodeJS.Timeout | undefined;
  readonly #disposed = new vscode.EventEmitter<void>();
  readonly onDidDispose = this.#disposed.event;

  constructor(uri: vscode.Uri, prefix: string, log: vscode.LogOutputChannel) {
    this.uri = uri;
    this.prefix = prefix;
    this.#log = log;
    this.model = new FileModel({
      ...{ name: this.name, prefix },
      changed: () => this.pages.forEach((page) => page.refresh()),
      progress: (tensor, done) => this.pages.forEach((page) => page.progress(tensor, done)),
    });
    const folder = vscode.Uri.joinPath(uri, '..');
    this.#watcher = vscode.workspace.createFileSystemWatcher(
      new vscode.RelativePattern(folder, this.name),
    );
    const again = (): void => {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => void this.read(), CHANGE_PAUSE);
    };
    this.#watcher.onDidChange(again);
    this.#watcher.onDidCreate(again);
  }

  get name(): string {
    return fileName(this.uri);
  }

  /** Never rejects: what is wrong with the file is shown in its place. */
  async read(): Promise<void> {
    const before = this.#bytes;
    try {
      this.#bytes = await openBytes(this.uri);
      before?.dispose();
      const { source } = this.#bytes;
      this.model.load(await listTensors(source, this.name), source.size);
    } catch (error) {
      if (!(error instanceof FormatError)) this.#log.error(error as Error);
      this.model.fail((error as Error).message);
    }
  }

  dispose(): void {
    clearTimeout(this.#timer);
    this.#watcher.dispose();
    this.model.dispose();
    this.#bytes?.dispose();
    this.#disposed.fire();
  }
}

export class TensorFileEditor implements vscode.CustomReadonlyEditorProvider<TensorFile> {
  readonly #extension: vscode.Uri;
  readonly #log: vscode.LogOutputChannel;
  readonly #inspector: InspectorView;
  #opened = 0;

  constructor(extension: vscode.Uri, log: vscode.LogOutputChannel, inspector: InspectorView) {
    this.#extension = extension;
    this.#log = log;
    this.#inspector = inspector;
  }

  openCustomDocument(uri: vscode.Uri): TensorFile {
    const file = new TensorFile(uri, `file${++this.#opened}`, this.#log);
    void file.read();
    file.onDidDispose(() => this.#inspector.unpin((id) => id.startsWith(`${file.prefix}:`)));
    return file;
  }

  resolveCustomEditor(file: TensorFile, { webview, onDidDispose }: vscode.WebviewPanel): void {
    webview.options = {
      enableScripts: true,
      localResourceRoots: [vscode.Uri.joinPath(this.#extension, 'dist')],
    };
    webview.html = webviewPage(webview, this.#extension, {
      title: 'Tensor Inspector',
      bundle: 'inspector',
      data: { place: 'editor' },
    });
    const served = serve(webview, file.model, this.#log, (message) => this.#receive(file, message));
    file.pages.add(served);
    onDidDispose(() => {
      file.pages.delete(served);
      served.dispose();
    });
  }

  #receive(file: TensorFile, message: FromInspector): void {
    if (message.type === 'pin') {
      const info = file.model.info(message.tensor);
      const found = file.model.find(message.tensor);
      if (info && found) this.#inspector.pin({ info, source: found.source });
    }
    if (message.type === 'compareFile')
      void vscode.commands.executeCommand(Command.Compare, file.uri);
    if (message.type === 'useAsInput') {
      const tensor = file.model.tensor(message.tensor);
      if (!tensor) return;
      const key = file.name.endsWith('.npy') ? null : tensor.name;
      useAsInput(file.uri, key, tensor.shape).catch((error: unknown) => {
        void vscode.window.showWarningMessage((error as Error).message);
      });
    }
  }
}
