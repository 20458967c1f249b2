// Entries of a setup for differential attention: λ and its weights, the norm of each head.
import type { HeadConfig, WeightId } from '../../../engine/config.ts';
import { LAMBDA_WEIGHTS } from '../../../engine/ops/difference.ts';
import { type Context, nameOf } from './builder.ts';
import type { Differential } from '../weights/differential.ts';
import { isGradientName } from '../values/names.ts';
import type { Value, Values } from '../values/values.ts';

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

/** Why a program that subtracts two softmaxes is another than a setup can say. */
const OTHER = 'the heads of two softmaxes are normed in a way that no setup here has';

/** Halves the heads, which are those of both softmaxes. What no setup has is asked with the entry `unknown`. */
export function addDifferential(context: Context, unknown: string): void {
  const { model, config, build, values } = context;
  const { differential } = model;
  if (!differential) return;
  config.head = 'multihead';
  config.heads /= 2;
  config.kvHeads = Math.max(1, config.kvHeads / 2);
  const { lambda, pairs, norm, factor } = differential;
  const weights: Mutable<HeadConfig['weights']> = { ...config.weights };
  const bind = (entry: WeightId, of: Value, note: string, sure = true): void => {
    const layout = { offset: 0, axes: [[{ size: of.tensor.data.length, stride: 1 }]] };
    weights[entry] = build.tensor(`weights.${entry}`, of, layout, note, sure);
  };
  const { lambdaInit, vectors, sure } = lambdaOf(
    values,
    differential,
    model.told.query.feature.size,
  );
  vectors?.forEach((value, n) => bind(LAMBDA_WEIGHTS[n], value, `${nameOf(value)}: of λ`, sure));
  if (!vectors) {
    const share = shareOf(values, lambda);
    weights.lambda_share = { shape: [], data: Float64Array.of(share) };
    const note = `λ = ${share.toPrecision(4)}`;
    build.note('weights.lambda_share', model.mixed?.output ?? null, note, share === lambda);
  }
  if (norm?.gain) bind('gamma_O', norm.gain, `${nameOf(norm.gain)}: of the norm of each head`);
  if (norm && (norm.bias ?? norm.unitOffset)) build.ask(unknown, 'another attention', [], OTHER);
  config.weights = weights;
  config.differential = {
    ...{ lambdaInit, pairs },
    ...(norm && { norm: { kind: norm.kind, eps: norm.eps } }),
  };
  const note = `one softmax less ${lambda.toPrecision(4)} of another, and times ${factor.toPrecision(4)}`;
  build.note('differential', model.mixed?.output ?? null, note);
}

/** What a number is to all of its digits: as it was recorded, else a round number. */
function recordedAs({ numbers }: Values, shown: number): number {
  const isNear = (value: number | undefined): boolean =>
    value !== undefined && Math.abs(value - shown) <= 1e-6 * Math.abs(shown);
  const recorded = numbers.find(({ value }) => isNear(value))?.value;
  const round = Number(shown.toPrecision(6));
  return recorded ?? (Math.abs(round - shown) < 1e-9 ? round : shown);
}

/** λ itself; a number that a program has and adds the second softmax by is to be subtracted by. */
function shareOf(values: Values, lambda: number): number {
  const isRecorded = (wanted: number): boolean =>
    values.numbers.some(({ id, value }) => {
      const own = value ?? values.recording.tensor(id)?.data[0];
      return own !== undefined && Math.abs(own - wanted) <= 1e-6 * Math.abs(wanted);
    });
  return recordedAs(values, !isRecorded(lambda) && isRecorded(-lambda) ? -lambda : lambda);
}

interface Share {
  readonly lambdaInit: number;
  /** Those of LAMBDA_WEIGHTS. */
  readonly vectors?: readonly Value[];
  /** Whether λ is made of them as it should be. */
  readonly sure: boolean;
}

/** What λ is made of: by its number, or by the names of four vectors where these do not give it. */
function lambdaOf(values: Values, { lambda, factor }: Differential, width: number): Share {
  const shown = factor === 1 ? 0 : recordedAs(values, 1 - factor);
  const vectors = vectorsOf(values, width);
  const found = factor === 1 ? null : byNumber(vectors, lambda - shown);
  if (found) return { lambdaInit: shown, vectors: found, sure: true };
  const named = LAMBDA_WEIGHTS.flatMap((id) => {
    const own = vectors.find((value) => value.events.some(({ name }) => name.endsWith(id)));
    return own ?? [];
  });
  if (named.length < LAMBDA_WEIGHTS.length) return { lambdaInit: shown, sure: true };
  const [q1, k1, q2, k2] = named;
  const rest = lambda - Math.exp(dot(q1, k1)) + Math.exp(dot(q2, k2));
  const isRecorded = values.numbers.some(
    ({ value }) => value !== undefined && Math.abs(value - rest) < 1e-6,
  );
  const isMeant = rest > 1e-6 && rest < 1 && isRecorded;
  return { lambdaInit: isMeant ? recordedAs(values, rest) : shown, vectors: named, sure: false };
}

/** So many vectors may be λ's. */
const MOST = 10;

/** The vectors that were given, of a key's width. */
const vectorsOf = (values: Values, width: number): Value[] =>
  values.all
    .filter(
      (value) =>
        value.kind === 'float' &&
        !value.isVirtual &&
        value.tensor.data.length === width &&
        values.isLeaf(value) &&
        !value.events.some(({ name }) => isGradientName(name)),
    )
    .slice(0, MOST);

/** The vectors with exp(q1 · k1) − exp(q2 · k2) = `rest`; null where none are. */
function byNumber(vectors: readonly Value[], rest: number): Value[] | null {
  const pairs = vectors.flatMap((a, n) =>
    vectors.slice(n + 1).map((b) => ({ both: inOrder(a, b), exp: Math.exp(dot(a, b)) })),
  );
  const allowed = 100 * Math.max(1e-9, ...vectors.map(({ eps }) => eps));
  for (const one of pairs) {
    for (const two of pairs) {
      if (one.both.some((each) => two.both.includes(each))) continue;
      if (Math.abs(one.exp - two.exp - rest) <= allowed * (1 + one.exp + two.exp))
        return [...one.both, ...two.both];
    }
  }
  return null;
}

const dot = ({ tensor: a }: Value, { tensor: b }: Value): number =>
  a.data.reduce((sum, value, n) => sum + value * b.data[n], 0);

/** That of queries first, as far as names tell. */
const inOrder = (a: Value, b: Value): Value[] =>
  /k\d?$/i.test(nameOf(a)) && /q\d?$/i.test(nameOf(b)) ? [b, a] : [a, b];
