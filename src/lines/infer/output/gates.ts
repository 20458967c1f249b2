// A gate on what the heads give: it is multiplied by the sigmoid of a projection of the same tokens.
import type { Tensor } from '../../../engine/tensor.ts';
import { gather, type Layout } from '../values/layout.ts';
import type { Lookup } from '../values/lookup.ts';
import { type Mixed, sumsAsOperand } from './mixed.ts';
import { namesOf } from '../values/names.ts';
import { type Operand, type Projection, projectionsOf, sameAxes } from '../operands/trace.ts';
import { isGradient, type Value, type Values } from '../values/values.ts';

export interface Gate {
  readonly projection: Projection;
  /** One gate for each head, not for each feature. */
  readonly perHead: boolean;
  /** The weighted sums that went through it. */
  readonly gated: Mixed;
}

const sigmoid = (value: number): number => 1 / (1 + Math.exp(-value));

/** ([outer], query, feature), as of weighted sums. */
const layoutOf = ({ outer, token, feature }: Operand): Layout => ({
  offset: 0,
  axes: [...Array.from(outer.values(), (axis) => [axis]), [token], [feature]],
});

/** The gate between the weighted sums and what comes of them; null where there is none. */
export function gateOf(
  values: Values,
  lookup: Lookup,
  mixed: Mixed,
  outer: readonly number[],
  heads: readonly number[],
): Gate | null {
  const { data } = mixed.tensor;
  const wanted = sumsAsOperand(mixed, outer);
  const later = values.all.filter(
    (value) =>
      value.kind === 'float' &&
      value.tensor.data.length === data.length &&
      value.time > mixed.output.time &&
      !value.isVirtual &&
      !value.parts.some(isGradient) &&
      values.descends(value, mixed.output),
  );
  for (const value of later.sort((a, b) => a.time - b.time)) {
    for (const operand of sameAxes(value, wanted)) {
      const own = gather(value.tensor, layoutOf(operand));
      const logits = logitsOf(own, mixed.tensor);
      const projection = logits && projectionOf(values, value, logits, outer, heads);
      if (!projection) continue;
      return { ...projection, gated: { ...mixed, tensor: own, output: value } };
    }
  }
  return throughSigmoid(values, lookup, mixed, wanted, outer, heads);
}

/** The logits of what `gated` is of `plain`, entry by entry; null where that is no sigmoid. */
function logitsOf(gated: Tensor, plain: Tensor): Tensor | null {
  const data = gated.data.map((value, n) => {
    const share = value / plain.data[n];
    return share > 0 && share < 1 ? Math.log(share / (1 - share)) : Number.NaN;
  });
  return data.some(Number.isNaN) ? null : { shape: gated.shape, data };
}

/** Gates that are recorded while what they let through is not: by the product's later use. */
function throughSigmoid(
  values: Values,
  lookup: Lookup,
  mixed: Mixed,
  wanted: Operand,
  outer: readonly number[],
  heads: readonly number[],
): Gate | null {
  const { tensor, output } = mixed;
  for (const value of values.all) {
    const isLogits =
      value.kind === 'float' &&
      !value.isVirtual &&
      value.tensor.data.length === tensor.data.length &&
      value !== output &&
      !value.parts.some(isGradient) &&
      !values.descends(value, mixed.weights) &&
      (values.isReadBy(value, /sigmoid|expit|exp\(-/) ||
        namesOf(value).some((name) => /gate|gating/i.test(name)));
    if (!isLogits) continue;
    for (const operand of sameAxes(value, wanted)) {
      const logits = gather(value.tensor, layoutOf(operand));
      const data = tensor.data.map((each, n) => each * sigmoid(logits.data[n]));
      const own = { shape: tensor.shape, data };
      const [recorded] = lookup.find(own, output.eps).filter(({ time }) => time > output.time);
      const gated = recorded ?? values.addVirtual(own, [output, value]);
      const projection = gated && projectionOf(values, value, logits, outer, heads);
      if (projection) return { ...projection, gated: { ...mixed, tensor: own, output: gated } };
    }
  }
  return null;
}

/** What the logits, ([outer], query, feature), are projected from. */
function projectionOf(
  values: Values,
  from: Value,
  logits: Tensor,
  outer: readonly number[],
  heads: readonly number[],
): Pick<Gate, 'projection' | 'perHead'> | null {
  const { shape } = logits;
  const width = shape[shape.length - 1];
  const eps = from.eps * 100;
  const perHead = logits.data.every(
    (value, n) => Math.abs(value - logits.data[n - (n % width)]) <= eps * (1 + Math.abs(value)),
  );
  const whole = perHead ? byHead(logits, outer, heads) : { tensor: logits, outer };
  const value = whole && values.addVirtual(whole.tensor, [from]);
  if (!whole || !value) return null;
  let stride = value.tensor.data.length;
  const axes = value.tensor.shape.map((size) => {
    stride /= size;
    return { size, stride };
  });
  const operand: Operand = {
    value,
    outer: new Map(whole.outer.map((axis, n) => [axis, axes[n]])),
    token: axes[axes.length - 2],
    feature: axes[axes.length - 1],
  };
  const [projection] = projectionsOf(values, operand, Infinity).filter(
    ({ factor, weight }) => Math.abs(factor - 1) < 1e-3 && values.isLeaf(weight),
  );
  return projection ? { projection, perHead } : null;
}

/** Logits that are alike in all features, as (batch, query, head). */
function byHead(
  { shape, data }: Tensor,
  outer: readonly number[],
  heads: readonly number[],
): { tensor: Tensor; outer: readonly number[] } | null {
  const head = outer.findIndex((axis) => heads.includes(axis));
  if (head < 0 || heads.length !== 1) return null;
  const own = shape.map((_, n) => shape.slice(n + 1).reduce((a, b) => a * b, 1));
  const rest = outer.flatMap((_, n) => (n === head ? [] : [n]));
  const order = [...rest, outer.length, head];
  const axes = order.map((n) => [{ size: shape[n], stride: own[n] }]);
  return { tensor: gather({ shape, data }, { offset: 0, axes }), outer: rest.map((n) => outer[n]) };
}
