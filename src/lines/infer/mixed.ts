// The weighted sum of values: which recorded tensor is P V, by its numbers in whatever layout.
import { strides, type Tensor } from '../../engine/tensor.ts';
import type { Factor } from './layout.ts';
import { offsets } from './layout.ts';
import type { Lookup } from './lookup.ts';
import type { Site } from './site.ts';
import type { Operand } from './trace.ts';
import type { Value, Values } from './values.ts';

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

export interface Reading {
  readonly operand: Operand;
  readonly key: number;
  readonly query: number;
}

/** The ways to read a tensor as values beside the weights: one axis of keys, one of features, others outer. */
export function readings(value: Value, site: Site): Reading[] {
  const { shape } = value.tensor;
  const own = strides(shape);
  const weights = site.weights.tensor.shape;
  const factor = (n: number): Factor => ({ size: shape[n], stride: own[n] });
  const found: Reading[] = [];
  const tokens = [
    [site.rightToken, site.leftToken],
    [site.leftToken, site.rightToken],
  ];
  for (const [key, query] of tokens) {
    shape.forEach((length, token) => {
      if (length !== weights[key]) return;
      shape.forEach((features, feature) => {
        if (feature === token || features < 2) return;
        const rest = shape.flatMap((size, n) =>
          n === token || n === feature || size === 1 ? [] : [n],
        );
        const free = [...site.outer];
        const outer = new Map<number, Factor>();
        for (const n of rest) {
          const at = free.findIndex((axis) => weights[axis] === shape[n]);
          if (at < 0) return;
          outer.set(free.splice(at, 1)[0], factor(n));
        }
        const operand = { value, outer, token: factor(token), feature: factor(feature) };
        found.push({ operand, key, query });
      });
    });
  }
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
  return [weights, ...later.sort((a, b) => a.time - b.time)];
}

/** Whether every entry is 0 or one multiple of the weight's. */
export function isProportional(a: Tensor, b: Tensor, eps: number): boolean {
  let factor: number | undefined;
  return a.data.every((value, n) => {
    if (value === 0) return true;
    const ratio = value / b.data[n];
    factor ??= ratio;
    return ratio > 0 && Math.abs(ratio / factor - 1) <= 20 * eps;
  });
}

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
        const output = lookup
          .find(tensor, Math.max(weights.eps, value.eps))
          .find(({ time }) => time > weights.time && time > value.time);
        if (!output || (found.length > 0 && output.time > found[0].output.time)) continue;
        const { operand, key, query } = reading;
        const mixed = { weights, key, query, values: operand, tensor, output };
        found = found.length > 0 && output.time < found[0].output.time ? [mixed] : [...found, mixed];
      }
    }
  }
  return found;
}
