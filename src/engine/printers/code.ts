// A piece of array code: its text, the letters of its axes, and how tightly it holds together.
import type { Letter } from '../axes.ts';
import type { Dialect } from './dialect.ts';

/** How tightly an expression holds together: what binds less is bracketed. */
export const SUM = 1;
export const PRODUCT = 2;
export const POWER = 3;
export const ATOM = 4;

export interface Code {
  readonly text: string;
  /** One letter for each axis. */
  readonly letters: readonly Letter[];
  readonly level: number;
  /** The same with the summed letters kept as axes of length 1, each before the letter at its place. */
  readonly kept?: { readonly text: string; readonly at: readonly (Letter | null)[] };
  /** True or false, which PyTorch multiplies by numbers and does not contract with them. */
  readonly isTruth?: boolean;
}

export const bracketed = ({ text, level }: Code, least: number): string =>
  level < least ? `(${text})` : text;

export const same = (a: readonly unknown[], b: readonly unknown[]): boolean =>
  a.length === b.length && a.every((each, n) => each === b[n]);

export const scalar = (text: string, level = ATOM): Code => ({ text, letters: [], level });

/** Those of both, in the order of whichever has more; where they share none, one after the other. */
export function joinedLetters(a: readonly Letter[], b: readonly Letter[]): Letter[] {
  if (!a.some((letter) => b.includes(letter))) return [...a, ...b];
  const [wide, other] = a.length >= b.length ? [a, b] : [b, a];
  return [...other.filter((letter) => !wide.includes(letter)), ...wide];
}

/** "[..., 0, :]" takes an axis counted from the end. */
export const subscript = (n: number, place: string): string =>
  `[..., ${place}${', :'.repeat(-n - 1)}]`;

/** einsum knows single letters only. */
export function einsumNames(letters: readonly Letter[]): Map<Letter, string> {
  const free = Array.from('klmnopqstuvwxyz').filter((each) => !letters.includes(each));
  return new Map(
    letters.map((letter) => [letter, /^[a-z]$/.test(letter) ? letter : free.shift()!]),
  );
}

/** With the axes of `letters`, those that it lacks of length 1; leading ones are left out unless all must be there. */
export function aligned(code: Code, letters: readonly Letter[], dialect: Dialect): Code {
  const { letters: own, kept } = code;
  if (same(own, letters) || own.length === 0) return code;
  // keepdims, where the sum's axis stands at the place of the letter that is lacking.
  const lacking = letters.filter((letter) => !own.includes(letter));
  if (
    kept &&
    kept.at.length === letters.length &&
    kept.at.every((letter, n) =>
      letter === null ? lacking.includes(letters[n]) : letter === letters[n],
    )
  )
    return { text: kept.text, letters, level: ATOM };
  const order = letters.filter((letter) => own.includes(letter));
  if (order.length < own.length)
    throw new RangeError(`the letters ${own.join(' ')} do not fit ${letters.join(' ')}`);
  const ordered = turned(code, order, dialect);
  if (same(order, letters.slice(letters.length - order.length)))
    return { ...ordered, letters: order };
  const first = letters.findIndex((letter) => own.includes(letter));
  const places = letters.slice(first).map((letter) => (own.includes(letter) ? ':' : 'None'));
  return {
    text: `${bracketed(ordered, ATOM)}[${places.join(', ')}]`,
    letters: letters.slice(first),
    level: ATOM,
  };
}

function turned(code: Code, order: readonly Letter[], dialect: Dialect): Code {
  const own = code.letters;
  if (same(order, own)) return code;
  const isSwap =
    own.length > 1 && same(order, [...own.slice(0, -2), own[own.length - 1], own[own.length - 2]]);
  const text = bracketed(code, ATOM);
  return {
    text: isSwap
      ? dialect.transposed(text)
      : dialect.permuted(
          text,
          order.map((letter) => own.indexOf(letter)),
        ),
    letters: order,
    level: ATOM,
  };
}

/** What a line of array code has no short way to say. */
export class NotPrintable extends RangeError {}

/** A list of lists along several lengths. */
function nested(dialect: Dialect, values: readonly number[], lengths: readonly number[]): string {
  if (lengths.length <= 1) return dialect.list(values);
  const [length, ...inner] = lengths;
  const size = values.length / length;
  const rows = Array.from({ length }, (_, n) => values.slice(n * size, (n + 1) * size));
  return `[${rows.map((row) => nested(dialect, row, inner)).join(', ')}]`;
}

/** Numbers along several lengths as an array of the dialect. */
export const arrayOf = (
  dialect: Dialect,
  values: readonly number[],
  lengths: readonly number[],
): string =>
  `${dialect.module}.${dialect.module === 'np' ? 'array' : 'tensor'}(${nested(dialect, values, lengths)})`;

/** Those that are wanted first in their order, then the others. */
export function inOrder(letters: readonly Letter[], wanted: readonly Letter[]): Letter[] {
  const place = (letter: Letter): number => {
    const n = wanted.indexOf(letter);
    return n < 0 ? wanted.length : n;
  };
  return [...letters].sort((a, b) => place(a) - place(b));
}
