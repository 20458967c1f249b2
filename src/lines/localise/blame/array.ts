// Arrays that several statements write: which of them spoilt it, where it began, under which names it goes.
import { strides, type Tensor } from '../../../engine/tensor.ts';
import { tellingOf } from '../../align/align.ts';
import { followed, handedOn } from '../../recorded/flow.ts';
import type { Event } from '../../recorded/recording.ts';
import { pickedPlace } from '../names/picked.ts';
import type { Field, Suspect } from '../suspects.ts';
import { offsetsAt } from '../../recorded/versions.ts';
import { sharedWith } from '../gradients/fused.ts';
import type { Blame } from './common.ts';

/** The first event of the array that an event is a version of. */
export const rootOf = ({ recording: { events } }: Field, id: number): number =>
  followed(events, id, ({ how, same }) => how !== 'bind' || same !== undefined);

/** The statement in a loop whose own part of an array is wrong, where other statements' parts are right. */
export function wrongPart(field: Field, { event, why }: Suspect): Blame | null {
  const { recording, aligner, flow } = field;
  const { events } = recording;
  const own = events[event];
  const tensor = recording.tensor(event);
  if (why !== 'sum' || own.how !== 'loop-end' || !tensor) return null;
  const writers = new Map<number, { first: number; places: Set<number> }>();
  for (const source of flow.sources[event]) {
    const { how, index, statement } = events[source];
    if (how !== 'write' || index === undefined || index === 'fancy') continue;
    const places = offsetsAt(own.shape, index);
    if (!places) return null;
    const writer = writers.get(statement) ?? { first: source, places: new Set<number>() };
    for (const place of places) writer.places.add(place);
    writers.set(statement, { ...writer, first: Math.min(writer.first, source) });
  }
  if (writers.size < 2) return null;
  const wrong = [...writers.values()].filter(({ places }) => {
    const part = boxOf(tensor, places);
    if (!part) return true;
    return aligner.align(part, tellingOf(part)).every(({ entry }) => entry.role === 'partial');
  });
  if (wrong.length === 0 || wrong.length === writers.size) return null;
  const [{ first }] = wrong.sort((a, b) => a.first - b.first);
  return { event: first, note: 'its part of the array is wrong, what the others write is right' };
}

/** The entries at some offsets, which must be all those of some indices of each axis; null where they are not. */
function boxOf({ shape, data }: Tensor, places: ReadonlySet<number>): Tensor | null {
  const steps = strides(shape);
  const used = shape.map(() => new Set<number>());
  for (const place of places)
    for (const [axis, step] of steps.entries())
      used[axis].add(Math.floor(place / step) % shape[axis]);
  const sorted = used.map((each) => [...each].sort((a, b) => a - b));
  const size = sorted.reduce((total, { length }) => total * length, 1);
  if (size !== places.size) return null;
  const part = new Float64Array(size);
  for (let at = 0; at < size; at++) {
    let [rest, from] = [at, 0];
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const { length } = sorted[axis];
      from += sorted[axis][rest % length] * steps[axis];
      rest = Math.floor(rest / length);
    }
    part[at] = data[from];
  }
  return { shape: sorted.map(({ length }) => length), data: part };
}

/** The part of an array that was picked for right terms to be added to, where they come out wrong. */
export function wrongPlace(field: Field, { event }: Suspect): Blame | null {
  const at = pickedPlace(field, event);
  if (at === null) return null;
  return {
    event: at,
    note: 'what is added here is right, and belongs to another part of the array',
  };
}

/** A sum of right terms that did not start from zero. */
export function wrongStart(field: Field, { event }: Suspect): Blame | null {
  const { recording, observed } = field;
  const { events, statements } = recording;
  const { statement, name, frame } = events[event];
  const { kind, text, loads } = statements[statement];
  const isSum = kind === 'augmented' ? /[^*/@%]\s*\+=/.test(text) : loads.includes(name);
  if (!isSum) return null;
  let start: Event | undefined;
  for (let id = event - 1; id >= 0 && !start; id--) {
    const other = events[id];
    if (other.frame === frame && other.name === name && other.statement !== statement)
      start = other;
  }
  if (!start || start.how !== 'bind' || handedOn(recording, start) !== null) return null;
  const other = kind === 'augmented' ? startsOtherwise(field, event, start.id) : null;
  if (other) return other;
  const data = recording.tensor(start.id)?.data;
  if (!data || data.length === 0 || observed[start.id].standing !== 'neutral') return null;
  const [first] = data;
  if (first === 0 || !Number.isFinite(first) || data.some((value) => value !== first)) return null;
  return { event: start.id, note: `the sum starts from ${first}` };
}

/** A sum that is right but for what it began with, which is nothing of its own. */
function startsOtherwise(field: Field, event: number, start: number): Blame | null {
  const { recording, observed, aligner } = field;
  const [sum, first] = [recording.tensor(event), recording.tensor(start)];
  if (!sum || !first || sum.shape.join() !== first.shape.join() || sum.data.length < 2) return null;
  if (first.data.every((value) => value === 0)) return null;
  const rest = { shape: sum.shape, data: sum.data.map((value, at) => value - first.data[at]) };
  const keys = aligner.align(rest, tellingOf(rest)).map(({ entry }) => entry.key);
  const own = observed[start].found.map(({ entry }) => entry.key);
  if (keys.length === 0 || own.some((key) => keys.includes(key))) return null;
  const { name } = recording.events[start];
  return { event: start, note: `${name} is right but for what it starts from` };
}

/** Two names for one array, both of which are written to or read as something of their own. */
export function sharedArray(field: Field, { event }: Suspect): Blame | null {
  const { recording, flow } = field;
  const { events } = recording;
  const { frame } = events[event];
  const roots = new Set([event, ...flow.sources[event]].map((each) => rootOf(field, each)));
  for (const root of roots) {
    const versions = events.filter(
      (each) => each.frame === frame && rootOf(field, each.id) === root,
    );
    const names = versions.filter(({ how, name }) => how === 'bind' && /^\w+$/.test(name));
    const second = names.find(
      ({ name }, n) => n > 0 && names.slice(0, n).some((other) => other.name !== name),
    );
    if (!second || second.id > event) continue;
    const first = names.find(({ name }) => name !== second.name)!;
    const written = versions.filter(
      ({ how, id }) => (how === 'update' || how === 'write') && id > second.id,
    );
    if (written.length === 0 || !isApart(field, first, second)) continue;
    const spoilt = versions.find(
      ({ how, id, name }) =>
        how === 'update' && id > first.id && id < second.id && name === first.name,
    );
    return {
      event: spoilt?.id ?? second.id,
      note: `${first.name} and ${second.name} are one and the same array`,
    };
  }
  return null;
}

/** Whether one statement uses both names, or each name is given to another one to add to. */
function isApart({ recording: { statements, events } }: Field, a: Event, b: Event): boolean {
  const own = statements[events[b.id].statement].function;
  const inside = statements.filter((each) => each.function === own);
  const added = (name: string): boolean =>
    inside.some(({ kind, targets }) => kind === 'augmented' && targets.includes(name));
  if (added(a.name) && added(b.name)) return true;
  const filled = (name: string): boolean =>
    inside.some(
      ({ kind, targets }) =>
        kind === 'assign' && targets.some((target) => target.startsWith(`${name}[`)),
    );
  if (filled(a.name) && filled(b.name)) return true;
  return inside.some(({ loads }) => loads.includes(a.name) && loads.includes(b.name));
}

/** Parts that are joined in another layout than what they are the gradients of: where the views were made, if any were. */
export function otherwiseJoined(field: Field, { event }: Suspect): Blame | null {
  const { recording, observed } = field;
  const { events } = recording;
  if (!observed[event].otherwise) return null;
  const note = 'its parts are right, and laid out otherwise than what it is the gradient of';
  if (events[event].how === 'bind') return { event, note };
  const [array, ...views] = sharedWith(recording, event);
  const { frame } = events[array];
  const first = views.find((view) => events[view].frame === frame && view < event);
  return { event: first ?? event, note };
}
