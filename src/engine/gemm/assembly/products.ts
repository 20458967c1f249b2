// AssemblyScript: the inner loops of every large product, as 128-bit SIMD. `node scripts/kernel.mjs` compiles it.
// Pointers and strides are bytes of the memory; B is in panels of 4 columns, each stored row after row;
// C has rows `row` apart. Every entry of C is summed over k in order, as plain loops do.

/** Whether there is no number but 0 in two columns of 4 rows. */
// @ts-ignore: decorator
@inline
function isZero(a: usize, stride: usize): bool {
  const zero = f64x2.splat(0);
  const b = a + (stride << 1);
  const first = v128.and(f64x2.eq(v128.load(a), zero), f64x2.eq(v128.load(a + stride), zero));
  const second = v128.and(f64x2.eq(v128.load(b), zero), f64x2.eq(v128.load(b + stride), zero));
  return i64x2.all_true(v128.and(first, second));
}

/**
 * C += A B (C = A B where `isFirst`) for A in panels of 4 rows, each column of 4 `step` after the one before, panels `panel` apart.
 * `skips`: B is finite, so that zeros at the beginning and at the end of a panel of A (a causal mask's) add nothing to
 * any sum and are passed over.
 */
export function multiplyColumns(
  panelsA: usize,
  panelsB: usize,
  k: usize,
  a: usize,
  step: usize,
  panel: usize,
  b: usize,
  c: usize,
  row: usize,
  isFirst: bool,
  skips: bool,
): void {
  const zero = f64x2.splat(0);
  for (let i: usize = 0; i < panelsA; i++, a += panel, c += row << 2) {
    let begin = a;
    let end = a + k * step;
    if (skips) {
      while (begin < end && isZero(begin, 0) && isZero(begin + 16, 0)) begin += step;
      while (end > begin && isZero(end - step, 0) && isZero(end - step + 16, 0)) end -= step;
    }
    const skipped = ((begin - a) / step) << 5;
    for (let j: usize = 0; j < panelsB; j++) {
      let right = b + j * (k << 5) + skipped;
      const c0 = c + (j << 5);
      const c1 = c0 + row;
      const c2 = c1 + row;
      const c3 = c2 + row;
      let s00 = isFirst ? zero : v128.load(c0);
      let s01 = isFirst ? zero : v128.load(c0, 16);
      let s10 = isFirst ? zero : v128.load(c1);
      let s11 = isFirst ? zero : v128.load(c1, 16);
      let s20 = isFirst ? zero : v128.load(c2);
      let s21 = isFirst ? zero : v128.load(c2, 16);
      let s30 = isFirst ? zero : v128.load(c3);
      let s31 = isFirst ? zero : v128.load(c3, 16);
      for (let left = begin; left < end; left += step, right += 32) {
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

/** As multiplyColumns for A with rows of k entries, `stride` apart. */
export function multiplyRows(
  panelsA: usize,
  panelsB: usize,
  k: usize,
  a: usize,
  stride: usize,
  b: usize,
  c: usize,
  row: usize,
  isFirst: bool,
  skips: bool,
): void {
  const zero = f64x2.splat(0);
  const whole = (k & ~1) << 3;
  for (let i: usize = 0; i < panelsA; i++, a += stride << 2, c += row << 2) {
    let begin = a;
    let end = a + whole;
    if (skips) {
      while (begin < end && isZero(begin, stride)) begin += 16;
      // What is odd stands at the end.
      if (!(k & 1)) while (end > begin && isZero(end - 16, stride)) end -= 16;
    }
    for (let j: usize = 0; j < panelsB; j++) {
      let right = b + j * (k << 5) + ((begin - a) << 2);
      const c0 = c + (j << 5);
      const c1 = c0 + row;
      const c2 = c1 + row;
      const c3 = c2 + row;
      let s00 = isFirst ? zero : v128.load(c0);
      let s01 = isFirst ? zero : v128.load(c0, 16);
      let s10 = isFirst ? zero : v128.load(c1);
      let s11 = isFirst ? zero : v128.load(c1, 16);
      let s20 = isFirst ? zero : v128.load(c2);
      let s21 = isFirst ? zero : v128.load(c2, 16);
      let s30 = isFirst ? zero : v128.load(c3);
      let s31 = isFirst ? zero : v128.load(c3, 16);
      let a0 = begin;
      let a1 = a0 + stride;
      let a2 = a1 + stride;
      let a3 = a2 + stride;
      for (; a0 < end; a0 += 16, a1 += 16, a2 += 16, a3 += 16, right += 64) {
        let b0 = v128.load(right);
        let b1 = v128.load(right, 16);
        let value = v128.load64_splat(a0);
        s00 = f64x2.add(s00, f64x2.mul(value, b0));
        s01 = f64x2.add(s01, f64x2.mul(value, b1));
        value = v128.load64_splat(a1);
        s10 = f64x2.add(s10, f64x2.mul(value, b0));
        s11 = f64x2.add(s11, f64x2.mul(value, b1));
        value = v128.load64_splat(a2);
        s20 = f64x2.add(s20, f64x2.mul(value, b0));
        s21 = f64x2.add(s21, f64x2.mul(value, b1));
        value = v128.load64_splat(a3);
        s30 = f64x2.add(s30, f64x2.mul(value, b0));
        s31 = f64x2.add(s31, f64x2.mul(value, b1));
        b0 = v128.load(right, 32);
        b1 = v128.load(right, 48);
        value = v128.load64_splat(a0, 8);
        s00 = f64x2.add(s00, f64x2.mul(value, b0));
        s01 = f64x2.add(s01, f64x2.mul(value, b1));
        value = v128.load64_splat(a1, 8);
        s10 = f64x2.add(s10, f64x2.mul(value, b0));
        s11 = f64x2.add(s11, f64x2.mul(value, b1));
        value = v128.load64_splat(a2, 8);
        s20 = f64x2.add(s20, f64x2.mul(value, b0));
        s21 = f64x2.add(s21, f64x2.mul(value, b1));
        value = v128.load64_splat(a3, 8);
        s30 = f64x2.add(s30, f64x2.mul(value, b0));
        s31 = f64x2.add(s31, f64x2.mul(value, b1));
      }
      if (k & 1) {
        const b0 = v128.load(right);
        const b1 = v128.load(right, 16);
        let value = v128.load64_splat(a0);
        s00 = f64x2.add(s00, f64x2.mul(value, b0));
        s01 = f64x2.add(s01, f64x2.mul(value, b1));
        value = v128.load64_splat(a1);
        s10 = f64x2.add(s10, f64x2.mul(value, b0));
        s11 = f64x2.add(s11, f64x2.mul(value, b1));
        value = v128.load64_splat(a2);
        s20 = f64x2.add(s20, f64x2.mul(value, b0));
        s21 = f64x2.add(s21, f64x2.mul(value, b1));
        value = v128.load64_splat(a3);
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

/** Panels of B from k rows, `stride` apart. */
export function packRows(panels: usize, k: usize, from: usize, stride: usize, to: usize): void {
  for (let j: usize = 0; j < panels; j++, from += 32) {
    for (let p: usize = 0, row = from; p < k; p++, row += stride, to += 32) {
      v128.store(to, v128.load(row));
      v128.store(to, v128.load(row, 16), 16);
    }
  }
}

/** Panels of B from its columns, each of k entries, `stride` apart. */
export function packColumns(panels: usize, k: usize, from: usize, stride: usize, to: usize): void {
  for (let j: usize = 0; j < panels; j++, from += stride << 2) {
    let c0 = from;
    let c1 = c0 + stride;
    let c2 = c1 + stride;
    let c3 = c2 + stride;
    const end = c0 + ((k & ~1) << 3);
    for (; c0 < end; c0 += 16, c1 += 16, c2 += 16, c3 += 16, to += 64) {
      const x0 = v128.load(c0);
      const x1 = v128.load(c1);
      const x2 = v128.load(c2);
      const x3 = v128.load(c3);
      v128.store(to, v128.shuffle<f64>(x0, x1, 0, 2));
      v128.store(to, v128.shuffle<f64>(x2, x3, 0, 2), 16);
      v128.store(to, v128.shuffle<f64>(x0, x1, 1, 3), 32);
      v128.store(to, v128.shuffle<f64>(x2, x3, 1, 3), 48);
    }
    if (k & 1) {
      f64.store(to, f64.load(c0));
      f64.store(to, f64.load(c1), 8);
      f64.store(to, f64.load(c2), 16);
      f64.store(to, f64.load(c3), 24);
      to += 32;
    }
  }
}

/** Copies runs of `bytes`, a multiple of 16. */
export function copy(
  from: usize,
  fromStride: usize,
  to: usize,
  toStride: usize,
  runs: usize,
  bytes: usize,
): void {
  for (let n: usize = 0; n < runs; n++, from += fromStride, to += toStride) {
    const end = from + bytes;
    for (let a = from, b = to; a < end; a += 16, b += 16) v128.store(b, v128.load(a));
  }
}
