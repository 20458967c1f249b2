// The weighted sum of values: which recorded tensor is P V, by its numbers in whatever layout.
import { strides, type Tensor } from '../../../engine/tensor.ts';
import type { Factor } from '../values/layout.ts';
import { offsets } from '../values/layout.ts';
import type { Lookup } from '../values/lookup.ts';
import type { Site } from '../weights/site.ts';
import { isGradientName } from '../values/names.ts';
import type { Operand } from '../operands/trace.ts';
import { isGradient, type Value, type Values } from '../values/values.ts';

export interface Mixed {
  /** The weights that were used: after dropout where there is one. */
  readonly weights: Value;
  /** Axis of the weights that is summed: the keys; and the other one. */
  readonly key: number;
  readonly query: number;
  readonly values: Operand;
  /** ([outer axes of the weights], query, feature), as computed here. */
  readonly tensor: Tensor;
  /** Where it stands in the recording. */
  readonly output: Value;
  /** It is no weighted sum under the weights: taken by names and shapes, `tensor` is the person's own. */
  readonly isGuess?: boolean;
}

/** The axes of weighted sums, as of an operand: `outer`, queries, features. */
export const sumsAsOperand = (
  { output, tensor: { shape } }: Mixed,
  outer: readonly number[],
): Operand => ({
  value: output,
  outer: new Map(outer.map((axis, n) => [axis, { size: shape[n], stride: 0 }])),
  token: { size: shape[outer.length], stride: 0 },
  feature: { size: shape[outer.length + 1], stride: 0 },
});

export interface Reading {
  readonly operand: Operand;
  readonly key: number;
  readonly query: number;
}

/** The ways to read a tensor as values beside the weights: one axis of keys, one of features, others outer. */
export function readings(value: Value, site: Site): Reading[] {
  const weights = site.weights.tensor.shape;
  const tokens = [
    [site.rightToken, site.leftToken],
    [site.leftToken, site.rightToken],
  ];
  return tokens.flatMap(([key, query]) =>
    operandsOf(value, site.outer, weights, key).map((operand) => ({ operand, key, query })),
  );
}

type Taken = ReadonlyMap<number | 'token' | 'feature', Factor>;

/** Every assignment of the axes: outer axes also two in one, or in one with the features; absent ones are shared. */
function operandsOf(
  value: Value,
  outer: readonly number[],
  weights: readonly number[],
  key: number,
): Operand[] {
  const { shape } = value.tensor;
  const own = strides(shape);
  const found: Operand[] = [];
  const visit = (axis: number, taken: Taken): void => {
    if (axis === shape.length) {
      const [token, feature] = [taken.get('token'), taken.get('feature')];
      if (!token || !feature) return;
      const all = outer.flatMap((each) => {
        const factor = taken.get(each);
        return factor ? [[each, factor] as const] : [];
      });
      found.push({ value, outer: new Map(all), token, feature });
      return;
    }
    const [length, stride] = [shape[axis], own[axis]];
    if (length === 1) return visit(axis + 1, taken);
    if (length === weights[key] && !taken.has('token'))
      visit(axis + 1, new Map([...taken, ['token', { size: length, stride }]]));
    const first = outer.find((each) => weights[each] === length && !taken.has(each));
    if (first !== undefined)
      visit(axis + 1, new Map([...taken, [first, { size: length, stride }]]));
    if (taken.has('feature')) return mergedPair(axis, taken);
    visit(axis + 1, new Map([...taken, ['feature', { size: length, stride }]]));
    for (const each of outer) {
      const size = weights[each];
      const width = length / size;
      if (taken.has(each) || size === 1 || !Number.isInteger(width) || width < 2) continue;
      const split: Taken = new Map([
        ...taken,
        [each, { size, stride: stride * width }],
        ['feature', { size: width, stride }],
      ]);
      visit(axis + 1, split);
    }
    mergedPair(axis, taken);
  };
  const mergedPair = (axis: number, taken: Taken): void => {
    for (const [n, first] of outer.entries()) {
      const second = outer[n + 1];
      if (second === undefined || taken.has(first) || taken.has(second)) continue;
      if (weights[first] * weights[second] !== shape[axis]) continue;
      const stride = own[axis];
      const pair: Taken = new Map([
        ...taken,
        [first, { size: weights[first], stride: stride * weights[second] }],
        [second, { size: weights[second], stride }],
      ]);
      visit(axis + 1, pair);
    }
  };
  visit(0, new Map());
  return found;
}

/** Sum over the keys of weights times values: ([outer], query, feature). Entries that are NaN count as 0. */
export function weightedSum(
  weights: Tensor,
  outer: readonly number[],
  { operand, key, query }: Reading,
): Tensor {
  const own = strides(weights.shape);
  const at = (n: number): Factor => ({ size: weights.shape[n], stride: own[n] });
  const outerWeights = offsets(outer.map(at));
  const outerValues = offsets(
    outer.map((n) => ({ size: weights.shape[n], stride: operand.outer.get(n)?.stride ?? 0 })),
  );
  const [queries, keys] = [offsets([at(query)]), offsets([at(key)])];
  const width = operand.feature.size;
  const values = operand.value.tensor.data;
  const data = new Float64Array(outerWeights.length * queries.length * width);
  let row = 0;
  for (let n = 0; n < outerWeights.length; n++) {
    for (const j of queries) {
      for (let i = 0; i < keys.length; i++) {
        const weight = weights.data[outerWeights[n] + j + keys[i]];
        if (!weight) continue;
        let from = outerValues[n] + i * operand.token.stride;
        for (let v = 0; v < width; v++) {
          data[row + v] += weight * values[from];
          from += operand.feature.stride;
        }
      }
      row += width;
    }
  }
  return { shape: [...outer.map((n) => weights.shape[n]), queries.length, width], data };
}

const isFinite = ({ tensor }: Value): boolean => tensor.data.every(Number.isFinite);

/** What may have been used as weights: those of the softmax, or what was made of them afterwards. */
function usedWeights(values: Values, { weights }: Site): Value[] {
  const shape = weights.tensor.shape.join();
  const later = values.all.filter(
    (value) =>
      value !== weights &&
      value.kind === 'float' &&
      value.time > weights.time &&
      value.tensor.shape.join() === shape &&
      values.descends(value, weights) &&
      isProportional(value.tensor, weights.tensor, value.eps),
  );
  return [weights, ...later.sort((a, b) => a.time - b.time), ...droppedWeights(values, weights)];
}

/** Weights times a recorded tensor of zeros and one number, as a statement may have multiplied them on its way. */
function droppedWeights(values: Values, weights: Value): Value[] {
  const { shape, data } = weights.tensor;
  return values.all.flatMap((value) => {
    const keep = value.tensor;
    const isDropout =
      value !== weights &&
      !value.isVirtual &&
      keep.shape.join() === shape.join() &&
      keep.data.includes(0) &&
      new Set(keep.data).size === 2 &&
      keep.data.every((each) => each >= 0);
    if (!isDropout || !areReadTogether(values, weights, value)) return [];
    const product = { shape, data: data.map((each, n) => each * keep.data[n]) };
    const found = values.addVirtual(product, [weights, value]);
    return found && found.isVirtual ? [found] : [];
  });
}

/** Whether one statement reads both. */
function areReadTogether(values: Values, a: Value, b: Value): boolean {
  const of = (value: Value): Set<number> => new Set(value.events.map(({ id }) => id));
  const [left, right] = [of(a), of(b)];
  return values.recording.events.some(
    ({ reads }) => reads.some((id) => left.has(id)) && reads.some((id) => right.has(id)),
  );
}

/** Whether every entry is 0 or one multiple of the weight's. */
function isProportional(a: Tensor, b: Tensor, eps: number): boolean {
  let factor: number | undefined;
  return a.data.every((value, n) => {
    if (value === 0) return true;
    const ratio = value / b.data[n];
    factor ??= ratio;
    return ratio > 0 && Math.abs(ratio / factor - 1) <= 20 * eps;
  });
}

/** dV, as P^T dO, is a weighted sum too. */
const isCalledGradient = ({ events: [first] }: Value): boolean =>
  first !== undefined && (isGradient(first) || isGradientName(first.name));

/** The earliest recorded weighted sums under the site's weights, all with the same result. */
export function findMixed(values: Values, lookup: Lookup, site: Site): Mixed[] {
  let found: Mixed[] = [];
  for (const weights of usedWeights(values, site)) {
    for (const value of values.all) {
      const isOperand =
        value.kind === 'float' &&
        value.tensor.shape.length >= 2 &&
        value.tensor.shape.length <= 5 &&
        !values.descends(value, site.weights) &&
        isFinite(value);
      if (!isOperand) continue;
      for (const reading of readings(value, site)) {
        const tensor = weightedSum(weights.tensor, site.outer, reading);
        values.work.spend(weights.tensor.data.length * reading.operand.feature.size);
        const output = lookup
          .find(tensor, Math.max(weights.eps, value.eps))
          .find((each) => each.time > weights.time && each.time > value.time);
        if (
          !output ||
          isCalledGradient(output) ||
          (found.length > 0 && output.time > found[0].output.time)
        )
          continue;
        const { operand, key, query } = reading;
        const mixed = { weights, key, query, values: operand, tensor, output };
        found =
          found.length > 0 && output.time < found[0].output.time ? [mixed] : [...found, mixed];
      }
    }
  }
  return found;
}
