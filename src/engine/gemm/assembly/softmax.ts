// AssemblyScript: softmax and its vector-Jacobian product, as 128-bit SIMD. The steps, and so the bits, are
// those of ../../ops/softmax.ts: every sum goes along its row in order, and exponential.ts says how exp is computed.

/** Each in both lanes: loaded from memory, for to make a constant of code takes three instructions. */
const CONSTANTS = memory.data<f64>([
  1.442695040888963387, 1.442695040888963387, 0.5, 0.5,
  // The number above ln 2 / 2 whose lower half is 0.
  0.3465735912322998, 0.3465735912322998, -1075, -1075,
  // ln 2 in two parts.
  6.9314718036912381649e-1, 6.9314718036912381649e-1, 1.9082149292705877e-10, 1.9082149292705877e-10,
  // exp's polynomial.
  4.13813679705723846039e-8, 4.13813679705723846039e-8, -1.65339022054652515390e-6, -1.65339022054652515390e-6,
  6.61375632143793436117e-5, 6.61375632143793436117e-5, -2.77777777770155933842e-3, -2.77777777770155933842e-3,
  1.66666666666666019037e-1, 1.66666666666666019037e-1, 2, 2, 1, 1,
  // 2^-28, and 1.5 2^52 + 1023: a sum with it ends in the bits of an exponent.
  3.725290298461914e-9, 3.725290298461914e-9, 6755399441056767, 6755399441056767,
  // Below this k, powers of two are not normal.
  -1021, -1021, -7.45133219101941108420e2, -7.45133219101941108420e2,
]);

// @ts-ignore: decorator
@inline
function constant(n: usize): v128 {
  return v128.load(CONSTANTS + (n << 4));
}

/** exp(x) in two lanes for x <= 0; NaN stays NaN. */
// @ts-ignore: decorator
@inline
function exponential(x: v128): v128 {
  const size = f64x2.abs(x);
  // x = k ln 2 + (high - low), |high - low| <= ln 2 / 2
  let k = f64x2.trunc(f64x2.sub(f64x2.mul(constant(0), x), constant(1)));
  k = v128.and(k, f64x2.ge(size, constant(2)));
  // Where the result is 0 anyhow, k must stay an exponent.
  k = f64x2.pmax(k, constant(3));
  const high = f64x2.sub(x, f64x2.mul(k, constant(4)));
  const low = f64x2.mul(k, constant(5));
  const r = f64x2.sub(high, low);
  const t = f64x2.mul(r, r);
  let c = f64x2.add(constant(7), f64x2.mul(t, constant(6)));
  c = f64x2.add(constant(8), f64x2.mul(t, c));
  c = f64x2.add(constant(9), f64x2.mul(t, c));
  c = f64x2.add(constant(10), f64x2.mul(t, c));
  c = f64x2.sub(r, f64x2.mul(t, c));
  const one = constant(12);
  const q = f64x2.div(f64x2.mul(r, c), f64x2.sub(constant(11), c));
  let y = f64x2.sub(one, f64x2.sub(f64x2.sub(low, q), high));
  const isSmall = f64x2.lt(size, constant(13));
  const isTiny = f64x2.lt(k, constant(15));
  if (v128.any_true(v128.or(isSmall, isTiny))) return rare(x, y, k, isSmall, isTiny);
  return f64x2.mul(y, power(k));
}

/** 2^k. */
// @ts-ignore: decorator
@inline
function power(k: v128): v128 {
  return i64x2.shl(f64x2.add(k, constant(14)), 52);
}

/** Near 0 it is 1 + x; below 2^-1021 it is made of two factors, of which the first is normal, or 0. */
function rare(x: v128, y: v128, k: v128, isSmall: v128, isTiny: v128): v128 {
  const shifted = f64x2.add(k, v128.and(isTiny, f64x2.splat(1000)));
  const one = f64x2.splat(1);
  const rest = v128.bitselect(f64x2.splat(reinterpret<f64>(0x0170000000000000)), one, isTiny);
  y = v128.bitselect(f64x2.add(one, x), f64x2.mul(f64x2.mul(y, power(shifted)), rest), isSmall);
  return v128.andnot(y, f64x2.lt(x, constant(16)));
}

/** exp of `count` entries, an even number, each at most 0. */
export function exponentials(at: usize, count: usize): void {
  const end = at + (count << 3);
  for (; at < end; at += 16) v128.store(at, exponential(v128.load(at)));
}

/** exp(entry - max) of a row. `length` may be odd: one beyond is written. */
// @ts-ignore: decorator
@inline
function exponentialsOfRow(row: usize, to: usize, length: usize, max: f64): void {
  const shift = f64x2.splat(max);
  const lowest = f64x2.splat(-7.46e2);
  const end = row + (length << 3);
  for (let at = row; at < end; at += 16, to += 16) {
    const x = f64x2.sub(v128.load(at), shift);
    if (i64x2.all_true(f64x2.lt(x, lowest))) v128.store(to, f64x2.splat(0));
    else v128.store(to, exponential(x));
  }
}

// @ts-ignore: decorator
@inline
function maximum(row: usize, length: usize): f64 {
  let a = f64x2.splat(-Infinity);
  let b = a;
  const end = row + (length << 3);
  let at = row;
  for (; at + 32 <= end; at += 32) {
    a = f64x2.max(a, v128.load(at));
    b = f64x2.max(b, v128.load(at, 16));
  }
  a = f64x2.max(a, b);
  let max = f64.max(f64x2.extract_lane(a, 0), f64x2.extract_lane(a, 1));
  for (; at < end; at += 8) max = f64.max(max, f64.load(at));
  return max;
}

/**
 * Softmax of rows of `length` entries, `stride` apart, into rows that lie as far apart at `to`, which may be `from`.
 * Where `length` is odd, each row must end in an entry of padding.
 */
export function softmaxRows(
  from: usize,
  to: usize,
  rows: usize,
  length: usize,
  stride: usize,
): void {
  for (; rows >= 4; rows -= 4, from += stride << 2, to += stride << 2) {
    for (let n: usize = 0; n < 4; n++) exponentialsLessMax(from + n * stride, to + n * stride, length);
    let t0: f64 = 0;
    let t1: f64 = 0;
    let t2: f64 = 0;
    let t3: f64 = 0;
    const end = to + (length << 3);
    for (let p = to; p < end; p += 8) {
      t0 += f64.load(p);
      t1 += f64.load(p + stride);
      t2 += f64.load(p + (stride << 1));
      t3 += f64.load(p + 3 * stride);
    }
    divide(to, length, t0);
    divide(to + stride, length, t1);
    divide(to + (stride << 1), length, t2);
    divide(to + 3 * stride, length, t3);
  }
  for (; rows > 0; rows--, from += stride, to += stride) {
    exponentialsLessMax(from, to, length);
    let total: f64 = 0;
    const end = to + (length << 3);
    for (let p = to; p < end; p += 8) total += f64.load(p);
    divide(to, length, total);
  }
}

function exponentialsLessMax(from: usize, to: usize, length: usize): void {
  const max = maximum(from, length);
  // A row that is -inf throughout: exp(-inf - 0) is 0 everywhere.
  exponentialsOfRow(from, to, length, max == -Infinity ? 0 : max);
}

// @ts-ignore: decorator
@inline
function divide(row: usize, length: usize, total: f64): void {
  // Without any weight there is nothing to share.
  if (total == 0) return;
  const by = f64x2.splat(total);
  const end = row + (length << 3);
  for (let at = row; at < end; at += 16) v128.store(at, f64x2.div(v128.load(at), by));
}

/** As softmaxRows down `length` entries, `stride` apart, for columns side by side, of which there are an even number. */
export function softmaxColumns(
  from: usize,
  to: usize,
  columns: usize,
  length: usize,
  stride: usize,
): void {
  const height = length * stride;
  for (let column: usize = 0; column < columns; column += 2, from += 16, to += 16) {
    const end = from + height;
    let max = f64x2.splat(-Infinity);
    for (let p = from; p < end; p += stride) max = f64x2.max(max, v128.load(p));
    const shift = v128.andnot(max, f64x2.eq(max, f64x2.splat(-Infinity)));
    const lowest = f64x2.splat(-7.46e2);
    let total = f64x2.splat(0);
    for (let p = from, q = to; p < end; p += stride, q += stride) {
      const x = f64x2.sub(v128.load(p), shift);
      if (i64x2.all_true(f64x2.lt(x, lowest))) {
        v128.store(q, f64x2.splat(0));
        continue;
      }
      const value = exponential(x);
      v128.store(q, value);
      total = f64x2.add(total, value);
    }
    // Without any weight there is nothing to share: 0 / 1.
    const by = v128.bitselect(f64x2.splat(1), total, f64x2.eq(total, f64x2.splat(0)));
    for (let p = to; p < to + height; p += stride) v128.store(p, f64x2.div(v128.load(p), by));
  }
}

/** P (upstream - sum of P upstream), 0 where P is 0. Rows as in softmaxRows; `to` may be `upstream`. */
export function softmaxBackRows(
  weights: usize,
  upstream: usize,
  to: usize,
  rows: usize,
  length: usize,
  stride: usize,
): void {
  const four = stride << 2;
  for (; rows >= 4; rows -= 4, weights += four, upstream += four, to += four) {
    let t0: f64 = 0;
    let t1: f64 = 0;
    let t2: f64 = 0;
    let t3: f64 = 0;
    const end = weights + (length << 3);
    for (let p = weights, u = upstream; p < end; p += 8, u += 8) {
      t0 += passed(f64.load(p), f64.load(u));
      t1 += passed(f64.load(p + stride), f64.load(u + stride));
      t2 += passed(f64.load(p + (stride << 1)), f64.load(u + (stride << 1)));
      t3 += passed(f64.load(p + 3 * stride), f64.load(u + 3 * stride));
    }
    backRow(weights, upstream, to, length, t0);
    backRow(weights + stride, upstream + stride, to + stride, length, t1);
    backRow(weights + (stride << 1), upstream + (stride << 1), to + (stride << 1), length, t2);
    backRow(weights + 3 * stride, upstream + 3 * stride, to + 3 * stride, length, t3);
  }
  for (; rows > 0; rows--, weights += stride, upstream += stride, to += stride) {
    let total: f64 = 0;
    const end = weights + (length << 3);
    for (let p = weights, u = upstream; p < end; p += 8, u += 8)
      total += passed(f64.load(p), f64.load(u));
    backRow(weights, upstream, to, length, total);
  }
}

// @ts-ignore: decorator
@inline
function passed(weight: f64, upstream: f64): f64 {
  return weight == 0 ? 0 : weight * upstream;
}

// @ts-ignore: decorator
@inline
function backRow(weights: usize, upstream: usize, to: usize, length: usize, total: f64): void {
  const dot = f64x2.splat(total);
  const end = weights + (length << 3);
  for (; weights < end; weights += 16, upstream += 16, to += 16) {
    const weight = v128.load(weights);
    const value = f64x2.mul(weight, f64x2.sub(v128.load(upstream), dot));
    v128.store(to, v128.andnot(value, f64x2.eq(weight, f64x2.splat(0))));
  }
}

/** As softmaxBackRows down columns, as in softmaxColumns. */
export function softmaxBackColumns(
  weights: usize,
  upstream: usize,
  to: usize,
  columns: usize,
  length: usize,
  stride: usize,
): void {
  const height = length * stride;
  const zero = f64x2.splat(0);
  for (let column: usize = 0; column < columns; column += 2, weights += 16, upstream += 16, to += 16) {
    const end = weights + height;
    let dot = zero;
    for (let p = weights, u = upstream; p < end; p += stride, u += stride) {
      const weight = v128.load(p);
      const value = f64x2.mul(weight, v128.load(u));
      dot = f64x2.add(dot, v128.andnot(value, f64x2.eq(weight, zero)));
    }
    for (let p = weights, u = upstream, q = to; p < end; p += stride, u += stride, q += stride) {
      const weight = v128.load(p);
      const value = f64x2.mul(weight, f64x2.sub(v128.load(u), dot));
      v128.store(q, v128.andnot(value, f64x2.eq(weight, zero)));
    }
  }
}
