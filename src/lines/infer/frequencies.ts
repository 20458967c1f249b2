// What a rotary embedding's frequencies are: powers of a base, scaled ones, or a vector that was recorded.
import type { RopeScaling } from '../../engine/config.ts';
import { yarnRamp } from '../../engine/ops/ropeAngles.ts';
import type { Value, Values } from './values.ts';

export interface Frequencies {
  readonly base: number;
  /** In radians per position, one for each pair. */
  readonly each: Float64Array;
  readonly scaling?: RopeScaling;
  readonly invFreq?: Value;
}

const near = (a: number, b: number, eps: number): boolean => Math.abs(a / b - 1) <= eps;

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
  for (const own of known) {
    for (const factor of factors(values)) {
      if (near(own * factor ** (half / (half - 1)), base, 5e-3))
        return { base: own, scaling: { kind: 'ntk', factor } };
    }
  }
  return { base };
}

/** Numbers above 1 by which a context may be stretched. */
const factors = ({ numbers }: Values): number[] => [
  ...new Set(
    numbers.flatMap(({ name, value }) =>
      value !== undefined && value > 1 && /factor|scal|alpha|ratio|^s$/i.test(name) ? [value] : [],
    ),
  ),
];

/** Bases that the program names. */
export function geometric({ numbers, recording }: Values): number[] {
  const recorded = numbers.flatMap(({ name, value }) =>
    value !== undefined && value > 1 && /base|theta/i.test(name) ? [value] : [],
  );
  const written = recording.statements.flatMap(({ text }) =>
    [...text.matchAll(/(?:base|theta)\w*\s*[=:][^=\n,)]*?(\d+(?:\.\d*)?(?:e\d+)?)/gi)].map(
      ([, each]) => Number(each),
    ),
  );
  const powers = recording.statements.flatMap(({ text }) =>
    [...text.matchAll(/(\d+(?:\.\d*)?(?:e\d+)?)\s*\*\*/g)].map(([, each]) => Number(each)),
  );
  return [...new Set([...recorded, ...written, ...powers.filter((each) => each >= 100), 10000])];
}

/** YaRN's frequencies by the numbers that the program names; only where lengths grow as it says or a name says so. */
export function* yarn(values: Values, half: number, magnitude: number): Generator<Frequencies> {
  if (magnitude === 1) return;
  const called = (pattern: RegExp, usual: readonly number[]): number[] => [
    ...new Set([
      ...values.numbers.flatMap(({ name, value }) =>
        value !== undefined && pattern.test(name) ? [value] : [],
      ),
      ...usual,
    ]),
  ];
  const lengths = called(/orig|max_pos|length|context|^L/i, []);
  for (const base of geometric(values)) {
    for (const factor of factors(values)) {
      for (const originalLength of lengths) {
        for (const betaFast of called(/fast/i, [32])) {
          for (const betaSlow of called(/slow/i, [1])) {
            for (const truncate of [true, false]) {
              const own = { factor, originalLength, betaFast, betaSlow, truncate };
              const scaling = { kind: 'yarn' as const, ...own };
              const usual = 0.1 * Math.log(factor) + 1;
              const isUsual = near(magnitude, usual, 1e-6);
              yield {
                base,
                each: yarnFrequencies(base, half, scaling),
                scaling: isUsual ? scaling : { ...scaling, magnitude },
              };
            }
          }
        }
      }
    }
  }
}

function yarnFrequencies(
  base: number,
  half: number,
  scaling: RopeScaling & { kind: 'yarn' },
): Float64Array {
  const { low, span } = yarnRamp(scaling, base, 2 * half);
  return Float64Array.from({ length: half }, (_, t) => {
    const kept = 1 - Math.min(1, Math.max(0, (t - low) / span));
    return base ** (-t / half) * (kept + (1 - kept) / scaling.factor);
  });
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
