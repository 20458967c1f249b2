// What tuples, lists and dicts hold before an edit and after it: gradients that change places there, no number tells.
import { type Key, keyOf } from '../../compare/program/program.ts';
import { sameShape, sizeOf } from '../../engine/tensor.ts';
import { isWhole } from '../align/align.ts';
import { nodeNamed } from '../align/observe.ts';
import { goalsOf } from '../localise/goals.ts';
import { handedFrom } from '../recorded/flow.ts';
import type { Recording } from '../recorded/recording.ts';
import type { Standing } from './progress.ts';

const ELEMENT = /^(.*)\[(?:\d+|'[^']*'|"[^"]*")\]$/;

/** What one tuple, list or dict held at one time. */
interface Held {
  readonly keys: Set<Key>;
  readonly ids: number[];
}

function containersOf({ recording: { events }, judged: { localised } }: Standing): Held[] {
  const held = new Map<string, Held>();
  for (const { id, name, statement, frame, loops, how } of events) {
    const [, container] = ELEMENT.exec(name) ?? [];
    if (container === undefined) continue;
    const place = `${statement} ${frame} ${loops.join()} ${how} ${container}`;
    const all = held.get(place) ?? { keys: new Set(), ids: [] };
    held.set(place, all);
    for (const { entry } of localised.observed[id].found) all.keys.add(entry.key);
    all.ids.push(id);
  }
  return [...held.values()];
}

/** Pairs of elements that are the same, by their places in the program. */
function twinsOf({ recording }: Standing, ids: readonly number[]): [key: string, id: number][] {
  return ids.flatMap((id, n) =>
    ids
      .slice(0, n)
      .filter((other) => isTwin(recording, id, other))
      .map((other): [string, number] => [
        `${placeName(recording, other)} ${placeName(recording, id)}`,
        id,
      ]),
  );
}

/**
 * Whether after an edit a tuple, list or dict holds one gradient of an input twice, and another one nowhere that the
 * program has: it was put in its place. What was there twice before is meant so: a tied weight, two equal paths.
 */
export function holdsTwice(before: Standing, after: Standing): boolean {
  const { covered } = after.judged.localised;
  const goals = goalsOf(after.judged.catalogue.graph).filter(
    (key) => key.startsWith('g:') && covered.has(key),
  );
  const known = new Set(
    containersOf(before).flatMap(({ ids }) => twinsOf(before, ids).map(([key]) => key)),
  );
  const sortOf = (key: Key): string => /^g:(?:\w_)?/.exec(key)![0];
  return containersOf(after).some(({ keys, ids }) => {
    const isMissing = goals.some(
      (goal) =>
        !keys.has(goal) && goals.some((other) => keys.has(other) && sortOf(other) === sortOf(goal)),
    );
    return (
      isMissing &&
      twinsOf(after, ids).some(
        ([key, id]) =>
          !known.has(key) &&
          after.judged.localised.observed[id].found.some(({ entry }) => goals.includes(entry.key)),
      )
    );
  });
}

function isTwin(recording: Recording, one: number, other: number): boolean {
  const [a, b] = [one, other].map((id) => recording.tensor(id));
  if (!a || !b || !sameShape(a.shape, b.shape)) return false;
  return a.data.every((value, at) => value === b.data[at]);
}

/** Elements of tuples, lists and dicts of gradients that are an input itself. */
function inputsAmongGradients(standing: Standing): Set<string> {
  const { recording, judged } = standing;
  const goals = new Set(goalsOf(judged.catalogue.graph));
  const found = new Set<string>();
  for (const { keys, ids } of containersOf(standing)) {
    if (![...keys].some((key) => key.startsWith('g:') && goals.has(key))) continue;
    for (const id of ids)
      for (const { entry } of judged.localised.observed[id].found)
        if (entry.kind === 'value' && goals.has(keyOf(entry.node, 'gradient')))
          found.add(`${placeName(recording, id)} ${entry.key}`);
  }
  return found;
}

/**
 * Whether an edit puts an input among gradients, in the place of its own, which no name tells any more; or the elements of
 * a list that is not blamed into another order.
 */
export function isMisplaced(before: Standing, after: Standing): boolean {
  const inputs = inputsAmongGradients(before);
  if ([...inputsAmongGradients(after)].some((each) => !inputs.has(each))) return true;
  const { recording, missing } = before;
  const statementOf = (id: number): number => recording.events[id].statement;
  const blamed = new Set(missing.flatMap(({ event, seen }) => [event, seen].map(statementOf)));
  const [was, is] = [before, after].map(elementsOf);
  return [...is].some(([container, places]) => {
    const known = was.get(container);
    return (
      known !== undefined &&
      [...places].some(([place, its]) => {
        const own = known.get(place);
        if (own === undefined || blamed.has(statementOf(own))) return false;
        // Parts of one gradient, such as two heads'.
        const keys = new Set(keysOf(before, own));
        return (
          keysOf(after, its).some((key) => keys.has(key)) &&
          !isEqual(before, own, after, its) &&
          [...known.values()].some((other) => isEqual(before, other, after, its))
        );
      })
    );
  });
}

/**
 * Whether an edit puts another output or gradient of an input where a right one is taken, or another shape of it: what is
 * unpacked from a result, printed in a loop or put into a dict there was as it still should be.
 */
export function isTakenElsewhere(before: Standing, after: Standing): boolean {
  const { recording, missing, judged } = before;
  const goals = new Set(goalsOf(judged.catalogue.graph));
  const blamed = new Set(missing.flatMap(({ event, seen }) => [event, seen]));
  const isBlamed = (id: number): boolean =>
    [...handedFrom(recording, id)].some((at) => blamed.has(at)) ||
    judged.localised.consequences.has(id);
  const isOther = (was: Taken, is: Taken): boolean =>
    was.keys.length > 0 &&
    is.keys.length > 0 &&
    !(is.named !== null && is.keys.includes(is.named)) &&
    !(was.keys.some((key) => is.keys.includes(key)) && sameShape(was.shape, is.shape));
  const [was, is] = [before, after].map((standing) => takenBy(standing, goals));
  return [...was].some(([place, taken]) => {
    const now = is.get(place);
    return (
      now?.length === taken.length &&
      !taken.some(({ id }) => blamed.has(id)) &&
      taken.some((each, n) => isOther(each, now[n]) && !isBlamed(each.id))
    );
  });
}

interface Taken {
  readonly id: number;
  readonly shape: readonly number[];
  /** Which outputs and gradients of inputs it is, whole. */
  readonly keys: readonly Key[];
  /** The gradient that it is by its name. */
  readonly named: Key | null;
}

/** By place what was there, time after time. */
function takenBy(
  { recording, judged: { localised } }: Standing,
  goals: ReadonlySet<Key>,
): Map<string, Taken[]> {
  const places = new Map<string, Taken[]>();
  for (const { event, found } of localised.observed) {
    const { id, shape, how } = event;
    if (how === 'expression' || sizeOf(shape) < 2) continue;
    const keys = found
      .filter((each) => goals.has(each.entry.key) && each.entry.role === 'node' && isWhole(each))
      .map(({ entry }) => entry.key);
    const place = placeName(recording, id);
    const taken = places.get(place) ?? [];
    places.set(place, taken);
    const named = nodeNamed(event);
    taken.push({ id, shape, keys, named: named && keyOf(named.node, 'gradient') });
  }
  return places;
}

/** Of each tuple, list or dict its elements by where, when and under which name they were there: lines may have moved. */
function elementsOf({ recording }: Standing): Map<string, Map<string, number>> {
  const { events, statements, functions } = recording;
  const found = new Map<string, Map<string, number>>();
  for (const { id, name, statement, frame, loops, how, shape } of events) {
    const [, container] = ELEMENT.exec(name) ?? [];
    if (container === undefined || sizeOf(shape) < 2) continue;
    const inside = functions[statements[statement].function].name;
    const key = `${inside} ${how} ${container}`;
    const places = found.get(key) ?? new Map<string, number>();
    found.set(key, places.set(`${frame} ${loops.join()} ${name}`, id));
  }
  return found;
}

const keysOf = ({ judged }: Standing, id: number): Key[] =>
  judged.localised.observed[id].found.map(({ entry }) => entry.key);

function isEqual(one: Standing, id: number, other: Standing, its: number): boolean {
  const [a, b] = [one.recording.tensor(id), other.recording.tensor(its)];
  if (!a || !b || !sameShape(a.shape, b.shape)) return false;
  return a.data.every((value, n) => Object.is(value, b.data[n]));
}

/** Function, name and kind: lines may have moved. */
export function placeName({ events, statements, functions }: Recording, id: number): string {
  const { statement, name, how } = events[id];
  return `${functions[statements[statement].function].name} ${how} ${name}`;
}

/**
 * Whether an edit takes away a mask that hides nothing in this run, or all: whether it was meant these numbers do not
 * tell.
 */
export function losesMask(before: Standing, after: Standing): boolean {
  const used = masksUsed(after);
  return [...masksUsed(before)].some((each) => !used.has(each));
}

/**
 * Whether an edit takes away the step of a parameter, or makes it one of length 0: that it came too soon is mended
 * elsewhere.
 */
export function losesStep(before: Standing, after: Standing): boolean {
  const left = stepsIn(after);
  return [...stepsIn(before)].some((each) => !left.has(each));
}

/** Names of what is computed of a parameter and its gradient, and is that parameter no more. */
function stepsIn({ recording: { events }, judged: { localised } }: Standing): Set<string> {
  const { observed } = localised;
  const keysOfEvent = (id: number): Key[] => observed[id].found.map(({ entry }) => entry.key);
  return new Set(
    events.flatMap(({ id, name, how, reads }) => {
      if (how === 'argument' || how === 'expression') return [];
      const read = new Set(reads.flatMap(keysOfEvent));
      const own = new Set(keysOfEvent(id));
      const isStep = [...read].some(
        (key) => key.startsWith('v:') && read.has(`g:${key.slice(2)}`) && !own.has(key),
      );
      return isStep ? [name] : [];
    }),
  );
}

/** Names of truth values that are all the same, and are put to use by some statement. */
function masksUsed({ recording }: Standing): Set<string> {
  const { events } = recording;
  // Where nothing is hidden the result is what it was made of, and its flow tells of no mask.
  const isRead = new Set(
    events.flatMap(({ how, shape, reads }) =>
      how === 'argument' || sizeOf(shape) < 2 ? [] : reads,
    ),
  );
  const found = new Set<string>();
  for (const { id, dtype, shape } of events) {
    if (dtype !== 'bool' || sizeOf(shape) < 2 || !isRead.has(id)) continue;
    const data = recording.tensor(id)?.data;
    if (data?.every((value) => value === data[0])) found.add(placeName(recording, id));
  }
  return found;
}
