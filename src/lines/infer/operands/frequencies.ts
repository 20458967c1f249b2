// What a rotary embedding's frequencies are: powers of a base, scaled ones, or a vector that was recorded.
import type { RopeScaling } from '../../../engine/config.ts';
import { near } from '../values/rows.ts';
import {
  choicesOf,
  type Frequencies,
  geometric,
  llama3,
  stretches,
  yarn,
} from './scaledFrequencies.ts';
import type { Values } from '../values/values.ts';

/** The frequencies whose angles per position these are; null where they are no power of a base and nowhere recorded. */
export function frequenciesOf(
  values: Values,
  step: Float64Array,
  tolerance: number,
  magnitude: number,
): Frequencies | null {
  const half = step.length;
  const isSame = (each: Float64Array): boolean =>
    step.every((value, t) => Math.abs(value - each[t]) <= tolerance);
  if (magnitude !== 1) {
    for (const found of yarn(values, half, magnitude)) if (isSame(found.each)) return found;
    return null;
  }
  const powers = (base: number): Float64Array =>
    Float64Array.from(step, (_, t) => base ** (-t / half));
  if (half === 1 && Math.abs(step[0] - 1) <= 0.01) return { base: 10000, each: powers(10000) };
  // What a narrow number type shows nearly is the base that the program names.
  const named = geometric(values).find((each) => isSame(powers(each)));
  const shown = half > 1 && step[1] > 0 ? rounded((step[0] / step[1]) ** half) : Number.NaN;
  const scaled =
    named === undefined ? [...llama3(values, half)].find(({ each }) => isSame(each)) : undefined;
  if (scaled) return scaled;
  const base = named ?? shown;
  if (Math.abs(step[0] - 1) <= 0.01 && base > 1 && isSame(powers(base)))
    return { ...ntk(values, base, half), each: powers(base) };
  const factor = 1 / step[0];
  const linear = powers(base).map((each) => each / rounded(factor));
  const isScaled =
    factor > 1.01 &&
    values.numbers.some(({ value }) => value !== undefined && near(value, factor, 0.01));
  if (base > 1 && isScaled && isSame(linear))
    return { base, each: linear, scaling: { kind: 'linear', factor: rounded(factor) } };
  for (const value of values.all) {
    const { tensor, kind, isVirtual } = value;
    if (kind !== 'float' || isVirtual || tensor.data.length !== half) continue;
    if (isSame(tensor.data)) return { base: 10000, each: tensor.data, invFreq: value };
  }
  return null;
}

/** A base that is one the program names, stretched: its own name and the factor. */
function ntk(
  values: Values,
  base: number,
  half: number,
): { readonly base: number; readonly scaling?: RopeScaling } {
  const known = geometric(values);
  if (known.includes(base) || half < 2) return { base };
  for (const { own, factor } of choicesOf({ own: known, factor: stretches(values) }))
    if (near(own * factor ** (half / (half - 1)), base, 5e-3))
      return { base: own, scaling: { kind: 'ntk', factor } };
  return { base };
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
