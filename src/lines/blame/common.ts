// What the reasons to blame another statement share.
import type { Tensor } from '../../engine/tensor.ts';
import { handedOn } from '../flow.ts';
import type { Field } from '../suspects.ts';

export interface Blame {
  readonly event: number;
  readonly note: string;
  /** The loop, where that is to blame. */
  readonly statement?: number;
}

/** Weighs nothing in a softmax. */
export const MASKED = -50;

export const isHiding = (tensor: Tensor | null): boolean =>
  tensor?.data.some((value) => value <= MASKED) ?? false;

/** The event that was computed, of one that is handed on. */
export function originOf({ recording }: Field, id: number): number {
  let at = id;
  for (let from = handedOn(recording, recording.events[at]); from !== null;) {
    at = from;
    from = handedOn(recording, recording.events[at]);
  }
  return at;
}
