// The bytes of a file on disk by ranges, without vscode.
import { open } from 'node:fs/promises';
import { regularSize } from '../../disk/regularFile.ts';
import type { ByteSource } from '../../formats/ranges/byteSource.ts';

export interface OpenedBytes {
  readonly source: ByteSource;
  dispose(): void;
}

/** Rejects when there is no such file, it is no regular one, or it cannot be read. */
export async function openDisk(path: string): Promise<OpenedBytes> {
  const size = await regularSize(path);
  const handle = await open(path, 'r');
  const read = async (offset: number, length: number): Promise<Uint8Array> => {
    const wanted = Math.max(0, Math.min(length, size - offset));
    const bytes = new Uint8Array(wanted);
    let filled = 0;
    while (filled < wanted) {
      const { bytesRead } = await handle.read(bytes, filled, wanted - filled, offset + filled);
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    return bytes.subarray(0, filled);
  };
  return { source: { size, read }, dispose: () => void handle.close() };
}
