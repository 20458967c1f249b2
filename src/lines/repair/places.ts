// Which statements a repair looks at: the wrong ones, those that made their operands, their neighbours.
import { followed, handedOn } from '../recorded/flow.ts';
import type { Judged } from '../judge.ts';
import { callOf } from '../localise/blame/calls.ts';
import { type Event, isInteger, isZeroAt, type Recording } from '../recorded/recording.ts';
import { sizeOf } from '../../engine/tensor.ts';
import type { Missing, Standing } from './progress.ts';
import { isOneNumber, loopsOf, writesOneNumber } from './loops.ts';
import { silentOf } from './silent.ts';

export interface Place {
  readonly statement: number;
  readonly file: string;
  readonly line: number;
  /** Where what a lambda returns begins, where the statement is that. */
  readonly column?: number;
  /** The line of the wrong statement behind it, where its effect is to be seen there. */
  readonly until?: number;
  /** Whether its effect is to be seen in what the loops around it write: one number tells nothing. */
  readonly around?: true;
  /** Which of the statement's executions, from 0: the one that first went wrong, the next, and the last. */
  readonly occurrences: readonly number[];
  /** Whether only runs of the whole program show an effect. */
  readonly isUnseen?: true;
  /** Whether it puts tensors together, to be taken out elsewhere: what it is to hold is there already. */
  readonly isPacked?: true;
  /** What is to come out where the effect is seen, where that is known. */
  readonly meant: Missing | null;
}

/** Events that a statement's execution did not make there and then. */
const BESIDE: ReadonlySet<string> = new Set(['loop-end', 'gradient', 'leaf']);
const MOST_WRONG = 4;
const MOST_PLACES = 16;
/** Statements back from a wrong one. */
const MOST_HOPS = 4;
/** After so many others come statements that no tensor tells of. */
const SILENT_AFTER = 5;

/** How far from where something is seen to be wrong; the next mistake is farther than its own surroundings. */
const FAR = {
  wrong: 0.75,
  loop: 1.1,
  whole: 0.5,
  operand: 1,
  rightOperand: 1.6,
  user: 1.5,
  frontier: 0.6,
  number: 0.5,
  hop: 0.2,
  same: 0.05,
  packed: 1.2,
  call: 0.3,
  rightCall: -0.4,
  counted: 2,
  handed: 0.45,
  neighbour: 2.2,
  proven: 2,
  line: 0.1,
};

/** The likeliest first. */
export function placesOf({ recording, judged, missing }: Standing): Place[] {
  const { observed, consequences, flow } = judged.localised;
  const found = new Map<number, { readonly place: Place; readonly far: number }>();
  /** The same statements by all that their loops write. */
  const whole: typeof found = new Map();
  const proven = provenFunctions(recording, judged);
  const add = (id: number, near: number, seenIn: Missing, isPacked = false): void => {
    const event = recording.events[id];
    const known = found.get(event.statement);
    // What is right as it was computed, and put in the wrong place, speaks for no function.
    const isProven = !isPacked && proven.has(recording.statements[event.statement].function);
    const far = near + (isProven ? FAR.proven : 0);
    if (recording.statements[event.statement].kind === 'parameter' || (known && known.far <= far))
      return;
    found.set(event.statement, { place: placeAt(recording, event, seenIn), far });
  };
  const addNumbers = (id: number, far: number, seenIn: Missing): void => {
    for (const number of numbersOf(recording, recording.events[id])) {
      add(number, far + FAR.number, seenIn);
      // A number that was taken from others is as right as these.
      const reached = new Map([[number, far + FAR.number]]);
      for (const [at, near] of reached) {
        const from = handedOn(recording, recording.events[at]);
        for (const source of from === null ? flow.sources[at] : [from]) {
          const isCounted = /^(?:u?int|bool)/.test(recording.events[source].dtype);
          if (reached.has(source) || !isCounted || near > far + FAR.counted) continue;
          const next = near + (from === null ? FAR.hop : FAR.same);
          reached.set(source, next);
          add(source, next, seenIn);
        }
      }
    }
  };
  missing.slice(0, MOST_WRONG).forEach((each, n) => {
    const near = n * FAR.wrong;
    const { event, seen } = each;
    add(event, near, each);
    addNumbers(event, near + FAR.operand, each);
    add(seen, near + 0.1, each);
    for (const id of frontierOf(recording, judged, seen)) {
      add(id, near + FAR.frontier, each);
      addNumbers(id, near + FAR.frontier, each);
    }
    // What was put into a tuple, a list or a dict there came out of it here: it may have been another one that was meant.
    for (const source of new Set([event, seen].flatMap((id) => flow.sources[id])))
      for (let id: number | null = source; id !== null;) {
        if (isElement(recording, id)) add(id, near + FAR.packed, each, true);
        id = handedOn(recording, recording.events[id]);
      }
    // Back along what it was computed from: an operand that is right may be the wrong one, too.
    const reached = new Map<number, number>([event, seen].map((id) => [id, near]));
    for (const [id, far] of reached) {
      if (far >= near + MOST_HOPS * FAR.operand) continue;
      const call = callGiving(recording, id);
      if (call !== null)
        add(call, far + (observed[id].standing === 'right' ? FAR.rightCall : FAR.call), each);
      const from = handedOn(recording, recording.events[id]);
      for (const source of from === null ? flow.sources[id] : [from]) {
        const isRight = observed[source].standing === 'right';
        if (reached.has(source) || (isRight && recording.events[source].how === 'leaf')) continue;
        const next = far + (from !== null ? 0.2 : isRight ? FAR.rightOperand : FAR.operand);
        reached.set(source, next);
        add(source, next, each);
        if (far === near) addNumbers(source, next, each);
      }
    }
    for (const [id, far] of [...reached]) {
      const made = madeAt(recording, id);
      if (made === null) continue;
      // Whole numbers that are computed are a choice that was made there.
      const isWhole = isInteger(recording.events[id]);
      add(made, isWhole ? near + FAR.number : far + FAR.operand, each);
    }
    // What follows may be where a right operand was to be put to use, by whatever name it is handed on there.
    const users = new Map<number, number>([[seen, near]]);
    for (const [id, far] of users)
      for (const user of flow.users[id]) {
        if (users.has(user) || !consequences.has(user)) continue;
        const isSame = handedOn(recording, recording.events[user]) === id;
        const next = far + (isSame ? FAR.handed : FAR.user);
        if (isSame) users.set(user, next);
        add(user, next, each);
        if (!isSame) addNumbers(user, next, each);
      }
    // What is added to an array in loops may show in all of it alone.
    for (const id of new Set([event, seen])) {
      const { how, loops, statement } = recording.events[id];
      if (loops.length === 0 || !/^(write|update|loop-end)$/.test(how)) continue;
      const place = placeAround(recording, statement, recording.events[id], each);
      const known = whole.get(statement);
      if (!known || known.far > near + FAR.whole)
        whole.set(statement, { place, far: near + FAR.whole });
    }
    // A loop that begins late, or ends early.
    for (const loop of loopsOf(recording, recording.events[event])) {
      const isProven = proven.has(recording.statements[loop].function);
      const far = near + FAR.loop + (isProven ? FAR.proven : 0);
      if ((found.get(loop)?.far ?? Infinity) <= far) continue;
      found.set(loop, { place: placeAround(recording, loop, recording.events[event], each), far });
    }
    for (const [next, lines] of neighboursOf(recording, event))
      add(next, near + FAR.neighbour + lines * FAR.line, each);
  });
  const others = [...whole].flatMap(([statement, each]) =>
    found.get(statement)?.place.around === true ? [] : each,
  );
  const near = [...found.values(), ...others]
    .sort((a, b) => a.far - b.far)
    .slice(0, MOST_PLACES)
    .map(({ place }) => place);
  const known = new Set(
    near.flatMap(({ file, line, column }) => (column === undefined ? [`${file} ${line}`] : [])),
  );
  const silent = silentOf(recording, missing.slice(0, MOST_WRONG), near).filter(
    ({ file, line }) => !known.has(`${file} ${line}`),
  );
  const at = Math.min(near.length, SILENT_AFTER);
  return [...near.slice(0, at), ...silent, ...near.slice(at), ...passesOf(recording, missing)];
}

/** The statement of another function that gave an argument, by an event of it. */
function callGiving(recording: Recording, id: number): number | null {
  const { how, frame } = recording.events[id];
  return how === 'argument' && frame > 0 ? callOf(recording, frame) : null;
}

/** Whether an event is an element of what its statement returns, or puts together; not what a function of the person's gave it. */
function isElement({ events, statements, functions }: Recording, id: number): boolean {
  const { name, how, statement } = events[id];
  const { text } = statements[statement];
  const [, called] = /(?:^return|=)\s*(?:\w+\.)*(\w+)\(.*\)$/s.exec(text.trim()) ?? [];
  const isGiven = functions.some((each) => each.name.split('.').at(-1) === called);
  return (
    name.endsWith(']') && !isGiven && (how === 'return' || (how === 'bind' && /[([{]/.test(text)))
  );
}

/** The first event of an array that an event tells of after it was written to: its type and its shape were chosen there. */
function madeAt({ events }: Recording, id: number): number | null {
  const { how } = events[id];
  if (how !== 'write' && how !== 'update' && how !== 'loop-end') return null;
  const at = followed(events, id);
  return at === id ? null : at;
}

/** Where autograd is run: no tensor tells of these statements, though one of them may be too much. */
function passesOf({ events, statements, files }: Recording, missing: readonly Missing[]): Place[] {
  const isOfGraph = missing.some(
    ({ event, seen, key }) =>
      key?.startsWith('g:') &&
      [event, seen].some(
        (id) => events[id].requiresGrad === true || /^(leaf|gradient)$/.test(events[id].how),
      ),
  );
  if (!isOfGraph) return [];
  return statements.flatMap(({ text, file, line }, statement) =>
    /\.backward\(/.test(text)
      ? [
          {
            statement,
            file: files[file].path,
            line,
            occurrences: [0],
            isUnseen: true as const,
            meant: null,
          },
        ]
      : [],
  );
}

/**
 * Functions that gave something right in one call and nothing wrong: where they give something wrong in another one, they
 * were given it.
 */
function provenFunctions(
  { events, statements, functions }: Recording,
  { localised: { observed } }: Judged,
): ReadonlySet<number> {
  const calls = new Map<string, { readonly function: number; isRight: boolean; isOff: boolean }>();
  for (const { id, statement, frame, how, shape } of events) {
    const inside = statements[statement].function;
    if (how === 'argument' || how === 'leaf' || sizeOf(shape) < 2) continue;
    if (functions[inside].calls < 2) continue;
    const call = calls.get(`${inside} ${frame}`) ?? {
      ...{ function: inside, isRight: false, isOff: false },
    };
    calls.set(`${inside} ${frame}`, call);
    const { standing, found, pieces } = observed[id];
    if (standing === 'off') call.isOff = true;
    // What is handed through was right before.
    const isMade = events[id].alias === undefined && events[id].same === undefined;
    const isNode = pieces.length > 0 || found.some(({ entry }) => entry.role === 'node');
    if (standing === 'right' && isMade && isNode) call.isRight = true;
  }
  return new Set(
    [...calls.values()].flatMap((call) => (call.isRight && !call.isOff ? [call.function] : [])),
  );
}

/** Of what an event was computed from, step by step, the first that is not right: all that they were computed from is. */
function frontierOf(
  recording: Recording,
  { localised: { observed, flow } }: Judged,
  seen: number,
): number[] {
  const isOff = (id: number): boolean =>
    observed[id].standing === 'off' ||
    (observed[id].standing === 'neutral' && isNothing(recording, id));
  const reached = new Set(flow.sources[seen].filter(isOff));
  const found: number[] = [];
  for (const id of reached) {
    const off = flow.sources[id].filter(isOff);
    if (off.length === 0) found.push(id);
    for (const source of off) reached.add(source);
  }
  return found;
}

/** Zeros throughout that were computed: a mask the wrong way round leaves nothing. */
function isNothing(recording: Recording, id: number): boolean {
  const { shape, dtype, reads } = recording.events[id];
  if (!/float|complex/.test(dtype) || shape.length === 0 || reads.length === 0) return false;
  return isZeroAt(recording, id);
}

/** The numbers that a statement names: a scale, a count. Nothing tells whether they are right. */
function numbersOf({ events, statements }: Recording, { id, statement }: Event): number[] {
  const names = new Set(statements[statement].loads);
  const found: number[] = [];
  for (let at = id - 1; at >= 0 && names.size > 0; at--) {
    const { name, shape, how } = events[at];
    if (how !== 'argument' && names.delete(name) && shape.length === 0) found.push(at);
  }
  return found;
}

function placeAt(recording: Recording, event: Event, seenIn: Missing): Place {
  const { file, line, column, kind, function: inside } = recording.statements[event.statement];
  const isLambda = kind === 'return' && recording.functions[inside].name.endsWith('<lambda>');
  const executions: string[] = [];
  const own = `${event.frame} ${event.loops.join(',')}`;
  for (const other of recording.events) {
    if (other.statement !== event.statement || BESIDE.has(other.how)) continue;
    const key = `${other.frame} ${other.loops.join(',')}`;
    if (executions.at(-1) !== key) executions.push(key);
  }
  const at = Math.max(0, executions.indexOf(own));
  const last = Math.max(at, executions.length - 1);
  const wrong = recording.events[seenIn.event];
  const there = recording.statements[wrong.statement];
  const isBefore = isBehind(recording, event, wrong);
  // What it makes is no tensor of the graph, such as positions: where it is put to use it shows.
  const seen = recording.events[seenIn.seen];
  const until = isBefore
    ? there.line
    : isBehind(recording, event, seen)
      ? lineOf(recording, seen)
      : null;
  const isAlone = event.loops.length > 0 && there.function === inside && isOneNumber(wrong);
  if (isAlone || writesOneNumber(recording, event))
    return placeAround(recording, event.statement, event, seenIn);
  const isThere = wrong.statement === event.statement || seenIn.seen === event.id;
  return {
    statement: event.statement,
    file: recording.files[file].path,
    line,
    ...(isLambda && { column }),
    ...(until !== null && { until }),
    ...(until === null && isElement(recording, event.id) && { isPacked: true }),
    // What was right before it first went wrong has to stay so.
    occurrences: [...new Set(at > 0 ? [0, at, last] : [at, Math.min(at + 1, last), last])],
    meant: until !== null || isThere ? seenIn : null,
  };
}

const lineOf = ({ statements }: Recording, { statement }: Event): number =>
  statements[statement].line;

/** Whether another event stands behind one in the same call. */
function isBehind(recording: Recording, event: Event, other: Event): boolean {
  const [own, its] = [event, other].map((each) => recording.statements[each.statement]);
  return (
    own.file === its.file &&
    own.function === its.function &&
    its.line > own.line &&
    event.frame === other.frame
  );
}

/** A statement in loops, by what all of them write. */
function placeAround(
  recording: Recording,
  statement: number,
  { statement: own, frame }: Event,
  meant: Missing,
): Place {
  const { file, line } = recording.statements[statement];
  const frames = new Set<number>();
  for (const event of recording.events) if (event.statement === own) frames.add(event.frame);
  return {
    ...{ statement, file: recording.files[file].path, line, around: true, meant },
    occurrences: [Math.max(0, [...frames].indexOf(frame))],
  };
}

/** First events of the statements just before and behind, in the same function, with how many lines are between. */
function neighboursOf(recording: Recording, id: number): [event: number, lines: number][] {
  const own = recording.events[id];
  const { file, function: inside, line } = recording.statements[own.statement];
  const first = new Map<number, number>();
  for (const event of recording.events) {
    const statement = recording.statements[event.statement];
    if (statement.file !== file || statement.function !== inside || event.frame !== own.frame)
      continue;
    if (!first.has(event.statement)) first.set(event.statement, event.id);
  }
  return [...first]
    .filter(([statement]) => statement !== own.statement)
    .map(([statement, event]) => [event, Math.abs(recording.statements[statement].line - line)]);
}
