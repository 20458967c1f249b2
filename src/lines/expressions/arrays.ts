// What NumPy and PyTorch do with arrays, on float64.
import { sizeOf, strides, type Tensor } from '../../engine/tensor.ts';

/** Thrown for what is not computed here, or would not be by the library either. */
export class NotComputed extends Error {}

/** Entries that one step may touch. */
const MOST_WORK = 4_000_000;

export function checkWork(entries: number): void {
  if (entries > MOST_WORK) throw new NotComputed('too large');
}

/** How many entries an array of that shape has. Throws NotComputed for what is no shape, or is too large. */
function entriesOf(shape: readonly number[]): number {
  if (!shape.every((length) => Number.isInteger(length) && length >= 0))
    throw new NotComputed('no shape');
  // An axis of length 0 makes none of the others harmless.
  checkWork(sizeOf(shape.map((length) => Math.max(1, length))));
  return sizeOf(shape);
}

export function build(shape: readonly number[], fn: (at: number) => number): Tensor {
  const size = entriesOf(shape);
  const data = new Float64Array(size);
  for (let at = 0; at < size; at++) data[at] = fn(at);
  return { shape, data };
}

export const axisOf = (axis: number, rank: number): number => {
  const at = axis < 0 ? axis + rank : axis;
  if (!(at >= 0 && at < rank)) throw new NotComputed(`axis ${axis}`);
  return at;
};

function broadcastShape(shapes: readonly (readonly number[])[]): number[] {
  const rank = Math.max(...shapes.map(({ length }) => length));
  return Array.from({ length: rank }, (_, at) => {
    const lengths = shapes.map((shape) => shape[at - rank + shape.length] ?? 1);
    const length = lengths.find((each) => each !== 1) ?? 1;
    if (lengths.some((each) => each !== 1 && each !== length)) throw new NotComputed('shapes');
    return length;
  });
}

/** For each entry of `shape` the offset in an array that is seen with `steps`. */
function offsets(shape: readonly number[], steps: readonly number[], base = 0): Int32Array {
  const size = entriesOf(shape);
  const table = new Int32Array(size).fill(base);
  let block = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const run = block * shape[axis];
    if (steps[axis] !== 0)
      for (let at = 0; at < size; at++) table[at] += Math.floor((at % run) / block) * steps[axis];
    block = run;
  }
  return table;
}

export function broadcast(a: Tensor, shape: readonly number[]): Tensor {
  const own = strides(a.shape);
  const skip = shape.length - a.shape.length;
  if (skip < 0) throw new NotComputed('shapes');
  const steps = shape.map((length, at) => {
    const axis = at - skip;
    if (axis < 0 || (a.shape[axis] === 1 && length !== 1)) return 0;
    if (a.shape[axis] !== length) throw new NotComputed('shapes');
    return own[axis];
  });
  const table = offsets(shape, steps);
  return { shape, data: Float64Array.from(table, (at) => a.data[at]) };
}

export function entrywise(all: readonly Tensor[], fn: (...values: number[]) => number): Tensor {
  const shape = broadcastShape(all.map((one) => one.shape));
  const data = all.map((one) => broadcast(one, shape).data);
  return build(shape, (at) => fn(...data.map((values) => values[at])));
}

export function permute(a: Tensor, order: readonly number[]): Tensor {
  const axes = order.map((axis) => axisOf(axis, a.shape.length));
  if (new Set(axes).size !== a.shape.length) throw new NotComputed('axes');
  const own = strides(a.shape);
  const shape = axes.map((axis) => a.shape[axis]);
  const table = offsets(
    shape,
    axes.map((axis) => own[axis]),
  );
  return { shape, data: Float64Array.from(table, (at) => a.data[at]) };
}

export function swapped(a: Tensor, first: number, second: number): Tensor {
  const rank = a.shape.length;
  const order = a.shape.map((_, at) => at);
  const [one, other] = [axisOf(first, rank), axisOf(second, rank)];
  [order[one], order[other]] = [other, one];
  return permute(a, order);
}

export function reshape(a: Tensor, shape: readonly number[]): Tensor {
  const known = shape.reduce((size, length) => (length < 0 ? size : size * length), 1);
  const full = shape.map((length) => (length < 0 ? a.data.length / known : length));
  if (sizeOf(full) !== a.data.length || full.some((length) => !Number.isInteger(length)))
    throw new NotComputed('shapes');
  return { shape: full, data: a.data };
}

/** Folds axes away; all of them where none is named. */
export function reduce(
  a: Tensor,
  axes: readonly number[] | null,
  keeps: boolean,
  fold: (values: Float64Array) => number,
): Tensor {
  const rank = a.shape.length;
  const gone = new Set((axes ?? a.shape.map((_, at) => at)).map((axis) => axisOf(axis, rank)));
  const left = a.shape.map((_, at) => at).filter((at) => !gone.has(at));
  const moved = permute(a, [...left, ...gone]);
  const outer = left.map((at) => a.shape[at]);
  const inner = sizeOf([...gone].map((at) => a.shape[at]));
  const { data } = build(outer, (at) => fold(moved.data.subarray(at * inner, (at + 1) * inner)));
  return { shape: keeps ? a.shape.map((n, at) => (gone.has(at) ? 1 : n)) : outer, data };
}

export function matmul(a: Tensor, b: Tensor): Tensor {
  if (a.shape.length === 0 || b.shape.length === 0) throw new NotComputed('shapes');
  const left = a.shape.length === 1 ? reshape(a, [1, a.shape[0]]) : a;
  const right = b.shape.length === 1 ? reshape(b, [b.shape[0], 1]) : b;
  const [rows, inner] = left.shape.slice(-2);
  const [shared, columns] = right.shape.slice(-2);
  if (inner !== shared) throw new NotComputed('shapes');
  const batch = broadcastShape([left.shape.slice(0, -2), right.shape.slice(0, -2)]);
  const x = broadcast(left, [...batch, rows, inner]).data;
  const y = broadcast(right, [...batch, inner, columns]).data;
  checkWork(sizeOf(batch) * rows * columns * inner);
  const full = build([...batch, rows, columns], (at) => {
    const column = at % columns;
    const row = Math.floor(at / columns);
    const from = Math.floor(row / rows) * inner * columns + column;
    let total = 0;
    for (let n = 0; n < inner; n++) total += x[row * inner + n] * y[from + n * columns];
    return total;
  });
  const shape = [
    ...batch,
    ...(a.shape.length === 1 ? [] : [rows]),
    ...(b.shape.length === 1 ? [] : [columns]),
  ];
  return { shape, data: full.data };
}

export function einsum(spec: string, operands: readonly Tensor[]): Tensor {
  const [taken, given] = spec.replaceAll(' ', '').split('->');
  const letters = taken.split(',');
  if (letters.length !== operands.length || spec.includes('.')) throw new NotComputed('einsum');
  const lengths = new Map<string, number>();
  letters.forEach((own, n) => {
    if (own.length !== operands[n].shape.length) throw new NotComputed('einsum');
    own.split('').forEach((letter, axis) => {
      const length = operands[n].shape[axis];
      const known = lengths.get(letter) ?? 1;
      if (known !== 1 && length !== 1 && known !== length) throw new NotComputed('einsum');
      lengths.set(letter, Math.max(known, length));
    });
  });
  const isOnce = (letter: string): boolean => taken.split(letter).length === 2;
  const out = given ?? [...lengths.keys()].filter(isOnce).sort().join('');
  const summed = [...lengths.keys()].filter((letter) => !out.includes(letter));
  const all = [...out.split(''), ...summed];
  const shape = all.map((letter) => lengths.get(letter)!);
  if (shape.some((length) => length === undefined)) throw new NotComputed('einsum');
  const product = operands
    .map((operand, n) => {
      const own = strides(operand.shape);
      const steps = all.map((letter) =>
        letters[n]
          .split('')
          .reduce(
            (step, each, axis) =>
              step + (each === letter && operand.shape[axis] > 1 ? own[axis] : 0),
            0,
          ),
      );
      return Float64Array.from(offsets(shape, steps), (at) => operand.data[at]);
    })
    .reduce((left, right) => left.map((value, at) => value * right[at]));
  const outer = out.split('').map((letter) => lengths.get(letter)!);
  const inner = sizeOf(shape) / Math.max(1, sizeOf(outer));
  return build(outer, (at) => {
    let total = 0;
    for (let n = 0; n < inner; n++) total += product[at * inner + n];
    return total;
  });
}

export function concatenate(all: readonly Tensor[], axis: number): Tensor {
  const [first] = all;
  if (!first) throw new NotComputed('nothing to join');
  const at = axisOf(axis, first.shape.length);
  const order = [at, ...first.shape.map((_, n) => n).filter((n) => n !== at)];
  const moved = all.map((one) => permute(one, order));
  if (moved.some(({ shape }) => shape.slice(1).join() !== moved[0].shape.slice(1).join()))
    throw new NotComputed('shapes');
  const length = moved.reduce((total, { shape }) => total + shape[0], 0);
  const data = new Float64Array(moved.reduce((total, one) => total + one.data.length, 0));
  let filled = 0;
  for (const one of moved) {
    data.set(one.data, filled);
    filled += one.data.length;
  }
  const back = order.map((_, n) => order.indexOf(n));
  return permute({ shape: [length, ...moved[0].shape.slice(1)], data }, back);
}

export function expanded(a: Tensor, axis: number): Tensor {
  const at = axisOf(axis, a.shape.length + 1);
  return { shape: [...a.shape.slice(0, at), 1, ...a.shape.slice(at)], data: a.data };
}

export const stack = (all: readonly Tensor[], axis: number): Tensor =>
  concatenate(
    all.map((one) => expanded(one, axis)),
    axis,
  );

/** Each entry along an axis `times` times; of all entries in one row where no axis is named. */
export function repeated(a: Tensor, times: number, axis: number | null): Tensor {
  if (axis === null) return repeated(reshape(a, [-1]), times, 0);
  const at = axisOf(axis, a.shape.length);
  const own = strides(a.shape);
  const shape = a.shape.map((length, n) => (n === at ? length * times : length));
  const wide = [...shape.slice(0, at), a.shape[at], times, ...shape.slice(at + 1)];
  const steps = [...own.slice(0, at + 1), 0, ...own.slice(at + 1)];
  return { shape, data: Float64Array.from(offsets(wide, steps), (n) => a.data[n]) };
}

export function tiled(a: Tensor, times: readonly number[]): Tensor {
  entriesOf([...a.shape, ...times]);
  const rank = Math.max(a.shape.length, times.length);
  let result = reshape(a, [...Array.from({ length: rank - a.shape.length }, () => 1), ...a.shape]);
  times.forEach((count, n) => {
    if (count !== 1)
      result = concatenate(
        Array.from({ length: count }, () => result),
        rank - times.length + n,
      );
  });
  return result;
}

export type IndexPart = number | null | { readonly bounds: readonly (number | null)[] } | Tensor;

/** Basic indexing, and one array of whole numbers or of bools. */
export function pick(a: Tensor, parts: readonly IndexPart[]): Tensor {
  const own = strides(a.shape);
  const shape: number[] = [];
  const steps: number[] = [];
  let base = 0;
  let axis = 0;
  let list: { readonly at: number; readonly from: Tensor; readonly step: number } | null = null;
  for (const part of parts) {
    if (part === null) {
      shape.push(1);
      steps.push(0);
      continue;
    }
    if (axis >= a.shape.length) throw new NotComputed('index');
    const length = a.shape[axis];
    if (typeof part === 'number') {
      if (!Number.isInteger(part)) throw new NotComputed('index');
      base += axisOf(part, length) * own[axis];
    } else if ('bounds' in part) {
      const { start, count, step } = sliceOf(part.bounds, length);
      base += start * own[axis];
      shape.push(count);
      steps.push(step * own[axis]);
    } else {
      if (list || part.shape.length !== 1) throw new NotComputed('index');
      list = { at: shape.length, from: part, step: own[axis] };
      shape.push(part.shape[0]);
      steps.push(0);
    }
    axis++;
  }
  shape.push(...a.shape.slice(axis));
  steps.push(...own.slice(axis));
  const table = offsets(shape, steps, base);
  if (list) {
    const block = sizeOf(shape.slice(list.at + 1));
    const { from, step } = list;
    for (let n = 0; n < table.length; n++)
      table[n] += from.data[Math.floor(n / block) % from.data.length] * step;
  }
  if (table.some((at) => !(at >= 0 && at < a.data.length))) throw new NotComputed('index');
  return { shape, data: Float64Array.from(table, (at) => a.data[at]) };
}

function sliceOf(
  bounds: readonly (number | null)[],
  length: number,
): { start: number; count: number; step: number } {
  const step = bounds[2] ?? 1;
  const end = (value: number): number =>
    Math.max(0, Math.min(length, value < 0 ? value + length : value));
  if (step < 0) {
    if ((bounds[0] ?? null) !== null || (bounds[1] ?? null) !== null)
      throw new NotComputed('index');
    return { start: Math.max(0, length - 1), count: Math.ceil(length / -step), step };
  }
  const start = end(bounds[0] ?? 0);
  const stop = end(bounds[1] ?? length);
  return { start, count: Math.max(0, Math.ceil((stop - start) / step)), step };
}
