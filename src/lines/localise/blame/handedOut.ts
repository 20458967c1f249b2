// What a function gave out: a result that its caller drops, or a statistic of the softmax that is not yet what others need.
import type { Key } from '../../../compare/program/program.ts';
import type { Field, Suspect } from '../suspects.ts';
import { type Blame, originOf } from './common.ts';

/** Where a caller dropped, as `_`, the very node that it should have gone on with; null where it did not. */
export function droppedAt({ observed, flow }: Field, key: Key, user: number): number | null {
  const dropped = observed.find(
    ({ event, standing, found }) =>
      event.id < user &&
      event.how === 'bind' &&
      /^_\w*$/.test(event.name) &&
      standing === 'right' &&
      flow.users[event.id].length === 0 &&
      found.some(({ entry }) => entry.key === key && entry.role === 'node'),
  );
  return dropped?.event.id ?? null;
}

const isOfTitle = ({ observed }: Field, id: number, title: RegExp): boolean =>
  observed[id].found.some(({ entry }) => entry.role !== 'node' && title.test(entry.title));

const MAXIMA = /row maxima of /;
const SUMS = /row sums|log-sum-exp/;
const STEPS = 6;

/**
 * Weights that are computed anew with the row maxima that another function stored, and with no row sums at hand: it should
 * have stored the log-sum-exp.
 */
export function storedMaxima(field: Field, { event }: Suspect): Blame | null {
  const { recording, observed, flow } = field;
  const { events } = recording;
  const { frame } = events[event];
  const isWeight = [event, ...flow.sources[event]].some((id) =>
    isOfTitle(field, id, /^exp\(\w+ − row maximum\)/),
  );
  const hasSums = events.some(
    (each) => each.frame === frame && each.id < event && isOfTitle(field, each.id, SUMS),
  );
  if (!isWeight || hasSums) return null;
  const seen = new Set([event]);
  let queue = [event];
  for (let step = 0; step < STEPS && queue.length > 0; step++) {
    const next: number[] = [];
    for (const source of queue.flatMap((id) => flow.sources[id])) {
      if (seen.has(source)) continue;
      seen.add(source);
      const { how, frame: own } = events[source];
      const isStored = how === 'write' || how === 'return';
      if (own !== frame && isStored && isOfTitle(field, source, MAXIMA))
        return { event: storedAt(field, source), note: STORED, node: 'P', kind: 'value' };
      if (observed[source].standing !== 'off') next.push(source);
    }
    queue = next;
  }
  return null;
}

const STORED =
  'the row maxima alone are kept for the backward pass, which needs the row sums too: log-sum-exp';

/** The statement that wrote it into an array, else the return. */
function storedAt(field: Field, id: number): number {
  const { events } = field.recording;
  const origin = originOf(field, id);
  return /^(write|update|loop-end)$/.test(events[origin].how) ? origin : id;
}
