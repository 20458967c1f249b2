// Sums of the rows and columns of a drawn matrix: invariants here, for P sums to 1 and dZ to 0.
import { type Plane, readRegion } from './plane.ts';
import { type Breathe, type Entries, SLICE } from './source.ts';

export interface Sums {
  /** One per row, over its columns. */
  readonly rows: Float64Array;
  readonly cols: Float64Array;
}

/** Longest side that sums are made for. */
export const MOST_SUMS = 2 ** 17;

/** Throws RangeError for a matrix longer than MOST_SUMS. */
export async function sumsOf(entries: Entries, plane: Plane, breathe: Breathe): Promise<Sums> {
  const { rows, cols } = plane;
  if (Math.max(rows, cols) > MOST_SUMS)
    throw new RangeError(`${rows} × ${cols}: too long for sums`);
  const sums = { rows: new Float64Array(rows), cols: new Float64Array(cols) };
  const band = Math.max(1, Math.floor(SLICE / Math.max(cols, 1)));
  for (let row = 0; row < rows; row += band) {
    const region = { row, col: 0, rows: Math.min(band, rows - row), cols };
    const data = await readRegion(entries, plane, region);
    for (let n = 0; n < region.rows; n++) {
      let sum = 0;
      for (let col = 0; col < cols; col++) {
        const value = data[n * cols + col];
        sum += value;
        sums.cols[col] += value;
      }
      sums.rows[row + n] = sum;
    }
    await breathe();
  }
  return sums;
}

/** "all 1", or the smallest and the largest; `tolerance` is relative to the largest entry that was summed. */
export function describeSums(
  sums: ArrayLike<number>,
  scale: number,
): { readonly low: number; readonly high: number; readonly same: number | null } {
  let [low, high] = [Infinity, -Infinity];
  for (let n = 0; n < sums.length; n++) {
    if (Number.isNaN(sums[n])) return { low: NaN, high: NaN, same: null };
    low = Math.min(low, sums[n]);
    high = Math.max(high, sums[n]);
  }
  const rounding = 1e-12 * Math.max(scale, Math.abs(low), Math.abs(high));
  // Adding 0 makes -0 a 0.
  const near = Math.round(low) + 0;
  const same = [near, low].find(
    (each) => Math.abs(low - each) <= rounding && Math.abs(high - each) <= rounding,
  );
  return { low, high, same: same ?? null };
}
