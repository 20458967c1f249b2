// Whose fault a wrong result is: its own statement's, or that of an operand which is something else than it is taken for.
import type { Field, Suspect } from './suspects.ts';

export interface Blame {
  readonly event: number;
  readonly note: string;
}

export function blameOf(field: Field, suspect: Suspect): Blame {
  void field;
  return { event: suspect.event, note: '' };
}

/** A return that hands on its gradients in another order than they are taken. */
export function returnsInExchange(field: Field): Blame | null {
  void field;
  return null;
}
