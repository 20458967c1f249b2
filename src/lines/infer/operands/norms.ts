// The norm of queries or keys: rows over their root mean square, with gains and biases that were recorded.
import type { QkNorm } from '../../../engine/config.ts';
import { largest, type Rows } from '../values/rows.ts';
import type { Value, Values } from '../values/values.ts';

export interface FoundNorm extends Omit<QkNorm, 'place'> {
  readonly gain: Value | null;
  readonly bias: Value | null;
}

/** A norm, and what it makes of rows. */
export interface Normed {
  readonly norm: FoundNorm;
  readonly rows: Rows;
  /** What each entry was multiplied by: 1 / the row's root mean square, times the gain. */
  readonly factors: Float64Array;
}

/** For each block the group whose features are taken together: its own, or all heads of one sequence. */
export function groupsOf({ outer }: Rows, heads: readonly boolean[]): Int32Array {
  let all = [0];
  let count = 1;
  outer.forEach((size, n) => {
    const step = heads[n] ? 0 : count;
    all = all.flatMap((at) => Array.from({ length: size }, (_, k) => at + k * step));
    if (!heads[n]) count *= size;
  });
  return Int32Array.from(all);
}

/** x̂, without gains. */
export function normalised(
  rows: Rows,
  groups: Int32Array,
  kind: QkNorm['kind'],
  eps: number,
): { hat: Float64Array; inverse: Float64Array } {
  const { data, tokens, width } = rows;
  const hat = new Float64Array(data.length);
  const inverse = new Float64Array(data.length);
  const members = new Map<number, number[]>();
  groups.forEach((group, block) => members.set(group, [...(members.get(group) ?? []), block]));
  for (const blocks of members.values()) {
    for (let j = 0; j < tokens; j++) {
      const starts = blocks.map((block) => (block * tokens + j) * width);
      const count = starts.length * width;
      let [mean, square] = [0, 0];
      if (kind === 'layer')
        for (const start of starts) for (let a = 0; a < width; a++) mean += data[start + a] / count;
      for (const start of starts)
        for (let a = 0; a < width; a++) square += (data[start + a] - mean) ** 2 / count;
      const by = 1 / Math.sqrt(square + eps);
      for (const start of starts) {
        for (let a = 0; a < width; a++) {
          hat[start + a] = (data[start + a] - mean) * by;
          inverse[start + a] = by;
        }
      }
    }
  }
  return { hat, inverse };
}

const USUAL_EPS = [1e-6, 1e-5, 1e-8, 1e-12, 0, 1e-7, 1.1920929e-7, 2.220446049250313e-16];
/** What PyTorch's and TensorFlow's layer norms add where nothing is said. */
export const LAYER_EPS = 1e-5;

/** What may be added to a mean square: what the program calls so, small numbers in it, the usual ones. */
export function smallNumbers({ numbers, recording }: Values): number[] {
  const isSmall = (value: number | undefined): value is number =>
    value !== undefined && value > 0 && value <= 0.01;
  const recorded = numbers.filter(({ value }) => isSmall(value));
  const named = recorded.filter(({ name }) => /eps/i.test(name));
  const literals = recording.statements.flatMap(({ text }) =>
    [...text.matchAll(/\b\d+(?:\.\d*)?e-\d+\b/g)].map(([each]) => Number(each)),
  );
  const all = [...named, ...recorded].flatMap(({ value }) => value ?? []);
  return [...new Set([...all.slice(0, 8), ...literals.filter(isSmall), ...USUAL_EPS])];
}

/** Vectors of one number for each feature, or each feature of each head. */
export function vectors(values: Values, lengths: readonly number[]): Value[] {
  return values.all.filter(
    (value) =>
      value.kind === 'float' &&
      !value.isVirtual &&
      lengths.includes(value.tensor.data.length) &&
      value.tensor.shape.filter((length) => length > 1).length <= (lengths.length > 1 ? 2 : 1) &&
      isParameter(values, value) &&
      !value.parts.some(({ how, name }) => how === 'gradient' || name.endsWith('.grad')),
  );
}

/** A leaf, or made of nothing larger than itself: `1 + draw(d)`, and no mean over tokens. */
function isParameter(values: Values, value: Value): boolean {
  if (values.isLeaf(value)) return true;
  const { length } = value.tensor.data;
  return [...values.ancestors(value)].every((id) => values.all[id].tensor.data.length <= length);
}

const MOST = 24;

/**
 * Norms of rows, with all gains and biases that may be theirs: those that give rows as long as the result's, up to one
 * factor, for what turns or scales rows leaves that; or `any`.
 */
export function* normsOf(
  values: Values,
  plain: Rows,
  heads: readonly boolean[],
  result: Rows,
  which: 'as-long' | 'any' = 'as-long',
): Generator<Normed> {
  const whole = plain.outer.reduce((size, length, n) => (heads[n] ? size * length : size), 1);
  const overs = whole > 1 ? (['head', 'all'] as const) : (['head'] as const);
  for (const over of overs) {
    const own = plain.outer.map((_, n) => over === 'all' && heads[n]);
    const groups = groupsOf(plain, own);
    const length = over === 'all' ? whole * plain.width : plain.width;
    const gains = vectors(values, [length]).slice(0, MOST);
    for (const kind of ['rms', 'layer'] as const) {
      const all = smallNumbers(values);
      for (const eps of kind === 'layer' ? [LAYER_EPS, ...all] : all) {
        const { hat, inverse } = normalised(plain, groups, kind, eps);
        const base = { kind, eps, over };
        for (const parameters of parametersOf(gains, kind)) {
          const place = placesOf(plain, own, length);
          const made = withParameters(hat, place, parameters);
          const rows = { ...plain, data: made.data };
          const factors = inverse.map((value, n) => value * made.gains[n]);
          if (which === 'as-long' && !haveRowNorms(rows, result)) continue;
          yield { norm: { ...base, ...parameters }, rows, factors };
        }
      }
    }
  }
}

type Parameters = Pick<FoundNorm, 'gain' | 'bias' | 'unitOffset'>;

function* parametersOf(vectorsOf: readonly Value[], kind: QkNorm['kind']): Generator<Parameters> {
  yield { gain: null, bias: null };
  for (const gain of vectorsOf) {
    for (const unitOffset of [false, true]) {
      const own = unitOffset ? { unitOffset } : {};
      yield { gain, bias: null, ...own };
      if (kind === 'layer' && !unitOffset)
        for (const bias of vectorsOf) if (bias !== gain) yield { gain, bias };
    }
  }
}

/** The place of each entry's gain in a vector. */
function placesOf(
  { outer, tokens, width }: Rows,
  own: readonly boolean[],
  length: number,
): Int32Array {
  let starts = [0];
  let step = length;
  outer.forEach((size, n) => {
    if (own[n]) step /= size;
    const by = own[n] ? step : 0;
    starts = starts.flatMap((at) => Array.from({ length: size }, (_, k) => at + k * by));
  });
  return Int32Array.from({ length: starts.length * tokens * width }, (_, n) => {
    const block = Math.floor(n / (tokens * width));
    return starts[block] + (n % width);
  });
}

function withParameters(
  hat: Float64Array,
  places: Int32Array,
  { gain, bias, unitOffset }: Parameters,
): { data: Float64Array; gains: Float64Array } {
  const gains = Float64Array.from(places, (at) =>
    gain ? gain.tensor.data[at] + (unitOffset ? 1 : 0) : 1,
  );
  const data = hat.map((value, n) => value * gains[n] + (bias ? bias.tensor.data[places[n]] : 0));
  return { data, gains };
}

/** Whether all rows have the lengths of the result's, times one number. */
function haveRowNorms(rows: Rows, result: Rows): boolean {
  const { data, width } = rows;
  const eps = Math.max(rows.eps, result.eps);
  const lengthOf = (all: Float64Array, start: number): number => {
    let square = 0;
    for (let a = 0; a < width; a++) square += all[start + a] ** 2;
    return Math.sqrt(square);
  };
  const size = largest(result.data);
  let factor: number | undefined;
  for (let start = 0; start < data.length; start += width) {
    const [own, other] = [lengthOf(data, start), lengthOf(result.data, start)];
    if (own < 1e-9) continue;
    factor ??= other / own;
    if (Math.abs(other - factor * own) > 40 * eps * size) return false;
  }
  return factor !== undefined && factor > 0;
}
