// AssemblyScript: the inner loop of every large product, as 128-bit SIMD. `node scripts/kernel.mjs` compiles it.

/**
 * C += A B for panels: A as panels of 4 rows, each stored column after column; B as panels of 4 columns,
 * each stored row after row; C row-major with `4 * panelsB` columns. Pointers are bytes into the memory.
 * Every entry of C is summed over k in order, as plain loops do.
 */
export function multiply(
  panelsA: usize,
  panelsB: usize,
  k: usize,
  a: usize,
  b: usize,
  c: usize,
): void {
  const row = panelsB << 5;
  const panel = k << 5;
  for (let i: usize = 0; i < panelsA; i++, a += panel, c += row << 2) {
    let right = b;
    for (let j: usize = 0; j < panelsB; j++) {
      const c0 = c + (j << 5);
      const c1 = c0 + row;
      const c2 = c1 + row;
      const c3 = c2 + row;
      let s00 = v128.load(c0);
      let s01 = v128.load(c0, 16);
      let s10 = v128.load(c1);
      let s11 = v128.load(c1, 16);
      let s20 = v128.load(c2);
      let s21 = v128.load(c2, 16);
      let s30 = v128.load(c3);
      let s31 = v128.load(c3, 16);
      const end = a + panel;
      for (let left = a; left < end; left += 32, right += 32) {
        const b0 = v128.load(right);
        const b1 = v128.load(right, 16);
        let value = v128.load64_splat(left);
        s00 = f64x2.add(s00, f64x2.mul(value, b0));
        s01 = f64x2.add(s01, f64x2.mul(value, b1));
        value = v128.load64_splat(left, 8);
        s10 = f64x2.add(s10, f64x2.mul(value, b0));
        s11 = f64x2.add(s11, f64x2.mul(value, b1));
        value = v128.load64_splat(left, 16);
        s20 = f64x2.add(s20, f64x2.mul(value, b0));
        s21 = f64x2.add(s21, f64x2.mul(value, b1));
        value = v128.load64_splat(left, 24);
        s30 = f64x2.add(s30, f64x2.mul(value, b0));
        s31 = f64x2.add(s31, f64x2.mul(value, b1));
      }
      v128.store(c0, s00);
      v128.store(c0, s01, 16);
      v128.store(c1, s10);
      v128.store(c1, s11, 16);
      v128.store(c2, s20);
      v128.store(c2, s21, 16);
      v128.store(c3, s30);
      v128.store(c3, s31, 16);
    }
  }
}
