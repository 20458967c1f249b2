// What the inspector looks at: a tensor of any size whose entries are read by ranges, wherever they are kept.
import { sizeOf, strides, type Tensor } from '../engine/tensor.ts';

/** Entries in the order in which they are stored. */
export interface Entries {
  readonly size: number;
  /** Entries from `offset` to before `offset + length`, as float64; the caller does not write to them. */
  read(offset: number, length: number): Float64Array | Promise<Float64Array>;
}

export interface TensorSource {
  readonly shape: readonly number[];
  /** In entries, one per axis: row-major for C order, the reverse for Fortran order. */
  readonly strides: readonly number[];
  /** Number type of the entries as they are stored: "float64", "bfloat16". */
  readonly dtype: string;
  readonly entries: Entries;
}

/**
 * Awaited between slices of long work, so that others get their turn. Throws when the work is cancelled.
 * Returns nothing at once where it is not time yet.
 */
export type Breathe = () => Promise<void> | undefined;

/** Entries that one slice of work handles: about a millisecond. */
export const SLICE = 2 ** 16;

/** Most entries that a source is read into memory for: 512 MiB as float64. */
export const MOST_IN_MEMORY = 2 ** 26;

export function fromTensor({ shape, data }: Tensor, dtype = 'float64'): TensorSource {
  return {
    shape,
    strides: strides(shape),
    dtype,
    entries: {
      size: data.length,
      read: (offset, length) => data.subarray(offset, offset + length),
    },
  };
}

const isRowMajor = ({ shape, strides: own }: TensorSource): boolean =>
  strides(shape).every((stride, axis) => stride === own[axis] || shape[axis] === 1);

/** Multi-index of the entry stored at `offset`. */
export function indexAt(
  { shape, strides: own }: Omit<TensorSource, 'entries'>,
  offset: number,
): number[] {
  const slowestFirst = shape.map((_, axis) => axis).sort((a, b) => own[b] - own[a]);
  const index = shape.map(() => 0);
  let rest = offset;
  for (const axis of slowestFirst) {
    if (shape[axis] === 1) continue;
    index[axis] = Math.floor(rest / own[axis]);
    rest -= index[axis] * own[axis];
  }
  return index;
}

/** Where the entry of a multi-index is stored. */
export function storedAt(
  { strides: own }: Omit<TensorSource, 'entries'>,
  index: readonly number[],
): number {
  return index.reduce((offset, at, axis) => offset + at * own[axis], 0);
}

/** The same tensor with its entries in row-major order. */
export function rowMajor(source: TensorSource): TensorSource {
  if (isRowMajor(source)) return source;
  const { shape, strides: own, entries, dtype } = source;
  const last = shape.length - 1;
  const width = shape[last];
  const lines = shape.slice(0, last);
  const lineStrides = strides(lines);
  const read = async (offset: number, length: number): Promise<Float64Array> => {
    const result = new Float64Array(length);
    for (let done = 0; done < length;) {
      const line = Math.floor((offset + done) / width);
      const first = (offset + done) % width;
      const count = Math.min(width - first, length - done);
      const start = lines.reduce(
        (at, size, axis) => at + (Math.floor(line / lineStrides[axis]) % size) * own[axis],
        first * own[last],
      );
      const span = await entries.read(start, (count - 1) * own[last] + 1);
      for (let n = 0; n < count; n++) result[done + n] = span[n * own[last]];
      done += count;
    }
    return result;
  };
  return { shape, strides: strides(shape), dtype, entries: { size: entries.size, read } };
}

/**
 * a - b, entry by entry, both of one shape. Equal entries differ by 0 also where both are infinite; NaN stays
 * NaN. Throws RangeError for two shapes.
 */
export function difference(a: TensorSource, b: TensorSource): TensorSource {
  if (
    a.shape.length !== b.shape.length ||
    a.shape.some((length, axis) => length !== b.shape[axis])
  ) {
    throw new RangeError(`shapes (${a.shape.join(', ')}) and (${b.shape.join(', ')}) differ`);
  }
  const [left, right] = [rowMajor(a), rowMajor(b)];
  const read = async (offset: number, length: number): Promise<Float64Array> => {
    const [minuend, subtrahend] = await Promise.all([
      left.entries.read(offset, length),
      right.entries.read(offset, length),
    ]);
    return minuend.map((value, n) => (value === subtrahend[n] ? 0 : value - subtrahend[n]));
  };
  return {
    shape: a.shape,
    strides: strides(a.shape),
    dtype: a.dtype === b.dtype ? a.dtype : `${a.dtype} − ${b.dtype}`,
    entries: { size: sizeOf(a.shape), read },
  };
}

/** All entries in row-major order. Throws RangeError above `most` entries. */
export async function wholeTensor(
  source: TensorSource,
  breathe: Breathe,
  most = MOST_IN_MEMORY,
): Promise<Tensor> {
  const { entries, shape } = rowMajor(source);
  if (entries.size > most) throw new RangeError(`${entries.size} entries are more than ${most}`);
  const data = new Float64Array(entries.size);
  for (let at = 0; at < data.length; at += SLICE) {
    data.set(await entries.read(at, Math.min(SLICE, data.length - at)), at);
    await breathe();
  }
  return { shape: [...shape], data };
}
