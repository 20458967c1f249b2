// An operand that was changed under another name: through a view, or by what was given a second name and then written to.
import { followed, handedOn, tellingEvent } from '../../recorded/flow.ts';
import { rerunOf } from '../../expressions/rerun.ts';
import type { Field, Suspect } from '../suspects.ts';
import { rightAs } from './asWritten.ts';
import { type Blame, isNaming } from './common.ts';

const MOST_STEPS = 8;

/** Whether an event is what came of an array by a statement that writes to another name. */
function isUnderOther({ recording: { events, statements } }: Field, id: number): boolean {
  const { how, name, alias, statement } = events[id];
  const { kind, targets } = statements[statement];
  if (how !== 'update' || alias === undefined || !/^(assign|augmented)$/.test(kind)) return false;
  return !targets.some((target) => target === name || target.startsWith(`${name}[`));
}

/** Where two names came to be one and the same array, if a statement does no more; else what changed it. */
function changedBy(field: Field, id: number): Blame {
  const { recording } = field;
  const { events, statements } = recording;
  const { frame, statement, name } = events[id];
  const [target = ''] = statements[statement].targets;
  const written = target.replace(/\[.*$/s, '');
  const rootOf = (at: number): number => followed(events, at);
  const naming = events.findLast(
    (each) =>
      each.id < id && each.frame === frame && each.name === written && isNaming(field, each.id),
  );
  const isLast =
    naming !== undefined &&
    !events.some(
      (each) =>
        each.id > naming.id &&
        each.id < id &&
        each.frame === frame &&
        each.name === written &&
        each.how === 'bind' &&
        rootOf(each.id) !== rootOf(naming.id),
    );
  const at = isLast ? naming.id : id;
  return {
    event: tellingEvent(recording, at),
    note: `${name} is changed too where ${written} is: they share one array`,
  };
}

/** A statement that would be right with what an operand was before another name's array was written to. */
export function spoiltOperand(field: Field, { event }: Suspect): Blame | null {
  const { recording, flow } = field;
  const { events } = recording;
  const rerun = rerunOf(recording);
  // What changed under another name itself is judged as what its statement wrote.
  const written = isUnderOther(field, event)
    ? flow.siblings[event].filter((each) => events[each].how === 'write')
    : [event];
  for (const at of written)
    for (const operand of rerun.asItWas(at)?.operands ?? []) {
      if (!isUnderOther(field, operand)) continue;
      const before = recording.tensor(events[operand].alias!);
      const other = before && rerun.make(at, new Map([[operand, before]]));
      if (other && rightAs(field, at, other.value).length > 0) return changedBy(field, operand);
    }
  return null;
}

/** Where what is taken for something that it no longer is was changed under another name. */
export function changedBefore(field: Field, blame: Blame | null): Blame | null {
  const { recording, observed, flow } = field;
  if (!blame) return null;
  let at = blame.event;
  const [own] = observed[at].found;
  if (!own) return blame;
  for (let step = 0; step < MOST_STEPS; step++) {
    if (isUnderOther(field, at)) {
      const { alias } = recording.events[at];
      const was = observed[alias!].found.some(
        ({ entry }) => entry.role === 'node' && entry.node === own.entry.node,
      );
      return was ? { ...blame, ...changedBy(field, at) } : blame;
    }
    const next =
      handedOn(recording, recording.events[at]) ??
      flow.sources[at].find((source) =>
        observed[source].found.some(({ entry }) => entry === own.entry),
      );
    if (next === undefined) return blame;
    at = next;
  }
  return blame;
}
