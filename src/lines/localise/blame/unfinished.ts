// An operand that is right, but not yet what its users take it for.
import { sizeOf, type Tensor } from '../../../engine/tensor.ts';
import { type Key, keyOf } from '../../../compare/program/program.ts';
import type { Alignment } from '../../align/align.ts';
import type { Catalogue, Entry } from '../../align/catalogue.ts';
import { BEFORE_MASK } from '../../forms/scores.ts';
import { handedFrom, handedOn } from '../../recorded/flow.ts';
import { replaced, Supposed } from '../hypothesis.ts';
import { isNamedGradient, nodeNamed } from '../../align/observe.ts';
import type { Event } from '../../recorded/recording.ts';
import type { Field, Suspect } from '../suspects.ts';
import { callOf } from './calls.ts';
import { takenEarly } from './early.ts';
import { takenOutOf } from './scaledOutside.ts';
import { undividedAt } from './normalised.ts';
import { droppedAt } from './handedOut.ts';
import { type Blame, isHiding, isNaming, MASKED, originOf } from './common.ts';
import { keptIn } from './maskParts.ts';

/** Whether a cap stands between the scaled scores and the node that they belong to. */
const isCappedLater = ({ config, parts }: Catalogue): boolean =>
  config.softcap !== undefined && parts.scale !== 1 && parts.scale !== 0;

/** Scores that stand for the scaled ones are those of which this is the product with the scale. */
const unscaled = ({ parts: { scale } }: Catalogue, { shape, data }: Tensor): Tensor => ({
  shape,
  data: data.map((value) => value / scale),
});

/** Nodes that a tensor may have been taken for, which is right as the node or form before them. */
function takenFor({ catalogue }: Field, { entry }: Alignment): Key[] {
  const { graph, parts } = catalogue;
  const { key, role } = entry;
  const has = (id: string): boolean => graph.nodes.some((each) => each.id === id);
  const next: Record<string, string> = {
    'v:S': has('Z') ? 'v:Z' : 'v:M',
    'v:Z': 'v:M',
    'v:Q': 'v:Qh',
    'v:K': 'v:Kh',
    'v:P': 'v:Pd',
    'v:Pd': 'v:P',
    'g:Z': 'g:S',
    'g:M': 'g:S',
    'g:P': `g:${parts.logits}`,
    'g:Pd': 'g:P',
    'g:Qh': 'g:Q',
    'g:Kh': 'g:K',
    'v:y': 'g:y',
    'v:f': 'g:y',
  };
  const keys = role === 'node' ? [next[key] ?? ''] : [key, next[key] ?? ''];
  if (key === 'v:S' && isCappedLater(catalogue)) keys.unshift(key);
  // Where it passes the softmax by, it passes the mask by too.
  if (key === 'g:P' && role === 'node') keys.push('g:Z', 'g:S');
  return keys.filter((each) => each !== '' && has(each.slice(2)));
}

/**
 * An operand that is right, but not yet what its users take it for: all that was computed from it goes wrong, and is what
 * a right program makes of it if it stands for the next node.
 */
export function unfinishedOperand(field: Field, { event }: Suspect): Blame | null {
  const { recording, observed, flow, catalogue } = field;
  // Of what is joined of several, each.
  const operands = flow.sources[event].flatMap((source) =>
    observed[source].pieces.length > 0 ? flow.sources[source] : [source],
  );
  for (const source of operands) {
    const { found, standing } = observed[source];
    if (standing !== 'right' && standing !== 'partial') continue;
    const users = usersOf(field, source);
    const isGood = (id: number): boolean => observed[id].standing === 'right' || field.leads[id];
    const isUsedRightly = users.some(
      (user) =>
        isGood(user) &&
        observed[user].pieces.length === 0 &&
        // Which of several results was computed from it is not known.
        flow.siblings[user].every(isGood) &&
        !isSame(field, user, source),
    );
    if (isUsedRightly) continue;
    const all = field.sweeps.get(source);
    const tensor = all?.tensor ?? recording.tensor(source);
    const result = field.sweeps.get(event)?.tensor ?? recording.tensor(event);
    if (!tensor || !result) continue;
    for (const alignment of all?.found ?? found) {
      for (const key of takenFor(field, alignment)) {
        const taken = key === 'v:S' ? unscaled(catalogue, tensor) : tensor;
        const own = replaced(catalogue, key, taken, alignment);
        const { tolerance } = alignment.entry;
        if (!own || isNearly(own, catalogue.state.predict(key), tolerance)) continue;
        // Logits that no mask was applied to: the statement that should have done it is the user's.
        const before = catalogue.state.predict(alignment.entry.key);
        if (key === 'v:M' && isNearly(own, before, tolerance)) continue;
        // Of what is joined with others the whole is not looked at.
        const isJoined = !flow.sources[event].includes(source);
        if (isJoined ? !isRotated(alignment, key) : !isMade(field, source, key, own, result))
          continue;
        const isScaled = key === 'v:S';
        const name = `${isScaled ? 'scale ' : ''}${key.startsWith('v:') ? '' : 'd'}${key.slice(2)}`;
        const note = `${alignment.entry.title} is used where ${name} belongs`;
        const dropped = droppedAt(field, key, event);
        const kind = key.startsWith('v:') ? 'value' : 'gradient';
        if (dropped !== null) return { event: dropped, note, node: key.slice(2), kind };
        const atHand = framesAtHand(field, key, alignment, source, event);
        if (atHand.size > 0) return { event: pickedAt(field, source, event, atHand), note };
        const undivided = undividedAt(field, source);
        if (undivided !== null) return { event: undivided, note, node: 'P', kind: 'value' };
        const early = takenEarly(field, source, key);
        if (early) return early;
        const stated = isRotated(alignment, key)
          ? (passedAt(field, source) ?? besideOther(field, source, event))
          : statedAt(field, source, alignment.entry, recording.events[event].frame, key);
        if (stated === null || stated === event) return { event, note };
        const outside = key === 'g:S' ? takenOutOf(field, source, stated) : null;
        return { event: outside ?? stated, note, node: key.slice(2), kind };
      }
    }
  }
  return null;
}

/**
 * Whether a run makes a result of another value of a node, in the whole of it, or in the backward pass alone where it was
 * kept for that.
 */
function isMade(field: Field, source: number, key: Key, own: Tensor, result: Tensor): boolean {
  const { catalogue, covered } = field;
  if (new Supposed(catalogue, key, own).makes(result)) return true;
  const isOfForward = key.startsWith('v:') && key !== 'v:y' && covered.has('v:y');
  return (
    isOfForward && isKept(field, source) && new Supposed(catalogue, key, own, true).makes(result)
  );
}

/** Whether something got another name, or was packed with others, before it was used. */
function isKept(field: Field, id: number): boolean {
  const { events } = field.recording;
  for (const at of handedFrom(field.recording, id)) {
    if (isNaming(field, at) || isElement(events[at])) return true;
  }
  return false;
}

/** The calls in which the very part of a node that an operand was taken for was known: there was no need to finish it. */
function framesAtHand(
  field: Field,
  key: Key,
  { ranges }: Alignment,
  operand: number,
  user: number,
): Set<number> {
  const { observed, recording } = field;
  const { frame } = recording.events[user];
  const origin = originOf(field, operand);
  const isAll = ({ entry, ranges: own }: Alignment): boolean =>
    entry.key === key &&
    entry.role === 'node' &&
    [...own].every(([letter, { start, count }]) => {
      const other = ranges.get(letter);
      return !other || (start <= other.start && start + count >= other.start + other.count);
    });
  const known = observed.filter(({ event, standing, found }) => {
    // Values are computed anew in a backward pass, gradients are not.
    if (event.id >= user || standing !== 'right') return false;
    if (!key.startsWith('g:') && event.frame !== frame) return false;
    // Outputs that are their own gradient as well.
    const isValue = found.some(({ entry }) => entry.kind === 'value') && !isNamedGradient(event);
    if (key.startsWith('g:') && isValue) return false;
    return originOf(field, event.id) !== origin && found.some(isAll);
  });
  return new Set(known.map(({ event }) => event.frame));
}

/** The statement that took the one for the other: the user itself where it had both, or the call that handed it on. */
function pickedAt(
  { recording }: Field,
  id: number,
  user: number,
  atHand: ReadonlySet<number>,
): number {
  const { events } = recording;
  const { frame } = events[user];
  if (atHand.has(frame)) return user;
  for (const at of handedFrom(recording, id)) {
    if (events[at].frame !== frame) break;
    if (events[at].how === 'argument') return callOf(recording, frame) ?? user;
  }
  return user;
}

const isNearly = (a: Tensor, b: Tensor, tolerance: number): boolean =>
  a.data.every((value, at) => value === b.data[at] || Math.abs(value - b.data[at]) <= tolerance);

/** Everything that was computed from a tensor, under whatever name it was handed on. */
function usersOf({ recording, flow }: Field, id: number): number[] {
  const found: number[] = [];
  const queue = [id];
  for (const each of queue)
    for (const user of flow.users[each]) {
      if (handedOn(recording, recording.events[user]) === null) found.push(user);
      else queue.push(user);
    }
  return found;
}

/** Whether an event is of the same form as another: reshaped, no more. */
const isSame = ({ observed }: Field, one: number, other: number): boolean => {
  const keys = new Set(observed[other].found.map(({ entry }) => entry.key));
  return observed[one].found.some(({ entry }) => keys.has(entry.key));
};

/** Where a tensor got the name by which it is used: a statement that only names it anew, or the one that made it. */
function statedAt(
  field: Field,
  id: number,
  { key, title }: Entry,
  frame: number,
  used: Key,
): number | null {
  const { recording, observed, flow } = field;
  let at = id;
  for (;;) {
    const event = recording.events[at];
    // What a function is given it has to finish itself, unless it was given another name first, or was another choice.
    // Outputs are finished by whoever makes them.
    const isOutput = used === keyOf(field.catalogue.parts.output, 'value');
    if (event.how === 'argument' && event.frame === frame && !isOutput) {
      const named = namedAt(field, at, used);
      if (named !== null) return named;
      const renamed = renamedAt(field, at);
      if (renamed !== null || key !== 'v:Pd') return renamed;
      return at;
    }
    const from = handedOn(recording, event);
    if (from === null ? isNaming(field, at) : isPacked(field, at, used)) return at;
    // A number that is only stored.
    const { text } = recording.statements[event.statement];
    if (event.how === 'write' && sizeOf(event.shape) === 1 && /[^+\-*/@%=]=\s*\w+$/.test(text)) {
      const stored = flow.sources[at].find((source) => source !== event.alias);
      if (stored !== undefined) {
        at = stored;
        continue;
      }
    }
    if (from === null) {
      // Only laid out anew, or masked: it was made before.
      const tensor = recording.tensor(at);
      const isAnew = (source: number): boolean =>
        observed[source].found.some(
          ({ entry }) =>
            entry.key === key && (entry.title === title || entry.title.endsWith(BEFORE_MASK)),
        ) &&
        (isHiding(tensor) ||
          isSameSum(tensor, recording.tensor(source)) ||
          isMaskedFrom(tensor, recording.tensor(source)));
      const before = flow.sources[at].flatMap((source) =>
        observed[source].standing === 'neutral' ? flow.sources[source] : [source],
      );
      const same = before.find(isAnew);
      if (
        same === undefined ||
        (isNamedGradient(event) && !isNamedGradient(recording.events[same]))
      )
        return at;
      at = same;
      continue;
    }
    if (isNaming(field, at)) return at;
    at = from;
  }
}

/** Whether something was put into a list or under a key. */
const isElement = ({ how, name }: Event): boolean => how === 'bind' && name.endsWith(']');

/** Whether one is packed with others, or handed out, by a call that had what it is taken for as well. */
function isPacked({ recording, observed }: Field, id: number, used: Key): boolean {
  const { events } = recording;
  const { how, frame } = events[id];
  if (how !== 'return' && !isElement(events[id])) return false;
  return observed.some(
    ({ event, standing, found }) =>
      event.id < id &&
      event.frame === frame &&
      event.how !== 'argument' &&
      standing === 'right' &&
      found.some(({ entry }) => entry.key === used && entry.role === 'node'),
  );
}

/** The statement that computed what a function was called with, where it names it as what it is used as. */
function namedAt({ recording, observed, flow }: Field, argument: number, used: Key): number | null {
  const { events } = recording;
  let at: number | null = argument;
  // What is computed in the call itself has its name from the parameter.
  const own = nodeNamed(events[argument]);
  const isNamed = own !== null && keyOf(own.node, own.kind) === used;
  if (isNamed && handedOn(recording, events[argument]) === null) return argument;
  while (at !== null && events[at].how === 'argument') at = handedOn(recording, events[at]);
  while (at !== null && events[at].how === 'return' && handedOn(recording, events[at]) !== null)
    at = handedOn(recording, events[at]);
  if (at === null || handedOn(recording, events[at]) !== null) return null;
  // The upstream gradient that was computed from outputs, and is these outputs.
  const keys = observed[at].found.map(({ entry }) => entry.key);
  const isCopy = flow.sources[at].some((source) =>
    observed[source].found.some(({ entry }) => keys.includes(entry.key)),
  );
  if (used === 'g:y' && isCopy) return at;
  const name = nodeNamed(events[at]);
  return name && keyOf(name.node, name.kind) === used ? at : null;
}

/** The statement that only gave another name to what a function was called with. */
function renamedAt(field: Field, argument: number): number | null {
  const from = handedOn(field.recording, field.recording.events[argument]);
  return from !== null && isNaming(field, from) ? from : null;
}

/** Before and after their rotation: both are right in themselves. */
const ROTATED = /^(v:[QK]|g:[QK]h)$/;
const isRotated = ({ entry }: Alignment, key: Key): boolean =>
  ROTATED.test(entry.key) && key !== entry.key;

/** The return or the naming by which the one was passed for the other; null if its user took it itself. */
function passedAt(field: Field, id: number): number | null {
  const { recording } = field;
  const { events } = recording;
  let at: number | null = id;
  let before: number | null = null;
  while (at !== null) {
    const event: Field['recording']['events'][number] = events[at];
    const isNamed = isNaming(field, at);
    // What is called from several places does not know what it is called for.
    if (event.how === 'return' && isHelper(field, event)) return before;
    if (event.how === 'return' || isNamed) return at;
    before = at;
    at = handedOn(recording, event);
  }
  return null;
}

/** Whether a function that returns this is called by several statements. */
function isHelper({ recording, flow }: Field, { statement, name }: Event): boolean {
  const { events } = recording;
  const callers = new Set<number>();
  for (const other of events)
    if (other.statement === statement && other.how === 'return' && other.name === name)
      for (const user of flow.users[other.id]) callers.add(events[user].statement);
  return callers.size > 1;
}

/** Where the other one of queries and keys was rotated, in the same call: the rotation that is missing belongs there. */
function besideOther({ recording, observed }: Field, id: number, user: number): number | null {
  const { events } = recording;
  const { frame } = events[user];
  const own = observed[id].found.map(({ entry }) => entry.key);
  const other = observed.find(({ event, found, standing }) => {
    if (event.frame !== frame || event.id <= id || event.id >= user) return false;
    const isRotatedOne = found.some(
      ({ entry }) => entry.role === 'node' && /^(v:[QK]h|g:[QK])$/.test(entry.key),
    );
    return (
      standing === 'right' && isRotatedOne && !found.some(({ entry }) => own.includes(entry.key))
    );
  });
  return other?.event.id ?? null;
}

const isMaskedFrom = (a: Tensor | null, b: Tensor | null): boolean =>
  a !== null && b !== null && keptIn(a, b) !== null;

function isSameSum(a: Tensor | null, b: Tensor | null): boolean {
  if (!a || !b || a.data.length !== b.data.length) return false;
  const sum = ({ data }: Tensor): number =>
    data.reduce((total, value) => total + (value > MASKED ? value : 0), 0);
  const size = a.data.reduce(
    (most, value) => Math.max(most, Math.abs(value) < Infinity ? Math.abs(value) : 0),
    0,
  );
  return Math.abs(sum(a) - sum(b)) <= 1e-6 * size;
}
