// NumPy's .npy format, versions 1 to 3 (numpy/lib/format.py): magic, header, entries. Nothing is ever run.
import { strFromU8, strToU8 } from 'fflate';
import { sizeOf, strides, type Tensor } from '../engine/tensor.ts';
import { byteSize, decode, type DType } from './dtype.ts';
import { FormatError } from './formatError.ts';
import { MAX_NPY_HEADER } from './limits.ts';
import { checkedSize, type NamedTensor } from './namedTensor.ts';
import { parseNpyHeader } from './npyHeader.ts';

export interface NpyOptions {
  /** Read '|V2', which is how NumPy saves ml_dtypes' bfloat16, as bfloat16; otherwise it is refused. */
  readonly bfloat16?: boolean;
}

const MAGIC = '\x93NUMPY';

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

/** The tensor in `bytes`, in row-major order whatever the order in the file. Throws FormatError. */
export function readNpy(
  bytes: Uint8Array,
  file: string,
  name: string,
  options: NpyOptions = {},
): NamedTensor {
  const fail = (found: string, expected: string): never => {
    throw new FormatError(file, name, found, expected);
  };
  if (strFromU8(bytes.subarray(0, 6), true) !== MAGIC) fail('no NumPy magic bytes', 'a .npy array');
  const [major = 0, minor = 0] = bytes.subarray(6, 8);
  if (major < 1 || major > 3 || minor !== 0)
    fail(`version ${major}.${minor}`, 'version 1.0, 2.0 or 3.0');
  const lengthBytes = major === 1 ? 2 : 4;
  const headerAt = 8 + lengthBytes;
  if (bytes.length < headerAt)
    fail(`the end after ${bytes.length} bytes`, 'the length of the header');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const headerLength = major === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  if (headerLength > MAX_NPY_HEADER)
    fail(`a header of ${headerLength} bytes`, `at most ${MAX_NPY_HEADER}`);
  const dataAt = headerAt + headerLength;
  if (bytes.length < dataAt)
    fail(`the end after ${bytes.length} bytes`, `a header up to byte ${dataAt}`);
  const text = strFromU8(bytes.subarray(headerAt, dataAt), major < 3);
  const { descr, fortranOrder, shape } = parseNpyHeader(text, file, name);
  const { dtype, littleEndian } = dtypeOf(descr, file, name, options);
  const size = checkedSize(file, name, shape);
  const expected = size * byteSize(dtype);
  const found = bytes.length - dataAt;
  if (found !== expected)
    fail(`${found} bytes of entries`, `${expected} for ${dtype} of shape (${shape.join(', ')})`);
  const data = decode(dtype, bytes.subarray(dataAt), littleEndian, size);
  return { name, dtype, tensor: { shape, data: fortranOrder ? fromFortran(shape, data) : data } };
}

/** Version 1.0, float64, little-endian, row-major. */
export function writeNpy({ shape, data }: Tensor): Uint8Array {
  const tuple = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(', ')})`;
  const header = `{'descr': '<f8', 'fortran_order': False, 'shape': ${tuple}, }`;
  // The entries begin at a multiple of 64 bytes; spaces and a line feed fill up the header.
  const dataAt = Math.ceil((10 + header.length + 1) / 64) * 64;
  const bytes = new Uint8Array(dataAt + data.length * 8);
  bytes.set(strToU8(`${MAGIC}\x01\x00`, true));
  bytes.set(strToU8(`${header.padEnd(dataAt - 11)}\n`), 10);
  const view = new DataView(bytes.buffer);
  view.setUint16(8, dataAt - 10, true);
  data.forEach((value, i) => view.setFloat64(dataAt + i * 8, value, true));
  return bytes;
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

/** Row-major entries of a tensor whose first axis runs fastest. */
function fromFortran(shape: readonly number[], data: Float64Array): Float64Array {
  const result = new Float64Array(sizeOf(shape));
  const to = strides(shape);
  const index = Array.from(shape, () => 0);
  let offset = 0;
  for (const value of data) {
    result[offset] = value;
    for (let axis = 0; axis < shape.length; axis++) {
      offset += to[axis];
      if (++index[axis] < shape[axis]) break;
      offset -= to[axis] * shape[axis];
      index[axis] = 0;
    }
  }
  return result;
}
