// What one statement in loops did, run by run.
import type { Tensor } from '../../engine/tensor.ts';
import type { Event } from './recording.ts';

/** What one statement added, or assigned, in all runs of its loops in one call. */
export interface Sweep {
  readonly statement: number;
  readonly frame: number;
  readonly isAdding: boolean;
  readonly runs: readonly Run[];
}

export interface Run {
  readonly event: Event;
  /** The first event of the array; −1 of a number, or an array of its own, that is added up. */
  readonly root: number;
  readonly terms: Tensor;
  /** Where in the array, entry by entry of `terms`. */
  readonly places: Int32Array;
}

/** Fewer runs are no sweep. */
export const LEAST = 4;

export const isAddition = ({
  kind,
  text,
}: {
  readonly kind: string;
  readonly text: string;
}): boolean => kind === 'augmented' && /[^*/@%]\s*[+-]=/.test(text);
