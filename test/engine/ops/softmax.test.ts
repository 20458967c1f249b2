// Softmax where it is hard: huge logits, rows without any key, NaN and infinity.
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseSpec } from '../../../src/engine/axes.ts';
import { softmax } from '../../../src/engine/ops/softmax.ts';
import { tensor } from '../../../src/engine/tensor.ts';
import { cases } from '../../support/random.ts';

const [axes] = parseSpec('j i');
const over = (queries: number, keys: number) => softmax(axes, 'i', { j: queries, i: keys });
const row = (...logits: number[]): number[] => [
  ...over(1, logits.length).forward([tensor([1, logits.length], logits)]).data,
];

/** P and dM for one row of logits and one row of dP. */
function backward(logits: number[], upstream: number[]) {
  const shape = [1, logits.length];
  const operation = over(1, logits.length);
  const inputs = [tensor(shape, logits)];
  const output = operation.forward(inputs);
  const at = { inputs, output };
  return { operation, at, dM: [...operation.vjp(at, tensor(shape, upstream))[0].data] };
}

describe('logits of ±10,000', () => {
  test('the largest takes all', () => {
    expect(row(1e4, -1e4, 0)).toEqual([1, 0, 0]);
  });

  test('equal ones share', () => {
    expect(row(1e4, 1e4)).toEqual([0.5, 0.5]);
    expect(row(-1e4, -1e4, -1e4, -1e4)).toEqual([0.25, 0.25, 0.25, 0.25]);
  });

  test('a constant added to a row changes nothing', () => {
    // Powers of two: the differences of the logits are exact.
    expect(row(1e4 + 0.5, 1e4 - 0.25, 1e4)).toEqual(row(0.5, -0.25, 0));
  });

  test('weights are finite, not negative and sum to 1', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: -1e4, max: 1e4, noNaN: true }), { minLength: 1, maxLength: 9 }),
        (logits) => {
          const weights = row(...logits);
          expect(weights.every((weight) => weight >= 0 && weight <= 1)).toBe(true);
          expect(Math.abs(weights.reduce((a, b) => a + b) - 1)).toBeLessThan(1e-14);
        },
      ),
      cases(200),
    );
  });

  test('the gradient is finite', () => {
    expect(backward([1e4, -1e4, 9999], [1, 2, 3]).dM.every(Number.isFinite)).toBe(true);
  });
});

describe('masked keys', () => {
  test('a row without any key has zero weights and a zero gradient', () => {
    const { at, dM } = backward([-Infinity, -Infinity], [3, -4]);
    expect([...at.output.data]).toEqual([0, 0]);
    expect(dM).toEqual([0, 0]);
  });

  test('a masked key has weight 0 and gradient 0, exactly', () => {
    const { at, dM } = backward([0, -Infinity, 0], [1, 1e300, 2]);
    expect([...at.output.data]).toEqual([0.5, 0, 0.5]);
    expect(dM).toEqual([-0.25, 0, 0.25]);
  });

  test('what arrives at a masked key, NaN included, stays there', () => {
    expect(backward([0, -Infinity, 0], [1, NaN, 2]).dM).toEqual([-0.25, 0, 0.25]);
  });
});

describe('values that are not finite', () => {
  test('NaN spreads over its own row only', () => {
    const logits = tensor([2, 2], [1, NaN, 0, 0]);
    expect([...over(2, 2).forward([logits]).data]).toEqual([NaN, NaN, 0.5, 0.5]);
  });

  test('+∞ makes its row NaN, as in PyTorch', () => {
    expect(row(Infinity, 0)).toEqual([NaN, NaN]);
  });
});
