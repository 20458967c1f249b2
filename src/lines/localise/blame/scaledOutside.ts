// Functions of the softmax alone, whose callers scale what they give to it and what comes of its backward pass.
import { handedFrom, handedOn } from '../../recorded/flow.ts';
import type { Field, Suspect } from '../suspects.ts';
import type { Blame } from './common.ts';

/**
 * Where the gradient of the scaled scores was taken out of a function that has the softmax alone, which in the pass before
 * was given scores that its caller had scaled: scaling the gradient is that caller's, too.
 */
export function takenOutOf(
  { recording, observed }: Field,
  taken: number,
  made: number,
): number | null {
  const { events } = recording;
  const { frame } = events[made];
  if (frame === events[taken].frame) return null;
  const isOf = (id: number, key: RegExp): boolean =>
    observed[id].found.some(({ entry }) => key.test(entry.key));
  const inside = events.filter((each) => each.frame === frame);
  if (inside.some(({ id }) => isOf(id, /^v:[SQK]h?$/) && !isOf(id, /^v:[ZMP]$/))) return null;
  const frames = events.flatMap(({ id, how, frame: own }) =>
    how === 'argument' && own < frame && isOf(id, /^v:[ZM]$/) && !isOf(id, /^v:S$/) ? [own] : [],
  );
  const isSoftmax = (own: number): boolean =>
    events.some(({ id, how, frame: its }) => its === own && how === 'return' && isOf(id, /^v:P$/));
  if (!frames.some(isSoftmax)) return null;
  for (const at of handedFrom(recording, taken)) {
    const from = handedOn(recording, events[at]);
    if (from !== null && events[from].how === 'return' && events[from].frame === frame) return at;
  }
  return null;
}

/** Where a gradient that lacks the scale is stored under the name by which it is used on. */
export function unscaledAt(field: Field, { event, why }: Suspect): Blame | null {
  const { recording, observed, flow } = field;
  const { events, statements } = recording;
  const [best] = observed[event].found;
  if (why !== 'incomplete' || !best?.entry.title.endsWith(' / scale')) return null;
  const isStored = (from: number, user: number): boolean => {
    const { kind, text } = statements[events[user].statement];
    if (kind !== 'assign' || events[user].frame !== events[event].frame) return false;
    if (!/=\s*[\w.]+$/.test(text.trim())) return false;
    const [own, other] = [recording.tensor(user)?.data, recording.tensor(from)?.data];
    if (!own || own.length !== other?.length) return false;
    return own.every((value, at) => value === other[at]);
  };
  let at = event;
  for (;;) {
    const next = flow.users[at].find((user) => isStored(at, user));
    if (next === undefined) break;
    at = next;
  }
  return at === event ? null : { event: at, note: 'it is stored here without the scale' };
}
