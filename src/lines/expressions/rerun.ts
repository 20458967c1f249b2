// One statement of a recording, computed again: as it is, or with other operands.
import { sizeOf, type Tensor } from '../../engine/tensor.ts';
import { CalledIn, calledName, callsIn } from '../recorded/calledIn.ts';
import { loopsAround } from '../recorded/loops.ts';
import type { Event, Recording } from '../recorded/recording.ts';
import { Arrays } from '../recorded/versions.ts';
import { broadcast, NotComputed, reshape } from './arrays.ts';
import { isList, tensorOf, type Value } from './values.ts';
import { binary, evaluate, type Lookup } from './evaluate.ts';
import { attempted, isSameTurn, iterated, partAt, type Turn } from './turns.ts';
import { yielded } from './yields.ts';
import { type Expression, parseLoop, parseStatement, pathOf } from './parse.ts';

/** What other events are to be taken for. */
export type Instead = ReadonlyMap<number, Tensor>;

interface MakeOptions {
  readonly turned?: Turn;
  /** Whether what is made has as many entries as what was there. */
  readonly isExact?: boolean;
}

export interface Made {
  readonly value: Tensor;
  /** The events that the statement named. */
  readonly operands: readonly number[];
  /** The variables of loops that it named, which are no events. */
  readonly turns: readonly Turn[];
}

/** Numbers that masks are made of are all alike. */
const HIDDEN = -1e3;

const EPSILONS: Readonly<Record<string, number>> = {
  ...{ float64: 1e-9, double: 1e-9, float32: 2e-5, float16: 2e-2, bfloat16: 6e-2 },
};

export class Rerun {
  readonly #recording: Recording;
  readonly #byName = new Map<string, number[]>();
  readonly #changes = new Map<number, Tensor>();
  readonly #firsts = new Map<string, number>();
  readonly #called: CalledIn;

  constructor(recording: Recording) {
    this.#recording = recording;
    this.#called = new CalledIn(recording);
    const arrays = new Arrays(recording);
    for (const event of recording.events) {
      const { id, name, how } = event;
      const change = arrays.take(event);
      if (change) this.#changes.set(id, change);
      const run = runOf(event);
      if (!this.#firsts.has(run)) this.#firsts.set(run, id);
      if (how === 'gradient' || how === 'expression') continue;
      const named = this.#byName.get(name);
      if (named) named.push(id);
      else this.#byName.set(name, [id]);
    }
  }

  /** What an event adds to its array, where that is what its statement computes; else its tensor. */
  resultOf(id: number): Tensor | null {
    const { how, statement } = this.#recording.events[id];
    const { kind } = this.#recording.statements[statement];
    const isSum = how === 'write' && kind === 'augmented';
    return (isSum ? this.#changes.get(id) : this.#recording.tensor(id)) ?? null;
  }

  /** Null where the statement is not read, or computes something else here than it did there. */
  asItWas(id: number): Made | null {
    const made = this.make(id, new Map());
    const own = this.resultOf(id);
    if (!made || !own) return null;
    return this.isSame(id, made.value, own) ? made : null;
  }

  isSame(id: number, one: Tensor, other: Tensor): boolean {
    if (one.data.length !== other.data.length) return false;
    const epsilon = EPSILONS[this.#recording.events[id].dtype] ?? 1e-9;
    let size = 0;
    for (const value of other.data)
      if (value > HIDDEN && value < Infinity) size = Math.max(size, Math.abs(value));
    return one.data.every((value, at) => {
      const right = other.data[at];
      if (value === right || (value <= HIDDEN && right <= HIDDEN)) return true;
      if (Number.isNaN(value) && Number.isNaN(right)) return true;
      return Math.abs(value - right) <= epsilon * Math.max(size, 1e-3);
    });
  }

  /** What the statement of an event leaves in it with other operands. */
  make(id: number, instead: Instead, { turned, isExact = false }: MakeOptions = {}): Made | null {
    const { events, statements } = this.#recording;
    const event = events[id];
    // What a function is given is computed by the statement that calls it.
    const own = event.how === 'argument' ? this.#callerOf(event) : event;
    const read = own && parseStatement(statements[own.statement].text);
    if (!read) return null;
    const operands = new Set<number>();
    const turns: Turn[] = [];
    const lookup = this.#lookupOf(own, instead, { operands, turns, ...(turned && { turned }) });
    try {
      const made =
        own === event ? this.#valueFor(event, read, lookup) : this.#given(event, read, lookup);
      const value = made === null ? null : fittedTo(event, made, isExact);
      return value ? { value, operands: [...operands], turns } : null;
    } catch (error) {
      if (error instanceof NotComputed) return null;
      throw error;
    }
  }

  /** The first event of the statement that called the function of an argument. */
  #callerOf({ frame }: Event): Event | null {
    const { events } = this.#recording;
    const isReturned = (read: number): boolean =>
      events[read].frame === frame && events[read].how === 'return';
    const found = events.find((each) => each.frame !== frame && each.reads.some(isReturned));
    // What is given to a function at once is of the statement that calls both.
    return found?.how === 'argument' ? this.#callerOf(found) : (found ?? null);
  }

  /** What a call gives to a parameter. */
  #given(
    event: Event,
    { value }: NonNullable<ReturnType<typeof parseStatement>>,
    lookup: Lookup,
  ): Value | null {
    const { statements } = this.#recording;
    const own = statements[event.statement];
    const name = calledName(this.#recording, own.function);
    const parameters = statements.filter(
      (each) => each.function === own.function && each.kind === 'parameter',
    );
    const calls = callsIn(value).filter(({ of }) => pathOf(of)?.split('.').at(-1) === name);
    const call = calls.length === 1 ? calls[0] : this.#called.callOf(event);
    if (!call) return null;
    const { args, named } = call;
    const isBound = /^(self|cls)\b/.test(parameters[0]?.text ?? '');
    const at = parameters.indexOf(own) - (isBound ? 1 : 0);
    const given = named[event.name] ?? args[at];
    return given ? evaluate(given, lookup) : null;
  }

  #valueFor(
    event: Event,
    { targets, operator, value }: NonNullable<ReturnType<typeof parseStatement>>,
    lookup: Lookup,
  ): Value | null {
    const { kind } = this.#recording.statements[event.statement];
    if (kind === 'return')
      return elementOf(value, /^return\[(\d+)\]$/.exec(event.name)?.[1], lookup);
    if (kind === 'expression') return event.how === 'update' ? evaluate(value, lookup) : null;
    if (kind === 'augmented') {
      const own = evaluate(value, lookup);
      const sign = operator.slice(0, -1);
      if (event.how === 'write' && (sign === '+' || sign === '-'))
        return sign === '+' ? own : binary('-', 0, own);
      return binary(sign, evaluate(targets[0], lookup), own);
    }
    if (kind !== 'assign') return null;
    for (const target of targets) {
      if (target.kind === 'list') {
        const at = target.items.findIndex((item) => pathOf(item) === event.name);
        if (at >= 0) return elementOf(value, String(at), lookup);
      } else if (event.how === 'write' || pathOf(target) === event.name)
        return evaluate(value, lookup);
    }
    return null;
  }

  #lookupOf(event: Event, instead: Instead, { operands, turns, turned }: Looking): Lookup {
    const { events } = this.#recording;
    const before = this.#firsts.get(runOf(event)) ?? event.id;
    const found = new Map<string, Value | undefined>();
    const valueOf = (id: number): Value | undefined => {
      operands.add(id);
      const other = instead.get(id);
      if (other) return other.shape.length === 0 ? other.data[0] : other;
      const { value, dtype } = events[id];
      if (value !== undefined) return value;
      if (dtype === 'str') return undefined;
      return this.#recording.tensor(id) ?? undefined;
    };
    const look = (path: string, loops: boolean): Value | undefined => {
      if (path.endsWith('()')) {
        const returned = this.#returned(path.slice(0, -2), event);
        if (typeof returned === 'number') return valueOf(returned);
        return returned?.map((each) => valueOf(each)!);
      }
      const at = this.#newest(path, event, before);
      if (at !== null) return valueOf(at);
      const items = this.#items(path, event, before);
      if (items.length > 0) return items.map((each) => look(each, false)!);
      if (!loops) return undefined;
      const turn = this.#turnOf(path, event, lookup);
      if (!turn) return this.#plainValue(path, event, lookup);
      turns.push(turn);
      return turned && isSameTurn(turned, turn) ? turned.value : turn.value;
    };
    const lookup: Lookup = (path) => {
      if (!found.has(path)) found.set(path, look(path, true));
      return found.get(path);
    };
    return lookup;
  }

  /** What the only call of a function of the program's own gave to a statement: one event, or one for each result. */
  #returned(path: string, { reads }: Event): number | readonly number[] | undefined {
    const { events, statements, functions } = this.#recording;
    const name = path.split('.').at(-1)!;
    const given = reads.filter((read) => {
      const { how, statement } = events[read];
      return (
        how === 'return' &&
        functions[statements[statement].function].name.split('.').at(-1) === name
      );
    });
    if (given.length === 0 || new Set(given.map((each) => events[each].frame)).size > 1)
      return undefined;
    if (given.length === 1 && events[given[0]].name === 'return') return given[0];
    const places = given.map((each) => events[each].name);
    const isAll = places.every((each, at) => each === `return[${at}]`);
    return isAll ? given : undefined;
  }

  /** The newest event of a name that a statement can see. */
  #newest(path: string, event: Event, before: number): number | null {
    const ids = this.#byName.get(path) ?? [];
    const { events } = this.#recording;
    const last = (isSeen: (id: number) => boolean): number | null => {
      for (let n = ids.length - 1; n >= 0; n--)
        if (ids[n] < before && isSeen(ids[n])) return ids[n];
      return null;
    };
    return (
      last((id) => events[id].frame === event.frame) ??
      last((id) => event.reads.includes(id)) ??
      last((id) => events[id].frame === 0) ??
      (path.includes('.')
        ? this.#attribute(path, event, before)
        : last((id) => this.#isAround(events[id], event)))
    );
  }

  /** What a method read of its own object, which goes by another name elsewhere: `layer.proj.weight` for `self.weight`. */
  #attribute(path: string, { reads }: Event, before: number): number | null {
    const [, attribute] = /^self(\.\w+)$/.exec(path) ?? [];
    if (attribute === undefined) return null;
    const found = reads.filter(
      (read) => read < before && this.#recording.events[read].name.endsWith(attribute),
    );
    return found.length === 1 ? found[0] : null;
  }

  /** Whether a function stands in the one of another event. */
  #isAround(outer: Event, inner: Event): boolean {
    const { statements, functions } = this.#recording;
    const [one, other] = [outer, inner].map(
      ({ statement }) => functions[statements[statement].function].name,
    );
    return one !== '' && other.startsWith(`${one}.`);
  }

  #items(path: string, event: Event, before: number): string[] {
    const found: string[] = [];
    for (;;) {
      const next = `${path}[${found.length}]`;
      const isThere =
        this.#newest(next, event, before) !== null ||
        (found.length < 1000 && this.#byName.has(`${next}[0]`));
      if (!isThere) return found;
      found.push(next);
    }
  }

  /** What is no tensor and no number is not recorded: a slice. */
  #plainValue(name: string, { statement }: Event, lookup: Lookup): Value | undefined {
    const { statements } = this.#recording;
    const own = statements[statement];
    const given = statements.findLast(
      ({ kind, line, targets, file, function: inside }) =>
        kind === 'assign' &&
        line < own.line &&
        file === own.file &&
        inside === own.function &&
        targets.length === 1 &&
        targets[0] === name,
    );
    const read = given && /\bslice\(/.test(given.text) ? parseStatement(given.text) : null;
    return read ? evaluate(read.value, lookup) : undefined;
  }

  /** What a loop's variable is, where that is a number. */
  #turnOf(name: string, event: Event, lookup: Lookup): Turn | null {
    const { statements } = this.#recording;
    const around = loopsAround(this.#recording, event.statement).slice(0, event.loops.length);
    const at = around.findLastIndex((loop) => statements[loop].targets.includes(name));
    if (at < 0) return null;
    const { text } = statements[around[at]];
    const read = parseLoop(text.split('\n')[0]);
    if (!read) return null;
    const given = yielded(this.#recording, around, at, event)?.map(({ value }) => value ?? null);
    const taken =
      (given?.length === 1 ? given[0] : given) ??
      attempted(() => iterated(read.over, event.loops[at], lookup)) ??
      undefined;
    const value = partAt(taken, read.target, name);
    if (typeof value !== 'number') return null;
    return {
      ...{ loop: around[at], name, frame: event.frame, value },
      loops: event.loops.slice(0, at + 1),
    };
  }
}

/** What is looked up while a statement is computed again. */
interface Looking {
  readonly operands: Set<number>;
  readonly turns: Turn[];
  readonly turned?: Turn;
}

function fittedTo({ shape }: Event, made: Value, isExact: boolean): Tensor {
  const tensor = tensorOf(made);
  if (isExact && tensor.data.length !== sizeOf(shape)) throw new NotComputed('another size');
  if (tensor.shape.join() === shape.join()) return tensor;
  return tensor.data.length === sizeOf(shape) ? reshape(tensor, shape) : broadcast(tensor, shape);
}

const runOf = ({ statement, frame, loops, how }: Event): string =>
  `${statement} ${frame} ${loops.join()} ${how === 'loop-end'}`;

/** One of several values that are assigned or returned at once. */
function elementOf(value: Expression, at: string | undefined, lookup: Lookup): Value {
  if (at === undefined) return evaluate(value, lookup);
  if (value.kind === 'list') return evaluate(value.items[Number(at)], lookup);
  const all = evaluate(value, lookup);
  const found = isList(all) ? all[Number(at)] : undefined;
  if (found === undefined) throw new NotComputed('unpacking');
  return found;
}

const known = new WeakMap<Recording, Rerun>();

export function rerunOf(recording: Recording): Rerun {
  const found = known.get(recording) ?? new Rerun(recording);
  known.set(recording, found);
  return found;
}
