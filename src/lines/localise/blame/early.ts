// Sums in an array that are read in the loop that adds to them, before they are whole or after parts were replaced.
import type { Key } from '../../../compare/program/program.ts';
import { isWhole } from '../../align/align.ts';
import { followed } from '../../recorded/flow.ts';
import { loopsAround } from '../../recorded/loops.ts';
import type { Field } from '../suspects.ts';
import { type Blame, originOf } from './common.ts';

/** Of some terms of a gradient that were taken out of an array: the statement that replaced the others, or the loop. */
export function takenEarly(field: Field, operand: number, key: Key): Blame | null {
  const { recording, observed, flow } = field;
  const { events, statements } = recording;
  const origin = originOf(field, operand);
  const { loops, frame, statement } = events[origin];
  if (loops.length === 0) return null;
  const isOfSum = (id: number): boolean =>
    /^(write|update)$/.test(events[id].how) &&
    events[id].frame === frame &&
    observed[id].found.some(({ entry }) => entry.key === key);
  const write = flow.sources[origin].findLast(isOfSum);
  if (write === undefined) return null;
  const { statement: at, name } = events[write];
  const array = name.replace(/\[.*$/s, '');
  const isAgain = events.some(
    (each) =>
      each.id < write && each.statement === at && each.frame === frame && each.how === 'write',
  );
  if (statements[at].kind === 'assign')
    return isAgain
      ? { event: write, note: `what is written to ${array} replaces what was there before` }
      : null;
  const root = followed(events, write);
  const isRight = observed.some(
    ({ event: { id }, found }) =>
      id > origin &&
      followed(events, id) === root &&
      found.some((each) => each.entry.key === key && each.entry.role === 'node' && isWhole(each)),
  );
  const loop = loopsAround(recording, statement).at(-1);
  if (!isRight || loop === undefined) return null;
  const note = `${array} is read before all is added to it: the iterations are in another order`;
  return { event: origin, statement: loop, note };
}
