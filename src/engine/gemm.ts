// The inner kernel of every contraction: C += A B on packed row-major blocks.

/** c (m, n) += a (m, k) b (k, n); sums over k in order, so results do not depend on blocking. */
export function gemm(
  m: number,
  n: number,
  k: number,
  a: Float64Array,
  b: Float64Array,
  c: Float64Array,
): void {
  let row = 0;
  // Four rows at once share each load of b.
  for (; row + 4 <= m; row += 4) {
    const c0 = row * n;
    const c1 = c0 + n;
    const c2 = c1 + n;
    const c3 = c2 + n;
    for (let p = 0; p < k; p++) {
      const a0 = a[row * k + p];
      const a1 = a[(row + 1) * k + p];
      const a2 = a[(row + 2) * k + p];
      const a3 = a[(row + 3) * k + p];
      const bRow = p * n;
      for (let col = 0; col < n; col++) {
        const value = b[bRow + col];
        c[c0 + col] += a0 * value;
        c[c1 + col] += a1 * value;
        c[c2 + col] += a2 * value;
        c[c3 + col] += a3 * value;
      }
    }
  }
  for (; row < m; row++) {
    const cRow = row * n;
    for (let p = 0; p < k; p++) {
      const value = a[row * k + p];
      const bRow = p * n;
      for (let col = 0; col < n; col++) c[cRow + col] += value * b[bRow + col];
    }
  }
}
