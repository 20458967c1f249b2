// The documented generator: the same numbers as the independent implementation in fixtures/make.py.
import { expect, test } from 'vitest';
import { RANDOM_DEFAULTS, randomTensor } from '../../src/formats/random.ts';
import { fixture } from './fixtures.ts';

const reference = JSON.parse(new TextDecoder().decode(fixture('random.json'))) as {
  seed: number;
  normal: number[];
  uniform: number[];
}[];

const random = (distribution: 'normal' | 'uniform', shape: number[], more = {}): number[] => [
  ...randomTensor({ ...RANDOM_DEFAULTS, distribution, shape, ...more }).data,
];

test.each(reference)('seed $seed', ({ seed, normal, uniform }) => {
  expect(random('normal', [3, 3], { seed })).toEqual(normal);
  expect(random('uniform', [9], { seed })).toEqual(uniform);
});

test('mean, std, low and high', () => {
  const normal = random('normal', [50]);
  expect(random('normal', [50], { mean: 2, std: 0.5 })).toEqual(normal.map((g) => 2 + 0.5 * g));
  const uniform = random('uniform', [50]);
  expect(random('uniform', [50], { low: -1, high: 3 })).toEqual(uniform.map((u) => -1 + 4 * u));
});

test('deviates are exact in float32 and distributed as they should be', () => {
  const normal = random('normal', [100_000], { seed: 7 });
  expect(normal.every((g) => Math.fround(g) === g)).toBe(true);
  const mean = normal.reduce((sum, g) => sum + g, 0) / normal.length;
  const variance = normal.reduce((sum, g) => sum + (g - mean) ** 2, 0) / normal.length;
  const kurtosis =
    normal.reduce((sum, g) => sum + (g - mean) ** 4, 0) / normal.length / variance ** 2;
  expect(Math.abs(mean)).toBeLessThan(0.01);
  expect(Math.abs(variance - 1)).toBeLessThan(0.02);
  expect(Math.abs(kurtosis - 3)).toBeLessThan(0.1);
  const uniform = random('uniform', [100_000], { seed: 7 });
  expect(Math.abs(uniform.reduce((sum, u) => sum + u, 0) / uniform.length - 0.5)).toBeLessThan(
    0.005,
  );
  expect(uniform.every((u) => u >= 0 && u < 1 && Math.fround(u) === u)).toBe(true);
});
