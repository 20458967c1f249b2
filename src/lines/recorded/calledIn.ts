// Of several calls in one statement, `q, k = f(x), f(y)`, which one called a function's frame.
import { type Expression, parseStatement, pathOf } from '../expressions/parse.ts';
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

export class CalledIn {
  readonly #recording: Recording;
  /** By run: the frames whose returns its events, or what they were given, read. */
  readonly #runs = new Map<string, Set<number>>();
  /** By the frame of a call: an event of the run that made it. */
  readonly #callers = new Map<number, Event>();
  readonly #known = new Map<string, Frames | null>();

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

  /** Of several calls in a statement the one that gave a function its argument. */
  callOf({ frame }: Event): Call | undefined {
    const caller = this.#callers.get(frame);
    const found = caller && this.#callsOf(caller);
    return found ? callWith(found, frame) : undefined;
  }

  /** Null where the calls in the statement are not all of those that were recorded. */
  #callsOf(caller: Event): Frames | null {
    const run = runOf(caller);
    const known = this.#known.get(run);
    if (known !== undefined) return known;
    const found = this.#read(caller, run);
    this.#known.set(run, found);
    return found;
  }

  #read(caller: Event, run: string): Frames | null {
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
    return frames;
  }
}

const callWith = (frames: Frames, frame: number): Call | undefined =>
  [...frames].find(([, own]) => own === frame)?.[0];

const runOf = ({ statement, frame, loops }: Event): string =>
  `${statement} ${frame} ${loops.join()}`;
