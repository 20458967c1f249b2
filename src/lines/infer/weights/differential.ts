// Differential attention: weights that are those of one softmax less a share of another's, and what follows the heads then.
import { strides, type Tensor } from '../../../engine/tensor.ts';
import { gather } from '../values/layout.ts';
import { type Mixed, sumsAsOperand } from '../output/mixed.ts';
import { type FoundNorm, normsOf } from '../operands/norms.ts';
import { isSecondOf } from './twoSites.ts';
import { multiple, type Rows, rowsOf } from '../values/rows.ts';
import { normalisedAxes, type Site } from './site.ts';
import { sameAxes } from '../operands/trace.ts';
import { isGradient, type Value, type Values } from '../values/values.ts';

export interface Differential {
  /** λ, as the weights show it. */
  readonly lambda: number;
  readonly pairs: 'adjacent' | 'halves';
  /** The norm of what each head gives. */
  readonly norm: FoundNorm | null;
  /** What multiplies it then: 1 − λ_init. */
  readonly factor: number;
}

/** A − P1 + λ P2 = 0: the value A, and its λ. */
export interface Difference {
  readonly value: Value;
  readonly lambda: number;
}

const differences = new WeakMap<Values, { readonly count: number; readonly all: Difference[] }>();

/** Rows of a softmax's gradient sum to 0, those of a softmax to 1. */
const LEAST = 1e-4;

/** All that may be a difference of two softmaxes: rows that sum to one number, which is not 1. */
function differencesIn(values: Values): Difference[] {
  const known = differences.get(values);
  if (known?.count === values.all.length) return known.all;
  const onTheWay = unbound(values);
  const recorded = values.all.flatMap((value): Difference[] => {
    const { kind, tensor, eps, isVirtual, parts } = value;
    if (kind !== 'float' || isVirtual || tensor.shape.length < 2 || parts.some(isGradient))
      return [];
    const width = tensor.shape[tensor.shape.length - 1];
    if (width < 2) return [];
    const sum = rowSum(tensor, width, 20 * Math.max(eps, 1e-9));
    if (sum === null || Math.abs(sum) < LEAST || Math.abs(sum - 1) < LEAST) return [];
    return [{ value, lambda: 1 - sum }];
  });
  const all = [...recorded, ...onTheWay];
  differences.set(values, { count: values.all.length, all });
  return all;
}

/** So many weights are read in pairs, and so many numbers are tried as λ. */
const MOST = 8;

/** Differences that a statement computes without binding them, as in `(p1 - share * p2) @ v`: by the numbers it names. */
function unbound(values: Values): Difference[] {
  const { events, statements } = values.recording;
  const found: Difference[] = [];
  const seen = new Set<number>();
  for (const { statement, reads } of events) {
    const { text } = statements[statement];
    if (seen.has(statement) || !/-.*\*/.test(text)) continue;
    const read = reads.flatMap((id) => values.ofEvent(id) ?? []);
    const weights = [...new Set(read)].filter(
      (value) => value.kind === 'float' && !value.isVirtual && normalisedAxes(value).length > 0,
    );
    if (weights.length !== 2 || weights[0].tensor.shape.join() !== weights[1].tensor.shape.join())
      continue;
    seen.add(statement);
    const names = new Set(text.match(/[A-Za-z_][\w.]*/g));
    const shares = values.numbers.flatMap((event) => {
      const value = event.value ?? values.recording.tensor(event.id)?.data[0];
      return names.has(event.name) && value !== undefined ? [value] : [];
    });
    for (const lambda of [...new Set(shares)].slice(0, MOST)) {
      for (const [a, b] of [weights, [...weights].reverse()]) {
        const data = a.tensor.data.map((value, n) => value - lambda * b.tensor.data[n]);
        const value = values.addVirtual({ shape: a.tensor.shape, data }, [a, b]);
        if (value) found.push({ value, lambda });
      }
    }
    if (found.length >= MOST) break;
  }
  return found;
}

function rowSum({ data }: Tensor, width: number, allowed: number): number | null {
  let first: number | undefined;
  for (let start = 0; start < data.length; start += width) {
    let sum = 0;
    for (let n = start; n < start + width; n++) sum += data[n];
    first ??= sum;
    if (!(Math.abs(sum - first) <= allowed * width)) return null;
  }
  return first ?? null;
}

/** A site of two softmaxes, in one tensor, that are subtracted, or of one of them with the other. */
export interface Found {
  readonly difference: Difference;
  /** In one tensor: the axis of heads, of twice as many, or the one of the pair alone. */
  readonly axis?: number;
  readonly pairs?: Differential['pairs'];
  /** In two: those of the other softmax, and whether it is the one that is subtracted. */
  readonly other?: Value;
  readonly isFirst?: boolean;
}

/** What the weights of a site are subtracted in; null where they are not. */
export function differenceOf(values: Values, { weights, outer }: Site): Found | null {
  const size = weights.tensor.data.length;
  for (const difference of differencesIn(values)) {
    const { value, lambda } = difference;
    if (value.time <= weights.time) continue;
    const eps = 20 * Math.max(value.eps, weights.eps) * (1 + Math.abs(lambda));
    if (2 * value.tensor.data.length === size) {
      for (const axis of outer) {
        for (const pairs of ['adjacent', 'halves'] as const) {
          const [first, second] = [0, 1].map((n) => halfOf(weights.tensor, axis, pairs, n));
          if (first && second && isSecondOf(value.tensor, first, second, lambda, eps))
            return { difference, axis, pairs: pairsOf(weights, axis, outer, pairs) };
        }
      }
    }
    if (value.tensor.data.length !== size) continue;
    for (const other of values.all) {
      const isLike =
        other !== weights &&
        other.kind === 'float' &&
        other.time < value.time &&
        other.tensor.shape.join() === weights.tensor.shape.join() &&
        normalisedAxes(other).length > 0;
      if (!isLike) continue;
      for (const isFirst of [true, false]) {
        const [first, second] = isFirst ? [weights, other] : [other, weights];
        if (isSecondOf(value.tensor, first.tensor.data, second.tensor.data, lambda, eps))
          return { difference, other, isFirst };
      }
    }
  }
  return null;
}

/** An axis of the pair alone stands after that of the heads, or before it. */
const pairsOf = (
  { tensor: { shape } }: Value,
  axis: number,
  outer: readonly number[],
  pairs: Differential['pairs'],
): Differential['pairs'] => {
  if (shape[axis] !== 2) return pairs;
  return outer.indexOf(axis) === outer.length - 1 ? 'adjacent' : 'halves';
};

/** Every other, or the one half, along an axis; null where it has no halves. */
function halfOf(
  tensor: Tensor,
  axis: number,
  pairs: Differential['pairs'],
  n: number,
): Float64Array | null {
  const { shape } = tensor;
  const count = shape[axis] / 2;
  if (!Number.isInteger(count)) return null;
  const own = strides(shape);
  const [step, from] = pairs === 'adjacent' ? [2, n] : [1, n * count];
  const axes = shape.map((size, m) => [
    m === axis ? { size: count, stride: own[m] * step } : { size, stride: own[m] },
  ]);
  return gather(tensor, { offset: from * own[axis], axes }).data;
}

/** What is left of two softmaxes, in place of the weights of a site: an axis of the pair alone is of length 1. */
export function leftOf({ weights }: Site, { difference: { value }, axis }: Found): Value {
  const shape = weights.tensor.shape.map((size, n) => (n === axis ? size / 2 : size));
  return { ...value, tensor: { shape, data: value.tensor.data } };
}

/** So many tensors after the heads' sums may be what comes of them. */
const LATER = 40;

/** The norm of each head and the factor after it, and the sums that went through both. */
export function afterHeads(
  values: Values,
  mixed: Mixed,
  outer: readonly number[],
): Pick<Differential, 'norm' | 'factor'> & { readonly mixed: Mixed } {
  const { shape, data } = mixed.tensor;
  const wanted = sumsAsOperand(mixed, outer);
  const sizes = outer.flatMap((_, n) => (shape[n] > 1 ? [shape[n]] : []));
  const plain: Rows = {
    ...{ data, outer: sizes, eps: mixed.output.eps },
    ...{ tokens: shape[outer.length], width: shape[outer.length + 1] },
  };
  const later = values.all
    .filter(
      (value) =>
        value.kind === 'float' &&
        !value.isVirtual &&
        value.tensor.data.length === data.length &&
        value.time > mixed.output.time &&
        !value.parts.some(isGradient) &&
        values.descends(value, mixed.output),
    )
    .sort((a, b) => a.time - b.time)
    .slice(0, LATER);
  let found: ReturnType<typeof afterHeads> = { norm: null, factor: 1, mixed };
  for (const value of later) {
    for (const operand of sameAxes(value, wanted)) {
      const result = rowsOf(operand);
      const own = stepOf(values, plain, result);
      if (!own || (own.norm === null && found.norm !== null)) continue;
      const isMore = (own.norm !== null && found.norm === null) || own.factor !== found.factor;
      if (!isMore) continue;
      found = { ...own, mixed: { ...mixed, tensor: { shape, data: result.data }, output: value } };
      break;
    }
    if (found.factor !== 1) break;
  }
  return found;
}

/** What makes one row the other: a norm, if any, and a factor; null where neither does. */
function stepOf(
  values: Values,
  plain: Rows,
  result: Rows,
): Pick<Differential, 'norm' | 'factor'> | null {
  const rounded = (factor: number): number => (Math.abs(factor - 1) < 1e-6 ? 1 : factor);
  const factor = multiple(result, plain);
  if (factor !== null) return { norm: null, factor: rounded(factor) };
  const isHead = plain.outer.map(() => false);
  for (const { norm, rows } of normsOf(values, plain, isHead, result)) {
    const by = multiple(result, rows);
    if (by !== null && by > 0) return { norm, factor: rounded(by) };
  }
  return null;
}
