// Bytes that are read by ranges: a file, a part of one, memory.
import { FormatError } from '../formatError.ts';

export interface ByteSource {
  /** In bytes. */
  readonly size: number;
  /**
   * The bytes from `offset` to before `offset + length`, fewer where the source ends. The caller does not write
   * to them. Rejects when they cannot be read.
   */
  read(offset: number, length: number): Promise<Uint8Array>;
}

export function inMemory(bytes: Uint8Array): ByteSource {
  return {
    size: bytes.length,
    read: (offset, length) => Promise.resolve(bytes.subarray(offset, offset + length)),
  };
}

/** The bytes of `source` from `begin` on, `size` of them. */
export function partOf(source: ByteSource, begin: number, size: number): ByteSource {
  return {
    size,
    read: (offset, length) =>
      source.read(begin + offset, Math.max(0, Math.min(length, size - offset))),
  };
}

/** Throws FormatError where the source ends too early, which for a checked file means that it has changed. */
export async function readExactly(
  source: ByteSource,
  offset: number,
  length: number,
  file: string,
  entry: string,
): Promise<Uint8Array> {
  const bytes = await source.read(offset, length);
  if (bytes.length === length) return bytes;
  throw new FormatError(
    file,
    entry,
    `the end after byte ${offset + bytes.length}`,
    `${length} bytes from ${offset}`,
  );
}

const PAGE = 2 ** 18;

/** Keeps what was read last, in pages, so that neighbouring small reads cost one. At most `mostBytes`. */
export function paged(source: ByteSource, mostBytes: number): ByteSource {
  const pages = new Map<number, Promise<Uint8Array>>();
  const most = Math.max(2, Math.floor(mostBytes / PAGE));
  const page = (number: number): Promise<Uint8Array> => {
    const kept = pages.get(number) ?? source.read(number * PAGE, PAGE);
    pages.delete(number);
    pages.set(number, kept);
    if (pages.size > most) pages.delete(pages.keys().next().value!);
    // What failed once may be there the next time.
    kept.catch(() => pages.delete(number));
    return kept;
  };
  return {
    size: source.size,
    read: async (offset, length) => {
      const end = Math.min(offset + length, source.size);
      const first = Math.floor(offset / PAGE);
      if (end <= (first + 1) * PAGE)
        return (await page(first)).subarray(offset - first * PAGE, end - first * PAGE);
      // Long reads go past the pages: they would drive everything else out.
      return source.read(offset, end - offset);
    },
  };
}
