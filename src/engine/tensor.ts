// Dense float64 tensors in row-major order: the only number container of the engine.
import { replacedAt } from './lists.ts';
import { unwritten, zeroed } from './memory.ts';
import { scaleAll } from './parallel.ts';
import { remembered } from './remembered.ts';

export interface Tensor {
  readonly shape: readonly number[];
  /** Row-major entries; its length is the product of `shape`. Never written to after construction. */
  readonly data: Float64Array;
}

/** Nested arrays as in JSON; a plain number is a tensor of shape []. */
export type Nested = number | readonly Nested[];

/** Product of the axis lengths; 1 for shape []. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((size, length) => size * length, 1);
}

/** Wraps `data` without copying. Throws RangeError if its length does not fit `shape`. */
export function tensor(shape: readonly number[], data: ArrayLike<number>): Tensor {
  if (data.length !== sizeOf(shape)) {
    throw new RangeError(
      `${data.length} entries do not fill shape ${formatShape(shape)} (${sizeOf(shape)} entries)`,
    );
  }
  return { shape: [...shape], data: data instanceof Float64Array ? data : Float64Array.from(data) };
}

export function zeros(shape: readonly number[]): Tensor {
  return { shape: [...shape], data: zeroed(sizeOf(shape)) };
}

/** Its entries may be anything: each must be written. */
export function blank(shape: readonly number[]): Tensor {
  return { shape: [...shape], data: unwritten(sizeOf(shape)) };
}

export function scalar(value: number): Tensor {
  return { shape: [], data: Float64Array.of(value) };
}

/** Throws RangeError naming the first sub-array whose length differs from its siblings'. */
export function fromNested(nested: Nested): Tensor {
  const shape: number[] = [];
  for (let level: Nested = nested; typeof level !== 'number'; level = level[0] ?? 0) {
    shape.push(level.length);
  }
  const data = new Float64Array(sizeOf(shape));
  let next = 0;
  const fill = (part: Nested, axis: number, at: string): void => {
    if (typeof part === 'number') {
      if (axis !== shape.length) throw new RangeError(`found a number at ${at}, expected an array`);
      data[next++] = part;
      return;
    }
    if (axis === shape.length) throw new RangeError(`found an array at ${at}, expected a number`);
    if (part.length !== shape[axis]) {
      throw new RangeError(`found ${part.length} entries at ${at}, expected ${shape[axis]}`);
    }
    part.forEach((child, i) => fill(child, axis + 1, `${at}[${i}]`));
  };
  fill(nested, 0, '');
  return { shape, data };
}

/** Row-major strides in entries: strides([2, 3]) is [3, 1]. */
export function strides(shape: readonly number[]): number[] {
  const result = [...shape];
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    result[axis] = stride;
    stride *= shape[axis];
  }
  return result;
}

/** Position in `data` of a multi-index. */
export function offsetOf(shape: readonly number[], index: readonly number[]): number {
  let offset = 0;
  for (let axis = 0; axis < shape.length; axis++) offset = offset * shape[axis] + index[axis];
  return offset;
}

/** Multi-index of a position in `data`; the inverse of `offsetOf`. */
export function indexOf(shape: readonly number[], offset: number): number[] {
  const index = Array.from(shape, () => 0);
  let rest = offset;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    index[axis] = rest % shape[axis];
    rest = Math.floor(rest / shape[axis]);
  }
  return index;
}

export function map(a: Tensor, fn: (value: number, offset: number) => number): Tensor {
  // A loop: Float64Array's own map is several times slower.
  const data = unwritten(a.data.length);
  for (let at = 0; at < data.length; at++) data[at] = fn(a.data[at], at);
  return { shape: a.shape, data };
}

/** a + b, both of one shape. */
export function add(a: Tensor, b: Tensor): Tensor {
  const data = unwritten(a.data.length);
  const [x, y] = [a.data, b.data];
  for (let at = 0; at < data.length; at++) data[at] = x[at] + y[at];
  return { shape: a.shape, data };
}

/** factor * a. */
export function times(factor: number, a: Tensor): Tensor {
  const data = unwritten(a.data.length);
  const own = a.data;
  if (!scaleAll(own, data, factor))
    for (let at = 0; at < data.length; at++) data[at] = factor * own[at];
  return { shape: a.shape, data };
}

/** Square root of the sum of squares, scaled so that it neither overflows nor underflows. */
export const norm = remembered(({ data }) => {
  let largest = 0;
  for (const value of data) largest = Math.max(largest, Math.abs(value));
  if (largest === 0 || !Number.isFinite(largest)) return largest;
  let sum = 0;
  for (const value of data) sum += (value / largest) ** 2;
  return largest * Math.sqrt(sum);
});

export const isZero = ({ data }: Tensor): boolean => data.every((value) => value === 0);

/** Largest finite magnitude. */
export const largestMagnitude = remembered(({ data }) => {
  let found = 0;
  for (let at = 0; at < data.length; at++) {
    const size = Math.abs(data[at]);
    if (size > found && size < Infinity) found = size;
  }
  return found;
});

export function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((length, axis) => length === b[axis]);
}

/** "(4, 3)"; "()" for a scalar. */
export function formatShape(shape: readonly number[]): string {
  return `(${shape.join(', ')})`;
}

/** Equal infinities, and NaN beside NaN, are no difference. */
export function subtract(a: Tensor, b: Tensor): Tensor {
  const data = a.data.map((value, at) => (Object.is(value, b.data[at]) ? 0 : value - b.data[at]));
  return tensor(a.shape, data);
}

/** Offset of the largest magnitude, NaN being the largest of all; -1 where all is 0. */
export function worstOffset({ data }: Tensor): number {
  let [worst, size] = [-1, 0];
  for (let at = 0; at < data.length; at++) {
    if (Number.isNaN(data[at])) return at;
    if (Math.abs(data[at]) > size) [worst, size] = [at, Math.abs(data[at])];
  }
  return worst;
}

/** The entries [from, to) along an axis. */
export function cut({ shape, data }: Tensor, axis: number, from: number, to: number): Tensor {
  const inner = sizeOf(shape.slice(axis + 1));
  const outer = sizeOf(shape.slice(0, axis));
  const run = (to - from) * inner;
  const out = new Float64Array(outer * run);
  for (let n = 0; n < outer; n++) {
    const start = (n * shape[axis] + from) * inner;
    out.set(data.subarray(start, start + run), n * run);
  }
  return { shape: replacedAt(shape, axis, to - from), data: out };
}
