// Where a program computes attention: its weights, and the queries and keys whose products they come from.
import { sizeOf, strides, type Tensor } from '../../../engine/tensor.ts';
import { contentKey } from '../values/keys.ts';
import { offsets } from '../values/layout.ts';
import { isUninitialised } from '../values/memory.ts';
import { isLossName, namesOf, nodeOfName } from '../values/names.ts';
import { withoutBias } from './biased.ts';
import { withoutFactors } from './multiplied.ts';
import {
  type Comparison,
  findProducts,
  ownAxes,
  type Product,
  SUMMED,
} from '../operands/products.ts';
import { isBlank, type Value, type Values } from '../values/values.ts';
import type { Work } from '../values/work.ts';

export interface Site {
  /** What the softmax made, or should have made: of the person's own layout. */
  readonly weights: Value;
  readonly product: Product<Value>;
  /** The two token axes of `weights`: the left operand's and the right one's. */
  readonly leftToken: number;
  readonly rightToken: number;
  /** Axes of `weights` of batches and heads. */
  readonly outer: readonly number[];
  /** The scores of which `product` is the product: `weights` by its logarithm, or a tensor before it. */
  readonly scores: Value;
  readonly how: Comparison;
  /** Where `scores` are cap * tanh(factor * product / cap): the cap. */
  readonly cap?: number;
}

/** Largest tensor that is tried as an operand of scores, and how many. */
const OPERANDS = 160;

const isSquareEnough = ({ shape }: Tensor): boolean =>
  shape.filter((length) => length > 1).length >= 2;

/** The axes along which the entries, none below 0, sum to 1. */
export function normalisedAxes({ tensor: { shape, data }, eps }: Value): number[] {
  if (data.some((value) => value < 0)) return [];
  return shape.flatMap((length, axis) => {
    if (length < 2) return [];
    const inner = shape.slice(axis + 1).reduce((a, b) => a * b, 1);
    const lines = data.length / length;
    for (let line = 0; line < lines; line++) {
      const start = Math.floor(line / inner) * inner * length + (line % inner);
      let sum = 0;
      for (let n = 0; n < length; n++) {
        const value = data[start + n * inner];
        if (!Number.isNaN(value)) sum += value;
      }
      if (!(Math.abs(sum - 1) <= 4 * Math.max(eps, 1e-6))) return [];
    }
    return [axis];
  });
}

const isBinary = ({ data }: Tensor): boolean =>
  data.every((value) => value === 0 || value === 1 || Number.isNaN(value));

function textOf(values: Values, value: Value): string {
  return values.recording.statements[value.parts[0].statement].text;
}

/** Whether its own name, or that of what it is a part of, says that it is the weights. */
export function isCalledWeights(value: Value): boolean {
  return namesOf(value.view?.of ?? value).some((name) => {
    const found = nodeOfName(name);
    return found?.node === 'P' && found.kind === 'value';
  });
}

/** The weights of keys out of those that have one more along the axis that sums to 1: a sink, last or first. */
function besideKeys(values: Values, value: Value): Value[] {
  const { shape, data } = value.tensor;
  return normalisedAxes(value).flatMap((axis) => {
    const fewer = shape.map((length, n) => (n === axis ? length - 1 : length));
    const isWider = values.all.some(
      (each) =>
        each.time < value.time &&
        each.tensor.shape.join() === fewer.join() &&
        values.descends(value, each),
    );
    if (!isWider) return [];
    const own = strides(shape);
    const all = offsets(fewer.map((size, n) => ({ size, stride: own[n] })));
    return [0, own[axis]].flatMap((start) => {
      const part = Float64Array.from(all, (at) => data[start + at]);
      return values.addVirtual({ shape: fewer, data: part }, [value]) ?? [];
    });
  });
}

/** Whether it was made of exponentials and sums to less than 1 along an axis: beside a sink, which has no column. */
function isBelowOne(values: Values, value: Value): boolean {
  const { shape, data } = value.tensor;
  if (data.some((each) => !(each <= 1)) || isBlank(value)) return false;
  const width = shape[shape.length - 1];
  let sum = 0;
  for (let n = 0; n < data.length; n++) {
    sum = n % width === 0 ? data[n] : sum + data[n];
    if (sum > 1 + 4 * Math.max(value.eps, 1e-6)) return false;
  }
  const ancestors = values.ancestors(value);
  return values.all.some((each) => ancestors.has(each.id) && /\bexp\(/.test(textOf(values, each)));
}

/** Whether rows are those of earlier exponentials, each divided by a number of its own: by more than their sum. */
function isShareOf({ tensor: { shape, data }, eps, time }: Value, exponentials: Value): boolean {
  const { tensor: other } = exponentials;
  if (other.shape.join() !== shape.join() || exponentials.time >= time) return false;
  const width = shape[shape.length - 1];
  let factor = Number.NaN;
  return data.every((value, n) => {
    if (n % width === 0) factor = Number.NaN;
    if (other.data[n] === 0) return value === 0;
    const own = value / other.data[n];
    if (Number.isNaN(factor)) factor = own;
    return Math.abs(own - factor) <= 20 * Math.max(eps, exponentials.eps) * factor;
  });
}

/**
 * What may be the weights, the likeliest first: what sums to 1, then what an exponential or a softmax made, then
 * what is called so.
 */
function candidates(values: Values): Value[] {
  const floats = values.all.filter(
    ({ kind, tensor }) => kind === 'float' && isSquareEnough(tensor) && !isBinary(tensor),
  );
  const positive = floats.filter(({ tensor }) => !tensor.data.some((value) => value < 0));
  const normalised = positive.filter((value) => normalisedAxes(value).length > 0);
  const exponential = positive.filter(
    (value) => !normalised.includes(value) && /exp|softmax/.test(textOf(values, value)),
  );
  const called = positive.filter(
    (value) =>
      !normalised.includes(value) && !exponential.includes(value) && isCalledWeights(value),
  );
  const known = new Set([...normalised, ...exponential, ...called]);
  const beside = positive.filter((value) => !known.has(value) && isBelowOne(values, value));
  const byTime = (a: Value, b: Value): number => a.time - b.time;
  const parts = normalised.flatMap((value) => besideKeys(values, value));
  const shares = [...exponential, ...called, ...beside].filter(
    (value) => exponential.some((each) => isShareOf(value, each)) && isBelowOne(values, value),
  );
  const all = [
    ...normalised.sort(byTime),
    ...parts,
    ...shares.sort(byTime),
    ...[exponential, called, beside].flatMap((each) =>
      each.filter((value) => !shares.includes(value)).sort(byTime),
    ),
  ];
  // Arrays that are still to be filled come last: what is left in them is anything.
  const isOpen = (value: Value): boolean => isUninitialised(value, values.recording);
  const open = new Set(all.filter(isOpen));
  return [...all.filter((value) => !open.has(value)), ...open];
}

const logarithm = ({ shape, data }: Tensor): Tensor => ({ shape, data: data.map(Math.log) });

const known = new WeakMap<Value, boolean>();

/** Whether it may be queries or keys: numbers of all kinds. */
function isOperand(value: Value): boolean {
  const before = known.get(value);
  if (before !== undefined) return before;
  const { tensor } = value;
  const found = !isBinary(tensor) && tensor.data.every(Number.isFinite);
  known.set(value, found);
  return found;
}

/** What may be multiplied to make scores: known before them, the latest first. */
function operandsBefore(values: Values, value: Value): Value[] {
  return values.all
    .filter(
      (each) =>
        each !== value &&
        each.kind === 'float' &&
        each.time < value.time &&
        isSquareEnough(each.tensor) &&
        isOperand(each) &&
        values.descends(value, each),
    )
    .sort((a, b) => b.time - a.time)
    .slice(0, OPERANDS);
}

/**
 * Of the axes that one operand has alone, those that may be its tokens, the likeliest first: query heads of a group are an
 * axis of the queries alone too.
 */
const tokenAxes = (own: readonly number[]): number[] => [
  ...new Set([Math.max(...own), own[own.length - 1], ...own]),
];

function sitesOf(
  weights: Value,
  scores: Value,
  target: Tensor,
  operands: readonly Value[],
  { how, work }: { readonly how: Comparison; readonly work: Work },
): Site[] {
  const products = findProducts({ tensor: target, eps: scores.eps }, operands, operands, how, work);
  return products.flatMap((product) => {
    const own = ownAxes(product);
    return tokenAxes(own.left).flatMap((leftToken) =>
      tokenAxes(own.right).map((rightToken): Site => {
        const outer = target.shape.flatMap((length, n) =>
          length === 1 || n === leftToken || n === rightToken ? [] : [n],
        );
        return { weights, product, leftToken, rightToken, outer, scores, how };
      }),
    );
  });
}

/** Numbers that a program may cap with: those it recorded and those in statements with a tanh. */
function caps(values: Values): number[] {
  const texts = values.recording.statements
    .filter(({ text }) => /cap|tanh/i.test(text))
    .flatMap(({ text }) =>
      [...text.matchAll(/\d+\.?\d*(?:e[+-]?\d+)?/g)].map(([each]) => Number(each)),
    );
  const recorded = values.numbers.flatMap(({ value, name }) =>
    value !== undefined && (/cap/i.test(name) || !Number.isInteger(value)) ? [value] : [],
  );
  return [...new Set([1, ...recorded, ...texts])].filter((cap) => cap > 0 && Number.isFinite(cap));
}

/** The argument of a tanh times its cap; NaN where it is masked, or saturated so far that its rounding is all there is. */
const uncapped = ({ tensor: { shape, data }, eps }: Value, cap: number): Tensor => ({
  shape,
  data: data.map((value) => {
    const share = value / cap;
    return Math.abs(share) < 1 - Math.min(0.2, 50 * eps) ? cap * Math.atanh(share) : Number.NaN;
  }),
});

/** Places whose scores are capped by a tanh, told by what the tanh gave. */
function cappedSites(values: Values, weights: Value, earlier: readonly Value[]): Site[] {
  for (const scores of earlier) {
    if (!/tanh/.test(textOf(values, scores))) continue;
    for (const cap of caps(values)) {
      const target = uncapped(scores, cap);
      const operands = operandsBefore(values, scores);
      const found = sitesOf(weights, scores, target, operands, { how: 'exact', work: values.work });
      if (found.length > 0)
        return found.map((site) => withCap(site, cap, capOf(values, site, cap)));
    }
  }
  return [];
}

/** A tanh that was recorded by itself, with a cap of 1, has the cap in its argument. */
const withCap = (site: Site, shown: number, cap: number): Site => ({
  ...site,
  cap,
  product: { ...site.product, factor: (site.product.factor * cap) / shown },
});

/** The cap of a tanh that was recorded before it was multiplied: by the weights, else by its name. */
function capOf(values: Values, { weights, scores, product }: Site, cap: number): number {
  if (cap !== 1) return cap;
  const { factor, left, leftAxes } = product;
  const features = left.tensor.shape[leftAxes.indexOf(SUMMED)];
  const [z, p] = [scores.tensor.data, weights.tensor.data];
  const width = weights.tensor.shape[weights.tensor.shape.length - 1];
  const ratios: number[] = [];
  for (let n = 1; n < p.length; n++) {
    if (n % width === 0 || !(p[n] > 0) || !(p[n - 1] > 0) || Math.abs(z[n] - z[n - 1]) < 0.05)
      continue;
    ratios.push((Math.log(p[n]) - Math.log(p[n - 1])) / (z[n] - z[n - 1]));
  }
  const [first] = ratios;
  const eps = 100 * Math.max(weights.eps, 1e-6);
  const named = values.numbers.find(({ name }) => /cap/i.test(name))?.value;
  if (ratios.length > 1 && ratios.every((each) => Math.abs(each / first - 1) < eps)) {
    const shown = Number(first.toPrecision(6));
    // What divides before the tanh and makes the usual scale so is meant to multiply after it.
    const isMeant =
      named !== undefined && Math.abs(factor * named * Math.sqrt(features) - 1) < 1e-3;
    return shown === 1 && isMeant ? named : shown;
  }
  return named ?? cap;
}

/** The ways to explain one tensor as attention weights. */
export function sitesAt(values: Values, weights: Value): Site[] {
  const operands = operandsBefore(values, weights);
  const ancestors = values.ancestors(weights);
  const isBehind = (value: Value): boolean =>
    weights.isVirtual ? ancestors.has(value.id) : values.descends(weights, value);
  const earlier = values.all.filter(
    (value) =>
      value.kind === 'float' &&
      value.time < weights.time &&
      value.tensor.shape.join() === weights.tensor.shape.join() &&
      (weights.grid.length > 0 || isBehind(value)),
  );
  // In a narrow type the weights may look as if nothing were capped.
  const capped = cappedSites(values, weights, earlier);
  if (capped.length > 0) return capped;
  const crossed = sitesOf(weights, weights, logarithm(weights.tensor), operands, {
    ...{ how: 'crossed', work: values.work },
  });
  if (crossed.length > 0) return crossed;
  for (const scores of earlier) {
    const direct = sitesOf(weights, scores, scores.tensor, operandsBefore(values, scores), {
      ...{ how: 'exact', work: values.work },
    });
    if (direct.length > 0) return direct;
  }
  const others = [...withoutFactors(values, weights), ...withoutBias(values, weights)];
  for (const target of others) {
    const found = sitesOf(weights, weights, target, operands, {
      how: 'crossed',
      work: values.work,
    });
    if (found.length > 0) return found;
  }
  return [];
}

/** Whether pieces of a stack belong together: something later was made of all of them. */
function isJoined(values: Values, stack: Value): boolean {
  const pieces = stack.parts.map(({ id }) => values.ofEvent(id)?.id);
  const hasAll = (ancestors: ReadonlySet<number>): boolean =>
    pieces.every((id) => id !== undefined && ancestors.has(id));
  return (
    values.all.some(
      (value) =>
        value.grid.length === 0 &&
        !value.isVirtual &&
        value.time > stack.time &&
        hasAll(values.ancestors(value)),
    ) ||
    // A loss of all samples is one number.
    values.numbers
      .filter(
        ({ id, name, dtype }) => id > stack.time && isLossName(name) && dtype.startsWith('float'),
      )
      .slice(-LAST_NUMBERS)
      .some((event) => hasAll(values.ancestorsOf([event])))
  );
}

/** The matrices, and what holds several of them, side by side in a tensor. */
function blocksOf({ shape, data }: Tensor): Tensor[] {
  const found: Tensor[] = [];
  for (let axis = 1; axis < shape.length - 1; axis++) {
    const inner = shape.slice(axis);
    const size = sizeOf(inner);
    for (let start = 0; start < data.length; start += size)
      found.push({ shape: inner, data: data.subarray(start, start + size) });
  }
  return found;
}

/** Of the losses of a program the last ones may be made of all that is in it. */
const LAST_NUMBERS = 16;

/** So many of the largest are looked at where the likeliest have been. */
const MOST_LARGEST = 12;

/**
 * All places that compute attention weights, each with the products that explain it, in the order of time; several
 * may be one place. Pieces that belong together are one, unless they are asked for one by one.
 */
export function* findSites(
  values: Values,
  { onePiece = false, largestFirst = false } = {},
): Generator<Site> {
  const all = candidates(values);
  if (largestFirst) {
    all.sort((a, b) => b.tensor.data.length - a.tensor.data.length);
    all.splice(MOST_LARGEST);
  }
  const joined = all
    .filter(({ grid }) => grid.length > 0)
    .filter((stack) => isJoined(values, stack));
  const pieces = new Set(joined.flatMap(({ tensor }) => blocksOf(tensor).map(contentKey)));
  for (const weights of all) {
    const [own] = weights.isVirtual && weights.from.length === 1 ? weights.from : [weights];
    const isPiece = own.grid.length === 0 && pieces.has(contentKey(own.tensor));
    const isLeft = onePiece ? weights.grid.length > 0 : isPiece;
    if (isLeft || (weights.grid.length > 0 && !joined.includes(weights))) continue;
    yield* sitesAt(values, weights);
  }
}
