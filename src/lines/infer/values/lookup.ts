// Finds tensors by the numbers in them, in whatever order they lie: the same numbers reshaped or transposed.
import type { Tensor } from '../../../engine/tensor.ts';
import type { Value } from './values.ts';
import { sumOf } from './virtual.ts';

interface Sums {
  readonly sum: number;
  readonly squares: number;
  readonly size: number;
}

function sumsOf(data: Float64Array): Sums {
  let [sum, squares, size] = [0, 0, 0];
  for (const value of data) {
    sum += value;
    squares += value * value;
    size += Math.abs(value);
  }
  return { sum, squares, size };
}

/** Whether two tensors have the same entries in any order, up to rounding. */
export function haveSameNumbers(a: Tensor, b: Tensor, eps: number): boolean {
  return (
    a.data.length === b.data.length &&
    areNear(a.data.slice().sort(), b.data.slice().sort(), 4 * eps)
  );
}

/** Finds among the values that were recorded. */
export class Lookup {
  readonly #bySize = new Map<number, Value[]>();
  readonly #sums = new Map<Value, Sums>();
  readonly #sorted = new Map<Value, Float64Array>();

  constructor(values: readonly Value[]) {
    for (const value of values) {
      if (value.isVirtual && !sumOf(value)) continue;
      const { length } = value.tensor.data;
      const known = this.#bySize.get(length);
      if (known) known.push(value);
      else this.#bySize.set(length, [value]);
    }
  }

  /** Values with the entries of `tensor` in any order, up to rounding, earliest first. */
  find(tensor: Tensor, eps: number): Value[] {
    const { data } = tensor;
    const sums = sumsOf(data);
    if (!Number.isFinite(sums.squares) || sums.squares === 0) return [];
    let sorted: Float64Array | undefined;
    const found = (this.#bySize.get(data.length) ?? []).filter((value) => {
      const own = this.#sums.get(value) ?? sumsOf(value.tensor.data);
      this.#sums.set(value, own);
      const tolerance = 4 * Math.max(eps, value.eps);
      if (!(Math.abs(own.sum - sums.sum) <= tolerance * sums.size)) return false;
      if (!(Math.abs(own.squares - sums.squares) <= 2 * tolerance * sums.squares)) return false;
      sorted ??= data.slice().sort();
      const theirs = this.#sorted.get(value) ?? value.tensor.data.slice().sort();
      this.#sorted.set(value, theirs);
      return areNear(sorted, theirs, tolerance);
    });
    return found.sort((a, b) => a.time - b.time);
  }
}

function areNear(a: Float64Array, b: Float64Array, tolerance: number): boolean {
  const size = Math.max(Math.abs(a[0]), Math.abs(a[a.length - 1]));
  return a.every((value, n) => Math.abs(value - b[n]) <= tolerance * size);
}
