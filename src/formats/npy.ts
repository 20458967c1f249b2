// NumPy's .npy format, versions 1 to 3 (numpy/lib/format.py): magic, header, entries. Nothing is ever run.
import { strToU8 } from 'fflate';
import { sizeOf, strides, type Tensor } from '../engine/tensor.ts';
import { byteSize, decode } from './dtype.ts';
import { FormatError } from './formatError.ts';
import type { NamedTensor } from './namedTensor.ts';
import { NPY_MAGIC, npyHeaderEnd, npyLayout, type NpyOptions } from './npyLayout.ts';

export type { NpyOptions } from './npyLayout.ts';

/** The tensor in `bytes`, in row-major order whatever the order in the file. Throws FormatError. */
export function readNpy(
  bytes: Uint8Array,
  file: string,
  name: string,
  options: NpyOptions = {},
): NamedTensor {
  const dataAt = npyHeaderEnd(bytes, file, name);
  const layout = npyLayout(bytes.subarray(0, dataAt), file, name, options);
  const { dtype, littleEndian, fortranOrder, shape, size } = layout;
  const expected = size * byteSize(dtype);
  const found = bytes.length - dataAt;
  if (found !== expected) {
    const wanted = `${expected} for ${dtype} of shape (${shape.join(', ')})`;
    throw new FormatError(file, name, `${found} bytes of entries`, wanted);
  }
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
  bytes.set(strToU8(`${NPY_MAGIC}\x01\x00`, true));
  bytes.set(strToU8(`${header.padEnd(dataAt - 11)}\n`), 10);
  const view = new DataView(bytes.buffer);
  view.setUint16(8, dataAt - 10, true);
  data.forEach((value, i) => view.setFloat64(dataAt + i * 8, value, true));
  return bytes;
}

/** Row-major entries of a tensor whose first axis runs fastest. */
export function fromFortran(shape: readonly number[], data: Float64Array): Float64Array {
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
