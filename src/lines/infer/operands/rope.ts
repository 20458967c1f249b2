// Whether queries or keys are another tensor turned by their position, by what frequencies, and of how many features.
import type { RopeScaling } from '../../../engine/config.ts';
import type { Tensor } from '../../../engine/tensor.ts';
import { largest, type Rows } from '../values/rows.ts';
import { frequenciesOf, knownFrequencies } from './frequencies.ts';
import type { Value, Values } from '../values/values.ts';

export interface Rope {
  readonly base: number;
  readonly pairing: 'half' | 'interleaved';
  /** Position of the first token. */
  readonly start: number;
  /** Tokens turn the other way: their positions go down. */
  readonly isBackward?: boolean;
  /** How many features turn, where not all do. */
  readonly features?: number;
  /** The recorded frequencies, where base and scaling do not tell them. */
  readonly invFreq?: Value;
  readonly scaling?: RopeScaling;
  /** Recorded positions, (tokens) or (batch, tokens), where they do not go up by one. */
  readonly positions?: Value;
  /** (pair, token): the angles themselves, where they are no multiples of positions, as in an image. */
  readonly angles?: Tensor;
}

type Pairing = Rope['pairing'];

/** Which features turn together, in which way. */
interface Pairs {
  readonly pairing: Pairing;
  readonly features: number;
}

const pairOf = ({ pairing, features }: Pairs, t: number): [number, number] =>
  pairing === 'half' ? [t, t + features / 2] : [2 * t, 2 * t + 1];

const wrap = (value: number): number => Math.atan2(Math.sin(value), Math.cos(value));

/** What is turned: by which angle each pair of each token, where all blocks turn alike; NaN where that is not to be seen. */
interface Turn {
  readonly pairs: Pairs;
  /** [token][pair] */
  readonly angles: readonly Float64Array[];
  /** What lengths are multiplied by. */
  readonly magnitude: number;
}

/** `turned` as the rotary embedding of `plain`; null where it is none. */
export function ropeOf(values: Values, turned: Rows, plain: Rows): Rope | null {
  if (turned.data.length !== plain.data.length || plain.tokens < 2) return null;
  const changed = changedFeatures(turned, plain);
  if (changed === 0) return null;
  const counts = [...new Set([plain.width, changed + (changed % 2)])].filter(
    (count) => count % 2 === 0 && count <= plain.width,
  );
  for (const features of counts) {
    for (const pairing of ['half', 'interleaved'] as const) {
      const turn = turnOf(turned, plain, { pairing, features });
      const found =
        turn &&
        (fitted(values, turned, plain, turn) ??
          backward(values, turned, plain, turn) ??
          placed(values, turned, plain, turn) ??
          uneven(turned, plain, turn));
      if (found) return { ...found, pairing, ...(features < plain.width && { features }) };
    }
  }
  return null;
}

/** How many features, from the first to the last that changes. */
function changedFeatures(turned: Rows, plain: Rows): number {
  const { width } = plain;
  const allowed = 50 * Math.max(turned.eps, plain.eps) * largest(plain.data);
  let last = 0;
  plain.data.forEach((value, n) => {
    if (Math.abs(turned.data[n] - value) > allowed) last = Math.max(last, (n % width) + 1);
  });
  return last;
}

/** The angles of all tokens, each read where its pair is longest; null where pairs change their lengths otherwise. */
function turnOf(turned: Rows, plain: Rows, pairs: Pairs): Turn | null {
  const { data, tokens, width } = plain;
  const eps = Math.max(turned.eps, plain.eps);
  const half = pairs.features / 2;
  const size = largest(data);
  const angles = Array.from({ length: tokens }, () => new Float64Array(half).fill(Number.NaN));
  const lengths = Array.from({ length: tokens }, () => new Float64Array(half));
  let magnitude: number | undefined;
  for (let at = 0; at < data.length; at += width) {
    const j = (at / width) % tokens;
    for (let t = 0; t < half; t++) {
      const [u, w] = pairOf(pairs, t);
      const [a, b, c, d] = [data[at + u], data[at + w], turned.data[at + u], turned.data[at + w]];
      const [before, after] = [Math.hypot(a, b), Math.hypot(c, d)];
      if (before < 0.05 * size) continue;
      magnitude ??= Math.abs(after / before - 1) < 50 * eps ? 1 : after / before;
      if (Math.abs(after - magnitude * before) > 50 * eps * after) return null;
      if (before <= lengths[j][t]) continue;
      lengths[j][t] = before;
      angles[j][t] = Math.atan2(a * d - b * c, a * c + b * d);
    }
  }
  return magnitude === undefined ? null : { pairs, angles, magnitude };
}

type Fit = Omit<Rope, 'pairing' | 'features'>;

const toleranceOf = (turned: Rows, plain: Rows): number =>
  200 * Math.max(turned.eps, plain.eps, 1e-7);

/** Positions that go up by one. */
function fitted(values: Values, turned: Rows, plain: Rows, turn: Turn): Fit | null {
  const { angles, magnitude } = turn;
  const tolerance = toleranceOf(turned, plain);
  const step = stepsOf(angles);
  if (!step) return null;
  if (!isEven(angles, step, tolerance)) return null;
  for (const { each, ...found } of frequenciesOf(values, step, tolerance, magnitude)) {
    const start = startOf(angles[0], each, tolerance);
    const positions = Float64Array.from(angles, (_, j) => start + j);
    if (isTurned(turned, plain, turn, each, () => positions)) return { ...found, start };
  }
  return null;
}

/**
 * Positions that go down by one, as `x1 * cos + x2 * sin` and `x2 * cos - x1 * sin` turn. What is called rotate_half turns
 * the other way, and is wrong then.
 */
function backward(values: Values, turned: Rows, plain: Rows, turn: Turn): Fit | null {
  const { statements } = values.recording;
  if (statements.some(({ text }) => /rotate_half/.test(text))) return null;
  const angles = turn.angles.map((row) => row.map((angle) => -angle));
  const found = fitted(values, plain, turned, { ...turn, angles });
  return found && turn.magnitude === 1 ? { ...found, isBackward: true } : null;
}

/** Whether all pairs turn by as much from each token to the next. */
const isEven = (angles: Turn['angles'], step: Float64Array, tolerance: number): boolean =>
  angles.every((row, j) =>
    row.every(
      (angle, t) =>
        Number.isNaN(angle) ||
        Number.isNaN(angles[0][t]) ||
        Math.abs(wrap(angle - angles[0][t] - j * step[t])) <= tolerance * (1 + j),
    ),
  );

/** Angles that do not go up evenly, as of rows and columns: themselves. */
function uneven(turned: Rows, plain: Rows, turn: Turn): Fit | null {
  const { angles, magnitude, pairs } = turn;
  const tolerance = toleranceOf(turned, plain);
  if (magnitude !== 1 || angles.some((row) => row.some(Number.isNaN))) return null;
  const step = angles[0].map((first, t) => wrap(angles[1][t] - first));
  // Where the first token is turned the numbers are something else than positions.
  if (isEven(angles, step, tolerance) || angles[0].some((angle) => Math.abs(angle) > tolerance))
    return null;
  const half = pairs.features / 2;
  const data = Float64Array.from(
    { length: half * plain.tokens },
    (_, n) => angles[n % plain.tokens][Math.floor(n / plain.tokens)],
  );
  const { data: rows, width, tokens } = plain;
  const allowed = 100 * Math.max(turned.eps, plain.eps) * largest(rows);
  for (let at = 0; at < rows.length; at += width) {
    for (let t = 0; t < half; t++) {
      const [u, w] = pairOf(pairs, t);
      const angle = angles[(at / width) % tokens][t];
      const [c, s] = [Math.cos(angle), Math.sin(angle)];
      const [a, b] = [rows[at + u], rows[at + w]];
      if (Math.abs(turned.data[at + u] - (c * a - s * b)) > allowed) return null;
      if (Math.abs(turned.data[at + w] - (s * a + c * b)) > allowed) return null;
    }
  }
  return { base: 10000, start: 0, angles: { shape: [half, tokens], data } };
}

/** The angle of each pair from one token to the next. */
function stepsOf(angles: readonly Float64Array[]): Float64Array | null {
  const step = angles[0].map((_, t) => {
    const j = angles.findIndex(
      (row, n) => n + 1 < angles.length && !Number.isNaN(row[t]) && !Number.isNaN(angles[n + 1][t]),
    );
    return j < 0 ? Number.NaN : wrap(angles[j + 1][t] - angles[j][t]);
  });
  return step.some(Number.isNaN) || !(step[0] > 0) ? null : step;
}

const FURTHEST = 4096;

/** The whole number of steps that the first token is turned by; its fraction of a turn where there is none. */
function startOf(first: Float64Array, each: Float64Array, tolerance: number): number {
  for (let start = 0; start < FURTHEST; start++) {
    const fits = first.every(
      (angle, t) =>
        Number.isNaN(angle) || Math.abs(wrap(angle - start * each[t])) <= tolerance * (1 + start),
    );
    if (fits) return start;
  }
  return first[0] / each[0];
}

/** Recorded positions: one for each token, or for each token of each sequence. */
function placed(values: Values, turned: Rows, plain: Rows, turn: Turn): Fit | null {
  const { pairs, magnitude } = turn;
  const { tokens, outer } = plain;
  const half = pairs.features / 2;
  const candidates = values.all.filter(
    ({ tensor, isVirtual }) =>
      !isVirtual &&
      tensor.shape[tensor.shape.length - 1] === tokens &&
      (tensor.data.length === tokens || tensor.data.length === tokens * outer[0]) &&
      tensor.data.every((value) => Number.isInteger(value) && value >= 0) &&
      new Set(tensor.data).size > 1,
  );
  for (const value of candidates) {
    const { data } = value.tensor;
    const blocks = plain.data.length / (tokens * plain.width);
    const each = data.length / tokens;
    const at = (block: number): Float64Array => {
      const n = Math.floor((block * each) / blocks);
      return data.subarray(n * tokens, (n + 1) * tokens);
    };
    for (const found of knownFrequencies(values, half, magnitude)) {
      if (!isTurned(turned, plain, turn, found.each, at)) continue;
      const { each: _, ...rest } = found;
      return { ...rest, start: 0, positions: value };
    }
  }
  return null;
}

/** Whether `turned` is `plain`, turned by positions times frequencies. */
function isTurned(
  turned: Rows,
  plain: Rows,
  { pairs, magnitude }: Turn,
  frequencies: Float64Array,
  positions: (block: number) => Float64Array,
): boolean {
  const { data, tokens, width } = plain;
  const eps = Math.max(turned.eps, plain.eps);
  // Angles themselves are computed in the program's own type.
  const allowed = 100 * eps * largest(data) * magnitude;
  for (let at = 0; at < data.length; at += width) {
    const row = at / width;
    const position = positions(Math.floor(row / tokens))[row % tokens];
    for (let t = 0; t < pairs.features / 2; t++) {
      const [u, w] = pairOf(pairs, t);
      const angle = position * frequencies[t];
      const [c, s] = [magnitude * Math.cos(angle), magnitude * Math.sin(angle)];
      const more = allowed * (1 + position / 100);
      if (Math.abs(turned.data[at + u] - (c * data[at + u] - s * data[at + w])) > more)
        return false;
      if (Math.abs(turned.data[at + w] - (s * data[at + u] + c * data[at + w])) > more)
        return false;
    }
    for (let a = pairs.features; a < width; a++)
      if (Math.abs(turned.data[at + a] - data[at + a]) > allowed) return false;
  }
  return true;
}
