// A gradient that lacks the scale, and is stored so.
import type { Field, Suspect } from '../suspects.ts';
import type { Blame } from './common.ts';

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
