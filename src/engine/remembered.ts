// Numbers of a tensor that are asked for at every step of a walk and computed once.
import type { Tensor } from './tensor.ts';

/** A tensor's number, computed where it is asked for first. */
export interface Remembered {
  (value: Tensor): number;
  /** What has been found; undefined before it was asked for. */
  known(value: Tensor): number | undefined;
  /** Takes over what another thread has found for the same tensor. */
  is(value: Tensor, found: number): void;
}

/** `compute` is called once for each tensor, whose entries are never written to. */
export function remembered(compute: (value: Tensor) => number): Remembered {
  const found = new WeakMap<Tensor, number>();
  const ask = (value: Tensor): number => {
    const before = found.get(value);
    if (before !== undefined) return before;
    const now = compute(value);
    found.set(value, now);
    return now;
  };
  return Object.assign(ask, {
    known: (value: Tensor) => found.get(value),
    is: (value: Tensor, number: number) => void found.set(value, number),
  });
}
