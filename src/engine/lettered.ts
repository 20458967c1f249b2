// Arrays by letter: entrywise operations with broadcasting, sums, products summed by the engine's contraction.
import type { Letter } from './axes.ts';
import { contract } from './ops/contraction.ts';
import { sizeOf } from './tensor.ts';

/** An array of which each letter is one axis, in this order, row-major. */
export interface Lettered {
  readonly letters: readonly Letter[];
  readonly lengths: readonly number[];
  readonly data: Float64Array;
}

export const scalarOf = (value: number): Lettered => ({
  letters: [],
  lengths: [],
  data: Float64Array.of(value),
});

export function lengthOf({ letters, lengths }: Lettered, letter: Letter): number | undefined {
  const n = letters.indexOf(letter);
  return n < 0 ? undefined : lengths[n];
}

/** All letters of some arrays with their lengths. Throws RangeError where two disagree. */
function lengthsOf(arrays: readonly Lettered[]): Map<Letter, number> {
  const found = new Map<Letter, number>();
  for (const { letters, lengths } of arrays) {
    letters.forEach((letter, n) => {
      const known = found.get(letter);
      if (known !== undefined && known !== lengths[n])
        throw new RangeError(`${letter} is ${known} long here and ${lengths[n]} there`);
      found.set(letter, lengths[n]);
    });
  }
  return found;
}

/** Entries up to which tables of places are kept, and how many. */
const MOST_ENTRIES = 8192;
const MOST_TABLES = 4000;

const tables = new Map<string, Int32Array>();

/** The offsets in `own` of each entry of an array with `letters`, row-major; a letter that it lacks repeats it. */
export function offsetsIn(
  own: Pick<Lettered, 'letters' | 'lengths'>,
  letters: readonly Letter[],
  lengths: readonly number[],
): Int32Array {
  if (sizeOf(lengths) > MOST_ENTRIES) return tableOf(own, letters, lengths);
  const key = `${own.letters.join()} ${own.lengths.join()} ${letters.join()} ${lengths.join()}`;
  const known = tables.get(key);
  if (known) return known;
  if (tables.size >= MOST_TABLES) tables.clear();
  const table = tableOf(own, letters, lengths);
  tables.set(key, table);
  return table;
}

function tableOf(
  own: Pick<Lettered, 'letters' | 'lengths'>,
  letters: readonly Letter[],
  lengths: readonly number[],
): Int32Array {
  const strides = new Map<Letter, number>();
  let stride = 1;
  for (let n = own.letters.length - 1; n >= 0; n--) {
    // A letter that stands twice is the diagonal.
    strides.set(own.letters[n], (strides.get(own.letters[n]) ?? 0) + stride);
    stride *= own.lengths[n];
  }
  const table = new Int32Array(sizeOf(lengths));
  let filled = 1;
  for (let n = letters.length - 1; n >= 0; n--) {
    const step = strides.get(letters[n]) ?? 0;
    for (let value = lengths[n] - 1; value >= 0; value--)
      for (let at = 0; at < filled; at++) table[value * filled + at] = value * step + table[at];
    filled *= lengths[n];
  }
  return table;
}

const sameLetters = (a: readonly Letter[], b: readonly Letter[]): boolean =>
  a.length === b.length && a.every((letter, n) => letter === b[n]);

/** The same entries with these letters in this order, repeated along those that it lacks. */
export function laidOut(
  own: Lettered,
  letters: readonly Letter[],
  lengths: readonly number[],
): Lettered {
  if (sameLetters(own.letters, letters)) return own;
  const table = offsetsIn(own, letters, lengths);
  const data = new Float64Array(table.length);
  for (let at = 0; at < data.length; at++) data[at] = own.data[table[at]];
  return { letters, lengths, data };
}

export function mapped(a: Lettered, fn: (x: number) => number): Lettered {
  const data = new Float64Array(a.data.length);
  for (let at = 0; at < data.length; at++) data[at] = fn(a.data[at]);
  return { letters: a.letters, lengths: a.lengths, data };
}

/** Entry by entry, each repeated along the letters that it lacks. */
export function zipped(a: Lettered, b: Lettered, fn: (x: number, y: number) => number): Lettered {
  if (b.letters.length === 0) {
    const [y] = b.data;
    return mapped(a, (x) => fn(x, y));
  }
  if (a.letters.length === 0) {
    const [x] = a.data;
    return mapped(b, (y) => fn(x, y));
  }
  if (sameLetters(a.letters, b.letters)) return zippedAlike(a, b, fn);
  const all = lengthsOf([a, b]);
  const wide = a.letters.length >= b.letters.length ? a.letters : b.letters;
  const letters = wide.length === all.size ? wide : [...all.keys()];
  const lengths = letters.map((letter) => all.get(letter)!);
  const data = new Float64Array(sizeOf(lengths));
  const [left, right] = [a, b].map((each) => offsetsIn(each, letters, lengths));
  for (let at = 0; at < data.length; at++) data[at] = fn(a.data[left[at]], b.data[right[at]]);
  return { letters, lengths, data };
}

function zippedAlike(a: Lettered, b: Lettered, fn: (x: number, y: number) => number): Lettered {
  a.lengths.forEach((length, n) => {
    if (length !== b.lengths[n]) throw new RangeError(`${a.letters[n]} has two lengths`);
  });
  const data = new Float64Array(a.data.length);
  for (let at = 0; at < data.length; at++) data[at] = fn(a.data[at], b.data[at]);
  return { letters: a.letters, lengths: a.lengths, data };
}

/** Where one factor is 0 nothing is passed on, be the other infinite or no number: as in the operations. */
export const times = (x: number, y: number): number => (x === 0 || y === 0 ? 0 : x * y);

/** How the entries along a letter become one: `start`, then `fn` of it and each. */
export function folded(
  own: Lettered,
  over: readonly Letter[],
  start: number,
  fn: (total: number, each: number) => number,
): Lettered {
  if (over.length === 0) return own;
  const kept = own.letters.filter((letter) => !over.includes(letter));
  const summed = own.letters.filter((letter) => over.includes(letter));
  const length = (letter: Letter): number => lengthOf(own, letter)!;
  const lengths = kept.map(length);
  const starts = offsetsIn(own, kept, lengths);
  const steps = offsetsIn(own, summed, summed.map(length));
  const data = new Float64Array(starts.length);
  for (let at = 0; at < data.length; at++) {
    let total = start;
    for (const step of steps) total = fn(total, own.data[starts[at] + step]);
    data[at] = total;
  }
  return { letters: kept, lengths, data };
}

export const summedOver = (own: Lettered, over: readonly Letter[]): Lettered =>
  folded(own, over, 0, (total, each) => total + each);

/** Terms of sums of products up to which tables of their places are kept. */
const MOST_TERMS = 8192;
const MOST_PLANS = 4000;

interface Plan {
  readonly letters: readonly Letter[];
  readonly lengths: readonly number[];
  readonly count: number;
  /** Places in the two factors of each term, those of one entry after each other. */
  readonly left: Int32Array;
  readonly right: Int32Array;
}

const plans = new Map<string, Plan | null>();

/** How two small arrays are multiplied and summed; null where they are large. Throws RangeError where they do not fit. */
function planOf(a: Lettered, b: Lettered, keep: ReadonlySet<Letter>): Plan | null {
  const text = ({ letters, lengths }: Lettered): string => `${letters.join()} ${lengths.join()}`;
  const key = `${text(a)} ${text(b)} ${[...keep].join()}`;
  const known = plans.get(key);
  if (known !== undefined) return known;
  const all = lengthsOf([a, b]);
  const letters = [...all.keys()].filter((letter) => keep.has(letter));
  const summed = [...all.keys()].filter((letter) => !keep.has(letter));
  const lengths = letters.map((letter) => all.get(letter)!);
  const whole = [...letters, ...summed];
  const wholeLengths = whole.map((letter) => all.get(letter)!);
  const size = sizeOf(wholeLengths);
  const plan =
    size > MOST_TERMS
      ? null
      : {
          ...{ letters, lengths, count: size / sizeOf(lengths) },
          left: offsetsIn(a, whole, wholeLengths),
          right: offsetsIn(b, whole, wholeLengths),
        };
  if (plans.size >= MOST_PLANS) plans.clear();
  plans.set(key, plan);
  return plan;
}

/** Sums as planned; a 0 hides whatever it is multiplied by. */
function planned(
  { letters, lengths, count, left, right }: Plan,
  a: Lettered,
  b: Lettered,
): Lettered {
  const data = new Float64Array(left.length / count);
  for (let at = 0, term = 0; at < data.length; at++) {
    let total = 0;
    for (let n = 0; n < count; n++, term++) {
      const x = a.data[left[term]];
      const y = b.data[right[term]];
      if (x !== 0 && y !== 0) total += x * y;
    }
    data[at] = total;
  }
  return { letters, lengths, data };
}

const isFinite = ({ data }: Lettered): boolean => data.every(Number.isFinite);

/** a b summed over the letters that `keep` lacks. */
function contracted(a: Lettered, b: Lettered, keep: ReadonlySet<Letter>): Lettered {
  const plan = planOf(a, b, keep);
  if (plan) return planned(plan, a, b);
  if (!isFinite(a) || !isFinite(b)) {
    const whole = zipped(a, b, times);
    return summedOver(
      whole,
      whole.letters.filter((letter) => !keep.has(letter)),
    );
  }
  const only = (own: Lettered, other: Lettered): Letter[] =>
    own.letters.filter((letter) => !other.letters.includes(letter) && !keep.has(letter));
  const [left, right] = [summedOver(a, only(a, b)), summedOver(b, only(b, a))];
  const all = lengthsOf([left, right]);
  const letters = [...all.keys()].filter((letter) => keep.has(letter));
  const lengths = letters.map((letter) => all.get(letter)!);
  const axes = (own: readonly Letter[]): Letter[][] => own.map((letter) => [letter]);
  const tensorOf = ({ lengths: shape, data }: Lettered) => ({ shape, data });
  const { data } = contract(
    tensorOf(left),
    axes(left.letters),
    tensorOf(right),
    axes(right.letters),
    axes(letters),
    Object.fromEntries(all),
  );
  return { letters, lengths, data };
}

/** The product of the factors, summed over letters: two by two, each letter as soon as nothing else has it. */
export function summedProduct(factors: readonly Lettered[], over: readonly Letter[]): Lettered {
  // A formula whose factors were all taken away.
  if (factors.length === 0) return scalarOf(1);
  if (factors.length === 1) return summedOver(factors[0], over);
  if (over.length === 0 && factors.every(({ letters }) => sameLetters(letters, factors[0].letters)))
    return factors.reduce((a, b) => zipped(a, b, times));
  let [product, ...rest] = factors;
  while (rest.length > 0) {
    const [next, ...later] = rest;
    const own = [...product.letters, ...next.letters];
    const keep = own.filter(
      (letter) => !over.includes(letter) || later.some(({ letters }) => letters.includes(letter)),
    );
    product = contracted(product, next, new Set(keep));
    rest = later;
  }
  return product;
}
