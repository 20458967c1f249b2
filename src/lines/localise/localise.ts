// Which statement goes wrong first: the root cause, and what only follows from it.
import type { NodeId } from '../../engine/graph.ts';
import { type Key, type Kind } from '../../compare/program/program.ts';
import { sizeOf } from '../../engine/tensor.ts';
import { addedAgain } from './gradients/addedAgain.ts';
import { arraysMadeAnew, assignedNumbers, assignedParts } from './gradients/assigned.ts';
import { accumulated, autogradSuspect } from './gradients/autograd.ts';
import { blameOf } from './blame.ts';
import { isUsedRightly } from './blame/asWritten.ts';
import { callingStatement } from './blame/calls.ts';
import { originOf } from './blame/common.ts';
import {
  exchangedElements,
  exchangedReturns,
  type Mistaken,
  mistakenNames,
  returnsInOrder,
} from './names/mistaken.ts';
import { Contents } from '../align/contents.ts';
import type { Catalogue } from '../align/catalogue.ts';
import { brokenOff } from '../tell/brokenOff.ts';
import { wrongByHand } from '../tell/byHand.ts';
import { cutShort } from './gradients/cutShort.ts';
import { discarded } from './gradients/discarded.ts';
import { duplicateIndices } from './gradients/duplicates.ts';
import { expected } from './expected.ts';
import { cone, type Flow, flowOf, leadsToRight, tellingEvent } from '../recorded/flow.ts';
import { withoutOtherLayouts } from './gradients/fused.ts';
import { gatherNumbers } from '../recorded/gathered.ts';
import { askedFor, coveredKeys, goalsOf } from './goals.ts';
import { withoutInverses } from './gradients/inverses.ts';
import { transposedGradients, unmergedOutputs } from './names/laidOut.ts';
import { levelledGradients } from './gradients/levelled.ts';
import { lostParts } from './gradients/lost.ts';
import { multipleMistake } from './multiple.ts';
import { type Content, type Observed, Observer } from '../align/observe.ts';
import { isInteger, type Recording } from '../recorded/recording.ts';
import { exchangedPairs } from './gradients/paired.ts';
import { clearedPass } from './gradients/passes.ts';
import { misplacedResets } from './gradients/resets.ts';
import { replacedParts } from './gradients/replaced.ts';
import { strayAdditions } from './gradients/stray.ts';
import { isIn } from '../recorded/sizes.ts';
import { type Slip, slipsOf } from '../recorded/sweeps.ts';
import { type Field, type Suspect, suspectsOf } from './suspects.ts';
import { namedAfterInputs } from './names/namedAfter.ts';
import { oneArray } from './blame/kept.ts';
import { exchangedTables } from './names/tables.ts';
import { wrongUpstream } from './blame/unknown.ts';
import { addTiles } from '../align/tiles.ts';
import { shownInPart, unfinished } from './gradients/unfinished.ts';

export interface Wrong {
  /** The event at whose statement the mistake is. */
  readonly event: number;
  readonly node: NodeId | null;
  readonly kind: Kind | 'other';
  readonly note: string;
  /** The statement where it is told, where that is not the event's. */
  readonly statement?: number;
  /** The event that was seen to be wrong; another one where its operand is to blame. */
  readonly seen: number;
  /** What else the same statement puts in the place of another one, and what belongs there. */
  readonly beside?: readonly Placed[];
}

export type Placed = Pick<Mistaken, 'event' | 'node' | 'kind' | 'note'>;

export interface Localised {
  readonly verdict: 'match' | 'diverges' | 'unaligned';
  readonly observed: readonly Observed[];
  readonly flow: Flow;
  readonly covered: ReadonlySet<Key>;
  /** The mistakes, the first one first. */
  readonly wrong: readonly Wrong[];
  /** Events that follow from them. */
  readonly consequences: ReadonlySet<number>;
}

/** `contents` are kept from one run to the next. */
export function localise(
  recording: Recording,
  catalogue: Catalogue,
  contents = new Contents<Content>(),
): Localised {
  const observer = new Observer(recording, catalogue, contents);
  let observed = observer.observe();
  const paddings = addTiles(catalogue, observed, recording);
  if (paddings) {
    observer.refresh(paddings);
    observed = observer.observe();
  }
  const { aligner } = observer;
  const gathered = gatherNumbers(recording, aligner, observed);
  const flow = flowOf(recording);
  observed = withoutInverses(recording, flow, withoutOtherLayouts(gathered.observed));
  const { sweeps } = gathered;
  const covered = coveredKeys(catalogue, observed);
  const leads = leadsToRight(recording, catalogue, flow, observed);
  const byHand = wrongByHand(recording, catalogue, observed, flow, leads);
  for (const key of byHand) covered.delete(key);
  const goals = askedFor(goalsOf(catalogue.graph), observed);
  const field: Field = {
    recording,
    catalogue,
    aligner,
    observed,
    sweeps,
    flow,
    leads,
    covered,
    goals,
  };
  const assigned = assignedParts(field);
  const suspects = suspectsOf(field).filter((each) => isSuspected(field, each, assigned));
  // Whom to blame takes long, and of most edits that are tried nobody asks.
  let known: Wrong[] | undefined;
  const wrongs = (): Wrong[] =>
    (known ??=
      [
        wrongOf(field, suspects, assigned, new Set(byHand)),
        duplicateIndices(field),
        discarded(field),
      ].find(({ length }) => length > 0) ?? []);
  let reached: ReadonlySet<number> | undefined;
  return {
    ...{ observed, flow, covered },
    get verdict() {
      if (suspects.length > 0 || wrongs().length > 0) return 'diverges';
      return isAligned(field) ? 'match' : 'unaligned';
    },
    get wrong() {
      return wrongs();
    },
    get consequences() {
      return (reached ??= cone(
        flow,
        wrongs().flatMap((each) => [each.seen, each.event]),
      ));
    },
  };
}

const isAligned = ({ observed, catalogue }: Field): boolean =>
  observed.some(({ found, pieces }) =>
    [...found, ...pieces].some(
      ({ entry }) => entry.role === 'node' && !isInput(catalogue, entry.node),
    ),
  );

const isInput = ({ graph }: Catalogue, id: NodeId): boolean =>
  graph.nodes.some((node) => node.id === id && node.kind === 'input');

/** Of a statement in loops more runs that go wrong tell no more. */
const MOST_RUNS = 8;

const sinceOf = ({ event, since }: Mistaken): number => Math.min(event, since ?? event);

type Assigned = ReturnType<typeof assignedParts>;

const isSuspected = (field: Field, each: Suspect, assigned: Assigned): boolean =>
  !assigned.some(({ runs }) => runs.has(each.event)) &&
  !(isOfTokensAlone(field, each.event) && expected(field, each.event, each).kind === 'gradient');

/** Sure suspects before doubtful ones, statements before what autograd makes of them; some where there are suspects. */
function wrongOf(
  field: Field,
  suspects: readonly Suspect[],
  assigned: Assigned,
  byHand: ReadonlySet<Key>,
): Wrong[] {
  const mistaken = [
    ...mistakenNames(field),
    ...exchangedReturns(field),
    ...returnsInOrder(field),
    ...exchangedElements(field),
    ...transposedGradients(field),
    ...unmergedOutputs(field),
    ...exchangedTables(field),
    ...namedAfterInputs(field),
    ...exchangedPairs(field),
  ].sort((a, b) => sinceOf(a) - sinceOf(b));
  const [earliest] = mistaken;
  const isFirst =
    earliest && !suspects.some(({ event, isDoubtful }) => event < sinceOf(earliest) && !isDoubtful);
  if (isFirst) return oneEach(field, mistaken);
  const slips = [
    ...slipsOf(field),
    ...cutShort(field),
    ...arraysMadeAnew(field),
    ...lostParts(field),
    ...assigned,
    ...assignedNumbers(field),
    ...misplacedResets(field),
    ...replacedParts(field),
    ...addedAgain(field),
    ...strayAdditions(field),
    ...levelledGradients(field),
  ].sort((a, b) => a.event - b.event);
  const [slip] = slips;
  const isBeforeSlip = (each: Suspect): boolean =>
    each.event < slip.event &&
    !each.isDoubtful &&
    !slips.some((other) => lacksLost(field, each, other));
  if (slip && !suspects.some(isBeforeSlip))
    return oneEach(
      field,
      slips.map((each) => placedBy(field, each)),
    );
  const missing = field.goals.filter((goal) => !field.covered.has(goal));
  const isForwardRight = field.covered.has('v:y');
  // What autograd has right, and is wrong as it is written out, did not get lost in the graph.
  const isLacking = isForwardRight && missing.some((goal) => !byHand.has(goal));
  const passed = isLacking ? (clearedPass(field) ?? autogradSuspect(field)) : null;
  const isBefore = !suspects.some(
    ({ event, isDoubtful }) =>
      !isDoubtful && (event < (passed?.event ?? 0) || isInBackward(field, event)),
  );
  if (passed && isBefore) return [passed];
  const multiple = multipleMistake(field, suspects);
  if (multiple) return oneEach(field, [multiple]);
  const order = [suspects.filter(({ isDoubtful }) => !isDoubtful), suspects];
  for (const some of order) {
    if (some.length === 0) continue;
    const reached = new Set<number>();
    const found: Wrong[] = [];
    const runs = new Map<number, number>();
    for (const suspect of some) {
      if (reached.has(suspect.event)) continue;
      const statement = statementOf(field, suspect.event);
      const run = (runs.get(statement) ?? 0) + 1;
      runs.set(statement, run);
      if (run > MOST_RUNS) continue;
      for (const id of cone(field.flow, [suspect.event])) reached.add(id);
      const own = blameOf(field, suspect);
      const blamed = { ...own, ...toldAt(field, own) };
      const same = found.some(
        (each) => statementOf(field, each.event) === statementOf(field, blamed.event),
      );
      if (!same)
        found.push({ ...expected(field, blamed.event, suspect), ...blamed, seen: suspect.event });
    }
    return explainedFirst(field, found);
  }
  if (brokenOff(field.recording, field, field.catalogue.graph)) return [];
  const upstream = passed ? null : wrongUpstream(field);
  if (upstream) {
    const { event, note } = upstream;
    return [{ event, seen: event, node: 'y', kind: 'gradient', note }];
  }
  const twice = passed ? null : accumulated(field);
  const end = passed ?? twice ?? unfinished(field);
  // Outputs that never came out come before gradients that did not.
  const isLater = end?.kind === 'gradient' && !isForwardRight;
  const last = (isLater ? shownInPart(field, ['v:y']) : null) ?? end ?? shownInPart(field);
  return last ? [last] : [];
}

/** Where something is told that is given to a function: at its call. */
function toldAt(
  { recording }: Field,
  { event, statement }: Pick<Wrong, 'event' | 'statement'>,
): Pick<Wrong, 'event' | 'statement'> {
  const at = tellingEvent(recording, event);
  const own = recording.events[at];
  if (own.how !== 'argument' || statement !== undefined) return { event: at };
  const calling = callingStatement(recording, own);
  return { event: at, ...(calling !== null && { statement: calling }) };
}

/** Whether a sum is incomplete for what is known to be lost later. */
const lacksLost = (
  { observed }: Field,
  { event, why }: Suspect,
  { node, kind }: Mistaken | Slip,
): boolean =>
  why === 'incomplete' &&
  observed[event].found.every(({ entry }) => entry.node === node && entry.kind === kind);

/**
 * What came out wrong of an operand tells less than the mistake in that operand; an array after a loop less than a mistake
 * in that loop of which is known what it is.
 */
function explainedFirst(field: Field, found: readonly Wrong[]): Wrong[] {
  const { recording, flow } = field;
  const [first] = found;
  if (!first || first.note !== '') return [...found];
  // One number is taken for much: a longer run of the same statement tells what is wrong.
  const longer = isOneNumber(field, first.seen)
    ? found.find(({ note, seen }) => {
        const isSame = statementOf(field, seen) === statementOf(field, first.seen);
        return note !== '' && isSame && !isOneNumber(field, seen);
      })
    : undefined;
  if (longer) return [longer, ...found.filter((each) => each !== longer && each !== first)];
  const isLoop = recording.events[first.seen].how === 'loop-end';
  const operands = new Set(flow.sources[first.seen].map((source) => originOf(field, source)));
  // What an operand was only masked from, or laid out anew.
  for (const operand of operands)
    for (const source of flow.sources[operand])
      if (source < operand && isOfSameNode(field, source, operand))
        operands.add(originOf(field, source));
  const better = found.find(
    ({ note, event }) =>
      note !== '' && event < first.seen && (isLoop || (event < first.event && operands.has(event))),
  );
  return better ? [better, ...found.filter((each) => each !== better)] : [...found];
}

const isOneNumber = ({ recording }: Field, id: number): boolean =>
  sizeOf(recording.events[id].shape) === 1;

const isOfSameNode = ({ observed }: Field, one: number, other: number): boolean =>
  observed[one].found.some(({ entry }) =>
    observed[other].found.some((each) => each.entry.key === entry.key),
  );

/**
 * The number that an iteration computes for the place where it writes, where that place is wrong and nothing right was
 * picked by it.
 */
function placedBy(field: Field, slip: Mistaken | Slip): Mistaken | Slip {
  const { recording, flow } = field;
  const { events, statements } = recording;
  const kept = oneArray(field, slip);
  if (kept) {
    const { statement: _statement, ...rest } = { statement: 0, ...slip };
    return { ...rest, ...kept };
  }
  if (!MISPLACED.test(slip.note) || slip.note === '') return slip;
  const [, index = ''] = /\[(.*)\]$/s.exec(events[slip.event].name) ?? [];
  const places = flow.sources[slip.event].filter((id) => {
    const { name, loops, statement } = events[id];
    const isPlace = isInteger(events[id]) && isIn(name, index) && loops.length > 0;
    return isPlace && statements[statement].kind === 'assign' && !isUsedRightly(field, id, []);
  });
  if (places.length !== 1) return slip;
  return { ...slip, event: places[0] };
}

const MISPLACED = / go to one and the same entry$/;

/** One for each statement, with what else it exchanged. */
function oneEach(field: Field, mistaken: readonly (Mistaken | Slip)[]): Wrong[] {
  const found = new Map<number, Wrong>();
  for (const each of mistaken) {
    const statement =
      ('statement' in each ? each.statement : undefined) ?? statementOf(field, each.event);
    const known = found.get(statement);
    const { event, node, kind, note } = each;
    if (!known) found.set(statement, { ...each, seen: event });
    else if (isBeside(field, known.event, event))
      found.set(statement, {
        ...known,
        beside: [...(known.beside ?? []), { event, node, kind, note }],
      });
  }
  return [...found.values()];
}

/** Whether a statement gave two things at one time. */
function isBeside({ recording: { events } }: Field, one: number, other: number): boolean {
  const [a, b] = [events[one], events[other]];
  const isOneTime = a.frame === b.frame && a.loops.join() === b.loops.join();
  return a.statement === b.statement && isOneTime && a.name !== b.name;
}

/** Whether a statement is of an autograd.Function's backward pass: what autograd makes of it comes after. */
function isInBackward(
  { recording: { functions, statements, events } }: Field,
  event: number,
): boolean {
  const { name } = functions[statements[events[event].statement].function];
  const forward = name.replace(/backward$/, 'forward');
  return name.endsWith('.backward') && functions.some((other) => other.name === forward);
}

/** Whether it is computed from the tokens and nothing else: distances of points, say, but no gradient of what weights made. */
function isOfTokensAlone({ observed, flow, recording }: Field, event: number): boolean {
  const seen = new Set<number>();
  const open = [event];
  while (open.length > 0) {
    const id = open.pop()!;
    if (seen.has(id)) continue;
    seen.add(id);
    const isTokens = observed[id].found.some(({ entry: { key } }) => /^v:x(Prime)?$/.test(key));
    if (isTokens) continue;
    if (id !== event && observed[id].standing === 'right') return false;
    if (flow.sources[id].length === 0 && recording.events[id].shape.length > 0) return false;
    open.push(...flow.sources[id]);
  }
  return seen.size > 1;
}

const statementOf = ({ recording }: Field, event: number): number =>
  recording.events[event].statement;
