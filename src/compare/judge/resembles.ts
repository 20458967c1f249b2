// A glance at a large tensor: whether a few of its entries leave it possible that it is the reference's.
import { sameShape } from '../../engine/tensor.ts';
import type { Key, State } from '../program/program.ts';

/** Entries beyond which samples are looked at first. */
const LARGE = 50_000;
const SAMPLES = 1000;
/** Relative difference, beyond the rounding of any number type. */
const NEAR = 0.05;

/** By samples of what passes something on: other entries may differ by convention. Small tensors are not looked at. */
export function resembles(
  reference: State,
  key: Key,
  entryAt: (offset: number) => number,
): boolean {
  const { shape, data } = reference.predict(key);
  if (data.length < LARGE) return true;
  const weights = reference.value('P');
  const isScores = sameShape(shape, weights.shape);
  let [live, near] = [0, 0];
  for (let n = 0; n < SAMPLES; n++) {
    // The golden ratio spreads them over every axis.
    const at = Math.floor(((n * 0.618034) % 1) * data.length);
    const right = data[at];
    if (right === 0 || (isScores && weights.data[at] === 0)) continue;
    live++;
    const user = entryAt(at);
    const size = Math.max(Math.abs(user), Math.abs(right));
    if (user === right || Math.abs(user - right) <= NEAR * size) near++;
  }
  return 2 * near >= live;
}
