// Of several calls in one statement, `q, k = f(x), f(y)`, what each part of it was computed from: not of what others returned.
import { type Expression, parseStatement, pathOf, type Statement } from '../expressions/parse.ts';
import type { Event, Recording } from './recording.ts';

type Call = Extract<Expression, { readonly kind: 'call' }>;

/** All calls in an expression, in the order in which Python runs them. */
export function callsIn(expression: Expression): Call[] {
  switch (expression.kind) {
    case 'call': {
      const { of, args, named } = expression;
      const inner = [of, ...args, ...Object.values(named)].flatMap((each) => callsIn(each));
      return [...inner, expression];
    }
    case 'attribute':
    case 'unary':
      return callsIn(expression.of);
    case 'index':
      return [expression.of, ...expression.parts].flatMap((each) => callsIn(each));
    case 'binary':
      return [...callsIn(expression.left), ...callsIn(expression.right)];
    case 'list':
      return expression.items.flatMap((each) => callsIn(each));
    default:
      return [];
  }
}

/** What a function is called by; a lambda by the name that was given to it. */
export function calledName({ functions, statements }: Recording, of: number): string {
  const { name, line, file } = functions[of];
  const own = name.split('.').at(-1)!;
  if (own !== '<lambda>') return own;
  const naming = statements.find(
    (each) => each.line === line && each.file === file && /^\w+\s*=\s*lambda\b/.test(each.text),
  );
  return naming ? /^\w+/.exec(naming.text)![0] : own;
}

/** The frames of the functions that a run of a statement called, by the calls themselves. */
type Frames = ReadonlyMap<Call, number>;

interface Run {
  readonly read: Statement;
  readonly frames: Frames;
}

export class CalledIn {
  readonly #recording: Recording;
  /** By run: the frames whose returns its events, or what they were given, read. */
  readonly #runs = new Map<string, Set<number>>();
  /** By the frame of a call: an event of the run that made it. */
  readonly #callers = new Map<number, Event>();
  readonly #known = new Map<string, Run | null>();

  constructor(recording: Recording) {
    this.#recording = recording;
    const { events } = recording;
    for (const event of events) {
      if (event.how === 'argument' || event.how === 'gradient' || event.how === 'leaf') continue;
      for (const read of event.reads) {
        const { how, frame } = events[read];
        if (how !== 'return' || frame === event.frame || this.#callers.has(frame)) continue;
        this.#callers.set(frame, event);
        const run = runOf(event);
        this.#runs.set(run, (this.#runs.get(run) ?? new Set()).add(frame));
      }
    }
  }

  /** Frames whose returns an event was not computed from, although its statement read them before. */
  others(event: Event): ReadonlySet<number> {
    // What is given to a call is computed of the calls in its own parentheses.
    const caller = event.how === 'argument' ? this.#callers.get(event.frame) : event;
    if (!caller || (event.how !== 'argument' && event.how !== 'bind')) return NONE;
    const found = this.#callsOf(caller);
    if (!found || found.frames.size < 2) return NONE;
    const part = event.how === 'argument' ? callWith(found, event.frame) : partOf(event, found);
    if (!part) return NONE;
    const own = new Set(callsIn(part).flatMap((call) => found.frames.get(call) ?? []));
    return new Set([...found.frames.values()].filter((frame) => !own.has(frame)));
  }

  /** Of several calls in a statement the one that gave a function its argument. */
  callOf({ frame }: Event): Call | undefined {
    const caller = this.#callers.get(frame);
    const found = caller && this.#callsOf(caller);
    return found ? callWith(found, frame) : undefined;
  }

  /** Null where the calls in the statement are not all of those that were recorded. */
  #callsOf(caller: Event): Run | null {
    const run = runOf(caller);
    const known = this.#known.get(run);
    if (known !== undefined) return known;
    const found = this.#read(caller, run);
    this.#known.set(run, found);
    return found;
  }

  #read(caller: Event, run: string): Run | null {
    const { statements, events } = this.#recording;
    const called = [...(this.#runs.get(run) ?? [])].sort((a, b) => a - b);
    if (called.length < 2) return null;
    const read = parseStatement(statements[caller.statement].text);
    if (!read) return null;
    const names = new Map<number, string>();
    for (const { frame, statement } of events)
      if (called.includes(frame) && !names.has(frame))
        names.set(frame, calledName(this.#recording, statements[statement].function));
    const frames = new Map<Call, number>();
    for (const name of new Set(names.values())) {
      const own = callsIn(read.value).filter(({ of }) => pathOf(of)?.split('.').at(-1) === name);
      const theirs = called.filter((frame) => names.get(frame) === name);
      if (own.length !== theirs.length) return null;
      own.forEach((call, n) => frames.set(call, theirs[n]));
    }
    return { read, frames };
  }
}

const NONE: ReadonlySet<number> = new Set();

const callWith = ({ frames }: Run, frame: number): Call | undefined =>
  [...frames].find(([, own]) => own === frame)?.[0];

/** Of `a, b = ...` what the name of an event got. */
function partOf(event: Event, { read: { operator, targets, value } }: Run): Expression | undefined {
  if (operator !== '=' || value.kind !== 'list') return undefined;
  for (const target of targets) {
    if (target.kind !== 'list' || target.items.length !== value.items.length) continue;
    const at = target.items.findIndex((item) => pathOf(item) === event.name);
    if (at >= 0) return value.items[at];
  }
  return undefined;
}

const runOf = ({ statement, frame, loops }: Event): string =>
  `${statement} ${frame} ${loops.join()}`;
