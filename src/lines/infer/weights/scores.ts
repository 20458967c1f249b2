// What stands between Q K and the weights: a scale, a softcap, a mask, by the numbers of the person's own tensors.
import { strides, type Tensor } from '../../../engine/tensor.ts';
import type { Factor, Layout } from '../values/layout.ts';
import { SUMMED } from '../operands/products.ts';
import { normalisedAxes, type Site } from './site.ts';
import type { Operand } from '../operands/trace.ts';
import type { Value } from '../values/values.ts';

/** A site whose operands are told apart. */
export interface Told {
  readonly site: Site;
  readonly query: Operand;
  readonly key: Operand;
  /** Axes of the weights. */
  readonly queryAxis: number;
  readonly keyAxis: number;
  /** ([outer], query): what the scores of each row are multiplied by beside the product's factor. */
  readonly factors?: Float64Array;
}

/** One operand of the site's product, its axes named. */
function operandOf(
  { product, leftToken, rightToken, outer }: Site,
  side: 'left' | 'right',
): Operand {
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

export function tell(site: Site, isLeft: boolean): Told {
  const [left, right] = [operandOf(site, 'left'), operandOf(site, 'right')];
  const { leftToken, rightToken } = site;
  return isLeft
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
  // (batch, query, key), all heads alike.
  const [batch] = site.outer;
  const whole = [weights[batch], weights[queryAxis], keys];
  if (shape.length === 3 && site.outer.length >= 2 && shape.join() === whole.join()) {
    const factors = wanted.map((axis) => {
      const n = [batch, queryAxis, keyAxis].indexOf(axis);
      return { size: weights[axis], stride: n < 0 ? 0 : own[n] };
    });
    found.push(asScores(factors, site.outer.length));
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
  const said = isQuery(left) - isQuery(right);
  // Where both are called what they are, one statement that takes the other axis is the likelier mistake.
  votes += Math.abs(said) === 2 ? 1.25 * said : 0.75 * said;
  return { left: votes >= 0, margin: Math.abs(votes) };
}
