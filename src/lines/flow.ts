// Which recorded tensors each one was computed from, and what leads to something right.
import type { Observed } from './observe.ts';
import type { Event, Recording } from './recording.ts';

export interface Flow {
  /** What an event was computed from: of a tuple that was handed on, its own element alone. */
  readonly sources: readonly (readonly number[])[];
  readonly users: readonly (readonly number[])[];
  /** The events of one run of one statement. */
  readonly siblings: readonly (readonly number[])[];
}

/** The event of which this one is another name; null where it was computed. */
export function handedOn({ events }: Recording, event: Event): number | null {
  const { alias, same, how } = event;
  if (how === 'update' || how === 'write' || how === 'loop-end' || how === 'gradient') return null;
  if (alias !== undefined && same !== undefined) return alias;
  // A copy of what it reads.
  if (same === undefined) return null;
  const twin = event.reads.find((read) => read === same || events[read].same === same);
  return twin ?? null;
}

export function flowOf(recording: Recording): Flow {
  const { events } = recording;
  const runs = new Map<string, number[]>();
  for (const { id, statement, frame, loops, how } of events) {
    if (how === 'gradient' || how === 'leaf') continue;
    const key = `${statement} ${frame} ${loops.join()} ${how === 'loop-end'}`;
    const run = runs.get(key);
    if (run) run.push(id);
    else runs.set(key, [id]);
  }
  const siblings: number[][] = events.map(() => []);
  for (const run of runs.values()) for (const id of run) siblings[id] = run;
  const users: number[][] = events.map(() => []);
  const writes = writesByArray(recording);
  const sources = events.map((event): readonly number[] => {
    const from = handedOn(recording, event);
    const own = from === null ? event.reads.filter((read) => read < event.id) : [from];
    const all = event.how === 'loop-end' ? [...new Set([...own, ...(writes.get(event.id) ?? [])])] : own;
    for (const source of all) users[source].push(event.id);
    return all;
  });
  return { sources, users, siblings };
}

/** For each loop-end, the writes of its loop into its array. */
function writesByArray({ events }: Recording): Map<number, number[]> {
  const found = new Map<number, number[]>();
  for (const { id, how, alias } of events) {
    if (how !== 'loop-end') continue;
    const writes: number[] = [];
    for (let at = alias; at !== undefined; at = events[at].alias) {
      if (events[at].how !== 'write' && events[at].how !== 'update') break;
      writes.push(at);
    }
    found.set(id, writes);
  }
  return found;
}

const sameIndex = (a: Event, b: Event): boolean =>
  a.index !== undefined && JSON.stringify(a.index) === JSON.stringify(b.index);

/**
 * For each event whether something right was computed from it, and so it was no mistake. A statement that makes several
 * tensors says so only if all of them are right: which of them was computed from which operand is not known.
 */
export function leadsToRight(recording: Recording, flow: Flow, observed: readonly Observed[]): boolean[] {
  const { events } = recording;
  const leads = events.map(() => false);
  for (let id = events.length - 1; id >= 0; id--) {
    const event = events[id];
    leads[id] = flow.users[id].some((user) => {
      const other = events[user];
      // The next write into the same array says nothing of other entries.
      if (other.how === 'write' && event.how === 'write' && other.alias !== undefined) {
        if (!sameIndex(event, other)) return false;
      }
      if (leads[user]) return true;
      if (observed[user].standing !== 'right') return false;
      if (handedOn(recording, other) !== null) return true;
      return flow.siblings[user].every((each) => observed[each].standing === 'right');
    });
  }
  return leads;
}

/** Everything that was computed from some events, themselves included. */
export function cone(flow: Flow, from: readonly number[]): Set<number> {
  const found = new Set(from);
  for (const id of found) for (const user of flow.users[id]) found.add(user);
  return found;
}
