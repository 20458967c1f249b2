// Products of matrices that lie in the arena: blocks as in blocked.ts, read and written where they are.
import type { Place } from './arena.ts';
import { SCRATCH } from './kernel.ts';

/** Entry (r, c) lies at `at` + 8 (r rows + c cols) bytes. */
export interface Placed {
  readonly at: number;
  readonly rows: number;
  readonly cols: number;
}

/** out (m, n) = left (m, k) right (k, n). */
export interface PlacedProduct {
  readonly m: number;
  readonly k: number;
  readonly n: number;
  readonly left: Placed;
  readonly right: Placed;
  readonly out: Placed;
}

const BLOCK_M = 256;
/** In the workspace: a block of A, then B in panels. */
const ENTRIES_A = 2 ** 16;
const ENTRIES_B = SCRATCH - ENTRIES_A;
const WIDEST = 512;

const turned = ({ at, rows, cols }: Placed): Placed => ({ at, rows: cols, cols: rows });

const isAligned = ({ rows, cols }: Placed): boolean => rows === 1 || cols === 1;

/** The way in which the kernels can write it, left and right in exchanged roles or not; null where they cannot. */
export function writable(
  product: PlacedProduct,
): { readonly product: PlacedProduct; readonly isTurned: boolean } | null {
  const { m, k, n, left, right, out } = product;
  if (m % 4 !== 0 || n % 4 !== 0 || 4 * k > ENTRIES_B) return null;
  if (![left, right, out].every(isAligned)) return null;
  if (out.cols === 1) return { product, isTurned: false };
  // outᵀ = rightᵀ leftᵀ, with the same sums.
  const roles = { left: turned(right), right: turned(left), out: turned(out) };
  return { product: { m: n, k, n: m, ...roles }, isTurned: true };
}

/** Rows `from` to `to`, both multiples of 4, of a product that is `writable`. */
export function multiplyInPlace(
  place: Place,
  product: PlacedProduct,
  from: number,
  to: number,
): void {
  const { kernels, workspace } = place;
  const { k, n, left, right, out } = product;
  const isTall = left.cols !== 1;
  const blockK = isTall ? 128 : 256;
  const widest = Math.min(WIDEST, Math.floor(ENTRIES_B / k / 4) * 4);
  const panelsAt = workspace + 8 * ENTRIES_A;
  for (let col = 0; col < n; col += widest) {
    const panels = Math.min(widest, n - col) / 4;
    for (let p = 0; p < k; p += blockK) {
      const depth = Math.min(blockK, k - p);
      const at = right.at + 8 * (p * right.rows + col * right.cols);
      const target = panelsAt + 32 * panels * p;
      if (right.cols === 1) kernels.packRows(panels, depth, at, 8 * right.rows, target);
      else kernels.packColumns(panels, depth, at, 8 * right.cols, target);
    }
    const skips = kernels.isFine(panelsAt, 4 * panels * k, 0);
    for (let row = from; row < to; row += BLOCK_M) {
      const rows = Math.min(BLOCK_M, to - row);
      const c = out.at + 8 * (row * out.rows + col);
      for (let p = 0; p < k; p += blockK) {
        const depth = Math.min(blockK, k - p);
        const a = left.at + 8 * (row * left.rows + p * left.cols);
        const b = panelsAt + 32 * panels * p;
        const rest = [b, c, 8 * out.rows, Number(p === 0), skips];
        if (isTall) {
          // Columns far apart would share a few lines of the cache.
          const apart = 8 * (rows + 4);
          kernels.copy(a, 8 * left.cols, workspace, apart, depth, 8 * rows);
          kernels.multiplyColumns(rows / 4, panels, depth, workspace, apart, 32, ...rest);
        } else kernels.multiplyRows(rows / 4, panels, depth, a, 8 * left.rows, ...rest);
      }
    }
  }
}
