// The documented random generator of setup files: the same numbers on every machine.
import { sizeOf, type Tensor } from '../engine/tensor.ts';

export interface RandomSpec {
  readonly distribution: 'normal' | 'uniform';
  readonly shape: readonly number[];
  /** Integer from 0 to 2^32 - 1. */
  readonly seed: number;
  /** `normal`: value = mean + std * deviate. */
  readonly mean: number;
  readonly std: number;
  /** `uniform`: value = low + (high - low) * deviate. */
  readonly low: number;
  readonly high: number;
}

export const RANDOM_DEFAULTS = { seed: 0, mean: 0, std: 1, low: 0, high: 1 } as const;

/**
 * The entries of a random tensor in row-major order, made as follows.
 *
 * 1. The seed starts splitmix32 (https://github.com/bryc/code/blob/master/jshash/PRNGs.md); its first four
 *    outputs are the state (a, b, c, d) of sfc32 (Chris Doty-Humphrey, PractRand), whose first 12 outputs
 *    are dropped. Every later output u is an integer from 0 to 2^32 - 1. Each tensor starts afresh.
 * 2. Uniform deviate: floor(u / 2^12) * 2^-20, in [0, 1).
 * 3. Normal deviates come in pairs by Marsaglia's polar method: with a = u1 * 2^-31 - 1 and
 *    b = u2 * 2^-31 - 1 drawn until 0 < s < 1, s = a^2 + b^2, the pair is a r and b r,
 *    r = sqrt(-2 ln(s) / s). Of an odd number the last b r is dropped.
 * 4. A normal deviate g is rounded to floor(g * 2^20 + 1/2) * 2^-20. So a last-bit difference between two
 *    machines' logarithms vanishes, and every deviate is exact in float32.
 * 5. The value is mean + std * deviate, or low + (high - low) * deviate.
 *
 * The caller bounds the shape (MAX_ENTRIES).
 */
export function randomTensor(spec: RandomSpec): Tensor {
  const next = sfc32(spec.seed);
  const data = new Float64Array(sizeOf(spec.shape));
  if (spec.distribution === 'uniform') {
    const width = spec.high - spec.low;
    for (let i = 0; i < data.length; i++) data[i] = spec.low + width * ((next() >>> 12) * 2 ** -20);
  } else {
    for (let i = 0; i < data.length; i += 2) {
      const [first, second] = normalPair(next);
      data[i] = spec.mean + spec.std * first;
      if (i + 1 < data.length) data[i + 1] = spec.mean + spec.std * second;
    }
  }
  return { shape: [...spec.shape], data };
}

function normalPair(next: () => number): [number, number] {
  for (;;) {
    const a = next() * 2 ** -31 - 1;
    const b = next() * 2 ** -31 - 1;
    const s = a * a + b * b;
    if (s === 0 || s >= 1) continue;
    const r = Math.sqrt((-2 * Math.log(s)) / s);
    return [roundDeviate(a * r), roundDeviate(b * r)];
  }
}

function roundDeviate(deviate: number): number {
  return Math.floor(deviate * 2 ** 20 + 0.5) * 2 ** -20;
}

function splitmix32(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x9e3779b9) | 0;
    let z = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return z ^ (z >>> 15);
  };
}

function sfc32(seed: number): () => number {
  const start = splitmix32(seed);
  let [a, b, c, d] = [start(), start(), start(), start()];
  const next = (): number => {
    const output = (a + b + d) | 0;
    d = (d + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + output) | 0;
    return output >>> 0;
  };
  for (let i = 0; i < 12; i++) next();
  return next;
}
