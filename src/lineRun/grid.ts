// A tensor beside the one that it should be, as matrices small enough to be read in a hover. Pure.
import {
  indexOf,
  offsetOf,
  sameShape,
  sizeOf,
  subtract,
  tensor,
  type Tensor,
  worstOffset,
} from '../engine/tensor.ts';

/** Rows and columns that are shown. */
const MOST = 8;

/** A matrix, row by row. */
export interface Grid {
  readonly rows: number;
  readonly cols: number;
  readonly data: readonly number[];
}

export interface Worst {
  readonly index: readonly number[];
  readonly yours: number;
  readonly reference: number;
}

export interface Grids {
  readonly shape: readonly number[];
  /** Which matrix of a larger tensor: "[1, 0]"; '' where there is only one. */
  readonly slice: string;
  /** Entries in one of the grid, down and across; means of values, of differences the largest. */
  readonly step: readonly [number, number];
  readonly yours: Grid;
  /** null where it is not known which part of the reference this is. */
  readonly reference: Grid | null;
  readonly difference: Grid | null;
  readonly worst: Worst | null;
}

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;
const furthest = (values: readonly number[]): number =>
  values.reduce((found, value) =>
    Number.isNaN(value) || Math.abs(value) > Math.abs(found) ? value : found,
  );

/** The matrix that holds the entry at `offset`, in blocks. */
function gridOf(
  { shape, data }: Tensor,
  offset: number,
  [down, across]: readonly [number, number],
  reduce: (values: readonly number[]) => number,
): Grid {
  const cols = shape.at(-1) ?? 1;
  const rows = shape.at(-2) ?? 1;
  const start = offset - (offset % (rows * cols));
  const grid: number[] = [];
  for (let row = 0; row < rows; row += down)
    for (let col = 0; col < cols; col += across) {
      const block: number[] = [];
      for (let r = row; r < Math.min(rows, row + down); r++)
        for (let c = col; c < Math.min(cols, col + across); c++)
          block.push(data[start + r * cols + c]);
      grid.push(reduce(block));
    }
  return { rows: Math.ceil(rows / down), cols: Math.ceil(cols / across), data: grid };
}

/** Both of one shape; without a reference the person's numbers alone. Null for an empty tensor. */
export function gridsOf(yours: Tensor, reference: Tensor | null): Grids | null {
  const { shape } = yours;
  if (sizeOf(shape) === 0) return null;
  const difference = reference && subtract(yours, reference);
  const worst = difference ? worstOffset(difference) : -1;
  const at = Math.max(0, worst);
  const step = [
    Math.ceil((shape.at(-2) ?? 1) / MOST),
    Math.ceil((shape.at(-1) ?? 1) / MOST),
  ] as const;
  const leading = indexOf(shape, at).slice(0, Math.max(0, shape.length - 2));
  return {
    ...{ shape, step },
    slice: shape.slice(0, -2).some((length) => length > 1) ? `[${leading.join(', ')}]` : '',
    yours: gridOf(yours, at, step, mean),
    reference: reference && gridOf(reference, at, step, mean),
    difference: difference && gridOf(difference, at, step, furthest),
    worst:
      reference && worst >= 0
        ? { index: indexOf(shape, worst), yours: yours.data[at], reference: reference.data[at] }
        : null,
  };
}

/** Parts of a tensor that are looked at. */
const MOST_PARTS = 256;

const squeezed = (shape: readonly number[]): number[] => shape.filter((length) => length !== 1);

/**
 * The part of `whole` that a tensor of `shape` stands for, its leading axes fixed to iterations of the loops around it
 * (`loops`), else to where the numbers are nearest. Null where no part has the shape.
 */
export function partOf(whole: Tensor, part: Tensor, loops: readonly number[]): Tensor | null {
  const own = squeezed(part.shape);
  const leading = whole.shape.length - own.length;
  if (leading <= 0 || !sameShape(whole.shape.slice(leading), own)) return null;
  const outer = whole.shape.slice(0, leading);
  const size = sizeOf(own);
  const count = sizeOf(outer);
  if (count > MOST_PARTS) return null;
  const all = Array.from({ length: count }, (_, n) => ({ n, index: indexOf(outer, n) }));
  const inLoops = all.filter(({ index }) =>
    index.every((at, axis) => outer[axis] === 1 || loops.includes(at)),
  );
  const distance = (n: number): number => {
    let total = 0;
    for (let at = 0; at < size; at++)
      total += Math.abs(part.data[at] - whole.data[n * size + at]) || 0;
    return total;
  };
  const among = inLoops.length > 0 ? inLoops : all;
  const nearest = among
    .map(({ n }) => ({ n, off: distance(n) }))
    .reduce((best, each) => (each.off < best.off ? each : best));
  const start = offsetOf(whole.shape, [...indexOf(outer, nearest.n), ...own.map(() => 0)]);
  return tensor(part.shape, whole.data.slice(start, start + size));
}
