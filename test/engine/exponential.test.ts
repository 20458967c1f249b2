// exp is accurate to 1 ulp, and the kernel gives its bits.
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { exponential } from '../../src/engine/exponential.ts';
import { kernel } from '../../src/engine/gemm/kernel.ts';

/** Where its ways part: the two thresholds of k, subnormal results, underflow, next to 0. */
const EDGES = [
  ...[0, -0, NaN, -Infinity, -1e300, -1, -5e-324],
  ...[-745.1332191019411, -745.1332191019412, -745.2, -746, -746.1, -744.4400719213812],
  ...[-708.3964185322641, -708.4, -709, -709.09, -709.7827128933841],
  ...[-0.34657359027997264, -0.3465735912322998, -0.34657359123229986, -1.0397207708399179],
  ...[-3.725290298461914e-9, -3.725290298461915e-9, -3.7252902984619136e-9, -2 * Math.LN2],
];

const bits = new DataView(new ArrayBuffer(8));
const ordered = (value: number): bigint => {
  bits.setFloat64(0, value);
  return bits.getBigInt64(0);
};

/** exp(x) for small x by its series in exact integers, 2^-90 the unit. */
function exactly(x: number): number {
  const one = 1n << 90n;
  const scaled = BigInt(Math.round(x * 2 ** 60)) << 30n;
  let [term, sum] = [one, one];
  for (let n = 1n; term !== 0n && n < 200n; n++) {
    term = (term * scaled) / one / n;
    sum += term;
  }
  return Number(sum) / 2 ** 90;
}

test('is within 1 ulp of the exact value', () => {
  for (let n = 0; n <= 4000; n++) {
    // A multiple of 2^-60, so that the series begins at the very number.
    const x = -Math.round((n / 4000) * 8 * 2 ** 30) / 2 ** 30;
    const off = ordered(exponential(x)) - ordered(exactly(x));
    expect(Math.abs(Number(off)), `exp(${x})`).toBeLessThanOrEqual(1);
  }
});

test('the ends: 1 at 0, 0 far below, NaN for NaN', () => {
  expect([0, -0, -Infinity, -800, NaN].map(exponential)).toEqual([1, 1, 0, 0, NaN]);
  expect(exponential(-745.1332191019411)).toBe(5e-324);
});

test('the kernel gives the same bits, at every edge and everywhere', () => {
  const own = kernel();
  if (!own) throw new Error('this machine has no SIMD');
  const numbers = fc.oneof(
    fc.double({ min: -760, max: 0 }),
    fc.double({ min: -2, max: 0 }),
    fc.double({ min: -1e-7, max: 0 }),
    fc.constantFrom(...EDGES),
  );
  fc.assert(
    fc.property(fc.array(numbers, { minLength: 64, maxLength: 512 }), (xs) => {
      const even = [...xs, ...EDGES, ...(xs.length % 2 === EDGES.length % 2 ? [] : [-1])];
      own.scratch.set(even);
      own.exponentials(0, even.length);
      const found = own.scratch.slice(0, even.length);
      expect(even.findIndex((x, n) => !Object.is(exponential(x), found[n]))).toBe(-1);
    }),
    { numRuns: 200 },
  );
});
