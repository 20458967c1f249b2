// The .safetensors format: a length, a JSON header that places the tensors, their bytes.
import { strToU8 } from 'fflate';
import type { Tensor } from '../engine/tensor.ts';
import { byteSize, decode, type DType } from './dtype.ts';
import { FormatError } from './formatError.ts';
import { JsonCursor } from './jsonCursor.ts';
import { MAX_AXES, MAX_ENTRIES, MAX_SAFETENSORS_HEADER, MAX_TENSORS } from './limits.ts';
import { checkedSize, type NamedTensor } from './namedTensor.ts';

const DTYPE_NAMES = new Map<string, DType>([
  ['BOOL', 'bool'],
  ['U8', 'uint8'],
  ['I8', 'int8'],
  ['I16', 'int16'],
  ['U16', 'uint16'],
  ['I32', 'int32'],
  ['U32', 'uint32'],
  ['I64', 'int64'],
  ['U64', 'uint64'],
  ['F16', 'float16'],
  ['BF16', 'bfloat16'],
  ['F8_E4M3', 'float8_e4m3fn'],
  ['F8_E5M2', 'float8_e5m2'],
  ['F32', 'float32'],
  ['F64', 'float64'],
]);

export interface SafetensorsEntry {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** The bytes of the tensor are those from `begin` to before `end`, counted from the start of the file. */
  readonly begin: number;
  readonly end: number;
}

/** Bytes from the start of the file that `parseHeader` needs, told by the first 8. Throws FormatError. */
export function headerEnd(bytes: Uint8Array, file: string): number {
  if (bytes.length < 8)
    throw new FormatError(file, '', `${bytes.length} bytes`, 'a .safetensors file');
  const view = new DataView(bytes.buffer, bytes.byteOffset, 8);
  const length = view.getUint32(4, true) * 2 ** 32 + view.getUint32(0, true);
  if (length < 2 || length > MAX_SAFETENSORS_HEADER) {
    throw new FormatError(
      file,
      'header',
      `length ${length}`,
      `2 to ${MAX_SAFETENSORS_HEADER} bytes`,
    );
  }
  return 8 + length;
}

/**
 * The entries in the order of their bytes. `bytes` holds at least the header; `fileSize` is the size of the
 * whole file in bytes. Throws FormatError, also for tensors that overlap, repeat a name, leave the file, leave
 * gaps, or have more than `mostEntries` entries.
 */
export function parseHeader(
  bytes: Uint8Array,
  file: string,
  fileSize = bytes.length,
  mostEntries = MAX_ENTRIES,
): SafetensorsEntry[] {
  const start = headerEnd(bytes, file);
  if (bytes.length < start) {
    throw new FormatError(
      file,
      'header',
      `the end of the file at byte ${bytes.length}`,
      `a header up to byte ${start}`,
    );
  }
  const cursor = new JsonCursor(file, bytes.subarray(8, start));
  const entries = readEntries(cursor, start, mostEntries);
  entries.sort((a, b) => a.begin - b.begin || a.end - b.end);
  let last = start;
  for (const { name, begin, end } of entries) {
    const range = `bytes ${begin} to ${end}`;
    if (end > fileSize)
      throw new FormatError(file, name, range, `at most ${fileSize}, the size of the file`);
    if (begin !== last)
      throw new FormatError(
        file,
        name,
        range,
        `to begin at ${last}, where the entry before it ends`,
      );
    last = end;
  }
  if (last !== fileSize)
    throw new FormatError(file, '', `${fileSize - last} bytes behind the last tensor`, 'none');
  return entries;
}

/** All tensors. Throws FormatError. */
export function readSafetensors(bytes: Uint8Array, file: string): NamedTensor[] {
  return parseHeader(bytes, file).map((entry) =>
    decodeEntry(entry, bytes.subarray(entry.begin, entry.end)),
  );
}

/** The tensor of one entry from exactly its bytes. */
export function decodeEntry(
  { name, dtype, shape, begin, end }: SafetensorsEntry,
  bytes: Uint8Array,
): NamedTensor {
  const data = decode(dtype, bytes, true, (end - begin) / byteSize(dtype));
  return { name, dtype, tensor: { shape, data } };
}

/** A file of float64 tensors in the given order; `metadata` goes to `__metadata__`. */
export function writeSafetensors(
  tensors: Iterable<readonly [name: string, tensor: Tensor]>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  const list = [...tensors];
  let end = 0;
  const header: [string, object][] = list.map(([name, { shape, data }]) => {
    const begin = end;
    end += data.length * 8;
    return [name, { dtype: 'F64', shape, data_offsets: [begin, end] }];
  });
  if (Object.keys(metadata).length > 0) header.unshift(['__metadata__', metadata]);
  const text = strToU8(JSON.stringify(Object.fromEntries(header)));
  // Spaces after the header bring the data to a multiple of 8, as the format asks.
  const length = Math.ceil(text.length / 8) * 8;
  const bytes = new Uint8Array(8 + length + end).fill(0x20, 8, 8 + length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, length, true);
  bytes.set(text, 8);
  let at = 8 + length;
  for (const [, { data }] of list) {
    for (const value of data) {
      view.setFloat64(at, value, true);
      at += 8;
    }
  }
  return bytes;
}

/** Reads the header's JSON; `start` is where the data begin, from which the file counts its offsets. */
function readEntries(cursor: JsonCursor, start: number, most: number): SafetensorsEntry[] {
  const entries: SafetensorsEntry[] = [];
  cursor.members((name) => {
    if (name === '__metadata__') {
      cursor.members((key) => readString(cursor, `__metadata__.${key}`));
      return;
    }
    entries.push(readEntry(cursor, name, start, most));
    if (entries.length > MAX_TENSORS) {
      throw new FormatError(cursor.file, 'header', `more than ${MAX_TENSORS} tensors`, 'fewer');
    }
  });
  cursor.end();
  return entries;
}

function readEntry(
  cursor: JsonCursor,
  name: string,
  start: number,
  most: number,
): SafetensorsEntry {
  const { file } = cursor;
  let dtype: DType | undefined;
  let shape: number[] | undefined;
  let offsets: number[] | undefined;
  cursor.members((key) => {
    if (key === 'dtype') {
      const word = readString(cursor, name);
      dtype = DTYPE_NAMES.get(word);
      if (!dtype) {
        throw new FormatError(
          file,
          name,
          `dtype ${word}`,
          `one of ${[...DTYPE_NAMES.keys()].join(', ')}`,
        );
      }
    } else if (key === 'shape') shape = readIntegers(cursor, name);
    else if (key === 'data_offsets') offsets = readIntegers(cursor, name);
    else throw new FormatError(file, name, `key "${key}"`, '"dtype", "shape" and "data_offsets"');
  });
  if (!dtype || !shape || !offsets) {
    throw new FormatError(file, name, 'a missing key', '"dtype", "shape" and "data_offsets"');
  }
  const bytes = checkedSize(file, name, shape, most) * byteSize(dtype);
  if (offsets.length !== 2 || offsets[1] - offsets[0] !== bytes) {
    const found = `data_offsets [${offsets.slice(0, 3).join(', ')}]`;
    throw new FormatError(file, name, found, `two that are ${bytes} apart, as shape and dtype ask`);
  }
  return { name, dtype, shape, begin: start + offsets[0], end: start + offsets[1] };
}

function readString(cursor: JsonCursor, entry: string): string {
  return cursor.peek() === '"' ? cursor.string() : cursor.fail('a string', entry);
}

function readIntegers(cursor: JsonCursor, entry: string): number[] {
  const integers: number[] = [];
  cursor.elements(() => {
    const value = cursor.number() ?? cursor.fail('an integer', entry);
    if (!Number.isSafeInteger(value) || value < 0) {
      throw new FormatError(cursor.file, entry, `${value}`, 'an integer from 0');
    }
    if (integers.push(value) > MAX_AXES)
      throw new FormatError(cursor.file, entry, 'more', `at most ${MAX_AXES} axes`);
  });
  return integers;
}
