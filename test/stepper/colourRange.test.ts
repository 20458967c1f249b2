// Where a tensor's colours end: at its extreme, unless a few entries would bleach all others.
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { tensor } from '../../src/engine/tensor.ts';
import { colourRange } from '../../src/stepper/colourRange.ts';

const rangeOf = (data: readonly number[]): number => colourRange(tensor([data.length], data));

const filled = (length: number, entry: (n: number) => number): number[] =>
  Array.from({ length }, (_, n) => entry(n));

describe('the range', () => {
  test('is the extreme where nothing stands out', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 0.5, max: 1, noNaN: true }), { minLength: 1 }),
        (sizes) => {
          const signed = sizes.map((size, n) => (n % 2 ? -size : size));
          expect(rangeOf(signed)).toBe(Math.max(...sizes));
        },
      ),
    );
  });

  test('leaves a few extremes beyond it', () => {
    const bulk = filled(1000, (n) => Math.sin(n));
    const range = rangeOf([...bulk, 45, -300]);
    expect(range).toBeGreaterThan(0.99);
    expect(range).toBeLessThan(1.02);
    expect(rangeOf([...filled(11, () => 0.01), 1000])).toBeCloseTo(0.01, 3);
  });

  test('never has more than one in a hundred beyond it, one of a dozen aside', () => {
    const entry = fc.double({ min: -1e30, max: 1e30, noNaN: true });
    fc.assert(
      fc.property(fc.array(entry, { minLength: 1, maxLength: 400 }), (data) => {
        const beyond = data.filter((each) => each > -1e4 && Math.abs(each) > rangeOf(data));
        expect(beyond.length).toBeLessThanOrEqual(Math.max(data.length / 100, 1));
      }),
    );
  });

  test('is not of masked entries, infinities or NaN', () => {
    expect(rangeOf([-1e9, 2, -1e9, -1.5])).toBe(2);
    expect(rangeOf([-65504, -Infinity, NaN, Infinity, 0.5])).toBe(0.5);
    // Nine of ten weights are 0: they do not make the others extremes.
    expect(rangeOf(filled(1000, (n) => (n % 10 === 0 ? n / 1000 : 0)))).toBeGreaterThan(0.9);
  });

  test('of a large tensor is that of what its pictures show', () => {
    // Every query has one key: few entries, and the structure of the whole.
    const oneHot = tensor(
      [512, 512],
      filled(512 * 512, (n) => (n % 513 === 0 ? 1 : 1e-9)),
    );
    expect(colourRange(oneHot)).toBe(1);
    const outlier = tensor(
      [512, 512],
      filled(512 * 512, (n) => (n === 777 ? 1e4 : Math.sin(n))),
    );
    expect(colourRange(outlier)).toBeLessThan(1.01);
  });

  test('is 0 where there is nothing to show', () => {
    expect(rangeOf([0, 0])).toBe(0);
    expect(rangeOf([NaN, -Infinity])).toBe(0);
  });
});
