// How far two tensors are apart.
import { indexOf, largestMagnitude, type Tensor } from '../../engine/tensor.ts';
import type { NumberType } from '../reference/dtypes.ts';

export interface Difference {
  readonly maxAbs: number;
  /** maxAbs over the largest entry of the reference. */
  readonly maxRel: number;
  readonly worst: number;
  readonly worstIndex: readonly number[];
}

/**
 * Entry by entry, where `ignored` is not 1; equal infinities and two NaN are equal, a NaN or infinity against anything else
 * is infinitely far.
 */
export function difference(user: Tensor, reference: Tensor, ignored?: Tensor | null): Difference {
  let maxAbs = 0;
  let worst = 0;
  const { data } = reference;
  for (let at = 0; at < data.length; at++) {
    const a = user.data[at];
    const b = data[at];
    if (a === b || ignored?.data[at] === 1) continue;
    let error = Math.abs(a - b);
    if (Number.isNaN(error)) error = Number.isNaN(a) && Number.isNaN(b) ? 0 : Infinity;
    if (error > maxAbs) {
      maxAbs = error;
      worst = at;
    }
  }
  const scale = largestMagnitude(reference);
  const maxRel = maxAbs === 0 ? 0 : maxAbs / (scale || Number.MIN_VALUE);
  return { maxAbs, maxRel, worst, worstIndex: indexOf(reference.shape, worst) };
}

/** Whether the same numbers stand in both, in whatever order, but for `most`. */
export function haveSameNumbers(user: Tensor, right: Tensor, most: number): boolean {
  const [a, b] = [user, right].map(({ data }) => data.slice().sort());
  return a.length === b.length && a.every((value, n) => Math.abs(value - b[n]) <= most);
}

/** The factor by which `user` is `predicted` throughout, or null. */
export function constantRatio(user: Tensor, predicted: Tensor, precision: number): number | null {
  const most = precision * largestMagnitude(user);
  if (user.data.length > MANY && !mayBeRatio(user, predicted, most)) return null;
  let [dot, square] = [0, 0];
  for (let at = 0; at < user.data.length; at++) {
    const a = user.data[at];
    const b = predicted.data[at];
    if (!Number.isFinite(a) || !Number.isFinite(b)) {
      if (Object.is(a, b)) continue;
      return null;
    }
    dot += a * b;
    square += b * b;
  }
  if (square === 0 || dot === 0) return null;
  const ratio = dot / square;
  for (let at = 0; at < user.data.length; at++) {
    const error = user.data[at] - ratio * predicted.data[at];
    if (Math.abs(error) > most) return null;
  }
  return ratio;
}

/** Entries beyond which a few are looked at first. */
const MANY = 4096;
const SAMPLES = 32;
/** For the rounding of the products. */
const SLACK = 1.01;

/** Whether some entries leave it possible: with one factor r for both, |u p' − u' p| is at most `most` (|p| + |p'|). */
function mayBeRatio(user: Tensor, predicted: Tensor, most: number): boolean {
  const { length } = user.data;
  let [u, p] = [0, 0];
  for (let n = 0; n < SAMPLES; n++) {
    // The golden ratio spreads them over every axis.
    const at = Math.floor(((n * 0.618034) % 1) * length);
    const [a, b] = [user.data[at], predicted.data[at]];
    if (!Number.isFinite(a) || !Number.isFinite(b)) continue;
    if (Math.abs(a * p - u * b) > SLACK * most * (Math.abs(p) + Math.abs(b))) return false;
    if (Math.abs(a) > Math.abs(u)) [u, p] = [a, b];
  }
  return true;
}

/** The distance to the next number of `type` at the size of `value`. */
export function unitInLastPlace(value: number, type: NumberType): number {
  if (value === 0) return 0;
  if (type.name.endsWith('decimals')) return type.epsilon;
  return Math.max(type.epsilon * 2 ** Math.floor(Math.log2(value)), type.smallest);
}
