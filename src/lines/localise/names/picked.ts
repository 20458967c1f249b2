// Parts of arrays that get a name of their own to be written to: `dkey = dqkv[b, t, c:2 * c]`.
import { type Expression, parseStatement } from '../../expressions/parse.ts';
import { followed } from '../../recorded/flow.ts';
import type { Field } from '../suspects.ts';

/** A part of an array that is picked to be written to, in place: what it holds by then was written elsewhere. */
export const isPartToFill = (field: Field, id: number): boolean =>
  isPicked(field, id) &&
  field.flow.users[id].some((user) => {
    const { how, alias } = field.recording.events[user];
    return alias === id && (how === 'write' || how === 'update');
  });

/** Whether an event only gives a name to a part of an array. */
function isPicked({ recording }: Field, id: number): boolean {
  const { how, statement } = recording.events[id];
  const value = parseStatement(recording.statements[statement].text)?.value;
  return how === 'bind' && value?.kind === 'index' && picksOnly(value.of);
}

/** The event that picked the part of an array to which right terms are added; null where that is not so. */
export function pickedPlace(field: Field, id: number): number | null {
  const { recording, observed } = field;
  const { how } = recording.events[id];
  const isTerm = observed[id].found.some(({ entry: { title } }) => title.startsWith('terms of '));
  if (how !== 'write' || !isTerm) return null;
  const root = followed(recording.events, id);
  return root !== id && isPicked(field, root) ? root : null;
}

const picksOnly = (expression: Expression): boolean =>
  expression.kind === 'name' ||
  ((expression.kind === 'index' || expression.kind === 'attribute') && picksOnly(expression.of));
