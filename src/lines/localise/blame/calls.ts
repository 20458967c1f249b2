// Calls that are to blame for what a function does with what it was given.
import { sizeOf } from '../../../engine/tensor.ts';
import type { Event } from '../../recorded/recording.ts';
import { calledName } from '../../recorded/calledIn.ts';
import { handedOn, tellingEvent } from '../../recorded/flow.ts';
import { type Field, operandsOf, type Suspect } from '../suspects.ts';
import { type Blame, isHiding, isNaming } from './common.ts';

/** A function that does right when it is called from elsewhere: the call is to blame. */
export function wrongCall(field: Field, { event }: Pick<Suspect, 'event'>): Blame | null {
  const { recording, observed } = field;
  const { events } = recording;
  const own = events[event];
  if (own.frame === 0) return null;
  const caller = callOf(recording, own.frame);
  if (caller === null) return null;
  const others = events.filter(
    (other) =>
      other.statement === own.statement &&
      other.frame !== own.frame &&
      withoutKey(other.name) === withoutKey(own.name) &&
      other.how === own.how,
  );
  const sites = new Map<number, number[]>();
  for (const { id, frame } of others) {
    const from = callOf(recording, frame);
    if (from === null || events[from].statement === events[caller].statement) continue;
    const { statement } = events[from];
    sites.set(statement, [...(sites.get(statement) ?? []), id]);
  }
  const isRight = (id: number): boolean =>
    observed[id].standing === 'right' || (observed[id].standing === 'partial' && field.leads[id]);
  // It is the function, not the call, where right operands come out wrong there too.
  const isWrongToo = (id: number): boolean =>
    observed[id].standing === 'off' && operandsOf(field, field.leads, id) !== null;
  const isElsewhere = [...sites.values()].some((ids) => ids.some(isRight) && !ids.some(isWrongToo));
  return isElsewhere
    ? { event: caller, note: 'its other calls are right: this one gives it what is wrong' }
    : null;
}

/** Of a parameter by which a function could finish its scores itself. */
const FINISHING = /mask|scale|causal|temp|hid|bias|cap|window|length/i;

/** The call that gave scores without their scale or mask to a function of scores alone, which knows neither. */
export function bareScores(field: Field, { event }: Pick<Suspect, 'event'>): Blame | null {
  const { recording, observed, catalogue } = field;
  const { events, statements } = recording;
  const { frame, statement } = events[event];
  if (frame === 0) return null;
  const { function: own } = statements[statement];
  const isFinishing = statements.some(
    ({ kind, function: of, text }) => kind === 'parameter' && of === own && FINISHING.test(text),
  );
  const [only, ...others] = events.filter(
    (each) => each.frame === frame && each.how === 'argument' && sizeOf(each.shape) > 1,
  );
  if (isFinishing || !only || others.length > 0) return null;
  const keys = observed[only.id].found.map(({ entry }) => entry.key);
  const { logits } = catalogue.parts;
  const isBare =
    keys.some((key) => key === 'v:S' || key === 'v:Z') &&
    (!keys.includes(`v:${logits}`) ||
      (catalogue.visible !== null && logits === 'M' && !isHiding(recording.tensor(only.id))));
  const call = isBare ? callOf(recording, frame) : null;
  return call === null ? null : { event: call, note: `${logits} belongs here` };
}

/**
 * Where what a function gave back went wrong that gives back what is right in another call: at the call, unless something
 * unknown that it was given went wrong before.
 */
export function callAtFault(field: Field, id: number): number {
  const { recording, observed, flow } = field;
  const { events } = recording;
  let at = namedOrMade(field, id);
  for (let step = 0; step < MOST_CALLS; step++) {
    const { how, frame, statement, name } = events[at];
    if (isNaming(field, at)) return at;
    const isElsewhere = observed.some(
      ({ event, standing }) =>
        event.statement === statement &&
        event.name === name &&
        event.frame !== frame &&
        standing === 'right',
    );
    const call = how === 'return' && isElsewhere ? callOf(recording, frame) : null;
    if (call === null) {
      const from = onlyLaidOut(field, at);
      if (from === null) return at;
      at = from;
      continue;
    }
    const given = events.filter(
      (each) =>
        each.frame === frame &&
        each.how === 'argument' &&
        sizeOf(each.shape) > 1 &&
        /^(free|off)$/.test(observed[each.id].standing),
    );
    const computed = given
      .filter((each) => handedOn(recording, each) !== null)
      .map((each) => namedOrMade(field, each.id))
      .filter(
        (each) =>
          flow.sources[each].length > 0 &&
          !flow.users[each].some((user) => isRightBeside(field, user, frame)),
      );
    if (computed.length !== 1) return tellingEvent(recording, call);
    [at] = computed;
  }
  return at;
}

const MOST_CALLS = 6;

/** The event that was computed, of one that is handed on, or the statement that only gave another name to it. */
function namedOrMade(field: Field, id: number): number {
  const { events } = field.recording;
  for (let at = id; ;) {
    const from = handedOn(field.recording, events[at]);
    if (from === null || isNaming(field, at)) return at;
    at = from;
  }
}

/** The unknown tensor that was computed, of which an event has the numbers in another order or several times. */
function onlyLaidOut(field: Field, id: number): number | null {
  const { recording, observed, flow } = field;
  const own = recording.tensor(id);
  const found = flow.sources[id].filter((source) => {
    const data = recording.tensor(source)?.data;
    if (!/^(free|off)$/.test(observed[source].standing) || !data || data.length < 2 || !own)
      return false;
    const numbers = new Set(data);
    return own.data.every((value) => numbers.has(value));
  });
  const origin = found.length === 1 ? namedOrMade(field, found[0]) : null;
  return origin !== null && flow.sources[origin].length > 0 ? origin : null;
}

/** Whether an event of another call than one is right. */
const isRightBeside = ({ recording, observed }: Field, id: number, frame: number): boolean =>
  recording.events[id].frame !== frame && observed[id].standing === 'right';

/**
 * The call that gave something wrong to a function, from the one that called it on: what a caller only hands on of what it
 * was given itself, and no tensor is, is its caller's.
 */
export function givingCall({ recording, observed }: Field, frame: number): number | null {
  const { events, statements } = recording;
  let at = callOf(recording, frame);
  while (at !== null && events[at].frame !== 0) {
    const { statement, frame: own } = events[at];
    const { loads, function: of } = statements[statement];
    const given = new Set(
      statements.flatMap(({ kind, function: other, text }) =>
        kind === 'parameter' && other === of ? [text.replace(/[:=].*$/s, '').trim()] : [],
      ),
    );
    const isTensor = (name: string): boolean =>
      events.some(
        (each) =>
          each.frame === own && each.name === name && observed[each.id].standing === 'right',
      );
    if (!loads.some((name) => given.has(name) && name !== 'self' && !isTensor(name))) return at;
    const next = callOf(recording, own);
    if (next === null) return at;
    at = next;
  }
  return at;
}

/** "grads['Wq']" and "grads['Wk']" are of one statement. */
const withoutKey = (name: string): string => name.replaceAll(/\[['"].*?['"]\]/g, '[]');

const callers = new WeakMap<Field['recording'], ReadonlyMap<number, number>>();

/** The event of the statement that called a function: it reads what the function returned. */
export function callOf(recording: Field['recording'], frame: number): number | null {
  const known = callers.get(recording) ?? callersIn(recording);
  callers.set(recording, known);
  return known.get(frame) ?? null;
}

/** The statement that called a function of which nobody reads what it returned; null where several may have. */
export function callingStatement(recording: Field['recording'], inside: Event): number | null {
  const { events, statements } = recording;
  const own = statements[inside.statement].function;
  const call = new RegExp(String.raw`(?<!\w)${calledName(recording, own)}\(`);
  const isOwn = ({ statement }: Event): boolean => statements[statement].function === own;
  const first = events.findIndex(({ frame }) => frame === inside.frame);
  // The call stands between what its own function did before and after it.
  const found = statements.flatMap(({ function: of, text, line, endLine }, id) => {
    if (of === own || !call.test(text)) return [];
    const before = events.findLast(
      (each) => each.id < first && statements[each.statement].function === of,
    );
    if (!before || before.statement === id || statements[before.statement].line > line) return [];
    const after = events.find(
      (each) => each.id > inside.id && each.frame === before.frame && each.how !== 'gradient',
    );
    // In the next iteration of a loop it starts over.
    const isAgain =
      after && (after.how === 'loop-end' || after.loops.join() !== before.loops.join());
    const isBefore = !after || isAgain || statements[after.statement].endLine >= endLine;
    const next = events.find(
      (each) => each.id > inside.id && statements[each.statement].function === of,
    );
    return isBefore ? [{ id, before: before.id, after: next?.id ?? events.length, line }] : [];
  });
  const latest = Math.max(...found.map(({ before }) => before));
  const nearest = found
    .filter(({ before }) => before === latest)
    .sort((one, other) => one.line - other.line);
  if (nearest.length < 2) return nearest[0]?.id ?? null;
  // Of several calls in a row each has its turn.
  const [{ after }] = nearest;
  const frames = new Set(
    events
      .filter((each) => each.id > latest && each.id < after && isOwn(each))
      .map(({ frame }) => frame),
  );
  return frames.size === nearest.length ? nearest[[...frames].indexOf(inside.frame)].id : null;
}

/** Of each frame the first event that reads what it returned. */
function callersIn({ events }: Field['recording']): ReadonlyMap<number, number> {
  const found = new Map<number, number>();
  for (const { id, frame, how, reads } of events) {
    if (how === 'gradient') continue;
    for (const read of reads) {
      const { frame: called, how: given } = events[read];
      if (given === 'return' && called !== frame && !found.has(called)) found.set(called, id);
    }
  }
  return found;
}
