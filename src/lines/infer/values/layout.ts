// How an entry of a setup lies in a recorded tensor: every axis of the entry as one or several strided axes.
import { sizeOf, type Tensor } from '../../../engine/tensor.ts';

export interface Factor {
  readonly size: number;
  /** In entries of the recorded tensor. */
  readonly stride: number;
}

/** Axes of the entry, each of its factors slowest first: [(h, 12), (a, 1)] is the merged axis (head, feature). */
export interface Layout {
  readonly offset: number;
  readonly axes: readonly (readonly Factor[])[];
}

export const lengthOf = (axis: readonly Factor[]): number => sizeOf(axis.map(({ size }) => size));

/** Where the entries along an axis lie. */
export function offsets(axis: readonly Factor[]): Int32Array {
  let all = Int32Array.of(0);
  for (const { size, stride } of axis) {
    const next = new Int32Array(all.length * size);
    for (let n = 0; n < all.length; n++)
      for (let k = 0; k < size; k++) next[n * size + k] = all[n] + k * stride;
    all = next;
  }
  return all;
}

/** The entry that a layout takes out of a recorded tensor. */
export function gather(tensor: Tensor, { offset, axes }: Layout): Tensor {
  const all = offsets(axes.flat());
  const data = new Float64Array(all.length);
  for (let n = 0; n < all.length; n++) data[n] = tensor.data[offset + all[n]];
  return { shape: axes.map(lengthOf), data };
}
