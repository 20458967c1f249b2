// The matrix product behind every contraction: plain loops for small ones, SIMD blocks for large ones.
import { blockedProduct } from './blocked.ts';
import type { Matrix } from './matrix.ts';
import { plainProduct } from './plain.ts';

/** Multiplications from which packing into blocks pays. */
const LARGE = 4096;

/**
 * out = left (m, k) right (k, n). Each entry is summed over k in order, from the first to the last, whatever
 * the sizes and the machine: results do not depend on the way taken.
 */
export function gemm(left: Matrix, right: Matrix, out: Matrix): void {
  const [m, k, n] = [left.rows.length, left.cols.length, right.cols.length];
  const isLarge = m * n * k >= LARGE && Math.min(m, n, k) >= 4;
  if (!isLarge || !blockedProduct(left, right, out)) plainProduct(left, right, out);
}
