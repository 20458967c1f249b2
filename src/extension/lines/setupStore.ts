// Setups that were inferred, as files that the panel opens though they are on no disk; and how one is found or put there.
import { dirname, join, resolve } from 'node:path';
import * as vscode from 'vscode';
import { MAX_SETUP_BYTES } from '../../formats/limits.ts';
import { parseSetup } from '../../formats/parseSetup.ts';
import type { SavedSetup } from '../../lines/infer/save.ts';
import { fileName, isSetup } from '../uris.ts';

/** The scheme of setups that are on no disk. */
const SCHEME = 'attention-inferred';
/** Setups beside a program that are looked at. */
const MOST = 50;

const stemOf = (program: vscode.Uri): string => fileName(program).replace(/\.\w+$/, '');

/** mha.attention.json beside mha.py, with another scheme. */
const inferredUri = (program: vscode.Uri): vscode.Uri =>
  vscode.Uri.joinPath(program, '..', `${stemOf(program)}.attention.json`).with({
    scheme: SCHEME,
    authority: '',
  });

export class InferredSetups implements vscode.FileSystemProvider {
  readonly #files = new Map<string, { bytes: Uint8Array; mtime: number }>();
  readonly #changed = new vscode.EventEmitter<vscode.FileChangeEvent[]>();
  readonly onDidChangeFile = this.#changed.event;

  register(): vscode.Disposable {
    const options = { isReadonly: true, isCaseSensitive: true };
    return vscode.Disposable.from(
      this.#changed,
      vscode.workspace.registerFileSystemProvider(SCHEME, this, options),
    );
  }

  /** Keeps what was inferred of a program; the same as before changes nothing. */
  put(program: vscode.Uri, { json, npz }: SavedSetup): vscode.Uri {
    const setup = inferredUri(program);
    const tensors = vscode.Uri.joinPath(setup, '..', `${stemOf(program)}.npz`);
    const changes = [
      this.#write(tensors, npz),
      this.#write(setup, new TextEncoder().encode(json)),
    ].flat();
    if (changes.length > 0) this.#changed.fire(changes);
    return setup;
  }

  #write(uri: vscode.Uri, bytes: Uint8Array): vscode.FileChangeEvent[] {
    const known = this.#files.get(uri.path);
    if (known && Buffer.compare(known.bytes, bytes) === 0) return [];
    this.#files.set(uri.path, { bytes, mtime: Date.now() });
    return [{ uri, type: known ? vscode.FileChangeType.Changed : vscode.FileChangeType.Created }];
  }

  watch(): vscode.Disposable {
    return new vscode.Disposable(() => undefined);
  }

  stat(uri: vscode.Uri): vscode.FileStat {
    const { bytes, mtime } = this.#of(uri);
    return { type: vscode.FileType.File, ctime: mtime, mtime, size: bytes.length };
  }

  readFile(uri: vscode.Uri): Uint8Array {
    return this.#of(uri).bytes;
  }

  #of(uri: vscode.Uri): { bytes: Uint8Array; mtime: number } {
    const found = this.#files.get(uri.path);
    if (!found) throw vscode.FileSystemError.FileNotFound(uri);
    return found;
  }

  readDirectory(): [string, vscode.FileType][] {
    return [];
  }

  createDirectory(uri: vscode.Uri): void {
    throw vscode.FileSystemError.NoPermissions(uri);
  }

  writeFile(uri: vscode.Uri): void {
    throw vscode.FileSystemError.NoPermissions(uri);
  }

  delete(uri: vscode.Uri): void {
    throw vscode.FileSystemError.NoPermissions(uri);
  }

  rename(uri: vscode.Uri): void {
    throw vscode.FileSystemError.NoPermissions(uri);
  }
}

export interface SavedFor {
  readonly uri: vscode.Uri;
  readonly args: readonly string[];
  readonly function: string | undefined;
}

/** The setup in the program's folder whose `source` is this program: it wins over what is inferred. */
export async function savedSetupFor(program: vscode.Uri): Promise<SavedFor | null> {
  const folder = vscode.Uri.joinPath(program, '..');
  const { fs } = vscode.workspace;
  const names = await fs.readDirectory(folder).then(
    (entries) => entries.map(([name]) => name),
    () => [],
  );
  const setups = names.map((name) => vscode.Uri.joinPath(folder, name)).filter(isSetup);
  for (const uri of setups.slice(0, MOST)) {
    try {
      if ((await fs.stat(uri)).size > MAX_SETUP_BYTES) continue;
      const text = new TextDecoder().decode(await fs.readFile(uri));
      if (!text.includes('"source"')) continue;
      const source = parseSetup(text).setup?.source;
      if (!source || resolve(dirname(uri.fsPath), source.file) !== program.fsPath) continue;
      return { uri, args: source.args ?? [], function: source.function || undefined };
    } catch {
      // Gone, or unreadable: it is not this program's.
    }
  }
  return null;
}

const REPLACE = 'Replace';

/** Writes setup and tensors beside the program; null where the person keeps what is there. */
export async function saveInferred(
  program: vscode.Uri,
  { json, npz }: SavedSetup,
): Promise<vscode.Uri | null> {
  const folder = dirname(program.fsPath);
  const setup = vscode.Uri.file(join(folder, `${stemOf(program)}.attention.json`));
  const tensors = vscode.Uri.file(join(folder, `${stemOf(program)}.npz`));
  const { fs } = vscode.workspace;
  const isThere = async (uri: vscode.Uri): Promise<boolean> =>
    fs.stat(uri).then(
      () => true,
      () => false,
    );
  const there: string[] = [];
  for (const uri of [setup, tensors]) if (await isThere(uri)) there.push(fileName(uri));
  if (there.length > 0) {
    const message = `${there.join(' and ')} ${there.length > 1 ? 'are' : 'is'} there already.`;
    const answer = await vscode.window.showWarningMessage(message, { modal: true }, REPLACE);
    if (answer !== REPLACE) return null;
  }
  await fs.writeFile(tensors, npz);
  await fs.writeFile(setup, new TextEncoder().encode(json));
  return setup;
}
