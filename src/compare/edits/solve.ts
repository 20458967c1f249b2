// Least squares with a handful of terms: by which factors do they add up to a tensor.
import type { Tensor } from '../../engine/tensor.ts';

/** The factors c with sum of c_k terms_k nearest to `total`, or null where the terms do not tell them apart. */
export function solve(terms: readonly Tensor[], total: Tensor): number[] | null {
  const dot = (a: Tensor, b: Tensor): number =>
    a.data.reduce((sum, value, at) => sum + value * b.data[at], 0);
  const size = terms.length;
  const rows = terms.map((term) => [...terms.map((other) => dot(term, other)), dot(term, total)]);
  for (let pivot = 0; pivot < size; pivot++) {
    const best = rows
      .slice(pivot)
      .reduce(
        (at, row, n) => (Math.abs(row[pivot]) > Math.abs(rows[at][pivot]) ? n + pivot : at),
        pivot,
      );
    [rows[pivot], rows[best]] = [rows[best], rows[pivot]];
    if (!(Math.abs(rows[pivot][pivot]) > 1e-12 * Math.abs(dot(terms[pivot], terms[pivot]))))
      return null;
    for (let row = 0; row < size; row++) {
      if (row === pivot) continue;
      const factor = rows[row][pivot] / rows[pivot][pivot];
      for (let column = pivot; column <= size; column++)
        rows[row][column] -= factor * rows[pivot][column];
    }
  }
  const factors = rows.map((row, n) => row[size] / row[n]);
  return factors.every(Number.isFinite) ? factors : null;
}

/** c in user = zero + c (one − zero), by least squares over what is finite; null where nothing tells it. */
export function shareOf(user: Tensor, zero: Tensor, one: Tensor): number | null {
  let [dot, square] = [0, 0];
  for (let at = 0; at < user.data.length; at++) {
    const step = one.data[at] - zero.data[at];
    const rest = user.data[at] - zero.data[at];
    if (!Number.isFinite(step) || !Number.isFinite(rest)) continue;
    dot += step * rest;
    square += step * step;
  }
  return square === 0 ? null : dot / square;
}
