// Whether an edited program is better than before: more of the right numbers, and none of those lost that were there.
import { type Key, keyOf } from '../../compare/program/program.ts';
import { nodeOf } from '../../engine/graph.ts';
import { sizeOf } from '../../engine/tensor.ts';
import { type Alignment, isReordered, isWhole as isAllOf } from '../align/align.ts';
import { ancestorsOf, askedFor, coveredKeys, goalsOf, isNothing } from '../localise/goals.ts';
import type { Judged } from '../judge.ts';
import { handedFrom } from '../recorded/flow.ts';
import { isAsFound, nodeNamed, type Observed } from '../align/observe.ts';
import type { Event, Recording } from '../recorded/recording.ts';
import {
  holdsTwice,
  isMisplaced,
  isTakenElsewhere,
  losesMask,
  losesStep,
  placeName,
} from './held.ts';

/** Something that was to come out and has not. */
export interface Missing {
  /** At whose statement the mistake may be, and where it was seen. */
  readonly event: number;
  readonly seen: number;
  /** What it was to be; null where that is not known. */
  readonly key: Key | null;
}

export interface Standing {
  readonly recording: Recording;
  readonly judged: Judged;
  /** Nodes and gradients of which every entry was recorded. */
  readonly covered: ReadonlySet<Key>;
  /** The same without what autograd has of gradients that the program computes itself beside it. */
  readonly own: ReadonlySet<Key>;
  /** What is wrong, and what the program has a name for and never has; the first one first. */
  readonly missing: readonly Missing[];
}

export function standingOf(recording: Recording, judged: Judged): Standing {
  let missing: Missing[] | undefined;
  let own: ReadonlySet<Key> | undefined;
  return {
    ...{ recording, judged, covered: judged.localised.covered },
    get own() {
      return (own ??= coveredByHand(recording, judged));
    },
    // Of most edits that are tried nobody asks what is wrong after them.
    get missing() {
      return (missing ??= missingOf(judged));
    },
  };
}

function missingOf(judged: Judged): Missing[] {
  const blamed = judged.localised.wrong.flatMap(({ event, seen, node, kind, beside = [] }) => [
    { ...{ event, seen }, key: node !== null && kind !== 'other' ? keyOf(node, kind) : null },
    ...beside.map((each) => ({
      ...{ event: each.event, seen: each.event, key: keyOf(each.node, each.kind) },
    })),
  ]);
  const known = new Set(blamed.map(({ key }) => key));
  return [...blamed, ...namedGoals(judged).filter(({ key }) => !known.has(key))];
}

/**
 * Outputs and gradients of inputs that nothing recorded is, though a tensor of their size bears their name: what it holds
 * instead may be right as something else, or tell nothing.
 */
function namedGoals({ catalogue, localised: { observed, covered } }: Judged): Missing[] {
  const open = goalsOf(catalogue.graph).filter((key) => !covered.has(key));
  if (open.length === 0) return [];
  const byName = new Map<Key, Map<string, Observed>>();
  for (const each of observed) {
    const { how } = each.event;
    const key = how === 'argument' || how === 'expression' ? null : goalNamed(each);
    if (!key || !open.includes(key) || each.standing === 'unknown') continue;
    const parts = byName.get(key) ?? new Map<string, Observed>();
    byName.set(key, parts.set(each.event.name, each));
  }
  return open.flatMap((key): Missing[] => {
    const parts = [...(byName.get(key)?.values() ?? [])];
    const size = sizeOf(nodeOf(catalogue.graph, key.slice(2)).shape);
    const isOne = parts.find(({ event }) => sizeOf(event.shape) === size);
    const elements = parts.filter(({ event }) => /\[\d+\]$/.test(event.name));
    const all = elements.reduce((sum, { event }) => sum + sizeOf(event.shape), 0);
    const told = isOne ?? (all === size ? elements[0] : undefined);
    if (!told || size < 2) return [];
    const { id } = told.event;
    return [{ event: id, seen: id, key }];
  });
}

/** What bears an input's name and is not the input is its gradient. */
function goalNamed({ event, found, standing }: Observed): Key | null {
  const named = nodeNamed(event);
  if (!named) return null;
  const key = keyOf(named.node, named.kind);
  const isValue = named.kind === 'value' && named.node !== 'y';
  if (!isValue) return key;
  const isItself = found.some(({ entry }) => entry.key === key) || standing === 'free';
  return isItself ? null : keyOf(named.node, 'gradient');
}

/** Recorded tensors that are right. */
export const rightTensors = ({ judged }: Standing): number =>
  judged.localised.observed.filter(({ standing }) => standing === 'right' || standing === 'partial')
    .length;

/** Whether nothing is wrong any more, nothing that has a name is missing, and no result may be what is missing else. */
const isWhole = (before: Standing, standing: Standing): boolean =>
  standing.judged.localised.verdict === 'match' &&
  standing.missing.length === 0 &&
  !holdsTwice(before, standing) &&
  !isMisplaced(before, standing) &&
  !isTakenElsewhere(before, standing) &&
  !losesMask(before, standing) &&
  !losesStep(before, standing) &&
  !isSpoilt(standing) &&
  !isSpoiltBeside(before, standing) &&
  (isComplete(before, standing) || !(hasLooseEnds(standing) || isCut(standing)));

/** Not all of it was recorded. */
const isCut = ({ recording: { leftOut } }: Standing): boolean =>
  leftOut.events > 0 || leftOut.bytes > 0;

/** Whether all outputs and gradients are there that a program asks for, before an edit or after it. */
function isComplete(before: Standing, after: Standing): boolean {
  const goals = goalsOf(after.judged.catalogue.graph);
  const there = after.own;
  return [before.judged, after.judged].every(({ localised: { observed } }) =>
    askedFor(goals, observed).every((key) => there.has(key)),
  );
}

/**
 * What is there; of a program that computes gradients itself and has autograd's beside them, to compare, without those: they
 * are right whatever its own are.
 */
function coveredByHand(recording: Recording, { catalogue, localised }: Judged): ReadonlySet<Key> {
  const { covered } = localised;
  const { events, statements } = recording;
  const isGrad = ({ how, name, statement }: Event): boolean =>
    how === 'gradient' ||
    (how === 'leaf' && name.endsWith('.grad')) ||
    /\bautograd\.grad\(/.test(statements[statement].text);
  const isOfAutograd = ({ event }: Observed): boolean =>
    [...handedFrom(recording, event.id)].some((at) => isGrad(events[at]));
  if (!events.some(isGrad)) return covered;
  const own = localised.observed.filter((each) => !isOfAutograd(each));
  const there = coveredKeys(catalogue, own);
  // Where nothing but rounding is to come out it is there whatever the program does.
  const isByHand = goalsOf(catalogue.graph).some(
    (key) => key.startsWith('g:') && there.has(key) && !isNothing(catalogue, key),
  );
  return isByHand ? there : covered;
}

/**
 * Whether a loop leaves something else where it had the gradient that its array is named for: a part was added once more
 * when all of it was there.
 */
function isSpoilt({ judged: { localised, catalogue } }: Standing): boolean {
  const goals = new Set(goalsOf(catalogue.graph));
  const spoilt = new Set<Key>();
  for (const each of localised.observed) {
    const { how, shape } = each.event;
    const named = how === 'argument' ? null : nodeNamed(each.event);
    if (named?.kind !== 'gradient' || !goals.has(keyOf(named.node, 'gradient'))) continue;
    const key = keyOf(named.node, 'gradient');
    const isAll = sizeOf(shape) === sizeOf(nodeOf(catalogue.graph, named.node).shape);
    if (each.standing === 'right') spoilt.delete(key);
    else if (how === 'loop-end' && each.standing === 'off' && isAll) spoilt.add(key);
  }
  return spoilt.size > 0;
}

/**
 * Whether what was right and is handed on to nobody, such as a copy that is kept, is something else after an edit: it
 * changed in place what that was made of.
 */
function isSpoiltBeside(before: Standing, after: Standing): boolean {
  const { observed, consequences, flow } = before.judged.localised;
  const statementOf = (id: number): number => before.recording.events[id].statement;
  const blamed = new Set(
    before.missing.flatMap(({ event, seen }) => [event, seen].map(statementOf)),
  );
  const places = keysByPlace(after);
  return observed.some((each) => {
    const { event, standing, found } = each;
    const { id, statement, how } = event;
    const isKept = how === 'bind' || how === 'return';
    const isOpen = isKept && flow.users[id].length === 0 && standing === 'right';
    if (!isOpen || blamed.has(statement) || consequences.has(id)) return false;
    const keys = found.filter((one) => one.entry.role === 'node' && isAllOf(one));
    const there = places.get(placeName(before.recording, id));
    if (keys.length === 0 || there === undefined) return false;
    // What its name says is there now.
    const named = goalNamed(each);
    const isOwn = ({ entry }: Alignment): boolean => there.has(entry.key);
    return !keys.some(isOwn) && (named === null || !there.has(named));
  });
}

/** Something that was computed, is not right, and is used for nothing: it may have been to be an output or a gradient. */
function hasLooseEnds({ recording, judged: { localised, catalogue } }: Standing): boolean {
  const { observed, flow, covered } = localised;
  const repeated = repeatedResults(recording, observed);
  // What autograd tells of a node is no result of its own where that gradient is there as a whole.
  const isTold = ({ event: { of, how } }: Observed): boolean =>
    how === 'gradient' &&
    of !== undefined &&
    partsOf(observed[of]).length > 0 &&
    partsOf(observed[of]).every(({ entry }) => covered.has(keyOf(entry.node, 'gradient')));
  const { graph } = catalogue;
  const open = goalsOf(graph).filter((key) => !covered.has(key));
  const sizes = new Set(open.map((key) => sizeOf(nodeOf(graph, key.slice(2)).shape)));
  // A part of what is there as a whole, as large as what is not.
  const isInPlaceOf = ({ found, pieces, event }: Observed): boolean =>
    sizes.has(sizeOf(event.shape)) &&
    pieces.length === 0 &&
    found.length > 0 &&
    found.every((each) => covered.has(each.entry.key) && !isAllOf(each));
  return observed.some((each) => {
    const { event, standing } = each;
    const isLoose = event.how === 'loop-end' || flow.users[event.id].length === 0;
    const isRight = standing !== 'off' && standing !== 'partial' && !isInPlaceOf(each);
    if (isRight || !isLoose || sizeOf(event.shape) <= 1 || isTold(each)) return false;
    return !repeated.has(resultOf(event));
  });
}

/** What a statement gives under one name and of one shape, whichever element of a list it is. */
const resultOf = ({ statement, name, how, shape }: Event): string =>
  `${statement} ${how} ${name.replaceAll(/\[\d+\]/g, '[]')} ${shape.join()}`;

/**
 * What further steps of a training give, of which the first one gave what is right, and the parameters that they have: no
 * setup tells of their numbers.
 */
function repeatedResults({ events }: Recording, observed: readonly Observed[]): Set<string> {
  const found = new Set<string>();
  for (const { event, found: parts } of observed) {
    if (parts.some((each) => each.entry.role === 'node' && isAllOf(each) && !isReordered(each)))
      found.add(resultOf(event));
    const read = event.reads.flatMap((id) => observed[id].found.map(({ entry }) => entry.key));
    const isStep = read.some((key) => key.startsWith('v:') && read.includes(`g:${key.slice(2)}`));
    if (isStep && events[event.id].how !== 'argument') found.add(resultOf(event));
  }
  return found;
}

/** What it is, or what it is joined of. */
const partsOf = ({ found, pieces }: Observed): readonly Alignment[] =>
  found.length > 0 ? found.slice(0, 1) : pieces;

const includes = (all: ReadonlySet<Key>, some: Iterable<Key>): boolean => {
  for (const key of some) if (!all.has(key)) return false;
  return true;
};

/** All that is right and has to stay so: not what a wrong statement gave, such as dZ in the place of dS. */
function keptBy({ recording: { events }, judged, covered, missing }: Standing): Key[] {
  const { observed, consequences } = judged.localised;
  const blamed = new Set(missing.flatMap((each) => [each.event, each.seen]));
  const statements = new Set([...blamed].map((id) => events[id].statement));
  const elsewhere = new Set(goalsOf(judged.catalogue.graph));
  for (const { event, found, pieces } of observed)
    if (!statements.has(event.statement) && !consequences.has(event.id))
      for (const { entry } of [...found, ...pieces]) elsewhere.add(entry.key);
  // What is given an edit does not spoil; beside other tensors it may be too small to be recognised.
  const isGiven = (key: Key): boolean =>
    key.startsWith('v:') && nodeOf(judged.catalogue.graph, key.slice(2)).kind === 'input';
  return [...covered].filter((key) => elsewhere.has(key) && !isGiven(key));
}

/** A number that is none where it has no effect is one all the same; but not what was in memory before. */
function tensorsWithNaN({ recording }: Standing): number {
  const asFound = new Set<number>();
  return recording.events.filter((event) => {
    const isOld = isAsFound(recording, event) || asFound.has(event.alias ?? -1);
    if (isOld) asFound.add(event.id);
    return !isOld && recording.tensor(event.id)?.data.some(Number.isNaN);
  }).length;
}

/**
 * right: nothing is wrong any more, and what was wrong has come out. better: more is right, and nothing that was right is
 * wrong. A program from which the wrong tensor was only taken away, or that holds something else in its place, is neither.
 */
export function compareStandings(
  before: Standing,
  after: Standing,
): 'right' | 'better' | 'neither' {
  if (after.recording.exit.code !== before.recording.exit.code) return 'neither';
  const lost = keptBy(before).filter((key) => !after.covered.has(key));
  if (tensorsWithNaN(after) > tensorsWithNaN(before)) return 'neither';
  // What is right by hand may be what autograd had already.
  const gained = after.covered.size + after.own.size - before.covered.size - before.own.size;
  if (!isWhole(before, after))
    return gained > 0 && lost.length === 0 && !isTakenElsewhere(before, after)
      ? 'better'
      : 'neither';
  if (lost.length > 0 && !isReplaced(before, after, lost)) return 'neither';
  return hasComeOut(before, after, gained > 0) ? 'right' : 'neither';
}

/** Whether where each of these was another node is now: dZ in the place of dS is right, and not what was to be there. */
function isReplaced(before: Standing, after: Standing, lost: readonly Key[]): boolean {
  const goals = new Set(goalsOf(before.judged.catalogue.graph));
  const places = keysByPlace(after);
  return lost.every(
    (key) =>
      !goals.has(key) &&
      before.judged.localised.observed.every(
        ({ event, found }) =>
          !found.some(({ entry }) => entry.key === key) ||
          (places.get(placeName(before.recording, event.id))?.size ?? 0) > 0,
      ),
  );
}

/**
 * Whether what was wrong is now there: of outputs and gradients of inputs every one that was blamed, somewhere; where
 * nothing was gained by the edit, all that was blamed, whole and at the very place.
 */
function hasComeOut(before: Standing, after: Standing, isMore: boolean): boolean {
  const { missing } = before;
  const meant = missing.flatMap(({ key }) => key ?? []);
  const { graph } = before.judged.catalogue;
  const goals = new Set(goalsOf(graph));
  // A program that breaks off before what depends on it, or is recorded until there, shows nothing.
  const ancestors = ancestorsOf(graph);
  const isSeen = (key: Key): boolean =>
    after.covered.has(key) ||
    [...goals].some((goal) => after.covered.has(goal) && ancestors.get(goal)!.has(key));
  if (meant.length > 0 ? !meant.every(isSeen) : ![...goals].some((goal) => after.covered.has(goal)))
    return false;
  if (isMore)
    return includes(
      after.covered,
      meant.filter((key) => goals.has(key)),
    );
  const places = keysByPlace(after);
  return (
    includes(after.covered, meant) &&
    meant.length > 0 &&
    meant.length === missing.length &&
    missing.every(({ event, seen }, n) =>
      [event, seen].some((id) => places.get(placeName(before.recording, id))?.has(meant[n])),
    )
  );
}

/** Of each place what is recorded there. */
function keysByPlace({ recording, judged }: Standing): Map<string, Set<Key>> {
  const places = new Map<string, Set<Key>>();
  for (const { event, found } of judged.localised.observed) {
    const name = placeName(recording, event.id);
    const keys = places.get(name) ?? new Set();
    places.set(name, keys);
    for (const { entry } of found) if (entry.role !== 'partial') keys.add(entry.key);
  }
  return places;
}
