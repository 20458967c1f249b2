// Where a program does the same again with other weights, as in training: only the first step is of one setup.
import type { Event, Recording } from '../recorded/recording.ts';

/** Whether an event is of a loop's second iteration: of a loop that no other is around, in no call of many. */
const isSecond = ({ loops }: Event): boolean => loops.length > 0 && loops[0] === 1;

/** The first event of what an event is the end of: of a call whose result it binds, that of the call. */
const startOf = (
  { id, frame, reads }: Event,
  events: readonly Event[],
  calls: ReadonlyMap<number, number>,
): number =>
  reads
    .filter((read) => events[read].how === 'return' && events[read].frame !== frame)
    .reduce((first, read) => Math.min(first, calls.get(events[read].frame) ?? id), id);

/**
 * The number of the first event after the first iteration of the longest loop, by what is computed in it; undefined where
 * nothing is done again.
 */
export function endOfFirstStep({ events }: Recording): number | undefined {
  const seen = new Map<number, { first: number; second?: number; last: number }>();
  const calls = new Map<number, number>();
  for (const event of events) {
    if (!calls.has(event.frame)) calls.set(event.frame, event.id);
    if (event.loops.length === 0 || event.how === 'leaf') continue;
    const own = seen.get(event.frame) ?? { first: event.id, last: event.id };
    seen.set(event.frame, own);
    own.last = event.id;
    if (own.second === undefined && isSecond(event)) own.second = startOf(event, events, calls);
  }
  let longest: { end: number; length: number } | undefined;
  for (const { first, second, last } of seen.values()) {
    if (second === undefined) continue;
    const length = last - first;
    if (!longest || length > longest.length) longest = { end: second, length };
  }
  return longest?.end;
}
