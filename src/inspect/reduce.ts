// Blocks of entries as one number, honestly: every entry counts, none is skipped.

/** `extreme`: the entry of the largest absolute value, with its sign. */
export type Reduction = 'mean' | 'extreme';

export const REDUCTIONS: readonly Reduction[] = ['mean', 'extreme'];

/** Rows and columns of `data`, which is row-major. */
export interface Grid {
  readonly rows: number;
  readonly cols: number;
}

/** Blocks along a side of `length` entries. */
export const blocksIn = (length: number, factor: number): number => Math.ceil(length / factor);

/**
 * One number per block of `factor` x `factor` entries; blocks at the right and lower edge may be smaller.
 * A block with a NaN is NaN; with an infinity it is infinite (as a mean NaN if both signs occur).
 *
 * `weight`, for means of means, gives how many entries stand behind the entry at (row, col).
 */
export function reduceBlocks(
  data: ArrayLike<number>,
  { rows, cols }: Grid,
  factor: number,
  reduction: Reduction,
  weight?: (row: number, col: number) => number,
): Float64Array {
  const width = blocksIn(cols, factor);
  const result = new Float64Array(blocksIn(rows, factor) * width);
  if (reduction === 'extreme') {
    for (let row = 0, at = 0; row < rows; row++) {
      const line = Math.floor(row / factor) * width;
      for (let col = 0; col < cols; col++, at++) {
        const block = line + Math.floor(col / factor);
        const value = data[at];
        // NaN, once there, stays: no comparison with it is true.
        if (Number.isNaN(value) || Math.abs(value) > Math.abs(result[block])) result[block] = value;
      }
    }
    return result;
  }
  const weights = new Float64Array(result.length);
  for (let row = 0, at = 0; row < rows; row++) {
    const line = Math.floor(row / factor) * width;
    for (let col = 0; col < cols; col++, at++) {
      const block = line + Math.floor(col / factor);
      const share = weight ? weight(row, col) : 1;
      result[block] += data[at] * share;
      weights[block] += share;
    }
  }
  for (let block = 0; block < result.length; block++) result[block] /= weights[block];
  return result;
}
