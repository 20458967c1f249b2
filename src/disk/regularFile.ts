// Regular files on a disk, and only those: what stands for a device or a pipe is refused before a byte is read.
import { constants, type Stats } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { type ByteSource, paged } from '../formats/ranges/byteSource.ts';

/** Its message is what was found, as in "found a FIFO". */
export class NotRegularError extends Error {}

/** Opening a FIFO would wait for its other end; one may take the place of the file at any moment. */
const FLAGS = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0);

const MOST_CACHED = 2 ** 22; // bytes

/** What is no regular file, in words; '' for one that is. */
function otherThanFile(found: Stats): string {
  if (found.isFile()) return '';
  if (found.isDirectory()) return 'a folder';
  if (found.isFIFO()) return 'a FIFO';
  return found.isSocket() ? 'a socket' : 'a device';
}

function check(found: Stats): Stats {
  const other = otherThanFile(found);
  if (other) throw new NotRegularError(`found ${other}, expected a regular file`);
  return found;
}

/** Size in bytes; links are followed. Rejects with NotRegularError, or with the system's error. */
export const regularSize = async (path: string): Promise<number> => check(await stat(path)).size;

/**
 * The bytes by ranges. Nothing is held open between two reads, and nothing behind the size that the file had is ever
 * read: some of /proc have none and never end. Rejects with NotRegularError, or with the system's error.
 */
export async function diskSource(path: string): Promise<ByteSource> {
  const size = await regularSize(path);
  const source: ByteSource = {
    size,
    read: async (offset, length) => {
      const wanted = Math.max(0, Math.min(length, size - offset));
      if (wanted === 0) return new Uint8Array();
      const handle = await open(path, FLAGS);
      try {
        check(await handle.stat());
        return await readFrom(handle, offset, wanted);
      } finally {
        await handle.close();
      }
    },
  };
  // Headers are read in small pieces, each of which would open the file.
  return paged(source, MOST_CACHED);
}

/** Up to `length` bytes; fewer where the file ends before. */
export async function readFrom(
  handle: FileHandle,
  offset: number,
  length: number,
): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  let filled = 0;
  while (filled < length) {
    const { bytesRead } = await handle.read(bytes, filled, length - filled, offset + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return bytes.subarray(0, filled);
}
