// The bytes of a file on disk by ranges, without vscode.
import { open } from 'node:fs/promises';
import { readFrom, regularSize } from '../../disk/regularFile.ts';
import type { ByteSource } from '../../formats/ranges/byteSource.ts';

export interface OpenedBytes {
  readonly source: ByteSource;
  dispose(): void;
}

/** Rejects when there is no such file, it is no regular one, or it cannot be read. */
export async function openDisk(path: string): Promise<OpenedBytes> {
  const size = await regularSize(path);
  const handle = await open(path, 'r');
  const read = (offset: number, length: number): Promise<Uint8Array> =>
    readFrom(handle, offset, Math.max(0, Math.min(length, size - offset)));
  return { source: { size, read }, dispose: () => void handle.close() };
}
