// The bytes of a file by ranges: from disk where it is on one, else read whole if it is small enough.
import * as vscode from 'vscode';
import { FormatError } from '../../formats/formatError.ts';
import { inMemory } from '../../formats/ranges/byteSource.ts';
import { fileName } from '../uris.ts';
import { openDisk, type OpenedBytes } from './diskBytes.ts';

/** Largest file that is read whole, in bytes, where a file system gives no ranges. */
const MOST_WHOLE = 2 ** 28;

const nothing = (): void => undefined;

export async function openBytes(uri: vscode.Uri): Promise<OpenedBytes> {
  if (uri.scheme !== 'file') {
    const { size } = await vscode.workspace.fs.stat(uri);
    if (size > MOST_WHOLE) {
      const found = `${size} bytes on a file system that cannot read parts of files (${uri.scheme})`;
      throw new FormatError(fileName(uri), '', found, `at most ${MOST_WHOLE}: copy it to a disk`);
    }
    return { source: inMemory(await vscode.workspace.fs.readFile(uri)), dispose: nothing };
  }
  return openDisk(uri.fsPath);
}
