// The loops around a statement, and whether what it writes in them tells something by itself.
import { loopsAround } from '../recorded/loops.ts';
import type { Event, Recording } from '../recorded/recording.ts';

/** Statements that begin the loops around an event, the innermost first. */
export const loopsOf = (recording: Recording, { statement, loops }: Event): number[] =>
  loopsAround(recording, statement).reverse().slice(0, loops.length);

export const isOneNumber = ({ shape, how }: Event): boolean =>
  how !== 'loop-end' && shape.every((length) => length === 1);

/** Whether its statement writes single numbers in loops: what it gives shows in all of them together. */
export const writesOneNumber = ({ events }: Recording, { statement }: Event): boolean =>
  events.some(
    (each) =>
      each.statement === statement &&
      each.loops.length > 0 &&
      isOneNumber(each) &&
      each.how !== 'expression',
  );
