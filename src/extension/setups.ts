// Setup files as the editor has them: text while typing, tensors from the file system, re-read when either changes.
import * as vscode from 'vscode';
import { MAX_SETUP_BYTES } from '../formats/limits.ts';
import type { ReadFile } from '../formats/loadSetup.ts';
import { type OpenedSetup, openSetup } from '../formats/openSetup.ts';
import { decodeText } from '../formats/text.ts';
import type { About } from '../stepper/session.ts';
import { checkReadable } from './mayRead.ts';
import { bytesOf } from './tensorFile/fileBytes.ts';
import { fileName } from './uris.ts';
import { watchFiles } from './watch.ts';

const TYPING_PAUSE = 150; // ms

/** "exercise" for ".../exercise.attention.json". */
export const setupName = (uri: vscode.Uri): string =>
  fileName(uri).replace(/\.attention\.json$/, '');

/** What its panel is headed with. */
export const aboutOf = ({ setup }: OpenedSetup, uri: vscode.Uri): About => ({
  title: setup?.title ?? setupName(uri),
  description: setup?.description ?? '',
  energy: setup?.energy ?? false,
});

/** Where an unsaved setup will be: the files it names are found, and watched, from there. */
const onDisk = (setup: vscode.Uri): vscode.Uri =>
  setup.scheme === 'untitled'
    ? setup.with({ scheme: vscode.workspace.workspaceFolders?.[0]?.uri.scheme ?? 'file' })
    : setup;

/** A path as written in a setup: relative to it, or absolute on its file system. */
export function fileUri(setup: vscode.Uri, path: string): vscode.Uri {
  const isAbsolute = path.startsWith('/') || /^[A-Za-z]:[\\/]/.test(path);
  if (isAbsolute) return onDisk(setup).with({ path: vscode.Uri.file(path).path });
  return vscode.Uri.joinPath(onDisk(setup), '..', path);
}

/** The text an editor shows, saved or not, else the file's. */
async function textOf(uri: vscode.Uri): Promise<string> {
  const open = vscode.workspace.textDocuments.find(
    (each) => each.uri.toString() === uri.toString(),
  );
  if (open) return open.getText();
  const source = await bytesOf(uri);
  if (source.size > MAX_SETUP_BYTES)
    throw new Error(`found ${source.size} bytes, expected at most ${MAX_SETUP_BYTES}`);
  return decodeText(await source.read(0, source.size));
}

/** One setup file, opened anew whenever it or a file it reads changes. */
export class SetupModel implements vscode.Disposable {
  readonly uri: vscode.Uri;
  readonly #changed = new vscode.EventEmitter<void>();
  readonly onDidChange = this.#changed.event;
  readonly #subscriptions: vscode.Disposable[] = [];
  readonly #filesRead = new Set<string>();
  #opened: Promise<OpenedSetup> | null = null;
  #timer: NodeJS.Timeout | undefined;

  constructor(uri: vscode.Uri) {
    this.uri = uri;
    const onFile = (changed: vscode.Uri): void => {
      const name = changed.toString();
      if (name === this.uri.toString() || this.#filesRead.has(name)) this.#invalidate();
    };
    this.#subscriptions.push(
      this.#changed,
      watchFiles(vscode.Uri.joinPath(onDisk(uri), '..'), '**/*', onFile),
      vscode.workspace.onDidChangeTextDocument(({ document }) => {
        if (document.uri.toString() === this.uri.toString()) this.#invalidate();
      }),
      vscode.workspace.onDidGrantWorkspaceTrust(() => this.#invalidate()),
    );
  }

  /** The newest state; computed once per change. Never rejects: a file that cannot be read is a problem. */
  opened(): Promise<OpenedSetup> {
    this.#opened ??= this.#open();
    return this.#opened;
  }

  dispose(): void {
    clearTimeout(this.#timer);
    vscode.Disposable.from(...this.#subscriptions).dispose();
  }

  async #open(): Promise<OpenedSetup> {
    let text: string;
    try {
      text = await textOf(this.uri);
    } catch {
      const message = `${this.uri.path}: the file is gone or cannot be read`;
      return {
        setup: null,
        config: null,
        graph: null,
        problems: [{ message, path: [], severity: 'error', offset: 0, length: 0 }],
      };
    }
    const read: ReadFile = async (path) => {
      const file = fileUri(this.uri, path);
      this.#filesRead.add(file.toString());
      await checkReadable(this.uri, file);
      return bytesOf(file);
    };
    return openSetup(text, read);
  }

  #invalidate(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#opened = null;
      this.#changed.fire();
    }, TYPING_PAUSE);
  }
}

/** One model per file, shared by the panel and Problems, kept as long as somebody uses it. */
export class SetupModels {
  readonly #models = new Map<string, { model: SetupModel; users: number }>();

  acquire(uri: vscode.Uri): { model: SetupModel; release: vscode.Disposable } {
    const key = uri.toString();
    const entry = this.#models.get(key) ?? { model: new SetupModel(uri), users: 0 };
    entry.users++;
    this.#models.set(key, entry);
    const release = new vscode.Disposable(() => {
      if (--entry.users > 0) return;
      entry.model.dispose();
      this.#models.delete(key);
    });
    return { model: entry.model, release };
  }
}
