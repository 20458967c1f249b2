// Formulas as data: built by the operations, bound to indices and written as text or MathML.
import type { AxisLetters, Binding, Extents, Letter } from './axes.ts';

export type Formula =
  | { readonly kind: 'symbol'; readonly name: string; readonly indices: readonly AxisLetters[] }
  | { readonly kind: 'number'; readonly value: number }
  | { readonly kind: 'sum'; readonly over: readonly Letter[]; readonly body: Formula }
  | { readonly kind: 'product'; readonly factors: readonly Formula[] }
  | { readonly kind: 'add'; readonly terms: readonly Formula[] }
  | { readonly kind: 'subtract'; readonly left: Formula; readonly right: Formula }
  | { readonly kind: 'fraction'; readonly top: Formula; readonly bottom: Formula }
  | { readonly kind: 'power'; readonly base: Formula; readonly exponent: Formula }
  /** ∂top/∂bottom */
  | { readonly kind: 'partial'; readonly top: Formula; readonly bottom: Formula }
  | { readonly kind: 'call'; readonly name: string; readonly argument: Formula }
  | {
      readonly kind: 'relation';
      readonly left: Formula;
      readonly sign: '=' | '+=' | '≤' | '<';
      readonly right: Formula;
    }
  /** A part that can be pointed at: the panel highlights it by its name. */
  | { readonly kind: 'part'; readonly name: string; readonly body: Formula }
  /** What cannot be written as an expression, and why. */
  | { readonly kind: 'words'; readonly text: string }
  | {
      readonly kind: 'reduce';
      readonly how: Reduce;
      readonly over: readonly Letter[];
      readonly body: Formula;
    }
  /** `body` with its `letter` at `source`; 0 where there is no such entry. */
  | {
      readonly kind: 'index';
      readonly letter: Letter;
      readonly source: Formula;
      readonly body: Formula;
    }
  /** The index itself, counted from 0. */
  | { readonly kind: 'at'; readonly letter: Letter }
  | { readonly kind: 'modulo'; readonly left: Formula; readonly right: Formula }
  /** A number that is read off a person's tensor. */
  | { readonly kind: 'hole'; readonly name: string }
  /** `body`, in which the definitions' left sides (symbols, or letters by `at`) stand for their right sides. */
  | { readonly kind: 'where'; readonly body: Formula; readonly definitions: readonly Formula[] };

/**
 * `last`, `first`: the entry there · `running`, `peak`: the sum and the largest up to and with the entry, which keep its
 * letter.
 */
export type Reduce = 'mean' | 'max' | 'last' | 'first' | 'running' | 'peak';

export const symbol = (name: string, indices: readonly AxisLetters[] = []): Formula => ({
  kind: 'symbol',
  name,
  indices,
});
export const number = (value: number): Formula => ({ kind: 'number', value });
export const words = (text: string): Formula => ({ kind: 'words', text });
export const product = (...factors: Formula[]): Formula => ({ kind: 'product', factors });
export const plus = (...terms: Formula[]): Formula =>
  terms.length === 1 ? terms[0] : { kind: 'add', terms };
export const minus = (left: Formula, right: Formula): Formula => ({
  kind: 'subtract',
  left,
  right,
});
export const fraction = (top: Formula, bottom: Formula): Formula => ({
  kind: 'fraction',
  top,
  bottom,
});
export const power = (base: Formula, exponent: Formula): Formula => ({
  kind: 'power',
  base,
  exponent,
});
export const partial = (top: Formula, bottom: Formula): Formula => ({
  kind: 'partial',
  top,
  bottom,
});
export const call = (name: string, argument: Formula): Formula => ({
  kind: 'call',
  name,
  argument,
});
export const part = (name: string, body: Formula): Formula => ({ kind: 'part', name, body });
export const equals = (left: Formula, right: Formula): Formula => ({
  kind: 'relation',
  left,
  sign: '=',
  right,
});
export const accumulates = (left: Formula, right: Formula): Formula => ({
  kind: 'relation',
  left,
  sign: '+=',
  right,
});
/** A sum over no letter is its body. */
export const sum = (over: readonly Letter[], body: Formula): Formula =>
  over.length === 0 ? body : { kind: 'sum', over, body };

export const reduce = (how: Reduce, over: readonly Letter[], body: Formula): Formula =>
  over.length === 0 ? body : { kind: 'reduce', how, over, body };
export const position = (letter: Letter): Formula => ({ kind: 'at', letter });
export const atIndex = (letter: Letter, source: Formula, body: Formula): Formula => ({
  kind: 'index',
  letter,
  source,
  body,
});
export const modulo = (left: Formula, right: Formula): Formula => ({
  kind: 'modulo',
  left,
  right,
});
export const hole = (name: string): Formula => ({ kind: 'hole', name });
export const where = (body: Formula, ...definitions: Formula[]): Formula =>
  definitions.length === 0 ? body : { kind: 'where', body, definitions };
export const atMost = (left: Formula, right: Formula): Formula => ({
  kind: 'relation',
  left,
  sign: '≤',
  right,
});
export const below = (left: Formula, right: Formula): Formula => ({
  kind: 'relation',
  left,
  sign: '<',
  right,
});

/** The comparison that holds where not(...) of another one is 1; null of what is none. */
export function comparisonOfNot(formula: Formula): Formula | null {
  if (formula.kind !== 'call' || formula.name !== 'not') return null;
  const { argument } = formula;
  if (argument.kind !== 'relation' || !/^[<≤]$/.test(argument.sign)) return null;
  const { left, right } = argument;
  return argument.sign === '<' ? atMost(right, left) : below(right, left);
}

/** Names of its parts, each once. */
export function partNames(formula: Formula): string[] {
  const children: unknown[] = Object.values(formula).flat();
  const inner = children.filter(
    (each): each is Formula => typeof each === 'object' && each !== null && 'kind' in each,
  );
  const own = formula.kind === 'part' ? [formula.name] : [];
  return [...new Set([...own, ...inner.flatMap(partNames)])];
}

/** How a formula is written where it is shown: letters in `binding` become their numbers. */
export interface Writing {
  readonly binding?: Binding;
  /** Needed with `binding`: a merged axis is written as one number. */
  readonly extents?: Extents;
  /** What stands for a letter: an index that is not the letter itself. */
  readonly sources?: Readonly<Record<Letter, string>>;
}

/** Numbers with at most five significant digits, for reading: 0.70711, 1e-9, −2. */
export function formatNumber(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '∞' : '−∞';
  const text = String(Number(value.toPrecision(5)));
  return text.replace(/^-/, '−');
}

export function writeIndices(
  indices: readonly AxisLetters[],
  { binding, extents, sources = {} }: Writing,
): string[] {
  return indices.map((letters) => {
    if (letters.some((letter) => sources[letter] !== undefined)) {
      const written = letters.map((letter) => sources[letter] ?? letter);
      return written.length === 1 ? written[0] : `(${written.join(' ')})`;
    }
    if (!binding || !extents || letters.some((letter) => binding[letter] === undefined))
      return letters.join('');
    return String(letters.reduce((at, letter) => at * extents[letter] + binding[letter], 0));
  });
}

/** The letters of a sum run inside it and are not bound there. */
export function inside(writing: Writing, over: readonly Letter[]): Writing {
  if (!writing.binding) return writing;
  const binding = Object.fromEntries(
    Object.entries(writing.binding).filter(([letter]) => !over.includes(letter)),
  );
  return { ...writing, binding };
}

/** The body of an index: its letter is written as where it is taken from. */
export function moved(formula: Formula & { kind: 'index' }, writing: Writing): Writing {
  const { letter, source } = formula;
  const sources = { ...writing.sources, [letter]: toText(source, writing) };
  return { ...inside(writing, [letter]), sources };
}

export const reduceSign: Readonly<Record<Reduce, string>> = {
  mean: 'mean',
  max: 'max',
  last: 'last',
  first: 'first',
  running: 'running Σ',
  peak: 'running max',
};

export function writtenLetter(letter: Letter, { binding, sources }: Writing): string {
  return sources?.[letter] ?? String(binding?.[letter] ?? letter);
}

export const isSum = (formula: Formula): boolean =>
  formula.kind === 'add' ||
  formula.kind === 'subtract' ||
  // A condition among factors: 1 where it holds.
  formula.kind === 'relation' ||
  (formula.kind === 'part' && isSum(formula.body));

/** What goes on to the right as far as it can: what comes after would seem to be summed too. */
export const isOpen = (formula: Formula): boolean =>
  isSum(formula) ||
  formula.kind === 'sum' ||
  formula.kind === 'reduce' ||
  (formula.kind === 'fraction' && isOpen(formula.bottom)) ||
  (formula.kind === 'part' && isOpen(formula.body));

/** What has an operator of its own between its parts. */
export const isCompound = (formula: Formula): boolean =>
  isOpen(formula) ||
  /^(product|fraction|power|relation)$/.test(formula.kind) ||
  (formula.kind === 'part' && isCompound(formula.body));

/** What would not all stand below the line. A sum there ends where the formula does. */
const isDivisor = (formula: Formula): boolean =>
  formula.kind !== 'sum' && formula.kind !== 'reduce' && isCompound(formula);

function bracketed(
  formula: Formula,
  needed: (formula: Formula) => boolean,
  writing: Writing,
): string {
  const text = toText(formula, writing);
  return needed(formula) ? `(${text})` : text;
}

/** One line of plain text: "dP[0,1] += Σ_c dy[1,c] · x[0,c]". */
export function toText(formula: Formula, writing: Writing = {}): string {
  const text = (inner: Formula): string => toText(inner, writing);
  const grouped = (inner: Formula): string => bracketed(inner, isSum, writing);
  const closed = (inner: Formula): string => bracketed(inner, isOpen, writing);
  switch (formula.kind) {
    case 'symbol': {
      const indices = writeIndices(formula.indices, writing);
      return indices.length === 0 ? formula.name : `${formula.name}[${indices.join(',')}]`;
    }
    case 'number':
      return formatNumber(formula.value);
    case 'words':
      return formula.text;
    case 'sum':
      return `Σ_${formula.over.join(',')} ${bracketed(formula.body, isSum, inside(writing, formula.over))}`;
    case 'product':
      return formula.factors
        .map((each, n) => (n < formula.factors.length - 1 ? closed(each) : grouped(each)))
        .join(' · ');
    case 'add':
      return formula.terms.map(text).join(' + ');
    case 'subtract':
      return `${text(formula.left)} − ${grouped(formula.right)}`;
    case 'fraction':
      return `${closed(formula.top)} / ${bracketed(formula.bottom, isDivisor, writing)}`;
    case 'partial':
      return `∂${text(formula.top)}/∂${text(formula.bottom)}`;
    case 'power':
      return [formula.base, formula.exponent]
        .map((each) => bracketed(each, isCompound, writing))
        .join('^');
    case 'call':
      return `${formula.name}(${text(formula.argument)})`;
    case 'relation':
      return `${text(formula.left)} ${formula.sign} ${text(formula.right)}`;
    case 'part':
      return text(formula.body);
    case 'reduce':
      return `${reduceSign[formula.how]}_${formula.over.join(',')} ${grouped(formula.body)}`;
    case 'index':
      return toText(formula.body, moved(formula, writing));
    case 'at':
      return writtenLetter(formula.letter, writing);
    case 'modulo':
      return `(${grouped(formula.left)} mod ${bracketed(formula.right, isCompound, writing)})`;
    case 'hole':
      return formula.name;
    case 'where':
      return `${text(formula.body)}, where ${formula.definitions.map(text).join(', ')}`;
  }
}
