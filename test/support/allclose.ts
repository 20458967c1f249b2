// toBeAllclose: tensors equal up to the rounding of a dtype, in units of the largest expected entry.
import { expect } from 'vitest';
import { formatShape, indexOf, type Tensor } from '../../src/engine/tensor.ts';

export type Precision = 'float64' | 'float32';

export interface Closeness {
  /** The dtype in which the expected numbers were computed; its tolerance is used. */
  readonly dtype?: Precision;
  /** Accepted difference over `largest`. */
  readonly tolerance?: number;
  /** What differences are measured by; by default the largest finite expected entry. */
  readonly largest?: number;
}

/**
 * float32: a unit in the last place is 6e-8, and a few hundred of them add up in one sum.
 * float64: the same sums in another order; 1e-10 leaves room for exp and tanh of another library.
 */
const TOLERANCE: Readonly<Record<Precision, number>> = { float64: 1e-10, float32: 1e-5 };

export function largestOf({ data }: Tensor): number {
  const larger = (max: number, value: number): number =>
    Number.isFinite(value) ? Math.max(max, Math.abs(value)) : max;
  return data.reduce(larger, 0);
}

/** The entry that differs most; those that are not finite have to be the same. */
function worstOf(found: Tensor, expected: Tensor): { offset: number; difference: number } {
  let worst = { offset: -1, difference: 0 };
  expected.data.forEach((value, offset) => {
    const other = found.data[offset];
    const same = Object.is(other, value) || other === value;
    const difference = same ? 0 : Math.abs(other - value);
    const size = Number.isFinite(difference) ? difference : Infinity;
    if (size > worst.difference) worst = { offset, difference: size };
  });
  return worst;
}

declare module 'vitest' {
  interface Matchers<R, T> {
    /** T: the tensor that was computed. */
    toBeAllclose(expected: T extends Tensor ? Tensor : never, closeness?: Closeness): R;
  }
}

expect.extend({
  toBeAllclose(found: Tensor, expected: Tensor, { dtype = 'float64', ...own }: Closeness = {}) {
    const tolerance = own.tolerance ?? TOLERANCE[dtype];
    const shapes = [found.shape, expected.shape].map(formatShape);
    if (shapes[0] !== shapes[1]) {
      return { pass: false, message: () => `found shape ${shapes[0]}, expected ${shapes[1]}` };
    }
    const { offset, difference } = worstOf(found, expected);
    const largest = own.largest ?? largestOf(expected);
    const pass = difference <= tolerance * largest;
    const at = `[${offset < 0 ? '' : indexOf(expected.shape, offset).join(', ')}]`;
    const message = (): string =>
      pass
        ? `no entry differs by more than ${tolerance} x ${largest} (${dtype})`
        : `${at}: found ${found.data[offset]}, expected ${expected.data[offset]}; they differ by ${difference}, ` +
          `accepted is ${tolerance} (${dtype}) x ${largest}, the largest entry`;
    return { pass, message };
  },
});
