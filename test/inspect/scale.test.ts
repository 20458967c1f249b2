// The colour scale: chosen from the data, changed on request, described in words.
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  AUTO_SCALE,
  chooseScale,
  positionOf,
  type ScaleWish,
  symlog,
  wordsFor,
} from '../../src/inspect/scale.ts';
import { fromTensor } from '../../src/inspect/source.ts';
import { statisticsOf } from '../../src/inspect/statistics.ts';
import { noBreath } from './helpers.ts';

const scaleOf = async (data: number[], wish: Partial<ScaleWish> = {}) => {
  const { entries } = fromTensor({ shape: [data.length], data: Float64Array.from(data) });
  return chooseScale(await statisticsOf(entries, noBreath), { ...AUTO_SCALE, ...wish });
};

describe('chosen from the data', () => {
  test.each<[string, number[], string, number, number]>([
    ['both signs', [-1, 3], 'diverging', -3, 3],
    ['positive', [1, 3], 'sequential', 1, 3],
    ['weights', [0, 0.5], 'sequential', 0, 0.5],
    ['negative', [-4, -1], 'sequential', -4, -1],
    ['zeros', [0, 0], 'diverging', 0, 0],
    ['nothing finite', [NaN, Infinity], 'diverging', 0, 0],
    ['NaN does not count', [NaN, -1, 2], 'diverging', -2, 2],
  ])('%s', async (_, data, kind, low, high) => {
    const scale = await scaleOf(data);
    expect(scale).toMatchObject({ kind });
    expect([scale.low + 0, scale.high + 0]).toEqual([low, high]);
  });
});

describe('on request', () => {
  test('own ends, logarithmic, clipped, and the words say so', async () => {
    const data = Array.from({ length: 1000 }, (_, n) => (n === 0 ? 1e6 : Math.sin(n)));
    expect(wordsFor(await scaleOf(data))).toBe('diverging, symmetric, linear');
    expect(wordsFor(await scaleOf(data, { symmetric: false, logarithmic: true }))).toBe(
      'diverging, own ends, logarithmic',
    );
    const clipped = await scaleOf(data, { clip: 1 });
    expect(wordsFor(clipped)).toBe('diverging, symmetric, linear, 1 % clipped');
    expect(clipped.high).toBeLessThan(1.01);
    expect(await scaleOf([1, 2], { kind: 'diverging' })).toMatchObject({ low: -2, high: 2 });
    expect(await scaleOf([-1, 2], { kind: 'sequential' })).toMatchObject({ low: -1, high: 2 });
  });
});

describe('places on the scale', () => {
  test('the smallest numbers there are have their places, too', async () => {
    const tiny = Number.MIN_VALUE;
    const scale = await scaleOf([-tiny, 0, 2 * tiny], { logarithmic: true });
    expect(scale.threshold).toBeGreaterThan(0);
    expect(positionOf(0, scale) + 0).toBe(0);
    expect(positionOf(2 * tiny, scale)).toBe(1);
  });

  test('0 is in the middle, ends are ends, beyond them nothing moves, larger is never lower', () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(fc.double({ min: -1e6, max: 1e6, noNaN: true }), { minLength: 1 }),
        fc.boolean(),
        fc.boolean(),
        async (data, logarithmic, symmetric) => {
          const scale = await scaleOf(data, { logarithmic, symmetric });
          const lowest = scale.kind === 'diverging' ? -1 : 0;
          const places = [...data].sort((a, b) => a - b).map((value) => positionOf(value, scale));
          for (const [n, place] of places.entries()) {
            expect(place).toBeGreaterThanOrEqual(lowest);
            expect(place).toBeLessThanOrEqual(1);
            if (n > 0) expect(place).toBeGreaterThanOrEqual(places[n - 1]);
          }
          if (scale.kind === 'diverging') expect(positionOf(0, scale) + 0).toBe(0);
        },
      ),
    ));

  test('logarithmic: four decades are told apart', async () => {
    const scale = await scaleOf([-1, 1], { logarithmic: true });
    const places = [1e-3, 1e-2, 1e-1, 1].map((value) => positionOf(value, scale));
    for (let n = 1; n < places.length; n++) expect(places[n] - places[n - 1]).toBeGreaterThan(0.2);
    expect(symlog(-2, 1)).toBe(-symlog(2, 1));
  });

  test('one value alone has the full colour, 0 none', async () => {
    expect(positionOf(3, await scaleOf([3, 3]))).toBe(1);
    expect(positionOf(0, await scaleOf([0]))).toBe(0);
  });
});
