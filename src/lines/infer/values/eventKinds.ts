// What an event is by its number type, its shape and its place in loops.
import type { Event } from '../../recorded/recording.ts';

export type Kind = 'float' | 'integer' | 'bool';

export const kindOf = (dtype: string): Kind =>
  dtype === 'bool' ? 'bool' : /^u?int/.test(dtype) ? 'integer' : 'float';

/** What is read of a tensor of real numbers for a whole one is its size. */
export const isSizeOf = (event: Event, { dtype, shape }: Event): boolean =>
  kindOf(event.dtype) === 'integer' &&
  event.shape.length === 0 &&
  kindOf(dtype) === 'float' &&
  shape.length > 0;

/** A number that a statement in loops in each other bound. */
export const isEntry = ({ shape, loops, how, dtype }: Event): boolean =>
  shape.length === 0 && loops.length > 1 && how === 'bind' && kindOf(dtype) === 'float';

/** Whether a value is made of numbers that loops in each other computed. */
export const isOfEntries = ({
  grid,
  parts,
}: {
  readonly grid: readonly number[];
  readonly parts: readonly Event[];
}): boolean => grid.length > 1 && isEntry(parts[0]);

/** Relative errors that number types bring with them. */
export const EPSILON: Readonly<Record<string, number>> = {
  float64: 1e-9,
  float32: 2e-5,
  bfloat16: 1e-2,
  float16: 2e-3,
};
