// What stands between Q K and the weights: a scale, a softcap, a mask, by the numbers of the person's own tensors.
import { strides, type Tensor } from '../../engine/tensor.ts';
import { type Factor, gather, type Layout } from './layout.ts';
import { SUMMED } from './products.ts';
import { normalisedAxes, type Site } from './site.ts';
import type { Operand } from './trace.ts';
import type { Value, Values } from './values.ts';

/** A site whose operands are told apart. */
export interface Told {
  readonly site: Site;
  readonly query: Operand;
  readonly key: Operand;
  /** Axes of the weights. */
  readonly queryAxis: number;
  readonly keyAxis: number;
}

/** One operand of the site's product, its axes named. */
function operandOf({ product, leftToken, rightToken, outer }: Site, side: 'left' | 'right'): Operand {
  const value = product[side];
  const axes = side === 'left' ? product.leftAxes : product.rightAxes;
  const { shape } = value.tensor;
  const own = strides(shape);
  const at = (axis: number): Factor => {
    const n = axes.indexOf(axis);
    return { size: shape[n], stride: own[n] };
  };
  return {
    value,
    outer: new Map(outer.filter((axis) => axes.includes(axis)).map((axis) => [axis, at(axis)])),
    token: at(side === 'left' ? leftToken : rightToken),
    feature: at(SUMMED),
  };
}

export function tell(site: Site, queryIsLeft: boolean): Told {
  const [left, right] = [operandOf(site, 'left'), operandOf(site, 'right')];
  const { leftToken, rightToken } = site;
  return queryIsLeft
    ? { site, query: left, key: right, queryAxis: leftToken, keyAxis: rightToken }
    : { site, query: right, key: left, queryAxis: rightToken, keyAxis: leftToken };
}

/** Layout of a tensor of the weights' shape as ([outer], query, key). */
export function scoreLayout({ site, queryAxis, keyAxis }: Told): Layout {
  const { shape } = site.weights.tensor;
  const own = strides(shape);
  const at = (n: number): Factor => ({ size: shape[n], stride: own[n] });
  return { offset: 0, axes: [site.outer.map(at), [at(queryAxis)], [at(keyAxis)]] };
}

/** A way to read a mask: broadcast over those outer axes that it lacks; null where it does not fit. */
export function maskLayouts(tensor: Tensor, { site, queryAxis, keyAxis }: Told): Layout[] {
  const { shape } = tensor;
  const weights = site.weights.tensor.shape;
  const own = strides(shape);
  const wanted = [...site.outer, queryAxis, keyAxis];
  const found: Layout[] = [];
  // As NumPy broadcasts: from the last axis on, an axis of length 1 again and again.
  const broadcast = wanted.map((axis) => {
    const n = axis - weights.length + shape.length;
    const size = weights[axis];
    if (n < 0 || shape[n] === 1) return { size, stride: 0 };
    return shape[n] === size ? { size, stride: own[n] } : null;
  });
  if (broadcast.every((factor) => factor !== null))
    found.push(asScores(broadcast, site.outer.length));
  // (batch, key): padding.
  const keys = weights[keyAxis];
  if (shape[shape.length - 1] === keys && shape.length <= 2) {
    const first = site.outer.find((axis) => weights[axis] === shape[0]);
    if (shape.length === 1 || first !== undefined) {
      const factors = wanted.map((axis) => {
        if (axis === keyAxis) return { size: keys, stride: 1 };
        const isBatch = shape.length === 2 && axis === first;
        return { size: weights[axis], stride: isBatch ? keys : 0 };
      });
      found.push(asScores(factors, site.outer.length));
    }
  }
  return found;
}

const asScores = (factors: readonly Factor[], outer: number): Layout => ({
  offset: 0,
  axes: [factors.slice(0, outer), [factors[outer]], [factors[outer + 1]]],
});

/** Votes for which token axis is the queries': by names, by the axis that sums to 1, by the axis the values share. */
export function queryIsLeft(
  site: Site,
  rank: (name: string) => 'Q' | 'K' | undefined,
  summedByValues: number | undefined,
): { left: boolean; margin: number } {
  let votes = 0;
  const sums = normalisedAxes(site.weights);
  if (sums.includes(site.rightToken) && !sums.includes(site.leftToken)) votes += 2;
  if (sums.includes(site.leftToken) && !sums.includes(site.rightToken)) votes -= 2;
  if (summedByValues === site.rightToken) votes += 2;
  if (summedByValues === site.leftToken) votes -= 2;
  const named = (value: Value): ('Q' | 'K' | undefined)[] =>
    value.events.map(({ name }) => rank(name));
  const [left, right] = [named(site.product.left), named(site.product.right)];
  const isQuery = (names: readonly (string | undefined)[]): number =>
    (names.includes('Q') ? 1 : 0) - (names.includes('K') ? 1 : 0);
  votes += 0.75 * (isQuery(left) - isQuery(right));
  return { left: votes >= 0, margin: Math.abs(votes) };
}

/** Whether `a` is a multiple of `b`, both read as operands of the same axes; the multiple. */
export function multipleOf(a: Operand, b: Operand): number | null {
  const read = (operand: Operand): Tensor =>
    gather(operand.value.tensor, {
      offset: 0,
      axes: [[...operand.outer.values()], [operand.token], [operand.feature]],
    });
  const [left, right] = [read(a).data, read(b).data];
  if (left.length !== right.length) return null;
  let [dot, squares, size] = [0, 0, 0];
  for (let n = 0; n < left.length; n++) {
    dot += left[n] * right[n];
    squares += right[n] * right[n];
    size = Math.max(size, Math.abs(left[n]));
  }
  const factor = dot / squares;
  const eps = Math.max(a.value.eps, b.value.eps);
  return left.every((value, n) => Math.abs(value - factor * right[n]) <= 8 * eps * size)
    ? factor
    : null;
}

export interface Capped {
  /** Z = cap tanh(scale S / cap). */
  readonly cap: number;
  readonly scale: number;
  /** The tensor by which it was told. */
  readonly from: Value;
}

/** Numbers that a program may cap with: those it recorded and those written in statements with a tanh. */
function capCandidates(values: Values): number[] {
  const texts = values.recording.statements
    .filter(({ text }) => /cap|tanh/i.test(text))
    .flatMap(({ text }) => [...text.matchAll(/\d+\.?\d*(?:e[+-]?\d+)?/g)].map(([each]) => Number(each)));
  const recorded = values.numbers.flatMap(({ value, name }) =>
    value !== undefined && (/cap/i.test(name) || !Number.isInteger(value)) ? [value] : [],
  );
  return [...new Set([...recorded, ...texts, 1])].filter((cap) => cap > 0 && Number.isFinite(cap));
}

/** A softcap, where a recorded tensor between scores and weights is a tanh of a multiple of the scores. */
export function softcapOf(values: Values, { site }: Told): Capped | null {
  if (!values.recording.statements.some(({ text }) => /tanh/.test(text))) return null;
  const shape = site.weights.tensor.shape.join();
  const raw = site.scores.tensor;
  const perProduct = site.how === 'exact' ? site.product.factor : null;
  if (perProduct === null) return null;
  for (const value of values.all) {
    if (value.kind !== 'float' || value.tensor.shape.join() !== shape) continue;
    if (value.time <= site.scores.time || value.time > site.weights.time) continue;
    const bound = value.tensor.data.reduce((a, b) => (Math.abs(b) < 1e6 ? Math.max(a, Math.abs(b)) : a), 0);
    for (const cap of capCandidates(values)) {
      if (cap <= bound) continue;
      const inner = tanhRatio(value.tensor.data, raw.data, cap, value.eps);
      if (inner === null) continue;
      // tanh itself, before it is multiplied by the cap: the cap is what follows or what is named so.
      const named = values.numbers.find(({ name }) => /cap/i.test(name))?.value;
      const own = cap === 1 && named !== undefined ? named : cap;
      const scale = (inner / cap) * own * perProduct;
      return { cap: own, scale, from: value };
    }
  }
  return null;
}

/** r with value = cap * tanh(r * raw / cap) at all entries that a mask leaves; null where there is none. */
function tanhRatio(
  value: Float64Array,
  raw: Float64Array,
  cap: number,
  eps: number,
): number | null {
  let ratio: number | undefined;
  let largest = 0;
  for (let n = 0; n < raw.length; n++) {
    if (!(Math.abs(raw[n]) < 1e6) || !(Math.abs(value[n]) < cap)) continue;
    if (Math.abs(raw[n]) > largest && Math.abs(value[n]) < 0.95 * cap) {
      largest = Math.abs(raw[n]);
      ratio = (cap * Math.atanh(value[n] / cap)) / raw[n];
    }
  }
  if (ratio === undefined) return null;
  let tested = 0;
  for (let n = 0; n < raw.length; n++) {
    if (!(Math.abs(raw[n]) < 1e6) || !(Math.abs(value[n]) < 1e6)) continue;
    if (Math.abs(value[n] - cap * Math.tanh((ratio * raw[n]) / cap)) > 20 * eps * cap) return null;
    tested++;
  }
  return tested > 3 ? ratio : null;
}
