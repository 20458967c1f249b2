// Which recorded tensors each one was computed from, and what leads to something right.
import { type Key, keyOf } from '../../compare/program/program.ts';
import { nodeOf } from '../../engine/graph.ts';
import { map, scalar, sizeOf } from '../../engine/tensor.ts';
import type { Catalogue } from '../align/catalogue.ts';
import { Iterated } from './iterated.ts';
import type { Observed } from '../align/observe.ts';
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

/** The statement that computed an event, under whatever name it was handed on. */
function madeAt(recording: Recording, event: Event): number {
  const from = handedOn(recording, event);
  return from === null ? event.statement : madeAt(recording, recording.events[from]);
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
  const iterated = new Iterated(recording);
  const sources = events.map((event): readonly number[] => {
    const from = handedOn(recording, event);
    const isCall =
      event.how === 'update' && recording.statements[event.statement].kind === 'expression';
    const read = isCall
      ? [...ownReads(recording, event), ...readsByName(recording, event)]
      : [...ownReads(recording, event), ...iterated.of(event)];
    const isReplaced = event.alias !== undefined && isOverwritten(recording, event);
    const fresh = isReplaced ? read.filter((each) => !isVersionOf(events, event, each)) : read;
    const own =
      from !== null
        ? [from]
        : event.alias === undefined || isReplaced
          ? fresh
          : [...read, event.alias];
    const written =
      event.how === 'loop-end'
        ? (writes.get(event.id) ?? [])
        : writesThroughViews(recording, event, siblings[event.id]);
    const all = [...own, ...written];
    const distinct = [...new Set(all)].filter((each) => each !== event.id);
    for (const source of distinct) users[source].push(event.id);
    return distinct;
  });
  return { sources, users, siblings };
}

/**
 * Whether a statement replaces all that was in an array, which it reads nowhere: `np.matmul(a, b, out=c)`, `c[:] = a`,
 * `c.fill(0)`.
 */
function isOverwritten({ statements }: Recording, { statement, how, name }: Event): boolean {
  if (how !== 'update' && how !== 'write') return false;
  const { text } = statements[statement];
  const array = name.replace(/\[[:., ]*\]$/, '');
  const own = array.replaceAll(/[^\w]/g, String.raw`\$&`);
  const uses = text.match(new RegExp(String.raw`(?<![\w.])${own}(?!\w)`, 'g')) ?? [];
  const replaces = String.raw`\bout\s*=\s*${own}\s*[,)]|\bcopyto\(\s*${own}\s*,|^${own}\.(copy_|fill_?|zero_)\(|^${own}\[[:., ]*\]\s*=[^=]`;
  return uses.length === 1 && new RegExp(replaces).test(text.trim());
}

/** Whether an event is an earlier content of an array. */
function isVersionOf(events: Recording['events'], { alias }: Event, id: number): boolean {
  return alias !== undefined && [...contentsOf(events, alias)].includes(id);
}

/**
 * What `np.matmul(a, b, out=c)` and the like read: the newest tensors of the names in the statement, of its own call, else
 * of the module, whoever changed them.
 */
function readsByName(
  { events, statements }: Recording,
  { id, statement, frame, name }: Event,
): number[] {
  const { loads } = statements[statement];
  const isGlobal = (at: number): boolean => events[followed(events, at)].frame === 0;
  const newest = (load: string, isOwn: (at: number) => boolean): number[] => {
    for (let at = id - 1; at >= 0; at--) if (events[at].name === load && isOwn(at)) return [at];
    return [];
  };
  return loads.flatMap((load) => {
    if (load === name) return [];
    const own = newest(load, (at) => events[at].frame === frame);
    return own.length > 0 ? own : newest(load, isGlobal);
  });
}

const isNumber = (dtype: string): boolean => /^(int|float|bool)$/.test(dtype);

/** Which of the tensors that a statement read an event is of: an argument, or one of several results, is of its own. */
function ownReads(
  recording: Recording,
  { id, how, reads, shape, dtype }: Event,
): readonly number[] {
  const before = reads.filter((each) => each < id);
  // A size or a factor that is given beside tensors is of none of them.
  if (how === 'argument' && isNumber(dtype))
    return before.filter((read) => recording.events[read].shape.length === 0);
  if (before.length < 2 || (how !== 'argument' && how !== 'write' && how !== 'bind')) return before;
  if (sizeOf(shape) < 2) return before;
  const own = recording.tensor(id)?.data;
  if (!own) return before;
  const isOf = (read: number): boolean => {
    const other = recording.tensor(read)?.data;
    if (!other || other.length < own.length) return false;
    if (other.length > own.length && how !== 'argument') return false;
    const first = other.length === own.length ? 0 : other.indexOf(own[0]);
    if (first < 0) return false;
    if (own.every((value, at) => value === other[first + at])) return true;
    // A part that is not in one piece, or lies transposed, is known by its numbers.
    if (how !== 'argument') return false;
    const all = new Set(other);
    return own.every((value) => all.has(value));
  };
  const found = before.filter((read) => isOf(read));
  return found.length > 0 ? found : before;
}

/** For each loop-end, the writes of its loop into its array. */
function writesByArray({ events }: Recording): Map<number, number[]> {
  const found = new Map<number, number[]>();
  for (const { id, how, alias } of events) {
    if (how !== 'loop-end') continue;
    const writes: number[] = [];
    for (const at of contentsOf(events, alias)) {
      if (events[at].how !== 'write' && events[at].how !== 'update') break;
      writes.push(at);
    }
    found.set(id, writes);
  }
  return found;
}

/** What a statement wrote into views of an array that it does not name: `store(out[n], rows, tile)`. */
function writesThroughViews(
  { events }: Recording,
  { id, how, alias }: Event,
  run: readonly number[],
): number[] {
  if (how !== 'update' || alias === undefined) return [];
  const array = followed(events, alias);
  return run.filter((each) => {
    if (each >= id || events[each].how !== 'write') return false;
    const view = followed(events, each);
    return view !== array && events[view].reads.some((read) => followed(events, read) === array);
  });
}

/** Whether all that was written by one is written by the other too. */
function isWithin({ index: a }: Event, { index: b }: Event): boolean {
  if (!a || !b || a === 'fancy' || b === 'fancy' || a.length < b.length) return false;
  return b.every((part, n) => {
    const own = a[n];
    if (JSON.stringify(own) === JSON.stringify(part)) return true;
    if (typeof part === 'number' || part === null || own === null) return false;
    const [start, stop, step] = part;
    if (step !== 1) return false;
    if (typeof own === 'number') return own >= start && own < stop;
    return own[2] === 1 && own[0] >= start && own[1] <= stop;
  });
}

const placeOf = (name: string, { statement, frame, loops }: Event): string =>
  `${statement} ${frame} ${loops.join()} ${name}`;

/** What each run of a statement in a loop wrote to parts of arrays. */
const placesOf = ({ events }: Recording): ReadonlyMap<string, Event> =>
  new Map(
    events.flatMap((event): [string, Event][] =>
      event.how === 'write' && event.loops.length > 0 ? [[placeOf(event.name, event), event]] : [],
    ),
  );

/**
 * Whether a statement read an array after a part of it was written, and took another part: by the text by which that was
 * written, in an iteration that writes another one.
 */
function readsElsewhere(
  { statements }: Recording,
  placed: ReadonlyMap<string, Event>,
  written: Event,
  user: Event,
): boolean {
  const { how, name, statement } = written;
  if (how !== 'write' || user.how === 'write' || !name.endsWith(']')) return false;
  const own = placed.get(placeOf(name, { ...user, statement }));
  if (!own || isWithin(written, own) || isWithin(own, written)) return false;
  const { text } = statements[user.statement];
  const base = name.slice(0, name.indexOf('[') + 1);
  return text.includes(name) && text.split(base).length === text.split(name).length;
}

/**
 * For each event whether something right was computed from it, and so it was no mistake. A statement that makes several
 * tensors says so only if all of them are right: which of them was computed from which operand is not known.
 */
export function leadsToRight(
  recording: Recording,
  catalogue: Catalogue,
  flow: Flow,
  observed: readonly Observed[],
): boolean[] {
  const { events } = recording;
  const given = givenKeys(catalogue);
  const leads = events.map(() => false);
  const placed = placesOf(recording);
  // What tells nothing, or is given, may have been made of the shape alone.
  const isGood = (id: number, from: number): boolean => {
    const { standing, found } = observed[id];
    // Made of sizes too, whatever was read beside them.
    const isTable = found.length > 0 && found.every(({ entry }) => TABLE.test(entry.title));
    if (standing === 'right' && !isTable) return isTelling(observed[id], given, observed[from]);
    return leads[id] && (standing !== 'neutral' || IN_PLACE.has(events[id].how));
  };
  for (let id = events.length - 1; id >= 0; id--) {
    const event = events[id];
    // All iterations of a statement together: of an array that is wrong in places some will be right.
    const groups = new Map<string, boolean>();
    for (const user of flow.users[id]) {
      const other = events[user];
      // The next write into the same array says nothing of other entries.
      if (other.how === 'write' && event.how === 'write' && !isWithin(event, other)) continue;
      // The next version of an array is of that, whatever else its statement changed.
      const isVersion = other.how === 'update' && other.alias === id;
      if (readsElsewhere(recording, placed, event, other)) continue;
      const isSure =
        handedOn(recording, other) !== null ||
        isVersion ||
        flow.siblings[user].every((each) => isGood(each, id));
      const group = `${other.statement} ${other.frame} ${other.name}`;
      // A sum speaks for what it was before, whatever it is the sum of.
      const isSumOf = other.statement === madeAt(recording, event) && other.name === event.name;
      const isEnd = isSumOf && observed[user].standing === 'right' && !observed[user].added;
      groups.set(group, (groups.get(group) ?? true) && ((isSure && isGood(user, id)) || isEnd));
    }
    leads[id] = [...groups.values()].includes(true);
  }
  return leads;
}

const IN_PLACE = new Set(['write', 'update', 'loop-end']);

/** Forms that come out right of much that is wrong, or that are given and were made of a shape alone. */
const LOSSY = /^((log2\(e\) )?row maxima|−?the target$)/;

/** Tables of positions. */
const TABLE = /^(−?RoPE’s|ALiBi’s) /;

/**
 * Whether it speaks for what it was computed from. Inputs do not, which are made of sizes; nor do maxima, nor gradients
 * of biases, but for what they are the sum of: the weights of a query sum to 1 whatever they are.
 */
const isTelling = (
  { standing, found, pieces }: Observed,
  given: ReadonlySet<Key>,
  from: Observed,
): boolean => {
  const parts = new Set(from.found.map(({ entry }) => entry.key));
  const speaks = (key: Key): boolean => (key.startsWith('g:b_') ? parts.has(key) : !given.has(key));
  // The given gradient is also that of what it goes on to unchanged, as past the attention.
  const isGiven = found.some(
    ({ entry: { role, kind, key } }) => role === 'node' && kind === 'gradient' && given.has(key),
  );
  return (
    standing === 'right' &&
    !isGiven &&
    [...found, ...pieces].some(({ entry: { key, title } }) => speaks(key) && !LOSSY.test(title))
  );
};

/** Keys of what a program is given, not what it computes. */
function givenKeys({ graph, state }: Catalogue): Set<Key> {
  const inputs = graph.nodes
    .filter(({ kind }) => kind === 'input')
    .map(({ id }) => keyOf(id, 'value'));
  const loss = nodeOf(graph, 'f');
  if (loss.kind !== 'operation') return new Set(inputs);
  // An upstream gradient that is the same for other outputs was not computed from them.
  const y = state.value('y');
  const other = map(y, (value) => 2 * value + 1);
  const [own, another] = [y, other].map(
    (each) =>
      loss.operation.vjp({ inputs: [each], output: loss.operation.forward([each]) }, scalar(1))[0],
  );
  const isGiven = own.data.every((value, at) => value === another.data[at]);
  return new Set(isGiven ? [...inputs, 'g:y', 'g:C', 'g:O'] : inputs);
}

/** Everything that was computed from some events, themselves included. */
export function cone(flow: Flow, from: readonly number[]): Set<number> {
  const found = new Set(from);
  for (const id of found) for (const user of flow.users[id]) found.add(user);
  return found;
}

/** The event whose statement an event is told at: what a call computes for a parameter is of the calling statement. */
export function tellingEvent({ events }: Recording, id: number): number {
  const event = events[id];
  if (event.how !== 'argument') return id;
  const caller = events.find(
    (other) =>
      other.id > id &&
      other.frame !== event.frame &&
      (other.reads.some(
        (read) => events[read].frame === event.frame && events[read].how === 'return',
      ) ||
        isMadeIn(events, other, event.frame)),
  );
  return caller ? tellingEvent({ events } as Recording, caller.id) : id;
}

/** Whether an object that a call made is named by its caller: a constructor returns nothing. */
const isMadeIn = (
  events: Recording['events'],
  { how, alias, name }: Event,
  frame: number,
): boolean =>
  how === 'bind' &&
  alias !== undefined &&
  events[alias].frame === frame &&
  events[alias].how === 'bind' &&
  events[alias].name.startsWith('self.') &&
  name.includes('.');

/** An event, and back to what its array held under whatever name before each statement that named or changed it. */
export function* contentsOf(
  events: readonly Event[],
  id: number | undefined,
): Generator<number, void> {
  for (let at = id; at !== undefined; at = events[at].alias) yield at;
}

/** An event, and back to those that it was handed on from. */
export function* handedFrom(recording: Recording, id: number): Generator<number, void> {
  for (let at: number | null = id; at !== null; at = handedOn(recording, recording.events[at]))
    yield at;
}

/** Back along the names of an object, from event to event, while `goesOn`: to the one that made its memory. */
export function followed(
  events: readonly Event[],
  id: number,
  goesOn: (event: Event) => boolean = () => true,
): number {
  let at = id;
  for (;;) {
    const { alias } = events[at];
    if (alias === undefined || alias === at || !goesOn(events[at])) return at;
    at = alias;
  }
}
