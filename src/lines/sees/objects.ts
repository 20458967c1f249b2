// Objects of a person's classes that a program makes and calls, and the arguments that are written within a call.
import type { Event, Recording } from '../recorded/recording.ts';

/** "layer = Attention(16, 4, rng)": what holds weights. */
export interface Made {
  readonly name: string;
  readonly type: string;
  readonly statement: number;
}

const MAKES = /^(\w+)\s*=\s*(\w+)\s*\(/;

/** Objects that the statements of one function make of classes of the person's, by name. */
export function objectsOf(
  { functions, statements }: Recording,
  among: readonly number[],
): Map<string, Made> {
  const classes = new Set(
    functions.flatMap(({ name }) => (name.includes('.') ? [name.split('.', 1)[0]] : [])),
  );
  const found = new Map<string, Made>();
  for (const statement of among) {
    const [, name, type] = MAKES.exec(statements[statement].text) ?? [];
    if (name && type && classes.has(type)) found.set(name, { name, type, statement });
  }
  return found;
}

/** Makes random numbers: a test makes one of its own, as the program does. */
export const makesGenerator = (text: string): boolean =>
  /^\w+\s*=\s*[\w.]*(default_rng|RandomState|Generator)\s*\(/.test(text);

export interface Argument {
  /** As it is written, and where in the text of the call. */
  readonly text: string;
  readonly start: number;
  /** Of the function that is called; null where that cannot be told. */
  readonly parameter: string | null;
}

/** The function that a call means: "layer.backward" of an object is "Attention.backward". */
export function calledFunction(
  { functions }: Recording,
  called: string,
  objects: ReadonlyMap<string, Made>,
): number {
  const [root, ...rest] = called.split('.');
  const type = objects.get(root)?.type;
  const names = type
    ? rest.length > 0
      ? [[type, ...rest].join('.')]
      : [`${type}.forward`, `${type}.__call__`]
    : [called, `${called}.__init__`, called.replace(/\.apply$/, '.forward')];
  return functions.findIndex(({ name }) => names.includes(name));
}

/** The arguments of the first call of `called` in a statement. */
export function argumentsOf(
  recording: Recording,
  text: string,
  called: string,
  callee: number,
): Argument[] {
  const start = text.indexOf(`${called}(`);
  if (start < 0) return [];
  const parameters = parametersOf(recording, callee);
  return partsOf(text, start + called.length).map((part, n) => {
    const [, keyword, value] = /^(\w+)\s*=\s*(?!=)([\s\S]*)$/.exec(part.text) ?? [];
    return keyword && value !== undefined
      ? { text: value, start: part.start + part.text.length - value.length, parameter: keyword }
      : { ...part, parameter: parameters[n] ?? null };
  });
}

/** "attend(q, k)" of a longer text. */
export function callText(text: string, called: string): string | null {
  const start = text.indexOf(`${called}(`);
  const end = start < 0 ? -1 : closing(text, start + called.length);
  return end < 0 ? null : text.slice(start, end + 1);
}

/** Where the parentheses that open at `from` close; -1 where they do not. */
function closing(text: string, from: number): number {
  const last = partsOf(text, from).at(-1);
  return last ? text.indexOf(')', last.start + last.text.length) : text.indexOf(')', from);
}

/** Names of a function's parameters; of a method without `self`, of an autograd function without `ctx`. */
function parametersOf({ functions, files }: Recording, at: number): string[] {
  const definition = functions[at] as (typeof functions)[number] | undefined;
  const source = definition && files[definition.file].source;
  if (!definition || !source) return [];
  const text = source
    .split('\n')
    .slice(definition.line - 1)
    .join('\n');
  const open = /\bdef\s+\w+\s*(?=\()/.exec(text);
  if (!open) return [];
  const names = partsOf(text, open.index + open[0].length).map(
    (part) => /^\w*/.exec(part.text)![0],
  );
  return ['self', 'ctx'].includes(names[0]) ? names.slice(1) : names;
}

/** What stands between the commas of the parentheses that open at `from`. */
function partsOf(text: string, from: number): { readonly text: string; readonly start: number }[] {
  const parts: { text: string; start: number }[] = [];
  let depth = 0;
  let start = from + 1;
  const end = (at: number): void => {
    const whole = text.slice(start, at);
    const trimmed = whole.trim();
    if (trimmed !== '')
      parts.push({ text: trimmed, start: start + whole.length - whole.trimStart().length });
    start = at + 1;
  };
  for (let at = from; at < text.length; at++) {
    const character = text[at];
    if (character === '"' || character === "'") {
      for (at++; at < text.length && text[at] !== character; at++) if (text[at] === '\\') at++;
    } else if ('([{'.includes(character)) depth++;
    else if (')]}'.includes(character)) {
      if (--depth === 0) {
        end(at);
        return parts;
      }
    } else if (character === ',' && depth === 1) end(at);
  }
  return parts;
}

/** What a parameter held in the first call of its function after an event. */
export function argumentAfter(
  { events, statements }: Recording,
  callee: number,
  parameter: string,
  after: number,
): Event | undefined {
  return events.find(
    ({ id, how, name, statement }) =>
      id >= after &&
      how === 'argument' &&
      name === parameter &&
      statements[statement].function === callee,
  );
}
