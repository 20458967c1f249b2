// Statistics, quantiles, histogram and sums against straightforward computation.
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { norm } from '../../src/engine/tensor.ts';
import { histogramOf } from '../../src/inspect/histogram.ts';
import { defaultSlicing, planeOf } from '../../src/inspect/plane.ts';
import { fromTensor } from '../../src/inspect/source.ts';
import { statisticsOf } from '../../src/inspect/statistics.ts';
import { describeSums, sumsOf } from '../../src/inspect/sums.ts';
import { counting, noBreath } from './helpers.ts';

const entries = (data: ArrayLike<number>) =>
  fromTensor({ shape: [data.length], data: Float64Array.from(data) }).entries;

describe('statistics', () => {
  test('of any numbers', () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(fc.double({ min: -1e300, max: 1e300, noNaN: true }), { minLength: 1 }),
        async (data) => {
          const { min, max, mean, norm: size, zeros } = await statisticsOf(entries(data), noBreath);
          // -0 and 0 are one number here.
          expect(min + 0).toBe(Math.min(...data) + 0);
          expect(max + 0).toBe(Math.max(...data) + 0);
          const scale = Math.max(...data.map(Math.abs), 1e-300);
          expect(
            Math.abs(mean - data.reduce((sum, each) => sum + each / data.length, 0)) / scale,
          ).toBeLessThan(1e-12);
          const expected = norm({ shape: [data.length], data: Float64Array.from(data) });
          expect(Math.abs(size - expected)).toBeLessThanOrEqual(1e-12 * expected);
          expect(zeros).toBe(data.filter((each) => each === 0).length);
        },
      ),
    ));

  test('NaN and infinities are counted and found, not mixed in', async () => {
    const data = [1, -Infinity, NaN, 3, Infinity, NaN, 0];
    expect(await statisticsOf(entries(data), noBreath)).toMatchObject({
      ...{
        entries: 7,
        min: 0,
        max: 3,
        mean: 4 / 3,
        zeros: 1,
        nan: 2,
        positiveInfinite: 1,
        negativeInfinite: 1,
      },
      ...{ firstNan: 2, firstInfinite: 1, norm: Math.sqrt(10) },
    });
  });

  test('nothing, and nothing finite', async () => {
    expect(await statisticsOf(entries([]), noBreath)).toMatchObject({
      entries: 0,
      min: NaN,
      mean: NaN,
      norm: NaN,
    });
    expect(await statisticsOf(entries([NaN]), noBreath)).toMatchObject({
      entries: 1,
      nan: 1,
      max: NaN,
    });
  });

  test('over more than one slice, with progress', async () => {
    const data = Float64Array.from({ length: 200_000 }, (_, n) => n - 100_000);
    const told: number[] = [];
    const known = await statisticsOf(
      entries(data),
      () => Promise.resolve(),
      (done) => told.push(done),
    );
    expect(known).toMatchObject({ min: -100_000, max: 99_999, mean: -0.5, zeros: 1 });
    expect(told.length).toBeGreaterThan(1);
  });

  test('quantiles clip what they say, to 1 % of the value', async () => {
    const data = Float64Array.from({ length: 10_000 }, (_, n) => (n - 5000) / 100);
    const { quantiles } = await statisticsOf(entries(data), noBreath);
    for (const { percent, low, high, size } of quantiles) {
      expect(Math.abs(high / (50 * (1 - percent / 100)) - 1)).toBeLessThan(0.02);
      expect(Math.abs(low / (-50 * (1 - percent / 100)) - 1)).toBeLessThan(0.02);
      expect(data.filter((each) => Math.abs(each) > size).length).toBeLessThanOrEqual(
        100 * percent,
      );
    }
  });

  test('one outlier does not set the clipped range', async () => {
    const data = Float64Array.from({ length: 1000 }, (_, n) => (n === 7 ? -1e9 : 1));
    const { quantiles } = await statisticsOf(entries(data), noBreath);
    expect(quantiles.find(({ percent }) => percent === 1)?.size).toBeCloseTo(1, 1);
  });
});

describe('histogram', () => {
  test('every finite entry is in one bin', () =>
    fc.assert(
      fc.asyncProperty(fc.array(fc.double({ noDefaultInfinity: true })), async (data) => {
        const known = await statisticsOf(entries(data), noBreath);
        const { counts } = await histogramOf(entries(data), known, 12, noBreath);
        expect(counts.reduce((sum, each) => sum + each, 0)).toBe(
          data.filter(Number.isFinite).length,
        );
      }),
    ));
});

describe('sums', () => {
  test('of rows and columns', async () => {
    const source = counting(2, 3);
    const sums = await sumsOf(source.entries, planeOf(source, defaultSlicing([2, 3])), noBreath);
    expect([...sums.rows]).toEqual([3, 12]);
    expect([...sums.cols]).toEqual([3, 5, 7]);
  });

  test('say when they are all the same, up to rounding', () => {
    expect(describeSums([1, 1 + 2e-16, 1 - 1e-16], 0.5).same).toBe(1);
    expect(describeSums([1e-17, -2e-17], 1).same).toBe(0);
    expect(describeSums([1, 1.001], 1)).toMatchObject({ low: 1, high: 1.001, same: null });
    expect(describeSums([0.3, 0.3], 1).same).toBe(0.3);
    expect(describeSums([NaN, 1], 1)).toMatchObject({ low: NaN, same: null });
  });
});
