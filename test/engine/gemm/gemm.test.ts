// The blocked product gives, bit by bit, what plain loops give; the kernel is the one that its source says.
import { readFileSync } from 'node:fs';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { compileKernel } from '../../../scripts/kernel.mjs';
import { blockedProduct } from '../../../src/engine/gemm/blocked.ts';
import type { Matrix } from '../../../src/engine/gemm/matrix.ts';
import { plainProduct } from '../../../src/engine/gemm/plain.ts';
import { randomTensor } from '../../support/random.ts';

const offsets = (length: number, stride: number): Int32Array =>
  Int32Array.from({ length }, (_, at) => at * stride);

function matrix(rows: number, cols: number, transposed: boolean, data: Float64Array): Matrix {
  const base = 3;
  return transposed
    ? { data, base, rows: offsets(rows, 1), cols: offsets(cols, rows) }
    : { data, base, rows: offsets(rows, cols), cols: offsets(cols, 1) };
}

const sizes = fc.record({
  m: fc.integer({ min: 1, max: 140 }),
  k: fc.integer({ min: 1, max: 300 }),
  n: fc.integer({ min: 1, max: 530 }),
  seed: fc.nat(),
  left: fc.boolean(),
  right: fc.boolean(),
  out: fc.boolean(),
  /** Zeros of A, as a causal mask leaves them: above or below the diagonal. */
  zeros: fc.constantFrom('none', 'above', 'below', 'all'),
  special: fc.constantFrom(0, NaN, Infinity, -Infinity, 5e-324, 1e308),
});

const LARGEST = { m: 129, k: 257, n: 513, seed: 1 };

test('blocks give the same bits as loops, at every size and order of the axes', () => {
  fc.assert(
    fc.property(sizes, ({ m, k, n, seed, left, right, out, zeros, special }) => {
      const numbers = (length: number, offset: number): Float64Array => {
        const { data } = randomTensor([3 + length], seed + offset);
        if (special !== 0) data[seed % length] = special;
        return data;
      };
      const a = matrix(m, k, left, numbers(m * k, 0));
      for (let row = 0; row < m; row++) {
        for (let col = 0; col < k; col++) {
          const isZero = zeros === 'above' ? col > row : zeros === 'below' && col < row;
          if (isZero || zeros === 'all')
            a.data[a.base + a.rows[row] + a.cols[col]] = (row + col) % 3 === 0 ? -0 : 0;
        }
      }
      const b = matrix(k, n, right, numbers(k * n, 1));
      const expected = matrix(m, n, out, numbers(m * n, 2));
      const found = { ...expected, data: expected.data.slice() };
      plainProduct(a, b, expected);
      expect(blockedProduct(a, b, found)).toBe(true);
      const differs = found.data.findIndex((each, at) => !Object.is(each, expected.data[at]));
      expect(differs).toBe(-1);
    }),
    {
      numRuns: 80,
      examples: [
        [{ ...LARGEST, left: true, right: false, out: true, zeros: 'none', special: NaN }],
        [{ ...LARGEST, left: true, right: false, out: true, zeros: 'above', special: Infinity }],
        [{ ...LARGEST, left: false, right: true, out: false, zeros: 'below', special: 0 }],
      ],
    },
  );
});

test('the committed kernel is the compiled one', () => {
  const committed = new URL('../../../src/engine/gemm/kernelBytes.ts', import.meta.url);
  expect(readFileSync(committed, 'utf8')).toBe(compileKernel());
});
