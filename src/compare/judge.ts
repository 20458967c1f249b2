// How far two tensors are apart, and how far they may be: twice or three times the error of a simulated run.
import { indexOf, largestMagnitude, type Tensor } from '../engine/tensor.ts';
import type { NumberType } from './dtypes.ts';
import { rounding } from './noise.ts';
import { entriesOf, type Key, type Program, type Given, State } from './program.ts';

export interface Difference {
  readonly maxAbs: number;
  /** maxAbs over the largest entry of the reference. */
  readonly maxRel: number;
  readonly worst: number;
  readonly worstIndex: readonly number[];
}

/** Entry by entry; equal infinities and two NaN are equal, a NaN or infinity against anything else is infinitely far. */
export function difference(user: Tensor, reference: Tensor): Difference {
  let maxAbs = 0;
  let worst = 0;
  const { data } = reference;
  for (let at = 0; at < data.length; at++) {
    const a = user.data[at];
    const b = data[at];
    if (a === b) continue;
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

/** The factor by which `user` is `predicted` throughout, or null. */
export function constantRatio(user: Tensor, predicted: Tensor, precision: number): number | null {
  let [dot, square] = [0, 0];
  for (let at = 0; at < user.data.length; at++) {
    const [a, b] = [user.data[at], predicted.data[at]];
    if (!Number.isFinite(a) || !Number.isFinite(b)) {
      if (Object.is(a, b)) continue;
      return null;
    }
    dot += a * b;
    square += b * b;
  }
  if (square === 0 || dot === 0) return null;
  const ratio = dot / square;
  const most = precision * largestMagnitude(user);
  for (let at = 0; at < user.data.length; at++) {
    const error = user.data[at] - ratio * predicted.data[at];
    if (Math.abs(error) > most) return null;
  }
  return ratio;
}

/** The distance to the next number of `type` at the size of `value`. */
export function unitInLastPlace(value: number, type: NumberType): number {
  if (value === 0) return 0;
  if (type.name.endsWith('decimals')) return type.epsilon;
  return type.epsilon * 2 ** Math.floor(Math.log2(value));
}

/** In a large run: as many units in the last place are right, and so large a part of the largest entry is wrong. */
const PLAIN_ULPS = 16;
const PLAINLY_WRONG = 0.02;

/** Entries of a whole graph beyond which fewer simulated runs must do. */
const SMALL = 20_000;
const MEDIUM = 500_000;

/**
 * Tolerances of one program on one set of given tensors. DESIGN.md, "Judging equal": 2e for a value, 3e for a
 * gradient, e being the error of a run in the person's number type, plus one unit in the last place.
 */
export class Tolerances {
  readonly #type: NumberType;
  readonly #exact: State;
  readonly #samples: State[];

  constructor(program: Program, given: Given, type: NumberType, exact = new State(program, given)) {
    const size = entriesOf(program.graph);
    const count = size < SMALL ? 8 : size < MEDIUM ? 3 : 1;
    this.#type = type;
    this.#exact = exact;
    this.#samples = Array.from(
      { length: count },
      (_, n) => new State(program, given, rounding(type, n + 1)),
    );
  }

  /** The tolerance at `key` for a tensor that is `off` by so much. */
  of(key: Key, off: number): number {
    const exact = this.#exact.predict(key);
    const size = largestMagnitude(exact);
    // Simulating a large run takes seconds: not where the answer is plain.
    const plain = PLAIN_ULPS * this.#type.epsilon * size;
    const isPlain = off <= plain || off > PLAINLY_WRONG * size;
    if (this.#samples.length === 1 && this.#type.epsilon < PLAINLY_WRONG / 1000 && isPlain)
      return plain;
    let error = 0;
    for (const sample of this.#samples) {
      const { maxAbs } = difference(sample.predict(key), exact);
      if (maxAbs > error && Number.isFinite(maxAbs)) error = maxAbs;
    }
    const factor = key.startsWith('v:') ? 2 : 3;
    // One simulated run may be lucky where a tensor has few entries.
    const luck = this.#samples.length === 1 ? 1.5 : 1;
    return factor * luck * error + unitInLastPlace(size, this.#type);
  }
}
