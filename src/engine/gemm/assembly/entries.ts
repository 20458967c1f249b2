// AssemblyScript: what is done to each entry alone, as 128-bit SIMD. Counts are even.

/** to = factor * from. */
export function scale(from: usize, to: usize, count: usize, factor: f64): void {
  const by = f64x2.splat(factor);
  const end = from + (count << 3);
  for (; from < end; from += 16, to += 16) v128.store(to, f64x2.mul(by, v128.load(from)));
}

/** Whether all entries are finite, or -inf where that is allowed. */
export function isFine(from: usize, count: usize, allowed: bool): bool {
  const end = from + (count << 3);
  const zero = f64x2.splat(0);
  if (allowed) {
    let fine = f64x2.eq(zero, zero);
    for (; from < end; from += 16)
      fine = v128.and(fine, f64x2.lt(v128.load(from), f64x2.splat(Infinity)));
    return i64x2.all_true(fine);
  }
  // What is not finite makes NaN of a sum.
  let a = zero;
  let b = zero;
  for (; from + 32 <= end; from += 32) {
    a = f64x2.add(a, f64x2.mul(v128.load(from), zero));
    b = f64x2.add(b, f64x2.mul(v128.load(from, 16), zero));
  }
  for (; from < end; from += 16) a = f64x2.add(a, f64x2.mul(v128.load(from), zero));
  return i64x2.all_true(f64x2.eq(f64x2.add(a, b), zero));
}
