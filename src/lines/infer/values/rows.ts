// Operands as rows of features, in one order whatever their layouts: to be held against each other.
import { gather } from './layout.ts';
import type { Operand } from '../operands/trace.ts';

/** (block, token, feature): blocks are the outer axes in their order. */
export interface Rows {
  readonly data: Float64Array;
  /** Lengths of the outer axes. */
  readonly outer: readonly number[];
  readonly tokens: number;
  readonly width: number;
  readonly eps: number;
}

export const rowsOf = ({ value, outer, token, feature }: Operand): Rows => ({
  data: gather(value.tensor, { offset: 0, axes: [[...outer.values()], [token], [feature]] }).data,
  outer: Array.from(outer.values(), ({ size }) => size),
  tokens: token.size,
  width: feature.size,
  eps: value.eps,
});

/** Whether two numbers differ by no more than a share of the second. */
export const near = (a: number, b: number, eps: number): boolean => Math.abs(a / b - 1) <= eps;

export const largest = (data: Float64Array): number =>
  data.reduce((most, value) => Math.max(most, Math.abs(value)), 0);

/** The factor with a = factor * b; null where there is none. */
export function multiple(a: Rows, b: Rows): number | null {
  if (a.data.length !== b.data.length) return null;
  let [dot, squares] = [0, 0];
  for (let n = 0; n < a.data.length; n++) {
    dot += a.data[n] * b.data[n];
    squares += b.data[n] * b.data[n];
  }
  const factor = dot / squares;
  const allowed = 8 * Math.max(a.eps, b.eps) * largest(a.data);
  return a.data.every((value, n) => Math.abs(value - factor * b.data[n]) <= allowed)
    ? factor
    : null;
}
