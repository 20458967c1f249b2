// The product by plain loops over packed copies.
import type { Matrix } from './matrix.ts';

export function plainProduct(left: Matrix, right: Matrix, out: Matrix): void {
  const [m, k, n] = [left.rows.length, left.cols.length, right.cols.length];
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
