// Calls of a function that only repeat an earlier one with inputs moved a little, as a numerical gradient's do.
import { sizeOf } from '../../engine/tensor.ts';
import type { Event, Recording } from './recording.ts';

/** A function that is called more often than this is looked into. */
const CALLS = 12;
/** So many different calls of a function are remembered. */
const KEPT = 16;
/** Largest difference to an earlier call, of the largest entry. */
const NEAR = 0.01;
/** Likewise of an array in which an entry was moved. */
const MOVED = 1e-3;

function isNear(recording: Recording, one: Event, other: Event, tolerance: number): boolean {
  if (one.shape.join() !== other.shape.join() || one.dtype !== other.dtype) return false;
  if (one.shape.length === 0) return true;
  const [a, b] = [recording.tensor(one.id), recording.tensor(other.id)];
  if (!a || !b) return a === b;
  const size = b.data.reduce(
    (most, x) => (Number.isFinite(x) ? Math.max(most, Math.abs(x)) : most),
    0,
  );
  return a.data.every(
    (x, n) => Object.is(x, b.data[n]) || Math.abs(x - b.data[n]) <= tolerance * size,
  );
}

const isRepeat = (
  recording: Recording,
  call: readonly Event[],
  earlier: readonly Event[],
  tolerance: number,
): boolean =>
  call.length === earlier.length &&
  // Numbers alone, such as those that an object is made of, repeat nothing.
  call.some(({ shape }) => sizeOf(shape) > 1) &&
  call.every(
    (event, n) =>
      event.statement === earlier[n].statement &&
      event.name === earlier[n].name &&
      isNear(recording, event, earlier[n], tolerance),
  );

/**
 * The events of each function, by its calls in the order of time; those of the module are no call, nor are those that read no
 * tensor: memory as they found it is like that of others by chance.
 */
function callsOf({ events, statements }: Recording): Map<number, Map<number, Event[]>> {
  const found = new Map<number, Map<number, Event[]>>();
  for (const event of events) {
    if (event.frame === 0 || event.how === 'leaf' || event.how === 'gradient') continue;
    const own = statements[event.statement].function;
    const calls = found.get(own) ?? new Map<number, Event[]>();
    found.set(own, calls);
    const call = calls.get(event.frame);
    if (call) call.push(event);
    else calls.set(event.frame, [event]);
  }
  for (const calls of found.values())
    for (const [frame, call] of calls)
      if (!call.some(({ reads }) => reads.some((read) => events[read].shape.length > 0)))
        calls.delete(frame);
  return found;
}

/** Whether a write moved an entry of an array a little, many times over. */
function movedIn(recording: Recording, writes: readonly Event[]): Event[] {
  return writes.filter((event, n) => n > 0 && isNear(recording, event, writes[0], MOVED));
}

const known = new WeakMap<Recording, ReadonlySet<number>>();

/** The events of calls that repeat an earlier one nearly, and of the writes that moved their inputs. */
export function repeatedEvents(recording: Recording): ReadonlySet<number> {
  const found = known.get(recording) ?? findRepeated(recording);
  known.set(recording, found);
  return found;
}

function findRepeated(recording: Recording): Set<number> {
  const found = new Set<number>();
  for (const calls of callsOf(recording).values()) {
    if (calls.size <= CALLS) continue;
    const kept: Event[][] = [];
    for (const call of calls.values()) {
      if (kept.some((earlier) => isRepeat(recording, call, earlier, NEAR)))
        for (const { id } of call) found.add(id);
      else if (kept.length < KEPT) kept.push(call);
    }
  }
  if (found.size === 0) return found;
  const writes = new Map<string, Event[]>();
  for (const event of recording.events) {
    if (event.how !== 'write') continue;
    const key = `${event.frame} ${event.name.replaceAll(/\[.*\]$/g, '')}`;
    const own = writes.get(key);
    if (own) own.push(event);
    else writes.set(key, [event]);
  }
  for (const own of writes.values())
    if (own.length > CALLS) for (const { id } of movedIn(recording, own)) found.add(id);
  return found;
}

const nudged = new WeakMap<Recording, ReadonlySet<number>>();

/**
 * What calls computed that repeat an earlier one with inputs moved a little, behind the recorder's back as gradcheck does: the
 * tensors that are not those of that call.
 */
export function nudgedEvents(recording: Recording): ReadonlySet<number> {
  const found = nudged.get(recording) ?? findNudged(recording);
  nudged.set(recording, found);
  return found;
}

function findNudged(recording: Recording): Set<number> {
  const found = new Set<number>();
  const isEqual = (one: Event, other: Event): boolean => {
    const [a, b] = [recording.tensor(one.id), recording.tensor(other.id)];
    return a === null || b === null || a.data.every((x, n) => Object.is(x, b.data[n]));
  };
  for (const calls of callsOf(recording).values()) {
    if (calls.size <= CALLS) continue;
    const kept: (readonly Event[])[] = [];
    for (const call of calls.values()) {
      const first = kept.find((earlier) => isRepeat(recording, call, earlier, MOVED));
      if (first) {
        for (const [n, event] of call.entries()) if (!isEqual(event, first[n])) found.add(event.id);
      } else if (kept.length < KEPT) kept.push(call);
    }
  }
  return found;
}
