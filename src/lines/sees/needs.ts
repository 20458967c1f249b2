// What the calls of a person's functions need: tensors, sizes, imports, and the objects that are called.
import type { Event, Recording } from '../recorded/recording.ts';
import { beginOf, type Call, calledIn, type Calls, rootOf } from './calls.ts';
import { meaning, namedAs } from './meaning.ts';
import {
  type Argument,
  argumentAfter,
  argumentsOf,
  calledFunction,
  type Made,
  makesGenerator,
} from './objects.ts';
import { type Given, NoTest } from './types.ts';

/** What the calls need: collected as they are gone through. */
export class Needs {
  readonly #all: Calls;
  readonly given = new Map<string, Given>();
  readonly imports = new Set<string>();
  readonly bound = new Set<string>();
  readonly making: string[] = [];

  constructor(all: Calls) {
    this.#all = all;
  }

  /** The text of a call, in which arguments that are made in place have names. */
  call({ statement: at, text: written }: Call): string {
    const { recording, own, objects } = this.#all;
    const { loads, line } = recording.statements[at];
    const start = recording.events.find((event) => event.statement === at)?.id ?? 0;
    const begin = beginOf(this.#all, at);
    let text = written;
    for (const called of calledIn(text, own, objects)) {
      const callee = calledFunction(recording, called, objects);
      for (const argument of argumentsOf(recording, text, called, callee).reverse()) {
        const { parameter } = argument;
        if (!parameter || !/[([]/.test(argument.text) || this.#isBound(argument.text)) continue;
        const event = argumentAfter(recording, callee, parameter, begin);
        if (!event || event.shape.length === 0) continue;
        text = this.#named(text, argument, event);
      }
    }
    this.#load(loads, text, start, line);
    return text;
  }

  #isBound(text: string): boolean {
    return [...this.bound].some((name) => new RegExp(`\\b${name}\\b`).test(text));
  }

  /** `text` with a name in the place of an argument: what it was is given by that name. */
  #named(text: string, { text: written, start }: Argument, event: Event): string {
    const isTaken = this.given.has(event.name) || this.bound.has(event.name);
    const name = isTaken ? `${event.name}_given` : event.name;
    this.#give(name, event, false, false);
    return text.slice(0, start) + name + text.slice(start + written.length);
  }

  #load(loads: readonly string[], text: string, start: number, line: number): void {
    const { recording, own, inside, objects } = this.#all;
    const isKnown = (name: string): boolean =>
      [this.bound, this.given, this.imports].some((each) => each.has(name));
    for (const name of new Set(loads.map(rootOf))) {
      if (isKnown(name) || !new RegExp(`\\b${name}\\b`).test(text)) continue;
      const object = objects.get(name);
      const maker = recording.statements.find(
        (each) =>
          each.function === inside && each.targets.includes(name) && makesGenerator(each.text),
      );
      if (object) this.#make(object, start);
      else if (maker) {
        this.#load(maker.loads, maker.text, start, maker.line);
        this.making.push(maker.text);
        this.bound.add(name);
      } else if (own.has(name) || !this.giveAll(name, start, inside, false)) {
        const isOther = recording.statements.some(
          ({ targets, function: where }) => where === inside && targets.includes(name),
        );
        if (isOther && !own.has(name))
          throw new NoTest(`line ${line}: ${name} is no tensor, number, list or dict of them`);
        if (!BUILTIN.test(name)) this.imports.add(name);
      }
    }
  }

  /** An object as the program makes it; sizes that are written there are given by their parameters' names. */
  #make({ name, type, statement: at }: Made, before: number): void {
    const { recording, inside } = this.#all;
    const statement = recording.statements[at];
    const begin = beginOf(this.#all, at);
    const callee = recording.functions.findIndex((each) => each.name === `${type}.__init__`);
    let { text } = statement;
    for (const argument of argumentsOf(recording, text, type, callee).reverse()) {
      const { text: written, parameter } = argument;
      const event =
        parameter && /^\d+$/.test(written)
          ? argumentAfter(recording, callee, parameter, begin)
          : undefined;
      if (event?.value !== undefined) text = this.#named(text, argument, event);
    }
    this.#load(statement.loads, text, begin, statement.line);
    this.making.push(text);
    this.bound.add(name);
    for (const event of newest(recording, name, before, inside))
      if (event.shape.length > 0) this.#give(event.name, event, false, true);
  }

  giveAll(name: string, before: number, where: number, isGlobal: boolean): boolean {
    const all = newest(this.#all.recording, name, before, where);
    for (const event of all) this.#give(event.name, event, isGlobal, false);
    return all.length > 0;
  }

  #give(name: string, event: Event, isGlobal: boolean, isAttribute: boolean): void {
    const { recording, observed, catalogue } = this.#all;
    const tensor = event.shape.length > 0 ? recording.tensor(event.id) : null;
    const seen = observed.get(event.id);
    const is = tensor && (meaning(seen) ?? namedAs(event, tensor, catalogue));
    const parts = is ? [] : (seen?.pieces ?? []);
    this.given.set(name, { name, event, tensor, is, parts, isGlobal, isAttribute });
  }
}

const BUILTIN = /^(int|float|len|range|tuple|list|dict|print|max|min|sum|True|False|None)$/;

/** The last events of a variable before a moment: its own, or those of its parts. */
function newest(recording: Recording, name: string, before: number, inside: number): Event[] {
  const found = new Map<string, Event>();
  for (const event of recording.events) {
    if (event.id >= before) break;
    const statement = recording.statements[event.statement];
    if (statement.function !== inside || rootOf(event.name) !== name) continue;
    if (event.how === 'bind' || event.how === 'leaf') found.set(event.name, event);
  }
  return [...found.values()];
}
