// What a rotary embedding's frequencies are: powers of a base, scaled ones, or a vector that was recorded.
import { near } from '../values/rows.ts';
import {
  divided,
  type Frequencies,
  geometric,
  linearly,
  llama3,
  powersOf,
  stretched,
  yarn,
} from './scaledFrequencies.ts';
import type { Values } from '../values/values.ts';

/** The frequencies whose angles per position these may be, the likeliest first: powers of a base, scaled, or recorded. */
export function* frequenciesOf(
  values: Values,
  step: Float64Array,
  tolerance: number,
  magnitude: number,
): Generator<Frequencies> {
  const half = step.length;
  const isSame = (each: Float64Array): boolean =>
    step.every((value, t) => Math.abs(value - each[t]) <= tolerance);
  if (magnitude !== 1) {
    for (const found of yarn(values, half, magnitude)) if (isSame(found.each)) yield found;
    return;
  }
  if (half === 1 && Math.abs(step[0] - 1) <= 0.01)
    yield { base: 10000, each: powersOf(10000, half) };
  // What a narrow number type shows nearly is the base that the program names.
  const known = geometric(values);
  const named = known.find((each) => isSame(powersOf(each, half)));
  if (named === undefined)
    for (const found of [...llama3(values, half), ...stretched(values, half)])
      if (isSame(found.each)) yield found;
  const shown = half > 1 && step[1] > 0 ? (step[0] / step[1]) ** half : Number.NaN;
  const factor = 1 / step[0];
  const isScaled =
    factor > 1.01 &&
    values.numbers.some(({ value }) => value !== undefined && near(value, factor, 0.01));
  for (const base of named === undefined ? [rounded(shown), shown] : [named]) {
    const each = powersOf(base, half);
    if (Math.abs(step[0] - 1) <= 0.01 && base > 1 && isSame(each)) yield { base, each };
    const linear = linearly(base, rounded(factor), half);
    if (base > 1 && isScaled && isSame(linear.each)) yield linear;
  }
  for (const found of recorded(values, half)) if (isSame(found.each)) yield found;
}

/** All frequencies that the program names or has recorded, of positions that are known. */
export function* knownFrequencies(
  values: Values,
  half: number,
  magnitude: number,
): Generator<Frequencies> {
  if (magnitude === 1) {
    for (const base of geometric(values)) yield { base, each: powersOf(base, half) };
    yield* llama3(values, half);
    yield* stretched(values, half);
    yield* divided(values, half);
    yield* recorded(values, half);
  }
  yield* yarn(values, half, magnitude);
}

/** Vectors of numbers that may be the frequencies themselves. */
function* recorded(values: Values, half: number): Generator<Frequencies> {
  for (const value of values.all) {
    const { tensor, kind, isVirtual } = value;
    if (kind === 'float' && !isVirtual && tensor.data.length === half)
      yield { base: 10000, each: tensor.data, invFreq: value };
  }
}

/** The round number that is meant; the number itself where none is near. */
function rounded(value: number): number {
  for (const [digits, eps] of [
    [1, 2e-3],
    [2, 2e-3],
    [3, 1e-4],
    [4, 1e-5],
  ]) {
    const close = Number(value.toPrecision(digits));
    if (Math.abs(close / value - 1) < eps) return close;
  }
  return value;
}
