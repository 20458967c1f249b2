// The product by plain loops, over packed copies where that pays.
import type { Matrix } from './matrix.ts';

/** Multiplications up to which two copies take longer than the product. */
const TINY = 1024;

export function plainProduct(left: Matrix, right: Matrix, out: Matrix): void {
  const [m, k, n] = [left.rows.length, left.cols.length, right.cols.length];
  if (m * k * n <= TINY) tinyProduct(left, right, out);
  else packedProduct(left, right, out, [m, k, n]);
}

function tinyProduct(left: Matrix, right: Matrix, out: Matrix): void {
  const [a, b] = [left.data, right.data];
  for (let row = 0; row < left.rows.length; row++) {
    const from = left.base + left.rows[row];
    const to = out.base + out.rows[row];
    for (let col = 0; col < right.cols.length; col++) {
      const at = right.base + right.cols[col];
      let sum = 0;
      for (let p = 0; p < left.cols.length; p++)
        sum += a[from + left.cols[p]] * b[at + right.rows[p]];
      out.data[to + out.cols[col]] = sum;
    }
  }
}

function packedProduct(
  left: Matrix,
  right: Matrix,
  out: Matrix,
  [m, k, n]: readonly [number, number, number],
): void {
  const a = pack(left);
  const b = pack(right);
  const sums = new Float64Array(n);
  for (let row = 0; row < m; row++) {
    sums.fill(0);
    for (let p = 0; p < k; p++) {
      const value = a[row * k + p];
      const from = p * n;
      for (let col = 0; col < n; col++) sums[col] += value * b[from + col];
    }
    const to = out.base + out.rows[row];
    for (let col = 0; col < n; col++) out.data[to + out.cols[col]] = sums[col];
  }
}

function pack({ data, base, rows, cols }: Matrix): Float64Array {
  const packed = new Float64Array(rows.length * cols.length);
  for (let row = 0, at = 0; row < rows.length; row++) {
    const from = base + rows[row];
    for (let col = 0; col < cols.length; col++) packed[at++] = data[from + cols[col]];
  }
  return packed;
}
