// Two axes of an N-D tensor as a matrix, the others fixed: what the heatmap and the grid draw.
import type { Entries, TensorSource } from './source.ts';

export interface Slicing {
  /** Axis that runs down; null for tensors of fewer than two axes. */
  readonly rowAxis: number | null;
  /** Axis that runs across; null for a scalar. */
  readonly colAxis: number | null;
  /** An index for every axis; those of the two drawn ones do not count. */
  readonly fixed: readonly number[];
}

/** A matrix within stored entries: entry (row, col) is at base + row * rowStride + col * colStride. */
export interface Plane {
  readonly rows: number;
  readonly cols: number;
  readonly base: number;
  readonly rowStride: number;
  readonly colStride: number;
}

/** The last two axes, everything else at 0. */
export function defaultSlicing(shape: readonly number[]): Slicing {
  const rank = shape.length;
  return {
    rowAxis: rank > 1 ? rank - 2 : null,
    colAxis: rank > 0 ? rank - 1 : null,
    fixed: shape.map(() => 0),
  };
}

/** Throws RangeError for axes and indices that the tensor does not have. */
export function planeOf(
  { shape, strides }: Omit<TensorSource, 'entries'>,
  slicing: Slicing,
): Plane {
  const { rowAxis, colAxis, fixed } = slicing;
  const drawn = [rowAxis, colAxis].filter((axis) => axis !== null);
  if (drawn.some((axis) => !(axis in shape)) || (rowAxis !== null && rowAxis === colAxis)) {
    throw new RangeError(`axes ${rowAxis} and ${colAxis} of a tensor of ${shape.length} axes`);
  }
  let base = 0;
  shape.forEach((length, axis) => {
    if (drawn.includes(axis)) return;
    const at = fixed[axis] ?? 0;
    if (!Number.isInteger(at) || at < 0 || (at >= length && length > 0)) {
      throw new RangeError(`index ${at} on axis ${axis} of length ${length}`);
    }
    base += at * strides[axis];
  });
  const isEmpty = shape.includes(0);
  return {
    rows: isEmpty ? 0 : rowAxis === null ? 1 : shape[rowAxis],
    cols: isEmpty ? 0 : colAxis === null ? 1 : shape[colAxis],
    base,
    rowStride: rowAxis === null ? 0 : strides[rowAxis],
    colStride: colAxis === null ? 0 : strides[colAxis],
  };
}

/** Multi-index of a cell of the matrix. */
export function indexOfCell(
  { rowAxis, colAxis, fixed }: Slicing,
  row: number,
  col: number,
): number[] {
  return fixed.map((at, axis) => (axis === rowAxis ? row : axis === colAxis ? col : at));
}

/** Beyond this many entries between the ends of a strided line, its entries are read one by one. */
const LONGEST_SPAN = 2 ** 20;

/** One line of `count` entries, `stride` apart. */
async function readLine(
  entries: Entries,
  start: number,
  count: number,
  stride: number,
): Promise<Float64Array> {
  if (stride === 1 || count === 1) return entries.read(start, count);
  const line = new Float64Array(count);
  const span = (count - 1) * stride + 1;
  if (span <= LONGEST_SPAN) {
    const all = await entries.read(start, span);
    for (let n = 0; n < count; n++) line[n] = all[n * stride];
    return line;
  }
  for (let n = 0; n < count; n++) line[n] = (await entries.read(start + n * stride, 1))[0];
  return line;
}

/** The entries of a rectangle, row by row; its corners are within the plane. */
export async function readRegion(
  entries: Entries,
  { cols, base, rowStride, colStride }: Plane,
  region: {
    readonly row: number;
    readonly col: number;
    readonly rows: number;
    readonly cols: number;
  },
): Promise<Float64Array> {
  const start = base + region.row * rowStride + region.col * colStride;
  const isWhole = colStride === 1 && rowStride === cols && region.cols === cols;
  if (isWhole || (region.rows === 1 && colStride === 1))
    return entries.read(start, region.rows * region.cols);
  const data = new Float64Array(region.rows * region.cols);
  // Lines are read along the axis whose entries are stored closer together.
  if (colStride <= rowStride || region.rows === 1) {
    for (let row = 0; row < region.rows; row++) {
      data.set(
        await readLine(entries, start + row * rowStride, region.cols, colStride),
        row * region.cols,
      );
    }
    return data;
  }
  for (let col = 0; col < region.cols; col++) {
    const line = await readLine(entries, start + col * colStride, region.rows, rowStride);
    for (let row = 0; row < region.rows; row++) data[row * region.cols + col] = line[row];
  }
  return data;
}
