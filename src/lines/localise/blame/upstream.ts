// Whole numbers further up: a size, an offset, a list of heads or the variable of a loop which, were it another one, would
// make right what was computed with it.
import { sizeOf, type Tensor } from '../../../engine/tensor.ts';
import { isWhole as isWholeForm } from '../../align/align.ts';
import { type Rerun, rerunOf } from '../../expressions/rerun.ts';
import { isSameTurn, type Turn } from '../../expressions/turns.ts';
import { handedOn, tellingEvent } from '../../recorded/flow.ts';
import { isInteger } from '../../recorded/recording.ts';
import { isIn } from '../../recorded/sizes.ts';
import type { Field, Suspect } from '../suspects.ts';
import { isGivenRightly, isUsedRightly, rightAs } from './asWritten.ts';
import { otherParts, wholesInstead } from './candidates.ts';
import { type Blame, isHiding, isOperand, originOf } from './common.ts';

/** Statements back from the one that is seen to be wrong, and events that are looked at in all. */
const MOST_STEPS = 5;
const MOST_EVENTS = 80;
/** Within so many a tensor that is of another head, sequence or query is looked at too. */
const MOST_PART_STEPS = 1;
/** Values that are tried in all. */
const MOST_TRIED = 1200;

/** What was computed again as it was: what it named. */
interface Step {
  readonly id: number;
  /** Of what it is another name. */
  readonly from: number | null;
  readonly operands: ReadonlySet<number>;
  readonly turns: readonly Turn[];
}

/** A whole number, or several, from which an event was computed over so many statements. */
interface Root {
  readonly steps: number;
  readonly of: { readonly id: number } | { readonly turn: Turn };
}

interface Slice {
  /** In the order of time. */
  readonly steps: readonly Step[];
  /** The nearest first. */
  readonly roots: readonly Root[];
}

const ELEMENT = /\]$/;

function sliceOf(field: Field, rerun: Rerun, event: number): Slice {
  const { recording, observed } = field;
  const { events } = recording;
  const far = new Map([[event, 0]]);
  const steps: Step[] = [];
  const roots: Root[] = [];
  const turned = new Set<string>();
  for (const [id, distance] of far) {
    if (distance >= MOST_STEPS || steps.length >= MOST_EVENTS) continue;
    const { from, operands, turns } = madeOf(field, rerun, id);
    const next = from === null ? distance + 1 : distance;
    if (operands.length > 0 || turns.length > 0)
      steps.push({ id, from, operands: new Set(operands), turns });
    for (const turn of turns) {
      const key = JSON.stringify({ ...turn, value: 0 });
      if (!turned.has(key)) roots.push({ steps: next, of: { turn } });
      turned.add(key);
    }
    for (const operand of operands) {
      if (far.has(operand)) continue;
      const isTensor = sizeOf(events[operand].shape) > 1 && !isInteger(events[operand]);
      // What others are right with was made rightly.
      const besides = [...far.keys(), ...pickedBeside(field, id)];
      if (isTensor && isUsedRightly(field, originOf(field, operand), besides)) continue;
      far.set(operand, next);
      const isPart =
        next <= MOST_PART_STEPS &&
        observed[operand].found.length > 0 &&
        isTensor &&
        !ELEMENT.test(events[operand].name);
      const isRoot = isPart || (isInteger(events[operand]) && !gaveWhole(field, operand, id));
      if (isRoot && from === null) roots.push({ steps: next, of: { id: operand } });
    }
  }
  steps.sort((a, b) => a.id - b.id);
  roots.sort((a, b) => a.steps - b.steps);
  return { steps, roots };
}

/** Whether a table of whole numbers gave, where it was used, all of a tensor that is right. */
const gaveWhole = (
  { recording: { events }, observed }: Field,
  table: number,
  user: number,
): boolean =>
  sizeOf(events[table].shape) > 1 &&
  observed[user].standing === 'right' &&
  observed[user].found.some(isWholeForm);

/** What an event was computed from, or picked by a number; what is only handed on is from one event. */
function madeOf(
  { recording }: Field,
  rerun: Rerun,
  id: number,
): { from: number | null; operands: readonly number[]; turns: readonly Turn[] } {
  const { events } = recording;
  const from = handedOn(recording, events[id]);
  const made = rerun.asItWas(id);
  const isPicked =
    made !== null &&
    (made.turns.length > 0 || made.operands.some((each) => isInteger(events[each])));
  if (from !== null && !isPicked) return { from, operands: [from], turns: [] };
  const operands = made?.operands.filter((each) => each < id) ?? [];
  return { from: null, operands, turns: made?.turns ?? [] };
}

/** Numbers that the call of an event was given: from which of what its caller named each was picked is not known. */
function pickedBeside({ recording: { events } }: Field, id: number): number[] {
  const { frame } = events[id];
  return events.flatMap((each) =>
    each.frame === frame && each.how === 'argument' && each.shape.length === 0 ? [each.id] : [],
  );
}

/** What comes out in the end with another value of a root; null where that is not known. */
function outcome(rerun: Rerun, { steps }: Slice, { of }: Root, value: Tensor): Tensor | null {
  const changed = new Map<number, Tensor>();
  const turned = 'turn' in of ? { ...of.turn, value: value.data[0] } : undefined;
  const options = { isExact: true, ...(turned && { turned }) };
  if ('id' in of) changed.set(of.id, value);
  let last: Tensor | null = null;
  for (const { id, from, operands, turns } of steps) {
    last = null;
    if (changed.has(id)) continue;
    const isTurned = turned !== undefined && turns.some((each) => isSameTurn(each, turned));
    if (!isTurned && ![...operands].some((each) => changed.has(each))) continue;
    last = from === null ? (rerun.make(id, changed, options)?.value ?? null) : changed.get(from)!;
    if (!last) return null;
    changed.set(id, last);
  }
  return last;
}

/** The nearest whole number that makes it right, where there is one alone. */
export const wrongWhole = (field: Field, { event }: Suspect): Blame | null =>
  nearest(field, event, ({ of }) => 'turn' in of || isWhole(field, of.id));

/** A tensor that is used there and is another head's, sequence's or query's than what belongs there. */
export const wrongPicked = (field: Field, { event }: Suspect): Blame | null =>
  nearest(field, event, ({ of }) => 'id' in of && !isWhole(field, of.id));

const isWhole = ({ recording: { events } }: Field, id: number): boolean => isInteger(events[id]);

function nearest(field: Field, event: number, isMeant: (root: Root) => boolean): Blame | null {
  const { recording } = field;
  const target = targetOf(field, event);
  const rerun = rerunOf(recording);
  const slice = sliceOf(field, rerun, target);
  const within = slice.steps.map(({ id }) => id);
  const operands = new Set(slice.steps.flatMap((step) => [...step.operands]));
  let tried = 0;
  let least = Infinity;
  const found = new Map<number, Blame>();
  for (const root of slice.roots) {
    if (root.steps > least) break;
    if (!isMeant(root)) continue;
    const isSettled =
      'id' in root.of ? isUsed(field, root.of.id, within) : isTurning(field, root.of.turn);
    if (isSettled) continue;
    if (isFactor(field, slice, root)) continue;
    for (const value of valuesFor(field, root)) {
      if (tried++ > MOST_TRIED) return null;
      const made = outcome(rerun, slice, root, value);
      if (!made || isHiding(made) !== isHiding(recording.tensor(target))) continue;
      if (isEmptied(made, recording.tensor(target))) continue;
      if (rightAs(field, target, made).length === 0 || isOperand(field, operands, made)) continue;
      if (spoilsOthers(field, rerun, root, value, target)) continue;
      least = root.steps;
      const blame = blameFor(field, root, target, value);
      found.set(blame.statement ?? recording.events[blame.event].statement, blame);
      break;
    }
  }
  const all = [...found.values()];
  // What was computed is likelier to be wrong than what was given.
  const computed = all.filter((each) => isComputed(field, each));
  const [only, ...others] = computed.length > 0 ? computed : all;
  return only && others.length === 0 ? only : null;
}

/** Whether most of it is gone, as with a mask that hides nearly all: what is left may be right by chance. */
const isEmptied = ({ data }: Tensor, own: Tensor | null): boolean => {
  const count = (values: Float64Array): number =>
    values.reduce((sum, value) => sum + (value === 0 ? 0 : 1), 0);
  return own !== null && 2 * count(data) < count(own.data);
};

function isComputed({ recording: { events, statements } }: Field, blame: Blame): boolean {
  const { kind, text } = statements[blame.statement ?? events[blame.event].statement];
  return kind === 'assign' && COMPUTES.test(text);
}

const COMPUTES = /=[^=].*(\/\/|[-+*%])/s;

/** The first that is wrong of what an event was computed from; of a single number what is computed with it. */
function targetOf({ observed, flow, recording }: Field, event: number): number {
  const isOff = (id: number): boolean => observed[id].standing === 'off';
  let at = event;
  for (;;) {
    const wrong = flow.sources[at].filter((each) => isOff(each) && each < at);
    if (wrong.length === 0) break;
    at = Math.min(...wrong);
  }
  while (sizeOf(recording.events[at].shape) < 2) {
    const user = flow.users[at].find((each) => each > at && isOff(each));
    if (user === undefined) return at;
    at = user;
  }
  return at;
}

/** Whether tensors are multiplied or divided by a number, under whatever name: 1 takes any factor away. */
function isFactor({ recording }: Field, { steps }: Slice, { of }: Root): boolean {
  const { events, statements } = recording;
  const named = new Set('id' in of ? [of.id] : []);
  if ('id' in of && sizeOf(events[of.id].shape) > 1) return false;
  return steps.some(({ id, operands, turns }) => {
    const { how, statement } = events[id];
    const names = [...operands].filter((each) => named.has(each)).map((each) => events[each].name);
    if ('turn' in of && turns.some((each) => isSameTurn(each, of.turn))) names.push(of.turn.name);
    if (names.length === 0) return false;
    if (isInteger(events[id])) named.add(id);
    if (isInteger(events[id]) || how === 'argument') return false;
    const text = statements[statement].text.replaceAll(/\[[^[\]]*\]/g, '');
    return names.some((name) => isIn(name, text));
  });
}

/** Whether a number is the size of something, or was used rightly elsewhere: of several some may be right. */
function isUsed(field: Field, id: number, within: readonly number[]): boolean {
  const { recording } = field;
  const { text } = recording.statements[recording.events[originOf(field, id)].statement];
  if (sizeOf(recording.events[id].shape) > 1)
    return !isWhole(field, id) && isUsedRightly(field, id, within);
  if (/\.shape\b|\.size\(|\blen\(/.test(text) && !DIVIDED.test(text)) return true;
  return isUsedRightly(field, id, within) || isGivenRightly(field, id, within);
}

const DIVIDED = /\/\/|%/;

/** Whether anything right was computed in an iteration with its variable, but what was only picked. */
function isTurning({ recording, observed }: Field, { name, frame, loops }: Turn): boolean {
  return observed.some(({ event, standing, found }) => {
    if (event.frame !== frame || standing !== 'right' || found.length === 0) return false;
    if (loops.some((n, at) => event.loops[at] !== n) || sizeOf(event.shape) < 2) return false;
    const { text, loads } = recording.statements[event.statement];
    return loads.includes(name) && /[@*/(]/.test(text.replaceAll(/\[[^[\]]*\]/g, ''));
  });
}

/** With another value of a loop's variable, whether what other statements pick rightly by it is not there any more. */
function spoilsOthers(
  { recording, observed, aligner }: Field,
  rerun: Rerun,
  { of }: Root,
  { data }: Tensor,
  target: number,
): boolean {
  if (!('turn' in of)) return false;
  const { statements, events } = recording;
  const { name, frame, loops } = of.turn;
  const turned = { ...of.turn, value: data[0] };
  return observed.some(({ event, standing, found }) => {
    const isOther = event.frame === frame && event.statement !== events[target].statement;
    if (!isOther || standing !== 'right' || found.length === 0) return false;
    if (loops.some((n, at) => event.loops[at] !== n)) return false;
    if (!statements[event.statement].loads.includes(name) || !rerun.asItWas(event.id)) return false;
    const made = rerun.make(event.id, new Map(), { turned, isExact: true });
    return made === null || aligner.align(made.value).length === 0;
  });
}

function* valuesFor({ recording, observed }: Field, { of }: Root): Generator<Tensor> {
  if ('turn' in of) {
    yield* wholesInstead({ shape: [], data: Float64Array.of(of.turn.value) });
    return;
  }
  const own = recording.tensor(of.id);
  if (!own) return;
  if (isInteger(recording.events[of.id])) yield* wholesInstead(own);
  else
    for (const alignment of observed[of.id].found)
      for (const { value } of otherParts(alignment, own.shape)) yield value;
}

function blameFor(field: Field, { of }: Root, target: number, { data }: Tensor): Blame {
  const { recording } = field;
  const [name, what] =
    'turn' in of ? [of.turn.name, 'the loop'] : [recording.events[of.id].name, 'it'];
  if ('id' in of && !isInteger(recording.events[of.id])) {
    const origin = originOf(field, of.id);
    // What lies in a list is right there, and was picked wrongly.
    const at = ELEMENT.test(recording.events[origin].name) ? of.id : origin;
    const note = `${name} is another part than the one that belongs here`;
    return { event: tellingEvent(recording, at), note };
  }
  const list = data.length > 6 ? `${data.slice(0, 6).join(', ')}, …` : data.join(', ');
  const note = `what is computed with ${name} would be right with ${list}: ${what} gives another one`;
  if ('turn' in of) return { event: target, statement: of.turn.loop, note };
  return { event: tellingEvent(recording, originOf(field, of.id)), note };
}
