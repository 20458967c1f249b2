// Frequencies of rotary embeddings that a model stretches for longer contexts, by the numbers that a program names.
import type { RopeScaling } from '../../../engine/config.ts';
import { yarnRamp } from '../../../engine/ops/ropeAngles.ts';
import { near } from '../values/rows.ts';
import type { Value, Values } from '../values/values.ts';

export interface Frequencies {
  readonly base: number;
  /** In radians per position, one for each pair. */
  readonly each: Float64Array;
  readonly scaling?: RopeScaling;
  readonly invFreq?: Value;
}

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

/** Numbers above 1 by which a context may be stretched. */
const stretches = ({ numbers }: Values): number[] => [
  ...new Set(
    numbers.flatMap(({ name, value }) =>
      value !== undefined && value > 1 && /factor|scal|alpha|ratio|^s$/i.test(name) ? [value] : [],
    ),
  ),
];

/** Recorded numbers whose names match, then the usual ones. */
const called = ({ numbers }: Values, pattern: RegExp, usual: readonly number[]): number[] => [
  ...new Set([
    ...numbers.flatMap(({ name, value }) =>
      value !== undefined && pattern.test(name) ? [value] : [],
    ),
    ...usual,
  ]),
];

const LLAMA3 = /wavelen|(?:low|high)_?freq/i;

type Choices<T> = { readonly [Key in keyof T]: readonly T[Key][] };

/** Every choice of one of each, those of the last entry in turn first. */
function* choicesOf<T extends object>(all: Choices<T>): Generator<T> {
  const entries = Object.entries<readonly unknown[]>(all);
  const visit = function* (at: number, sofar: object): Generator<T> {
    if (at === entries.length) return yield sofar as T;
    const [key, values] = entries[at];
    for (const value of values) yield* visit(at + 1, { ...sofar, [key]: value });
  };
  yield* visit(0, {});
}

/** base^(−t / pairs) of each pair t. */
export const powersOf = (base: number, pairs: number): Float64Array =>
  Float64Array.from({ length: pairs }, (_, t) => base ** (-t / pairs));

/** Positions that are divided by a factor. */
export const linearly = (base: number, factor: number, pairs: number): Frequencies => ({
  base,
  each: powersOf(base, pairs).map((each) => each / factor),
  scaling: { kind: 'linear', factor },
});

/** A base that the program names, stretched by a factor that it names (NTK-aware scaling). */
export function* stretched(values: Values, pairs: number): Generator<Frequencies> {
  if (pairs < 2) return;
  for (const { base, factor } of choicesOf({ base: geometric(values), factor: stretches(values) }))
    yield {
      base,
      each: powersOf(base * factor ** (pairs / (pairs - 1)), pairs),
      scaling: { kind: 'ntk', factor },
    };
}

/** Positions that are divided by a factor that the program names, of a base that it names. */
export function* divided(values: Values, pairs: number): Generator<Frequencies> {
  for (const { base, factor } of choicesOf({ base: geometric(values), factor: stretches(values) }))
    yield linearly(base, factor, pairs);
}

/** Llama 3.1's frequencies; its published numbers where the program names no others. */
export function* llama3(values: Values, half: number): Generator<Frequencies> {
  if (!values.recording.statements.some(({ text }) => LLAMA3.test(text))) return;
  const choices = choicesOf({
    base: geometric(values),
    factor: [...stretches(values), 8],
    originalLength: called(values, /orig|old|max_pos|length|context/i, [8192]),
    lowFreqFactor: called(values, /low/i, [1]),
    highFreqFactor: called(values, /high/i, [4]),
  });
  for (const { base, ...own } of choices) {
    const scaling = { kind: 'llama3' as const, ...own };
    yield { base, each: llama3Frequencies(base, half, scaling), scaling };
  }
}

/** Kept where the original length holds `highFreqFactor` turns, divided below `lowFreqFactor`, a blend between. */
const llama3Frequencies = (
  base: number,
  half: number,
  {
    factor,
    lowFreqFactor: low,
    highFreqFactor: high,
    originalLength,
  }: RopeScaling & { kind: 'llama3' },
): Float64Array =>
  Float64Array.from({ length: half }, (_, t) => {
    const frequency = base ** (-t / half);
    const turns = (originalLength * frequency) / (2 * Math.PI);
    const kept = Math.min(1, Math.max(0, (turns - low) / (high - low)));
    return frequency * (kept + (1 - kept) / factor);
  });

/** YaRN's frequencies by the numbers that the program names, of which some length is one. */
export function* yarn(values: Values, half: number, magnitude: number): Generator<Frequencies> {
  const choices = choicesOf({
    base: geometric(values),
    factor: stretches(values),
    originalLength: called(values, /orig|max_pos|length|context|^L/i, []),
    betaFast: called(values, /fast/i, [32]),
    betaSlow: called(values, /slow/i, [1]),
    truncate: [true, false],
  });
  for (const { base, ...own } of choices) {
    const scaling = { kind: 'yarn' as const, ...own };
    const isUsual = near(magnitude, 0.1 * Math.log(own.factor) + 1, 1e-6);
    yield {
      base,
      each: yarnFrequencies(base, half, scaling),
      scaling: isUsual ? scaling : { ...scaling, magnitude },
    };
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
