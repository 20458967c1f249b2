// Where numbers were computed that were then only stored, handed on, picked from an array or put into another one.
import { handedOn } from '../../recorded/flow.ts';
import type { Field } from '../suspects.ts';

const MOST_STEPS = 24;
const STORES = /^(write|update|loop-end)$/;

/**
 * The event that computed what an event holds, through arrays, views, calls and returns; what is right for others was taken
 * wrongly from there on.
 */
export function carriedFrom(
  field: Field,
  id: number,
  isRightForOthers: (from: number, taken: number) => boolean = () => false,
): number {
  let at = id;
  for (let step = 0; step < MOST_STEPS; step++) {
    const from = movedFrom(field, at) ?? writtenFrom(field, at);
    if (from === null || isRightForOthers(from, at)) return at;
    at = from;
  }
  return at;
}

/** What an event has its numbers from, some or all of them; null where it computed them. */
function movedFrom({ recording, flow }: Field, id: number): number | null {
  const { events } = recording;
  const from = handedOn(recording, events[id]);
  if (from !== null) return from;
  const own = numbersOf(recording, id);
  if (own.size === 0) return null;
  const isStored = STORES.test(events[id].how);
  const isMoved = (source: number): boolean => {
    const theirs = numbersOf(recording, source);
    if (theirs.size === 0 || source >= id) return false;
    if ([...own].every((value) => theirs.has(value))) return true;
    return isStored && [...theirs].every((value) => own.has(value));
  };
  const moved = flow.sources[id].filter(isMoved);
  return moved.length > 0 ? Math.max(...moved) : null;
}

/** The first tensor of the same form that has some of an array's numbers: it was written through another view. */
function writtenFrom({ recording, observed, flow }: Field, id: number): number | null {
  const { events } = recording;
  const [best] = observed[id].found;
  if (!best || flow.sources[id].some((source) => observed[source].found.length > 0)) return null;
  const own = numbersOf(recording, id);
  const first = observed.find(({ event, found }) => {
    if (event.id >= id || handedOn(recording, events[event.id]) !== null) return false;
    if (!found.some(({ entry }) => entry === best.entry)) return false;
    const theirs = numbersOf(recording, event.id);
    return theirs.size > 1 && [...theirs].every((value) => own.has(value));
  });
  return first?.event.id ?? null;
}

const numbersOf = (recording: Field['recording'], id: number): ReadonlySet<number> =>
  new Set(recording.tensor(id)?.data.filter((value) => value !== 0 && Number.isFinite(value)));
