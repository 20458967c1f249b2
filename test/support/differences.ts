// Finite differences, the judge of every derivative: independent of how an operation is written.
import type { Operation } from '../../src/engine/operation.ts';
import { type Tensor, tensor } from '../../src/engine/tensor.ts';

/** `at` with one entry moved. */
export function moved(at: Tensor, offset: number, by: number): Tensor {
  const data = at.data.slice();
  data[offset] += by;
  return tensor(at.shape, data);
}

/** d(fn)/dt at 0 by central differences at h and h/2, extrapolated: error O(h^4), here about 1e-11. */
export function difference(fn: (t: number) => Float64Array, h = 1e-3): Float64Array {
  const slope = (step: number): Float64Array => {
    const [up, down] = [fn(step), fn(-step)];
    return up.map((value, n) => (value - down[n]) / (2 * step));
  };
  const [coarse, fine] = [slope(h), slope(h / 2)];
  return fine.map((value, n) => (4 * value - coarse[n]) / 3);
}

/** One column of the Jacobian of an operation: d output[o] / d inputs[slot][offset] for all o. */
export function jacobianColumn(
  operation: Operation,
  inputs: readonly Tensor[],
  slot: number,
  offset: number,
): Float64Array {
  return difference(
    (t) =>
      operation.forward(inputs.map((each, n) => (n === slot ? moved(each, offset, t) : each))).data,
  );
}
