// Reads the members of a zip archive, with every size checked before a byte is unpacked (PKWARE APPNOTE 6.3).
import { Inflate, inflateSync, strFromU8 } from 'fflate';
import { FormatError } from './formatError.ts';
import { MAX_TENSORS, MAX_UNPACKED_BYTES } from './limits.ts';

export interface ZipMember {
  readonly name: string;
  readonly unpackedSize: number;
  /** The first bytes, unpacked: `length` of them, or fewer where the member ends. Throws FormatError. */
  readonly head: (length: number) => Uint8Array;
  /** The member's bytes, checksum checked. Throws FormatError. */
  readonly unpack: () => Uint8Array;
}

export const END = 0x06054b50;
export const END64 = 0x06064b50;
export const LOCATOR64 = 0x07064b50;
export const MEMBER = 0x02014b50;
export const LOCAL = 0x04034b50;
export const STORED = 0;
const DEFLATED = 8;
/** Deflate cannot shrink further than 1032 to 1 (https://zlib.net/zlib_tech.html). */
const MOST_RATIO = 1032;

/**
 * The members that the archive's directory lists, nothing unpacked yet.
 * Throws FormatError for what is broken, encrypted, or larger than MAX_UNPACKED_BYTES in all.
 */
export function readZip(bytes: Uint8Array, file: string): ZipMember[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const fail = (entry: string, found: string, expected: string): never => {
    throw new FormatError(file, entry, found, expected);
  };
  const { count, offset } =
    directoryOf(view) ?? fail('', 'no directory at the end', 'a whole zip archive');
  if (count > MAX_TENSORS) fail('', `${count} members`, `at most ${MAX_TENSORS}`);
  const members: ZipMember[] = [];
  let at = offset;
  let packedTotal = 0;
  let unpackedTotal = 0;
  for (let i = 0; i < count; i++) {
    if (!hasSignature(view, at, MEMBER, 46))
      fail('', `no directory entry at byte ${at}`, `${count} entries`);
    const entry = readMember(view, bytes, at);
    const { name, packedSize, unpackedSize } = entry;
    at = entry.next;
    packedTotal += packedSize;
    unpackedTotal += unpackedSize;
    checkMember(entry, file);
    if (packedTotal > bytes.length)
      fail(name, `${packedTotal} packed bytes`, `at most ${bytes.length}`);
    if (unpackedTotal > MAX_UNPACKED_BYTES) {
      fail(name, `${unpackedTotal} bytes unpacked up to here`, `at most ${MAX_UNPACKED_BYTES}`);
    }
    members.push({
      ...{ name, unpackedSize },
      head: (length) => head(packedBytes(view, bytes, file, entry), entry, length),
      unpack: () => unpack(view, bytes, file, entry),
    });
  }
  return members;
}

/** Throws FormatError for what cannot be unpacked and for sizes that no packing reaches. */
export function checkMember(member: Member, file: string): void {
  const { name, flags, method, packedSize, unpackedSize } = member;
  const fail = (found: string, expected: string): never => {
    throw new FormatError(file, name, found, expected);
  };
  if (flags & 1) fail('an encrypted member', 'one without a password');
  if (method !== STORED && method !== DEFLATED)
    fail(`compression ${method}`, 'none (0) or deflate (8)');
  const most = method === STORED ? packedSize : packedSize * MOST_RATIO;
  if (unpackedSize > most)
    fail(`a size of ${unpackedSize} bytes`, `at most ${most} from ${packedSize}`);
}

interface Directory {
  readonly count: number;
  readonly offset: number;
}

/** The end record stands at the end, before a comment of at most 65,535 bytes. */
function directoryOf(view: DataView): Directory | undefined {
  const first = Math.max(0, view.byteLength - 22 - 0xffff);
  for (let at = view.byteLength - 22; at >= first; at--) {
    if (view.getUint32(at, true) !== END) continue;
    if (hasSignature(view, at - 20, LOCATOR64, 20)) {
      const at64 = getUint64(view, at - 20 + 8);
      if (!hasSignature(view, at64, END64, 56)) return undefined;
      return { count: getUint64(view, at64 + 32), offset: getUint64(view, at64 + 48) };
    }
    return { count: view.getUint16(at + 10, true), offset: view.getUint32(at + 16, true) };
  }
  return undefined;
}

export interface Member {
  readonly name: string;
  readonly flags: number;
  readonly method: number;
  readonly checksum: number;
  readonly packedSize: number;
  readonly unpackedSize: number;
  readonly local: number;
  /** Where the next directory entry begins. */
  readonly next: number;
}

export function readMember(view: DataView, bytes: Uint8Array, at: number): Member {
  const nameEnd = at + 46 + view.getUint16(at + 28, true);
  const extraEnd = nameEnd + view.getUint16(at + 30, true);
  const sizes = [24, 20, 42].map((field) => view.getUint32(at + field, true));
  // Zip64: an extra field of id 1 holds those of the three that do not fit 32 bits, in this order.
  for (let extra = nameEnd; extra + 4 <= Math.min(extraEnd, bytes.length);) {
    const end = extra + 4 + view.getUint16(extra + 2, true);
    let next = extra + 4;
    if (view.getUint16(extra, true) === 1) {
      for (let i = 0; i < 3 && next + 8 <= Math.min(end, bytes.length); i++) {
        if (sizes[i] !== 0xffffffff) continue;
        sizes[i] = getUint64(view, next);
        next += 8;
      }
    }
    extra = end;
  }
  const [unpackedSize, packedSize, local] = sizes;
  return {
    name: strFromU8(bytes.subarray(at + 46, nameEnd)),
    flags: view.getUint16(at + 8, true),
    method: view.getUint16(at + 10, true),
    checksum: view.getUint32(at + 16, true),
    ...{ packedSize, unpackedSize, local },
    next: extraEnd + view.getUint16(at + 32, true),
  };
}

function packedBytes(
  view: DataView,
  bytes: Uint8Array,
  file: string,
  { name, packedSize, local }: Member,
): Uint8Array {
  if (!hasSignature(view, local, LOCAL, 30)) {
    throw new FormatError(file, name, `no member at byte ${local}`, 'a whole zip archive');
  }
  const begin = local + 30 + view.getUint16(local + 26, true) + view.getUint16(local + 28, true);
  const packed = bytes.subarray(begin, begin + packedSize);
  if (packed.length === packedSize) return packed;
  throw new FormatError(file, name, `${packed.length} bytes`, `${packedSize}: the file was cut`);
}

/** Packed bytes at a time: at most half a megabyte unpacked. */
const HEAD_CHUNK = 2 ** 9;

/** What is damaged ends early. */
function head(packed: Uint8Array, { method }: Member, length: number): Uint8Array {
  if (method === STORED) return packed.subarray(0, length);
  const parts: Uint8Array[] = [];
  const filled = (): number => parts.reduce((sum, part) => sum + part.length, 0);
  const stream = new Inflate((part) => parts.push(part));
  try {
    for (let at = 0; at < packed.length && filled() < length; at += HEAD_CHUNK)
      stream.push(packed.subarray(at, at + HEAD_CHUNK), at + HEAD_CHUNK >= packed.length);
  } catch {
    // The whole is damaged too, and its checksum says so.
  }
  const result = new Uint8Array(filled());
  let at = 0;
  for (const part of parts) {
    result.set(part, at);
    at += part.length;
  }
  return result.subarray(0, length);
}

function unpack(view: DataView, bytes: Uint8Array, file: string, member: Member): Uint8Array {
  const { name, method, checksum, unpackedSize } = member;
  const packed = packedBytes(view, bytes, file, member);
  const unpacked = method === STORED ? packed : inflate(packed, unpackedSize);
  if (unpacked?.length !== unpackedSize || crc32(unpacked) !== checksum) {
    throw new FormatError(file, name, 'damaged bytes', 'those of its checksum');
  }
  return unpacked;
}

/** At most `size` bytes; undefined if the packed bytes are no deflate stream. */
function inflate(packed: Uint8Array, size: number): Uint8Array | undefined {
  try {
    return inflateSync(packed, { out: new Uint8Array(size) });
  } catch {
    return undefined;
  }
}

export function hasSignature(
  view: DataView,
  at: number,
  signature: number,
  length: number,
): boolean {
  return at >= 0 && at + length <= view.byteLength && view.getUint32(at, true) === signature;
}

export function getUint64(view: DataView, at: number): number {
  return view.getUint32(at + 4, true) * 2 ** 32 + view.getUint32(at, true);
}

/** How many bytes are looked up at once ("slicing by 8"). */
const SLICE = 8;

/** Entry `256 * n + byte` is the checksum of `byte` with n zero bytes behind it. */
const CRC_TABLES = new Int32Array(SLICE * 256);
for (let byte = 0; byte < 256; byte++) {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  CRC_TABLES[byte] = crc;
}
for (let at = 256; at < CRC_TABLES.length; at++) {
  const before = CRC_TABLES[at - 256];
  CRC_TABLES[at] = (before >>> 8) ^ CRC_TABLES[before & 0xff];
}

/** Goes on from `before`, the checksum of the bytes in front of these. */
export function crc32(bytes: Uint8Array, before = 0): number {
  const T = CRC_TABLES;
  const whole = bytes.length - (bytes.length % SLICE);
  let crc = ~before;
  let at = 0;
  for (; at < whole; at += SLICE) {
    const low =
      crc ^ (bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24));
    crc =
      T[1792 + (low & 0xff)] ^
      T[1536 + ((low >>> 8) & 0xff)] ^
      T[1280 + ((low >>> 16) & 0xff)] ^
      T[1024 + (low >>> 24)] ^
      T[768 + bytes[at + 4]] ^
      T[512 + bytes[at + 5]] ^
      T[256 + bytes[at + 6]] ^
      T[bytes[at + 7]];
  }
  for (; at < bytes.length; at++) crc = (crc >>> 8) ^ T[(crc ^ bytes[at]) & 0xff];
  return ~crc >>> 0;
}
