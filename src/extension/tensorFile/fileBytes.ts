// The bytes of a file by ranges: from disk where it is on one, else read whole if it is small enough.
import * as vscode from 'vscode';
import { diskSource, NotRegularError } from '../../disk/regularFile.ts';
import { FormatError } from '../../formats/formatError.ts';
import { type ByteSource, inMemory } from '../../formats/ranges/byteSource.ts';
import { fileName } from '../uris.ts';
import { openDisk, type OpenedBytes } from './diskBytes.ts';

/** Largest file that is read whole, in bytes, where a file system gives no ranges. */
const MOST_WHOLE = 2 ** 28;

const nothing = (): void => undefined;

/** Rejects for what is no regular file, and for what is too large to be read whole where only that can be done. */
export async function bytesOf(uri: vscode.Uri): Promise<ByteSource> {
  if (uri.scheme === 'file') return diskSource(uri.fsPath);
  const { size, type } = await vscode.workspace.fs.stat(uri);
  if (!(type & vscode.FileType.File)) throw new NotRegularError('found no file, expected one');
  if (size > MOST_WHOLE) {
    const found = `${size} bytes on a file system that cannot read parts of files (${uri.scheme})`;
    throw new FormatError(fileName(uri), '', found, `at most ${MOST_WHOLE}: copy it to a disk`);
  }
  return inMemory(await vscode.workspace.fs.readFile(uri));
}

/** As `bytesOf`, and a file on a disk stays open until it is disposed of: what replaces it meanwhile is not read. */
export async function openBytes(uri: vscode.Uri): Promise<OpenedBytes> {
  if (uri.scheme === 'file') return openDisk(uri.fsPath);
  return { source: await bytesOf(uri), dispose: nothing };
}
