// Weights whose scores are multiplied by a vector of heads or of queries.
import { strides, type Tensor } from '../../../engine/tensor.ts';
import { isGradient, type Value, type Values } from '../values/values.ts';

/** The logarithms of the weights, each axis divided by vectors that they were made of: of heads, of queries. */
export function* withoutFactors(values: Values, weights: Value): Generator<Tensor> {
  const { shape } = weights.tensor;
  const own = strides(shape);
  const ancestors = values.ancestors(weights);
  for (const value of values.all) {
    if (!ancestors.has(value.id) || !isFactor(value)) continue;
    const lengths = value.tensor.shape;
    const axis = lengths.findIndex((length) => length > 1) - lengths.length + shape.length;
    if (axis < 0 || axis === shape.length - 1 || shape[axis] !== value.tensor.data.length) continue;
    const data = weights.tensor.data.map(
      (weight, n) => Math.log(weight) / value.tensor.data[Math.floor(n / own[axis]) % shape[axis]],
    );
    yield { shape, data };
  }
}

/** A vector of numbers above 0 that differ, and no gradient. */
export const isFactor = ({ kind, isVirtual, tensor, parts }: Value): boolean =>
  kind === 'float' &&
  !isVirtual &&
  tensor.shape.filter((length) => length > 1).length === 1 &&
  tensor.data.every((value) => value > 0) &&
  new Set(tensor.data).size > 1 &&
  !parts.some(isGradient);
