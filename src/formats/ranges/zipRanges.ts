// Lists the members of a zip archive from its end, and unpacks one in slices (PKWARE APPNOTE 6.3).
import { Inflate } from 'fflate';
import { FormatError } from '../formatError.ts';
import { MAX_TENSORS, MAX_UNPACKED_BYTES } from '../limits.ts';
import * as zip from '../zip.ts';
import { type ByteSource, inMemory, partOf, readExactly } from './byteSource.ts';
import type { Opening } from './fileTensor.ts';

export interface RangedMember {
  readonly name: string;
  readonly compressed: boolean;
  readonly unpackedSize: number;
  /** The first bytes, unpacked: at least `length`, fewer only where the member ends. Throws FormatError. */
  head(length: number): Promise<Uint8Array>;
  /** All bytes, unpacked. Throws FormatError. */
  open(opening: Opening): Promise<ByteSource>;
}

const END_SIZE = 22;
const LOCATOR_SIZE = 20;
const LONGEST_COMMENT = 0xffff;
const MOST_DIRECTORY = 2 ** 26;
/** Packed bytes at a time: at most 17 MB unpacked. */
const CHUNK = 2 ** 14;
const HEAD_CHUNK = 2 ** 9;

const viewOf = (bytes: Uint8Array): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

interface Directory {
  readonly count: number;
  readonly begin: number;
  readonly end: number;
}

async function directoryOf(source: ByteSource, file: string): Promise<Directory> {
  const length = Math.min(source.size, END_SIZE + LONGEST_COMMENT + LOCATOR_SIZE);
  const tailAt = source.size - length;
  const view = viewOf(await readExactly(source, tailAt, length, file, ''));
  for (let at = length - END_SIZE; at >= 0; at--) {
    if (view.getUint32(at, true) !== zip.END) continue;
    if (!zip.hasSignature(view, at - LOCATOR_SIZE, zip.LOCATOR64, LOCATOR_SIZE)) {
      return {
        count: view.getUint16(at + 10, true),
        begin: view.getUint32(at + 16, true),
        end: tailAt + at,
      };
    }
    const at64 = zip.getUint64(view, at - LOCATOR_SIZE + 8);
    const record = viewOf(await source.read(at64, 56));
    if (!zip.hasSignature(record, 0, zip.END64, 56)) break;
    return { count: zip.getUint64(record, 32), begin: zip.getUint64(record, 48), end: at64 };
  }
  throw new FormatError(file, '', 'no directory at the end', 'a whole zip archive');
}

/** The members in the order of the directory, nothing unpacked. Throws FormatError. */
export async function listMembers(source: ByteSource, file: string): Promise<RangedMember[]> {
  const { count, begin, end } = await directoryOf(source, file);
  if (count > MAX_TENSORS)
    throw new FormatError(file, '', `${count} members`, `at most ${MAX_TENSORS}`);
  const length = end - begin;
  if (length < 0 || length > MOST_DIRECTORY) {
    throw new FormatError(file, '', `a directory of ${length} bytes`, `0 to ${MOST_DIRECTORY}`);
  }
  const bytes = await readExactly(source, begin, length, file, '');
  const view = viewOf(bytes);
  const members: RangedMember[] = [];
  let packedTotal = 0;
  for (let i = 0, at = 0; i < count; i++) {
    if (!zip.hasSignature(view, at, zip.MEMBER, 46)) {
      throw new FormatError(
        file,
        '',
        `no directory entry at byte ${begin + at}`,
        `${count} entries`,
      );
    }
    const member = zip.readMember(view, bytes, at);
    at = member.next;
    packedTotal += member.packedSize;
    // Members that share their packed bytes are how a small archive becomes a large one.
    if (packedTotal > source.size) {
      throw new FormatError(
        file,
        member.name,
        `${packedTotal} packed bytes`,
        `at most ${source.size}`,
      );
    }
    members.push(rangedMember(source, file, member));
  }
  return members;
}

function rangedMember(source: ByteSource, file: string, member: zip.Member): RangedMember {
  const { name, method, packedSize, unpackedSize, local } = member;
  const packed = async (): Promise<ByteSource> => {
    zip.checkMember(member, file);
    const header = viewOf(await source.read(local, 30));
    if (!zip.hasSignature(header, 0, zip.LOCAL, 30)) {
      throw new FormatError(file, name, `no member at byte ${local}`, 'a whole zip archive');
    }
    const begin = local + 30 + header.getUint16(26, true) + header.getUint16(28, true);
    if (begin + packedSize > source.size) {
      throw new FormatError(
        file,
        name,
        `${source.size - begin} bytes`,
        `${packedSize}: the file was cut`,
      );
    }
    return partOf(source, begin, packedSize);
  };
  const isStored = method === zip.STORED;
  return {
    name,
    compressed: !isStored,
    unpackedSize,
    head: async (length) => {
      const bytes = await packed();
      return isStored
        ? bytes.read(0, length)
        : inflateHead(bytes, Math.min(length, unpackedSize), file, name);
    },
    open: async (opening) => {
      const bytes = await packed();
      if (!isStored) return inflateAll(bytes, member, file, opening);
      if (!opening.checked) return bytes;
      const all = await readExactly(bytes, 0, packedSize, file, name);
      if (packedSize !== unpackedSize || zip.crc32(all) !== member.checksum)
        throw damaged(file, name);
      return inMemory(all);
    },
  };
}

const damaged = (file: string, name: string): FormatError =>
  new FormatError(file, name, 'damaged bytes', 'those of its checksum');

async function inflateHead(
  packed: ByteSource,
  length: number,
  file: string,
  name: string,
): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  const stream = new Inflate((part) => parts.push(part));
  const filledBy = (): number => parts.reduce((sum, part) => sum + part.length, 0);
  for (let at = 0; at < packed.size && filledBy() < length; at += HEAD_CHUNK) {
    const chunk = await packed.read(at, HEAD_CHUNK);
    try {
      stream.push(chunk, at + HEAD_CHUNK >= packed.size);
    } catch {
      throw damaged(file, name);
    }
  }
  const result = new Uint8Array(filledBy());
  let filled = 0;
  for (const part of parts) {
    result.set(part, filled);
    filled += part.length;
  }
  return result;
}

/** The unpacked bytes in memory, of which there are exactly as many as the directory says. */
async function inflateAll(
  packed: ByteSource,
  { name, unpackedSize, checksum }: zip.Member,
  file: string,
  { breathe, progress }: Opening,
): Promise<ByteSource> {
  if (unpackedSize > MAX_UNPACKED_BYTES) {
    throw new FormatError(
      file,
      name,
      `${unpackedSize} bytes unpacked`,
      `at most ${MAX_UNPACKED_BYTES}`,
    );
  }
  const result = new Uint8Array(unpackedSize);
  let filled = 0;
  let crc = 0;
  const stream = new Inflate((part) => {
    if (filled + part.length > unpackedSize) throw damaged(file, name);
    result.set(part, filled);
    filled += part.length;
    crc = zip.crc32(part, crc);
  });
  for (let at = 0; at < packed.size; at += CHUNK) {
    const chunk = await packed.read(at, CHUNK);
    try {
      stream.push(chunk, at + CHUNK >= packed.size);
    } catch {
      throw damaged(file, name);
    }
    const pause = breathe();
    if (!pause) continue;
    progress?.(at / packed.size);
    await pause;
  }
  if (filled !== unpackedSize || crc !== checksum) throw damaged(file, name);
  return inMemory(result);
}
