// Gradients that are added up over several runs of the same: an array that is never set back to zero.
import { isReordered } from '../../align/align.ts';
import type { Entry } from '../../align/catalogue.ts';
import { handedOn } from '../../recorded/flow.ts';
import type { Mistaken } from '../names/mistaken.ts';
import type { Event } from '../../recorded/recording.ts';
import type { Field } from '../suspects.ts';
import { Arrays } from '../../recorded/versions.ts';

const COMPUTED = new Set(['bind', 'update', 'write', 'loop-end']);

/** The gradient that an event is all of. */
function wholeOf({ observed, goals }: Field, id: number): Entry | null {
  const { found, standing, event } = observed[id];
  if (standing !== 'right' || !COMPUTED.has(event.how)) return null;
  const whole = found.find(
    (each) =>
      each.entry.role === 'node' &&
      each.entry.key.startsWith('g:') &&
      goals.includes(each.entry.key) &&
      each.entry.data.length === observed[id].event.shape.reduce((a, b) => a * b, 1) &&
      !isReordered(each),
  );
  return whole?.entry ?? null;
}

/** So often the gradient is an array's content, where that is twice or more. */
function timesOf(own: Float64Array, once: Float64Array, { size, tolerance }: Entry): number | null {
  if (own.length !== once.length || size <= 8 * tolerance) return null;
  let at = 0;
  once.forEach((value, n) => {
    if (Math.abs(value) > Math.abs(once[at])) at = n;
  });
  const times = Math.round(own[at] / once[at]);
  if (times < 2) return null;
  const isSum = own.every((value, n) => Math.abs(value - times * once[n]) <= times * tolerance);
  return isSum ? times : null;
}

/** Arrays that held a whole gradient, to which the same statement of a later run adds it again, for good. */
export function addedAgain(field: Field): Mistaken[] {
  const { recording, observed, leads } = field;
  const arrays = new Arrays(recording);
  for (const event of recording.events) arrays.take(event);
  const whole = new Map<string, { readonly event: Event; readonly entry: Entry }>();
  const last = new Map<string, Mistaken>();
  for (const { event, standing } of observed) {
    if (handedOn(recording, event) !== null || !COMPUTED.has(event.how)) continue;
    const isInPlace = event.how !== 'bind';
    const key = `${event.statement} ${event.name} ${isInPlace ? arrays.rootOf(event.id) : ''}`;
    const entry = wholeOf(field, event.id);
    if (entry) {
      whole.set(key, { event, entry });
      last.delete(key);
      continue;
    }
    const before = whole.get(key);
    if (!before || standing === 'right' || leads[event.id]) continue;
    const [own, once] = [recording.tensor(event.id), recording.tensor(before.event.id)];
    const times = own && once ? timesOf(own.data, once.data, before.entry) : null;
    const { node } = before.entry;
    const note = `${event.name} is ${times} times d${node}: it is not set back to zero between the runs`;
    if (times !== null && !last.has(key))
      last.set(key, { event: event.id, node, kind: 'gradient', note });
  }
  return [...last.values()].sort((a, b) => a.event - b.event);
}
