// The header of a .npy file: which numbers, in which order and shape, from which byte on.
import { strFromU8 } from 'fflate';
import type { DType } from './dtype.ts';
import { FormatError } from './formatError.ts';
import { MAX_ENTRIES, MAX_NPY_HEADER } from './limits.ts';
import { checkedSize } from './namedTensor.ts';
import { parseNpyHeader } from './npyHeader.ts';

export interface NpyOptions {
  /** Read '|V2', which is how NumPy saves ml_dtypes' bfloat16, as bfloat16; otherwise it is refused. */
  readonly bfloat16?: boolean;
}

export const NPY_MAGIC = '\x93NUMPY';

const KINDS: Readonly<Record<string, DType>> = {
  b1: 'bool',
  i1: 'int8',
  i2: 'int16',
  i4: 'int32',
  i8: 'int64',
  u1: 'uint8',
  u2: 'uint16',
  u4: 'uint32',
  u8: 'uint64',
  f2: 'float16',
  f4: 'float32',
  f8: 'float64',
};

/** What else NumPy can save, in words. */
const REFUSED: Readonly<Record<string, string>> = {
  O: 'Python objects (a pickle, which is not run)',
  U: 'texts',
  S: 'byte strings',
  c: 'complex numbers',
  V: 'records or raw bytes',
  M: 'dates',
  m: 'durations',
  f: 'extended precision floats',
};

export interface NpyLayout {
  readonly dtype: DType;
  readonly littleEndian: boolean;
  /** The first axis runs fastest. */
  readonly fortranOrder: boolean;
  readonly shape: readonly number[];
  /** Product of the shape. */
  readonly size: number;
}

/** Bytes before the header's text: magic, version and the text's length. */
export const NPY_PREFIX = 12;

/**
 * Where the header ends and the entries begin, told by the first NPY_PREFIX bytes of a file of `fileSize`
 * bytes. Throws FormatError.
 */
export function npyHeaderEnd(
  bytes: Uint8Array,
  file: string,
  name: string,
  fileSize = bytes.length,
): number {
  const fail = (found: string, expected: string): never => {
    throw new FormatError(file, name, found, expected);
  };
  if (strFromU8(bytes.subarray(0, 6), true) !== NPY_MAGIC)
    fail('no NumPy magic bytes', 'a .npy array');
  const [major = 0, minor = 0] = bytes.subarray(6, 8);
  if (major < 1 || major > 3 || minor !== 0)
    fail(`version ${major}.${minor}`, 'version 1.0, 2.0 or 3.0');
  const headerAt = major === 1 ? 10 : 12;
  if (bytes.length < headerAt)
    fail(`the end after ${bytes.length} bytes`, 'the length of the header');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const headerLength = major === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  if (headerLength > MAX_NPY_HEADER)
    fail(`a header of ${headerLength} bytes`, `at most ${MAX_NPY_HEADER}`);
  const end = headerAt + headerLength;
  if (fileSize < end) fail(`the end after ${fileSize} bytes`, `a header up to byte ${end}`);
  return end;
}

/**
 * What the header says; `header` reaches from the start of the file to `npyHeaderEnd`. Throws FormatError,
 * also for more than `most` entries.
 */
export function npyLayout(
  header: Uint8Array,
  file: string,
  name: string,
  options: NpyOptions = {},
  most = MAX_ENTRIES,
): NpyLayout {
  const major = header[6];
  const text = strFromU8(header.subarray(major === 1 ? 10 : 12), major < 3);
  const { descr, fortranOrder, shape } = parseNpyHeader(text, file, name);
  const { dtype, littleEndian } = dtypeOf(descr, file, name, options);
  return { dtype, littleEndian, fortranOrder, shape, size: checkedSize(file, name, shape, most) };
}

function dtypeOf(descr: string, file: string, name: string, { bfloat16 = false }: NpyOptions) {
  const [, order = '', kind = ''] = /^([<>|=]?)([A-Za-z?].*)$/.exec(descr) ?? [];
  // '=' is the order of the machine that wrote the file; those in use are little-endian.
  const littleEndian = order !== '>';
  if (bfloat16 && kind === 'V2') return { dtype: 'bfloat16' as const, littleEndian };
  const plain = kind === '?' ? 'b1' : kind;
  if (Object.hasOwn(KINDS, plain)) return { dtype: KINDS[plain], littleEndian };
  const words = REFUSED[kind[0]];
  const found = words === undefined ? `dtype '${descr}'` : `dtype '${descr}', ${words}`;
  const hint = kind === 'V2' ? '; for bfloat16 save x.astype(np.float32)' : '';
  throw new FormatError(
    file,
    name,
    found,
    `booleans, integers or floats of 16, 32 or 64 bits${hint}`,
  );
}
