// A statement that would be right as it is written if one of its operands were what it should be: that operand is to blame.
import type { Letter } from '../../../engine/axes.ts';
import { sizeOf, type Tensor } from '../../../engine/tensor.ts';
import { type Alignment, isReordered, type Range, tellingOf } from '../../align/align.ts';
import type { Entry } from '../../align/catalogue.ts';
import { type Rerun, rerunOf } from '../../expressions/rerun.ts';
import { cone, handedOn, tellingEvent } from '../../recorded/flow.ts';
import { isKeyed, nodeNamed } from '../../align/observe.ts';
import { type Event, isInteger, type Recording } from '../../recorded/recording.ts';
import { type Field, isHalfMade, type Suspect } from '../suspects.ts';
import {
  candidatesFor,
  type Doubt,
  factorsOf,
  isAlong,
  isPositions,
  isSlope,
  OTHER_MASK,
} from './candidates.ts';
import { rootOf } from './array.ts';
import { type Blame, isNaming, isOperand, originOf } from './common.ts';
import { callingStatement, callOf, wrongCall } from './calls.ts';
import { carriedFrom } from './carried.ts';

/** An operand, and what it would have to be. */
interface Solution {
  readonly operand: number;
  readonly value: Tensor;
  readonly what: string;
  /** What it is then, where it is something else throughout. */
  readonly entry?: Entry | undefined;
  readonly isOtherLayout?: boolean;
}

/** Statements back from the one that is seen to be wrong. */
const MOST_STEPS = 8;

/** Of the operands that `isMeant` holds for. */
export function asWritten(
  field: Field,
  { event }: Suspect,
  isMeant: (operand: number) => boolean = () => true,
): Blame | null {
  const rerun = rerunOf(field.recording);
  const made = rerun.asItWas(event);
  if (!made) return null;
  const solutions = made.operands.filter(isMeant).flatMap((operand) => {
    const solution = solve(field, rerun, event, operand);
    return solution ? [solution] : [];
  });
  // A number that was picked is likelier to be wrong than what was computed in several steps, and so is a mask that is wrong.
  const picked = solutions.filter(
    ({ operand, what }) => what === OTHER_MASK || isOneOfHeads(field, operand),
  );
  const [solution, ...others] = picked.length > 0 ? picked : solutions;
  if (!solution || others.length > 0) return null;
  const { operand, what } = solution;
  const at = makerOf(field, rerun, event, solution);
  if (at === null || at === event) return null;
  const { name } = field.recording.events[operand];
  const saved = savedAt(field, at);
  // What only lays out what it is given does right when it is called from elsewhere.
  const call = wrongCall(field, { event: at });
  const told = tellingEvent(field.recording, at);
  const given = field.recording.events[told];
  const statement =
    saved ?? (given.how === 'argument' ? callingStatement(field.recording, given) : null);
  return {
    event: call?.event ?? told,
    ...(statement !== null && !call && { statement }),
    note: `${name} should be ${what} here`,
  };
}

/** What an operand would have to be so that the statement's result is right; null where it is not to blame. */
function solve(field: Field, rerun: Rerun, event: number, operand: number): Solution | null {
  const doubt = doubtOf(field, operand, [event]);
  if (doubt === 'none') return null;
  for (const { value, what, entry, isOtherLayout } of candidatesFor(field, operand, doubt)) {
    // On the way to outputs there are no gradients yet.
    if (entry?.kind === 'gradient' && !field.covered.has('v:y')) continue;
    // Nor are gradients taken for values.
    if (entry?.kind === 'value' && isGradient(field, operand)) continue;
    const made = rerun.make(event, new Map([[operand, value]]));
    if (!made || isOperand(field, made.operands, made.value)) continue;
    const found = rightAs(field, event, made.value, what === OTHER_MASK).filter(
      (each) => isOtherLayout || each.entry !== entry,
    );
    const isDone = found.length > 0 || isBeforeScale(field, made.value);
    if (!isDone) continue;
    if (found.length === 0 && !isRightLater(field, rerun, event, made.value)) continue;
    const isBeside = made.operands.some(
      (each) => each !== operand && sizeOf(field.recording.events[each].shape) > 1,
    );
    if (isOtherLayout && !isBeside && !isRightLater(field, rerun, event, made.value)) continue;
    if (isPositions(field, operand) && !found.some((each) => isAlong(value, each, made.value)))
      continue;
    return { operand, value, what, entry, ...(isOtherLayout && { isOtherLayout }) };
  }
  return null;
}

const isGradient = ({ observed }: Field, id: number): boolean => {
  const { found } = observed[id];
  return found.length > 0 && found.every(({ entry }) => entry.kind === 'gradient');
};

/**
 * What may be wrong with an operand: what is used rightly elsewhere was taken wrongly by its user; of what is what its name
 * says, its order or which part it is.
 */
function doubtOf(field: Field, operand: number, besides: readonly number[]): Doubt {
  const { recording, observed, flow } = field;
  const { found, standing, event } = observed[operand];
  const origin = originOf(field, operand);
  const isGiven = flow.sources[origin].length === 0 && recording.events[origin].how !== 'argument';
  if (isGiven && standing !== 'free' && standing !== 'neutral') return 'none';
  const { text } = recording.statements[recording.events[origin].statement];
  if (sizeOf(event.shape) === 1) {
    if (isWrongFactor(field, operand, besides)) return 'all';
    const isUsed = isUsedRightly(field, operand, besides);
    if (isOneOfHeads(field, operand) && !isUsed) return 'all';
    const isDivided =
      isInteger(event) && DIVIDES.test(text) && !isUsed && !isGivenRightly(field, operand, besides);
    if (/\.shape\b|\.size\(|\blen\(/.test(text)) return isDivided ? 'all' : 'none';
    if (isDivided) return 'all';
    return event.loops.length > 0 && recording.events[origin].loops.length > 0 ? 'all' : 'none';
  }
  if (isUsedRightly(field, operand, besides)) return 'none';
  const name = nodeNamed(event);
  const isNamed = found.some(({ entry }) => entry.node === name?.node && entry.kind === name.kind);
  return isNamed ? 'order' : 'all';
}

/** Whether a call was given something right that was picked by a number. */
export function isGivenRightly(field: Field, operand: number, besides: readonly number[]): boolean {
  const { recording, observed } = field;
  const { events, statements } = recording;
  const { name, frame } = events[operand];
  const parameters = new Set(besides.map((id) => events[id].statement));
  return observed.some(({ event: { id, how, frame: own, shape, statement }, standing }) => {
    const isRight = how === 'argument' && standing === 'right' && id > operand && sizeOf(shape) > 1;
    const call = isRight && !parameters.has(statement) ? callOf(recording, own) : null;
    if (call === null || events[call].frame !== frame) return false;
    if (!statements[events[call].statement].loads.includes(name)) return false;
    return rerunOf(recording).asItWas(id)?.operands.includes(operand) ?? false;
  });
}

/** Whether a number is the slope of one head, which a function was given. */
const isOneOfHeads = ({ observed, recording }: Field, operand: number): boolean =>
  recording.events[operand].how === 'argument' &&
  observed[operand].found.some((each) => isSlope(each));

/** Whether a number was computed, is none that attention multiplies or divides by, and nothing right was computed from it. */
function isWrongFactor(field: Field, operand: number, besides: readonly number[]): boolean {
  const { recording } = field;
  const { dtype, value, shape } = recording.events[operand];
  if (!/^float\d*$/.test(dtype) || shape.length > 0) return false;
  const own = value ?? recording.tensor(operand)?.data[0] ?? 0;
  const isKnown = factorsOf(field).some((each) => Math.abs(own - each) <= 1e-6 * Math.abs(each));
  if (isKnown || isUsedRightly(field, operand, besides)) return false;
  const { kind, text } = recording.statements[recording.events[originOf(field, operand)].statement];
  return kind === 'assign' && COMPUTES.test(text);
}

/** How the head of keys and values, or the tile, of something is computed. */
const DIVIDES = /=[^=].*(\/\/|%|\*)/s;

const COMPUTES = /=[^=].*(\*|\/|\bsqrt\b|\bpow\b)/s;

/** Whether something is only put into an array, or is the array that it was put into. */
function isKept({ events, statements }: Recording, id: number, user: number): boolean {
  const { how, statement } = events[user];
  if (events[id].how === 'write') return /^(update|loop-end|write)$/.test(how);
  if (how !== 'write') return false;
  const { kind, text } = statements[statement];
  return kind === 'assign' && text.trim().endsWith(`] = ${events[id].name}`);
}

/** Whether anything right was computed from an event, under this name or those that it is handed on to. */
export function isUsedRightly(
  { recording, observed, flow }: Field,
  id: number,
  besides: readonly number[],
): boolean {
  const { events } = recording;
  const queue = [id];
  for (const each of queue)
    for (const user of flow.users[each]) {
      if (besides.includes(user)) continue;
      // Another run of the statement may take the same part anew, rightly.
      const isAgain = events[user].statement === events[id].statement;
      if (handedOn(recording, events[user]) !== null || isKept(recording, each, user)) {
        if (!isAgain) queue.push(user);
        continue;
      }
      const isRight = observed[user].standing === 'right' && observed[user].found.length > 0;
      // Which of several returned results was computed from it is not known.
      const isOneOfMany = events[user].how === 'return' && flow.siblings[user].length > 1;
      if (isRight && !isOneOfMany) return true;
    }
  return false;
}

/**
 * As what a result is right, and is not computed by another run of the statement too. Of much that is wrong some forms come
 * out right: they count where `isLossy`.
 */
export function rightAs(field: Field, event: number, value: Tensor, isLossy = false): Alignment[] {
  const { recording, aligner, observed, catalogue, covered } = field;
  const own = recording.events[event];
  if (value.data.length < 2) return [];
  const isSum = recording.statements[own.statement].kind === 'augmented';
  const name = nodeNamed(own);
  const letterOf = (node: string): string => (isKeyed(own) ? node.replace(/^[Wb]_/, '') : node)[0];
  const fits = (each: Alignment): boolean => {
    const { role, title, key, node, kind } = each.entry;
    if ((!isSum && role === 'partial') || isReordered(each)) return false;
    if (!isLossy && LOSSY.test(title)) return false;
    // Values go by all kinds of names.
    if (name?.kind === 'gradient' && isNodeOf(catalogue, name.node))
      return letterOf(node) === name.node[0] && kind === 'gradient';
    return kind === 'value' || !covered.has(key);
  };
  const found = aligner.align(value, tellingOf(value)).filter(fits);
  return found.filter(
    (each) =>
      !observed.some(
        ({ event: other, found: forms }) =>
          other.statement === own.statement &&
          other.name === own.name &&
          other.id !== event &&
          isOfSameLoop(field, other, own) &&
          forms.some((form) => form.entry === each.entry && isSameRanges(form.ranges, each.ranges)),
      ),
  );
}

/** Whether two events are of several runs of one loop, or of what is called in it. */
function isOfSameLoop({ recording }: Field, one: Event, other: Event): boolean {
  if (one.frame === other.frame) return one.loops.join() !== other.loops.join();
  const [own, its] = [one, other].map(({ frame }) => callOf(recording, frame));
  if (own === null || its === null || own === its) return false;
  const { events } = recording;
  return (
    events[own].statement === events[its].statement &&
    isOfSameLoop({ recording } as Field, events[own], events[its])
  );
}

const isNodeOf = ({ graph }: Field['catalogue'], id: string): boolean =>
  graph.nodes.some((node) => node.id === id);

const LOSSY = /^((log2\(e\) )?(row|running) maxim|−?the target$|RoPE|ALiBi)/;

const isSameRanges = (
  one: ReadonlyMap<Letter, Range>,
  other: ReadonlyMap<Letter, Range>,
): boolean =>
  [...one].every(([letter, { start, count, step }]) => {
    const own = other.get(letter);
    return own?.start === start && own.count === count && own.step === step;
  });

/** A gradient that the next statement is to scale. */
const isBeforeScale = ({ aligner }: Field, value: Tensor): boolean =>
  value.data.length > 1 &&
  aligner
    .align(value, tellingOf(value))
    .some(({ entry }) => entry.kind === 'gradient' && entry.title.endsWith(' / scale'));

/** Whether a statement that takes the result beside something else is right with it. */
function isRightLater(field: Field, rerun: Rerun, event: number, value: Tensor): boolean {
  const { recording, flow } = field;
  let [at, own] = [event, value];
  for (let step = 0; step < MOST_STEPS; step++) {
    const user = flow.users[at].find((each) => recording.events[each].id > at);
    if (user === undefined) return false;
    const isSame = handedOn(recording, recording.events[user]) !== null;
    const made = isSame ? null : rerun.make(user, new Map([[at, own]]));
    if (!isSame) {
      if (!made?.operands.includes(at)) return false;
      if (rightAs(field, user, made.value).length === 0) return false;
      const isBeside = made.operands.some(
        (each) => each !== at && sizeOf(recording.events[each].shape) > 1,
      );
      if (isBeside) return true;
      own = made.value;
    }
    at = user;
  }
  return false;
}

/** Where an autograd.Function saved what its backward pass takes. */
function savedAt(
  { recording: { events, statements, functions } }: Field,
  id: number,
): number | null {
  const { text, function: inside, file } = statements[events[id].statement];
  if (!/\.saved_tensors\b/.test(text)) return null;
  const forward = functions[inside].name.replace(/backward$/, 'forward');
  const found = statements.findIndex(
    (each) =>
      each.file === file &&
      functions[each.function].name === forward &&
      each.text.includes('save_for_backward('),
  );
  return found < 0 ? null : found;
}

/** Where an operand became what it should not be. */
function makerOf(field: Field, rerun: Rerun, event: number, solution: Solution): number | null {
  const { recording, flow, observed } = field;
  const passed = [event];
  const { isOtherLayout, entry } = solution;
  let { operand: at, value } = solution;
  for (let step = 0; step < MOST_STEPS;) {
    const from = handedOn(recording, recording.events[at]);
    if (from !== null) {
      // What was right for others was put in the wrong place here.
      const isOthers = isUsedRightly(field, from, [at]) || isRightBeside(field, from, at);
      if (value.data.length > 1 && isOthers)
        return isOtherLayout ? null : (renamedAt(field, from, at) ?? putAt(field, from, at));
      passed.push(at);
      at = from;
      continue;
    }
    const { text } = recording.statements[recording.events[at].statement];
    if (isOtherLayout && LAYS_OUT.test(text)) return at;
    step++;
    // Picked from what is wrong itself.
    const off = flow.sources[at].find(
      (source) => observed[source].standing === 'off' && !isHalfMade(field, source),
    );
    if (off !== undefined) return off;
    const made = rerun.asItWas(at);
    const next = made?.operands.flatMap((operand): Solution[] => {
      const doubt = doubtOf(field, operand, [...passed, at]);
      if (doubt === 'none') return [];
      for (const candidate of candidatesFor(field, operand, doubt)) {
        const other = rerun.make(at, new Map([[operand, candidate.value]]));
        if (other && rerun.isSame(at, other.value, value)) return [{ operand, ...candidate }];
      }
      return [];
    });
    if (next?.length !== 1)
      return isOtherLayout
        ? null
        : entry && savedAt(field, at) === null
          ? carriedFrom(field, at, (source, taken) => isUsedRightly(field, source, [taken]))
          : at;
    passed.push(at);
    ({ operand: at, value } = next[0]);
  }
  return at;
}

/** Whether something right comes of what is unknown itself, other than through one of the names that it was handed on to. */
function isRightBeside({ observed, flow }: Field, from: number, at: number): boolean {
  if (observed[from].standing !== 'free') return false;
  const through = cone(flow, [at]);
  return [...cone(flow, [from])].some(
    (id) => !through.has(id) && observed[id].standing === 'right' && observed[id].found.length > 0,
  );
}

/** Where what was taken by one name got another one, by which it was changed; null where it did not. */
function renamedAt(field: Field, from: number, taken: number): number | null {
  const { events, statements } = field.recording;
  const { how, name, frame } = events[from];
  const { loads } = statements[events[taken].statement];
  if (how !== 'update' || loads.includes(name)) return null;
  const root = rootOf(field, from);
  const naming = events.findLast(
    ({ id, name: own, frame: its }) =>
      id < from &&
      own === name &&
      its === frame &&
      isNaming(field, id) &&
      rootOf(field, id) === root,
  );
  return naming?.id ?? null;
}

/** Where something was first put into what it was taken from: a list, a dictionary, an attribute. */
function putAt({ recording, flow }: Field, from: number, taken: number): number {
  const { events } = recording;
  const isPut = (id: number): boolean =>
    id < taken &&
    events[id].how === 'bind' &&
    /[\].]/.test(events[id].name) &&
    handedOn(recording, events[id]) === from;
  return flow.users[from].find(isPut) ?? taken;
}

/** What alone may lay something out otherwise than it should be. */
const LAYS_OUT =
  /\.(T|mT|t\(\)|reshape|view|permute|transpose|swapaxes|moveaxis|movedim|split|chunk|unbind|unflatten)\b|\b(einsum|stack|concatenate|cat|reshape|transpose|swapaxes|moveaxis)\(/;
