// Statements whose operands are right and whose result is not, and leads to nothing right: where a mistake may be.
import { nodeOf } from '../../engine/graph.ts';
import { isParameter } from '../../engine/nodes.ts';
import { sameShape, sizeOf } from '../../engine/tensor.ts';
import { type Key, keyOf } from '../../compare/program/program.ts';
import { sourcesOf } from '../../compare/program/sources.ts';
import { type Aligner, isReordered } from '../align/align.ts';
import type { Catalogue } from '../align/catalogue.ts';
import { cone, type Flow, handedOn } from '../recorded/flow.ts';
import { isLeftOtherwise } from './gradients/fused.ts';
import type { Gathered } from '../recorded/gathered.ts';
import { gradientsAside, isBeyond, isKeptAs } from './gradients/aside.ts';
import { ancestorsOf } from './goals.ts';
import { isCutOff } from './cutOff.ts';
import { isPartToFill, oneOfGroup, pickedPlace } from './names/picked.ts';
import { isNamedGradient, nodeNamed, type Observed } from '../align/observe.ts';
import { isGradientName } from '../infer/values/names.ts';
import { otherCalls } from '../tell/otherCalls.ts';
import type { Event, Recording } from '../recorded/recording.ts';
import { isIn } from '../recorded/sizes.ts';

export interface Suspect {
  /** The first wrong event of it. */
  readonly event: number;
  /** What its operands are; one operand may be several things. */
  readonly operands: readonly Key[][];
  /** The result is none of the forms, is one that is incomplete, or is a sum of right terms that came out wrong. */
  readonly why: 'off' | 'incomplete' | 'sum';
  /** Something it reads is unknown: it is looked at only where nothing else is to be found. */
  readonly isDoubtful: boolean;
}

export interface Field {
  readonly recording: Recording;
  readonly catalogue: Catalogue;
  readonly aligner: Aligner;
  readonly observed: readonly Observed[];
  /** Of numbers that statements in loops made: all runs of the statement together. */
  readonly sweeps: ReadonlyMap<number, Gathered>;
  readonly flow: Flow;
  /** For each event whether something right was computed from it. */
  readonly leads: readonly boolean[];
  readonly covered: ReadonlySet<Key>;
  readonly goals: readonly Key[];
}

const keysOf = ({ found, pieces }: Observed): Key[] => [
  ...new Set([...found, ...pieces].map(({ entry }) => entry.key)),
];

interface Operands {
  readonly keys: Key[][];
  readonly isDoubtful: boolean;
}

/**
 * What an event was computed from, through masks and numbers that tell nothing; null if anything of it is wrong. What is
 * no form but leads to one is right.
 */
export function operandsOf(field: Field, leads: readonly boolean[], id: number): Operands | null {
  const { observed, flow, recording } = field;
  const { events } = recording;
  const own = events[id];
  const keys: Key[][] = [];
  let isDoubtful = false;
  let isTold = false;
  const seen = new Set([id]);
  const queue = [...flow.sources[id]];
  for (const source of queue) {
    if (seen.has(source)) continue;
    seen.add(source);
    const { standing, added } = observed[source];
    // Other versions of the same sum are judged as themselves.
    const isVersion = source === own.alias && own.how === 'write';
    if (isVersion && (standing !== 'off' || added)) continue;
    if (isHalfMade(field, source)) continue;
    if (standing === 'right' || standing === 'partial') keys.push(keysOf(observed[source]));
    else if (standing === 'neutral') queue.push(...flow.sources[source]);
    else if (standing === 'free' || standing === 'unknown') isDoubtful = true;
    else if (added) keys.push(keysOf(observed[source]));
    else if (leads[source]) isTold = true;
    else return null;
  }
  return keys.length > 0 || isTold ? { keys, isDoubtful } : null;
}

const IN_PLACE = new Set(['write', 'update']);

/** Right, but for the order of its entries. */
const isInOtherOrder = ({ found }: Observed): boolean =>
  found.length > 0 && found.every((each) => each.entry.role !== 'partial' && isReordered(each));

/** All suspects, in the order of time, those that are no mistake whatever they are left out. */
export function suspectsOf(field: Field): Suspect[] {
  const { recording, observed, leads } = field;
  const found: Suspect[] = [];
  const isOfOtherCall = otherCalls(observed);
  const isOfConstant = gradientsAside(field);
  for (const { event, standing, added } of observed) {
    const { id, how } = event;
    if (leads[id] || how === 'gradient' || how === 'leaf') continue;
    if (standing !== 'off' && standing !== 'partial') continue;
    if (handedOn(recording, event) !== null || isHalfMade(field, id)) continue;
    if (isPartToFill(field, id)) continue;
    if (isOtherGradient(field, event) || isOfOtherCall(event) || isOfConstant(event)) continue;
    const operands = operandsOf(field, leads, id);
    if (!operands || isUpdate(field, event, operands.keys)) continue;
    if (isOtherLoss(field, event, operands.keys) || isBeyond(field, event, operands.isDoubtful))
      continue;
    // Of a sum the last version is judged.
    const isAdding = recording.statements[event.statement].kind === 'augmented';
    const isSum = added || (standing === 'partial' && isAdding && IN_PLACE.has(how));
    if (isSum && !isLast(field, id)) continue;
    const isAside = standing === 'partial' && isInOtherOrder(observed[id]);
    const isOnTheWay = standing === 'partial' && !isAside;
    const why = isOnTheWay ? 'incomplete' : added || how === 'loop-end' ? 'sum' : 'off';
    // Whether the sum in a part of an array goes wrong is seen in the whole.
    const isDoubtful = operands.isDoubtful || pickedPlace(field, id) !== null;
    if (why !== 'off' && isCutOff(recording, event)) continue;
    found.push({ event: id, operands: operands.keys, isDoubtful, why });
  }
  const times = new Map(
    found.map(({ event, why }) => [event, why === 'sum' ? timeOf(field, event) : event]),
  );
  const likely = withoutBeginnings(field, plausible(field, found));
  return withoutOtherForms(field, likely).sort((a, b) => times.get(a.event)! - times.get(b.event)!);
}

/**
 * Where y is right and the backward pass, written out, goes wrong on right operands, what has no form on the way to y is
 * only another way to it: the mean and the deviation of a norm.
 */
function withoutOtherForms({ recording, observed, covered }: Field, found: Suspect[]): Suspect[] {
  if (!covered.has('v:y') || recording.events.some(({ how }) => how === 'gradient')) return found;
  const y = observed.find(({ found: forms }) => forms.some(({ entry }) => entry.key === 'v:y'));
  const end = y?.event.id ?? 0;
  const isAfter = ({ event, isDoubtful }: Suspect): boolean => event > end && !isDoubtful;
  return found.some(isAfter) ? found.filter(({ event }) => event > end) : found;
}

/** The gradient of a number that no node is, such as of a learned temperature: one number, of which nothing is computed. */
function isOtherGradient({ flow, recording }: Field, { id, name, shape }: Event): boolean {
  if (sizeOf(shape) !== 1 || nodeNamed(recording.events[id])) return false;
  if (!/^(d|g|grads?|gradients?)\[/.test(name) && !isGradientName(name)) return false;
  const queue = [id];
  for (const each of queue)
    for (const user of flow.users[each]) {
      if (sizeOf(recording.events[user].shape) > 1) return false;
      if (handedOn(recording, recording.events[user]) !== null) queue.push(user);
    }
  return true;
}

/** A program's own loss, or what else it makes of the outputs, where the setup has only their gradient. */
const isOtherLoss = (
  { catalogue: { config }, observed, flow }: Field,
  { id, shape }: Event,
  operands: Key[][],
): boolean => {
  if (config.loss.kind !== 'upstream' || operands.length === 0) return false;
  if (sizeOf(shape) === 1) return operands.every((keys) => keys.includes('v:y'));
  // The outputs and the input that they are added to.
  const keys = flow.sources[id]
    .map((source) => keysOf(observed[source]))
    .filter(({ length }) => length > 0);
  return (
    keys.some((each) => each.includes('v:y')) &&
    keys.every((each) => each.some((key) => /^v:(y|x|xPrime)$/.test(key)))
  );
};

/** A parameter that is moved along its gradient, of which nothing else is made, or one of several that a statement moves. */
function isUpdate({ catalogue: { graph }, flow }: Field, event: Event, operands: Key[][]): boolean {
  if (isNamedGradient(event)) return false;
  const isOneOfSeveral = flow.siblings[event.id].length > 1;
  const has = (key: Key): boolean => operands.some((keys) => keys.includes(key));
  return graph.nodes.some(
    ({ id, kind, shape }) =>
      kind === 'input' &&
      isParameter(id) &&
      sameShape(shape, event.shape) &&
      has(keyOf(id, 'value')) &&
      has(keyOf(id, 'gradient')) &&
      (isOneOfSeveral ||
        operands.every((keys) =>
          [keyOf(id, 'value'), keyOf(id, 'gradient')].some((key) => keys.includes(key)),
        )),
  );
}

/** When an array that a loop filled was first written by the statement that it is told at. */
function timeOf({ recording: { events }, flow }: Field, id: number): number {
  const { how, statement } = events[id];
  if (how !== 'loop-end') return id;
  return Math.min(id, ...flow.sources[id].filter((each) => events[each].statement === statement));
}

/**
 * An array of which a statement wrote a part, rightly, that has other parts still to be written. It may be seen as a whole
 * only where the next statement reads it.
 */
export function isHalfMade({ recording, observed }: Field, id: number): boolean {
  const { how, alias, statement, name } = recording.events[id];
  if (how !== 'update' || alias === undefined || observed[id].standing !== 'off') return false;
  const write = recording.events[alias];
  const { kind, targets } = recording.statements[statement];
  const isReader = kind === 'assign' && !targets.some((target) => isIn(name, target));
  if (write.how !== 'write' || (write.statement !== statement && !isReader)) return false;
  return observed[alias].standing === 'right' || observed[alias].standing === 'partial';
}

/** Whether no later version of the same array was recorded, under whatever name it was handed on. */
function isLast({ recording, flow }: Field, id: number): boolean {
  const { events } = recording;
  const { name, frame } = events[id];
  const names = [id];
  for (const each of names)
    for (const user of flow.users[each]) {
      const { alias, how, frame: own, name: other } = events[user];
      if (handedOn(recording, events[user]) !== null) names.push(user);
      else if (own === frame && other === name) return false;
      else if (alias === each && (own === frame || IN_PLACE.has(how))) return false;
    }
  return true;
}

/** What is incomplete is innocent where a later statement that goes wrong was to complete it. */
function withoutBeginnings(field: Field, suspects: readonly Suspect[]): Suspect[] {
  const { flow, observed, catalogue } = field;
  const logits = keyOf(catalogue.parts.logits, 'gradient');
  // A sum that comes out wrong for a term that is incomplete does not complete it.
  const off = new Set(suspects.filter(({ why }) => why === 'off').map(({ event }) => event));
  const spoilt = cone(flow, [...off]);
  return suspects.filter(({ event, why }) => {
    if (why !== 'incomplete' || isTileLeft(observed[event])) return true;
    if (oneOfGroup(field, event)) return true;
    if (flow.users[event].some((user) => oneOfGroup(field, user))) return false;
    if (isReplacedByWrong(field, event, spoilt)) return false;
    const { shape } = observed[event].event;
    const isLocal = observed[event].found.every(({ entry }) => entry.key === logits);
    // Beside the sum over a row, a product with something else takes it for what it was to be by then.
    const isCompleted = isLocal
      ? flow.users[event].some(
          (user) => off.has(user) && sizeOf(observed[user].event.shape) === sizeOf(shape),
        )
      : [...cone(flow, [event])].some((each) => spoilt.has(each) && each !== event) &&
        !isLeftBehind(field, event, off);
    if (isCompleted) return false;
    const isSuspect = (id: number): boolean =>
      observed[id].standing === 'partial' && suspects.some((other) => other.event === id);
    // A sum that lacks one of its paths is told of where the last of the others was added, all else of where it begins.
    const path = pathOf(observed[event]);
    const isOfPath = (id: number): boolean => isSuspect(id) && pathOf(observed[id]) === path;
    return path !== null ? !flow.users[event].some(isOfPath) : !flow.sources[event].some(isSuspect);
  });
}

/** Whether nothing reads it before its name is given to what goes wrong: that statement loses it. */
const isReplacedByWrong = (
  { recording: { events }, flow }: Field,
  id: number,
  spoilt: ReadonlySet<number>,
): boolean => {
  const { name, frame } = events[id];
  const next = events.find((each) => each.id > id && each.frame === frame && each.name === name);
  return flow.users[id].length === 0 && next?.how === 'bind' && spoilt.has(next.id);
};

/** A sum that lacks a path, of which nothing that goes wrong later has what the path begins with: it was to be added here. */
function isLeftBehind(field: Field, event: number, off: ReadonlySet<number>): boolean {
  const { observed, flow, catalogue } = field;
  const key = pathOf(observed[event]);
  if (key === null || !isMissingPath(field, event)) return false;
  const [, names = ''] = / through ([\w ]+)$/.exec(observed[event].found[0].entry.title) ?? [];
  const has = new Set(names.split(' and '));
  if (has.size < 2) return false;
  const begins = new Set(
    sourcesOf(catalogue.state.program, key.slice(2))
      .filter(({ from }) => !has.has(from))
      .flatMap(({ from }) => [keyOf(from, 'gradient'), keyOf(`${from}h`, 'gradient')]),
  );
  const after = cone(flow, [event]);
  return ![...off].some(
    (user) =>
      after.has(user) &&
      flow.sources[user].some((source) =>
        keysOf(observed[source]).some((each) => begins.has(each)),
      ),
  );
}

/** Of what some paths contribute to: the key; null for all else. */
const pathOf = ({ found: [best] }: Observed): Key | null =>
  best && / through [\w ]+$/.test(best.entry.title) ? best.entry.key : null;

/** The sum over some tiles only, when the loop over them is done. */
const isTileLeft = ({ event, found }: Observed): boolean =>
  event.how === 'loop-end' &&
  found.length > 0 &&
  found.every(({ entry }) => / of tiles? \d/.test(entry.title));

/** Those that can be the reason why something that was to be computed is missing. */
function plausible(field: Field, suspects: readonly Suspect[]): Suspect[] {
  const { catalogue, goals, covered, recording, observed, flow } = field;
  const ancestors = ancestorsOf(catalogue.graph);
  const missing = goals.filter((goal) => !covered.has(goal));
  const isForwardRight = covered.has('v:y');
  return suspects.filter(({ event, operands, why }) => {
    // Which of several results was computed from which operand is not known.
    const isOneOfMany = flow.siblings[event].length > 1;
    const areOf = (all: readonly Key[][], test: (keys: Key[]) => boolean): boolean =>
      isOneOfMany ? all.some(test) : all.every(test);
    const of = missing.filter((goal) =>
      areOf(operands, (keys) => keys.some((key) => ancestors.get(goal)?.has(key))),
    );
    if (isLeftOtherwise(field, event) || isKeptAs(field, event, new Set(operands.flat())))
      return true;
    const own = why === 'incomplete' ? keysOf(observed[event]) : [];
    if (why === 'incomplete' && !isMissingPath(field, event)) return false;
    // Something that is named as a gradient is to be that, whether it is computed elsewhere too or not.
    const name = nodeNamed(recording.events[event]);
    const named = name?.kind === 'gradient' ? keyOf(name.node, 'gradient') : null;
    const above = named === null ? undefined : ancestors.get(named);
    const isOfIt = (keys: Key[]): boolean =>
      keys.some((key) => key !== named && (above?.has(key) ?? false));
    if (above && areOf(operands, isOfIt)) return true;
    // Of what has nothing to do with it one operand may be taken in place of another.
    if (named !== null && missing.includes(named) && isOfOther(field, event, operands, isOfIt))
      return true;
    if (own.length > 0 && own.every((key) => covered.has(key))) return false;
    if (of.length === 0) return false;
    const after = [...cone(flow, [event])];
    if (!isForwardRight) return after.some((id) => (recording.tensor(id)?.data.length ?? 0) > 1);
    if (meetsUpstream(field, event)) return true;
    // With the outputs right, a mistake is one of the backward pass: it meets a gradient on its way.
    return after.some((id) => {
      if (isNamedGradient(recording.events[id])) return true;
      return flow.sources[id].some((source) =>
        [...observed[source].found, ...observed[source].pieces].some(
          ({ entry }) => entry.kind === 'gradient' && entry.role !== 'form',
        ),
      );
    });
  });
}

/** Whether something of a missing gradient's name and size was computed from gradients on the way to it, one aside. */
function isOfOther(
  { recording, catalogue }: Field,
  event: number,
  operands: readonly Key[][],
  isOfIt: (keys: Key[]) => boolean,
): boolean {
  const own = recording.events[event];
  const name = nodeNamed(own)!;
  if (sizeOf(own.shape) !== sizeOf(nodeOf(catalogue.graph, name.node).shape)) return false;
  const others = operands.filter((keys) => !isOfIt(keys));
  const isGradient = (keys: Key[]): boolean => keys.some((key) => key.startsWith('g:'));
  return others.length === 1 && operands.some((keys) => isOfIt(keys) && isGradient(keys));
}

/** The weights beside something unknown of the outputs' size: a backward pass whose upstream gradient is another one. */
function meetsUpstream({ catalogue, observed, flow }: Field, event: number): boolean {
  const size = sizeOf(nodeOf(catalogue.graph, 'y').shape);
  const sources = flow.sources[event].map((source) => observed[source]);
  return (
    sources.some(({ found }) => found.some(({ entry }) => /^v:Pd?$/.test(entry.key))) &&
    sources.some(({ standing, event: { shape } }) => standing === 'free' && sizeOf(shape) === size)
  );
}

/** Of a node's contributions: whether some were computed nowhere, so that this sum lacks them. */
function isMissingPath({ observed, catalogue }: Field, event: number): boolean {
  const paths = (id: number): [Key, string[]][] =>
    observed[id].found.flatMap(({ entry }) => {
      const [, names] = / through ([\w ]+)$/.exec(entry.title) ?? [];
      return names ? [[entry.key, names.split(' and ')]] : [];
    });
  const [own] = paths(event);
  if (!own) return true;
  const [key, names] = own;
  // What all heads add up to is looked at where they do.
  const isOfHead = observed[event].found.some(({ entry }) => entry.title.startsWith('one head'));
  if (names.length > 1 && !isOfHead) return true;
  const computed = new Set(
    observed.flatMap(({ event: { id } }) =>
      paths(id).flatMap(([of, some]) => (of === key ? some : [])),
    ),
  );
  const needed = sourcesOf(catalogue.state.program, key.slice(2));
  return needed.some(({ from }) => !computed.has(from));
}
