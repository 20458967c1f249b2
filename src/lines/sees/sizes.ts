// Sizes that are all different, where the program takes its sizes from what it is given.
import type { Extents, Letter } from '../../engine/axes.ts';
import type { HeadConfig } from '../../engine/config.ts';
import { scaleFactor } from '../../engine/heads/weights.ts';
import type { Given, Plan } from './types.ts';

export interface Sizes {
  readonly extents: Extents;
  /** Numbers that are given, by name. */
  readonly numbers: ReadonlyMap<string, number>;
}

/** Axes that are to keep the length of another one, or of several together: ["c", "hrga"] is a width that is cut into heads. */
export type Tie = readonly [Letter, string];

/** Lengths that are tried for each axis, the likeliest to tell first. Widths that rotate are even. */
const WANTED: Readonly<Record<Letter, readonly number[]>> = {
  b: [2, 3],
  h: [3, 2, 5],
  r: [3, 2, 5],
  g: [2, 3, 5],
  i: [7, 11, 13, 17],
  t: [7, 11, 13, 17],
  j: [5, 9, 11, 13],
  c: [10, 14, 15],
  e: [12, 15, 16],
  a: [4, 6, 8, 16],
  v: [6, 8, 9, 12],
  o: [11, 13, 14],
};

/** A number of this name is the length of one of these axes, or of several together. */
const NAMED: readonly (readonly [RegExp, readonly string[]])[] = [
  [/kv|key_?value/i, ['r']],
  [/group/i, ['g', 'r']],
  [/head_?(dim|size|width)|^d_?(h|head|k|q|qk)$|^(dh|hd|hs)$|per_head/i, ['a', 'v']],
  [/^d_?v$|value/i, ['v']],
  [/head|^n?h$/i, ['h', 'rg']],
  [/batch|^b(s|sz)?$/i, ['b']],
  [/dec|quer|^n_?q$|^t_?q$|tgt/i, ['j', 'e']],
  [/enc|keys|^n_?k$|^t_?k$|src/i, ['i', 'c']],
  [/seq|len|tok|time|ctx|^[tsn]$/i, ['i', 'j']],
  [/model|emb|width|hidden|^[cd]$|feat|dim/i, ['c', 'o', 'a', 'v', 'ha', 'rga', 'hv', 'rgv']],
];
/** A tile's length, a window or a seed is no size. */
const NO_SIZE = /block|tile|chunk|window|^b[rcqkmn]$|seed|^w$/i;
const PRODUCTS = [
  'b',
  'h',
  'r',
  'g',
  'rg',
  'i',
  'j',
  't',
  'c',
  'e',
  'a',
  'v',
  'o',
  'ha',
  'hv',
  'rga',
  'rgv',
  'ra',
  'rv',
];

const product = (letters: string, extents: Extents): number =>
  letters.split('').reduce((size, letter) => size * (extents[letter] ?? NaN), 1);

/** Which axes a given number is the length of: their letters; 'unclear' where it cannot be told, null where it is none. */
function meantBy(name: string, value: number, extents: Extents): string | null {
  if (NO_SIZE.test(name)) return null;
  const fitting = PRODUCTS.filter((letters) => product(letters, extents) === value);
  for (const [pattern, likely] of NAMED) {
    const found = pattern.test(name) && likely.find((letters) => fitting.includes(letters));
    if (found) return found;
  }
  return fitting.length > 1 ? 'unclear' : (fitting[0] ?? null);
}

/** New lengths of all axes, and the numbers that go with them. */
export function sizesFor(
  config: HeadConfig,
  extents: Extents,
  { given, making }: Pick<Plan, 'given' | 'making'>,
  ties: readonly Tie[],
): Sizes {
  const ints = given.filter(({ event }) => event.dtype === 'int' && event.value !== undefined);
  const meant = new Map(
    ints.map(({ name, event }) => [name, meantBy(name, event.value!, extents)] as const),
  );
  const kept = fixedLetters(given, making, extents);
  const keepAll = (value: number): void => {
    for (const letters of PRODUCTS)
      if (product(letters, extents) === value)
        for (const letter of letters.split('')) kept.add(letter);
  };
  for (const { name, event } of ints) if (meant.get(name) === 'unclear') keepAll(event.value!);
  const known = knownLetters(given, [...meant.values()]);
  // A number of heads that is written in the call, or in a default.
  const isTold = (letters: string): boolean =>
    letters.split('').every((letter) => !(letter in extents) || known.has(letter));
  for (const letter of Object.keys(extents))
    if (!known.has(letter) && !ties.some(([one, others]) => one === letter && isTold(others)))
      kept.add(letter);
  const chosen = choose(config, extents, kept, ties, untold(ints, meant));
  const numbers = new Map<string, number>();
  for (const [name, letters] of meant)
    if (letters !== null && letters !== 'unclear') numbers.set(name, product(letters, chosen));
  const [was, is] = [extents, chosen].map((each) => scaleFactor(config, each['a'] ?? 1));
  for (const { name, event } of given) {
    const { dtype, value } = event;
    if (dtype !== 'float' || value === undefined || was === null || is === null) continue;
    if (Math.abs(value - was) < 1e-12) numbers.set(name, is);
    else if (Math.abs(value * was - 1) < 1e-12) numbers.set(name, 1 / is);
  }
  return { extents: chosen, numbers };
}

/** Letters of weights whose object is made without a number that is their length: its class holds them, and what follows. */
function fixedLetters(
  given: readonly Given[],
  making: readonly string[],
  extents: Extents,
): Set<Letter> {
  const rootOf = (name: string): string => name.split(/[.[]/, 1)[0];
  const fixed = new Set<Letter>();
  for (const { name, isAttribute, is, parts } of given) {
    if (!isAttribute) continue;
    const made = making.find((text) => new RegExp(`^${rootOf(name)}\\s*=`).test(text)) ?? '';
    const told = given.flatMap((each) => {
      const { dtype, value } = each.event;
      const isRead = new RegExp(`\\b${rootOf(each.name)}\\b`).test(made);
      return dtype === 'int' && value !== undefined && !each.isAttribute && isRead ? [value] : [];
    });
    const free = PRODUCTS.filter((letters) => told.includes(product(letters, extents))).join('');
    for (const { axes } of is ? [is] : parts)
      for (const letter of axes.flat()) if (!free.includes(letter)) fixed.add(letter);
  }
  return fixed;
}

const untold = (ints: readonly Given[], meant: ReadonlyMap<string, string | null>): number[] =>
  ints.filter(({ name }) => meant.get(name) === null).map(({ event }) => event.value!);

/** Letters whose length the program sees: an axis of their own, a number, or what is left of a merged axis. */
function knownLetters(given: readonly Given[], numbers: readonly (string | null)[]): Set<Letter> {
  const axes = given.flatMap(({ is }) => (is ? is.axes.filter((axis) => axis.length > 0) : []));
  const products = [
    ...axes,
    ...numbers.filter((each) => each !== null && each !== 'unclear').map((each) => each!.split('')),
  ];
  const known = new Set<Letter>(given.flatMap(({ is }) => (is ? lengthOne(is) : [])));
  for (let before = -1; before < known.size;) {
    before = known.size;
    for (const letters of products) {
      const open = letters.filter((letter) => !known.has(letter));
      if (open.length === 1) known.add(open[0]);
    }
  }
  // Of what is merged and never told apart the heads are the program's own: their width is free.
  for (const letters of products) if (letters.length > 1) known.add(letters.at(-1)!);
  return known;
}

/** Letters of length 1 that have an axis of that length. */
export function lengthOne({ axes, entry }: NonNullable<Given['is']>): Letter[] {
  const single = entry.letters.filter((_, n) => entry.lengths[n] === 1);
  return axes.filter((axis) => axis.length === 0).length === single.length ? single : [];
}

function choose(
  { rope }: HeadConfig,
  extents: Extents,
  kept: ReadonlySet<Letter>,
  ties: readonly Tie[],
  tiles: readonly number[],
): Extents {
  const chosen: Record<Letter, number> = {};
  const used = new Set<number>();
  const take = (letter: Letter, size: number): void => {
    chosen[letter] = size;
    used.add(size);
  };
  for (const [letter, size] of Object.entries(extents)) if (kept.has(letter)) take(letter, size);
  for (const letter of Object.keys(WANTED)) {
    if (!(letter in extents) || letter in chosen) continue;
    if (ties.some(([one]) => one === letter)) continue;
    const isLong = 'ijt'.includes(letter);
    const fits = (size: number): boolean =>
      !used.has(size) &&
      !(letter === 'a' && rope && size % 2 === 1) &&
      !(isLong && tiles.some((tile) => tile > 1 && tile !== size && size % tile === 0));
    take(letter, WANTED[letter].find(fits) ?? Math.max(...used) + 1);
  }
  for (const [letter, others] of ties)
    if (letter in extents && !kept.has(letter))
      chosen[letter] = others.split('').reduce((size, other) => size * (chosen[other] ?? 1), 1);
  return { ...extents, ...chosen };
}
