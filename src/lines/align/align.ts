// Which part of which form a recorded tensor is: an index map letter by letter, verified at every entry.
import type { Letter } from '../../engine/axes.ts';
import { strides, type Tensor } from '../../engine/tensor.ts';
import type { Catalogue, Entry } from './catalogue.ts';
import { sequences } from './sequences.ts';
import { ValueIndex } from './valueIndex.ts';

/** Which indices of a letter: start, start + step, ... */
export interface Range {
  readonly start: number;
  readonly step: number;
  readonly count: number;
}

/** One axis of a recorded tensor: the letters along it, slowest first; none where it is a repetition or has length 1. */
export type AxisMap = readonly Letter[];

export interface Alignment {
  readonly entry: Entry;
  readonly axes: readonly AxisMap[];
  /** For every letter of the entry. */
  readonly ranges: ReadonlyMap<Letter, Range>;
}

/** A mask that stands for −∞: logits below this weigh nothing. */
const MASKED = -50;
/** Numbers that masks are made of are no probes while there are others. */
const MASK_LIKE = -1e3;
const PROBES = 3;
const MOST_VERIFIED = 400;
const MOST_FOUND = 12;
/** Bits beyond those that chance explains. */
const MARGIN = 8;

/** Letters of which every second or fourth may be taken: pairs of a rotation, interleaved parts. */
const FEATURES = /^[acvoeuw]$/;

/** One way to read an axis of length n: offset in the entry at each of its indices, relative to the probe's. */
interface Option {
  readonly letters: readonly number[];
  readonly offsets: Int32Array;
  readonly start: number;
  readonly step: number;
  readonly count: number;
}

interface AlignOptions {
  /** Of a narrower type than the program's. */
  readonly epsilon?: number;
  /** NaN stands for what is not known, and agrees with everything. */
  readonly hasGaps?: boolean;
}

/** A tensor without its axes of length 1. */
interface Sought extends Tensor {
  readonly hasGaps: boolean;
}

export interface Telling {
  /** Positions to look up, the largest numbers first. */
  readonly probes: readonly number[];
  /** All entries that are numbers are one and the same, or it is empty. */
  readonly isConstant: boolean;
  /** Nothing but 0, 1 and numbers that masks are made of. */
  readonly isMask: boolean;
  readonly size: number;
}

/** What kind of numbers a tensor has. */
export function tellingOf({ data }: Tensor): Telling {
  let [isMask, isConstant, size] = [true, true, 0];
  let first = NaN;
  for (const value of data) {
    if (Number.isNaN(first)) first = value;
    else if (value !== first) isConstant = false;
    const magnitude = Math.abs(value);
    if (value !== 0 && value !== 1 && value > MASK_LIKE) isMask = false;
    if (magnitude > size && value > MASK_LIKE && magnitude < Infinity) size = magnitude;
  }
  return { probes: isConstant && data.length > 1 ? [] : probesOf(data), isConstant, isMask, size };
}

function probesOf(data: Float64Array): number[] {
  const usable = (value: number): boolean =>
    value !== 0 && value > MASK_LIKE && Number.isFinite(value);
  const found: number[] = [];
  // Whole numbers, such as the weight of the only key, are met by chance.
  const rank = (at: number): number => {
    const size = Math.abs(data[at]);
    return Math.abs(size - Math.round(size)) < NEARLY_WHOLE ? size * LAST : size;
  };
  // The largest of each third: a part that has no effect may be anything.
  const part = Math.ceil(data.length / PROBES);
  for (let start = 0; start < data.length; start += part) {
    let best = -1;
    for (let at = start; at < Math.min(data.length, start + part); at++)
      if (usable(data[at]) && (best < 0 || rank(at) > rank(best))) best = at;
    if (best >= 0) found.push(best);
  }
  return found.sort((a, b) => rank(b) - rank(a));
}

const NEARLY_WHOLE = 1e-6;
const LAST = 1e-200;

export class Aligner {
  readonly #catalogue: Catalogue;
  #index: ValueIndex;
  #indexed: number;
  readonly #bits: number;

  constructor(catalogue: Catalogue) {
    this.#catalogue = catalogue;
    const { epsilon } = catalogue.type;
    this.#bits = epsilon < 1e-12 ? 16 : epsilon < 1e-6 ? 10 : 5;
    this.#index = new ValueIndex(catalogue.entries, this.#bits);
    this.#indexed = catalogue.entries.length;
  }

  /** After entries were added. */
  refresh(): void {
    if (this.#catalogue.entries.length === this.#indexed) return;
    this.#index = new ValueIndex(this.#catalogue.entries, this.#bits);
    this.#indexed = this.#catalogue.entries.length;
  }

  /** All forms that `tensor` is a part of, one alignment for each entry. */
  align(
    tensor: Tensor,
    telling: Telling = tellingOf(tensor),
    { epsilon = 0, hasGaps = false }: AlignOptions = {},
  ): Alignment[] {
    const shape = tensor.shape.filter((length) => length !== 1);
    const own = { shape, data: tensor.data, hasGaps };
    const found = new Map<number, Alignment>();
    let verified = 0;
    for (const probe of telling.probes) {
      this.#index.find(tensor.data[probe], (entry, offset) => {
        const before = found.get(entry.id);
        if (before && !isReversed(before)) return false;
        const tolerance = toleranceIn(entry, epsilon);
        if (!isClose(entry, offset, tensor.data[probe], tolerance)) return false;
        for (const options of readings(own, probe, entry, offset, tolerance)) {
          verified++;
          if (!this.#verifies(own, entry, offset, options, tolerance)) continue;
          const aligned = alignmentOf(tensor, entry, offset, options);
          // Where all tokens are the same it may as well run forwards.
          if (!before || !isReversed(aligned)) found.set(entry.id, aligned);
          break;
        }
        return verified > MOST_VERIFIED || found.size >= MOST_FOUND;
      });
      if (found.size > 0 || verified > MOST_VERIFIED) break;
    }
    return [...found.values()];
  }

  #verifies(
    { shape, data, hasGaps }: Sought,
    entry: Entry,
    offset: number,
    options: readonly Option[],
    tolerance: number,
  ): boolean {
    const { hidden } = entry;
    const reference = entry.data;
    let agreeing = 0;
    let agreeingHidden = 0;
    let hiddenAsReference = true;
    let hiddenAsOne = true;
    let hiddenValue = NaN;
    let seenHidden = false;
    const check = (at: number, where: number): boolean => {
      const value = data[at];
      const right = reference[where];
      if (hasGaps && Number.isNaN(value)) return true;
      if (hidden !== null && hidden[where] === 1) {
        if (hiddenAsReference && !isNear(value, right, tolerance)) hiddenAsReference = false;
        if (tells(right, tolerance)) agreeingHidden++;
        const kind = value <= MASKED ? -Infinity : value;
        if (!seenHidden) hiddenValue = kind;
        else if (kind !== hiddenValue && !(Number.isNaN(kind) && Number.isNaN(hiddenValue)))
          hiddenAsOne = false;
        seenHidden = true;
        return hiddenAsReference || hiddenAsOne;
      }
      if (!isNear(value, right, tolerance)) return false;
      if (tells(right, tolerance)) agreeing++;
      return true;
    };
    const walk = (axis: number, at: number, where: number): boolean => {
      if (axis === shape.length) return check(at, where);
      const { offsets } = options[axis];
      const length = shape[axis];
      for (let n = 0; n < length; n++)
        if (!walk(axis + 1, at * length + n, where + offsets[n])) return false;
      return true;
    };
    if (!walk(0, 0, offset)) return false;
    // Weights where none may be are no convention.
    if (seenHidden && !hiddenAsReference && entry.key === 'v:P' && hiddenValue !== 0) {
      if (entry.role === 'node') return false;
    }
    if (hiddenAsReference) agreeing += agreeingHidden;
    const digits = Math.log2(Math.max(2, entry.size / (tolerance || Number.MIN_VALUE)));
    return agreeing * Math.min(digits, 40) > Math.log2(this.#index.size + 1) + MARGIN;
  }
}

/** Whether meeting this number says something: small whole numbers are met by chance. */
const tells = (right: number, tolerance: number): boolean =>
  Math.abs(right) > 2 * tolerance && Number.isFinite(right) && !Number.isInteger(right);

/** A narrower type than that of the program as a whole rounds more: a few units of the largest entry. */
const toleranceIn = ({ tolerance, size }: Entry, epsilon: number): number =>
  Math.max(tolerance, UNITS * epsilon * size);
const UNITS = 2;

export function isNear(value: number, right: number, tolerance: number): boolean {
  if (value === right) return true;
  if (right === -Infinity) return value <= MASKED;
  if (Number.isNaN(right)) return Number.isNaN(value);
  return Math.abs(value - right) <= tolerance;
}

const isClose = (
  { data, hidden }: Entry,
  offset: number,
  value: number,
  tolerance: number,
): boolean => hidden?.[offset] === 1 || isNear(value, data[offset], tolerance);

/** The readings of all axes together that agree with the probe's neighbours: no letter twice. */
function* readings(
  { shape, data, hasGaps }: Sought,
  probe: number,
  entry: Entry,
  offset: number,
  tolerance: number,
): Generator<readonly Option[]> {
  const steps = strides(shape);
  const coordinates = entry.strides.map(
    (stride, n) => Math.floor(offset / stride) % entry.lengths[n],
  );
  const perAxis: Option[][] = [];
  for (let axis = 0; axis < shape.length; axis++) {
    const at = Math.floor(probe / steps[axis]) % shape[axis];
    const length = shape[axis];
    // Both neighbours and both ends, before a table is made.
    const others = [at + 1, at - 1, 0, length - 1].filter((n) => n >= 0 && n < length && n !== at);
    const fits = (offsetAt: (n: number) => number): boolean =>
      others.every((n) => {
        const value = data[probe + (n - at) * steps[axis]];
        if (hasGaps && Number.isNaN(value)) return true;
        return isClose(entry, offset + offsetAt(n), value, tolerance);
      });
    const options = optionsFor(length, at, entry, coordinates, fits);
    if (options.length === 0) return;
    perAxis.push(options);
  }
  const chosen: Option[] = [];
  function* choose(axis: number, used: number): Generator<readonly Option[]> {
    if (axis === shape.length) {
      yield [...chosen];
      return;
    }
    for (const option of perAxis[axis]) {
      const own = option.letters.reduce((bits, letter) => bits | (1 << letter), 0);
      if (used & own) continue;
      chosen[axis] = option;
      yield* choose(axis + 1, used | own);
    }
  }
  yield* choose(0, 0);
}

/** All ways in which an axis of `length` entries, the one at `at` being at `coordinates`, can run through letters. */
function optionsFor(
  length: number,
  at: number,
  entry: Entry,
  coordinates: readonly number[],
  fits: (offsetAt: (n: number) => number) => boolean,
): Option[] {
  const { lengths, strides: own, letters: names } = entry;
  const options: Option[] = [];
  const single = (letter: number, step: number): void => {
    const start = coordinates[letter] - step * at;
    const last = start + step * (length - 1);
    if (start < 0 || last < 0 || start >= lengths[letter] || last >= lengths[letter]) return;
    const offsetAt = (n: number): number => (n - at) * step * own[letter];
    if (!fits(offsetAt)) return;
    const offsets = new Int32Array(length);
    for (let n = 0; n < length; n++) offsets[n] = offsetAt(n);
    options.push({ letters: [letter], offsets, start, step, count: length });
  };
  for (let letter = 0; letter < lengths.length; letter++) {
    if (lengths[letter] < length) continue;
    const most = FEATURES.test(names[letter])
      ? Math.floor((lengths[letter] - 1) / (length - 1))
      : 1;
    for (let step = 1; step <= most; step++) {
      single(letter, step);
      single(letter, -step);
    }
  }
  for (const letters of sequences(lengths, length)) {
    const [outer, ...inner] = letters;
    const block = inner.reduce((size, letter) => size * lengths[letter], 1);
    const coordinate = inner.reduce(
      (sum, letter) => sum * lengths[letter] + coordinates[letter],
      0,
    );
    if (coordinate !== at % block) continue;
    const count = length / block;
    const start = coordinates[outer] - Math.floor(at / block);
    if (start < 0 || start + count > lengths[outer]) continue;
    const blockOffsets = new Int32Array(block);
    for (let n = 0; n < block; n++) {
      let rest = n;
      for (let k = inner.length - 1; k >= 0; k--) {
        blockOffsets[n] += (rest % lengths[inner[k]]) * own[inner[k]];
        rest = Math.floor(rest / lengths[inner[k]]);
      }
    }
    const base = Math.floor(at / block) * own[outer] + blockOffsets[at % block];
    const offsetAt = (n: number): number =>
      Math.floor(n / block) * own[outer] + blockOffsets[n % block] - base;
    if (!fits(offsetAt)) continue;
    const offsets = Int32Array.from({ length }, (_, n) => offsetAt(n));
    options.push({ letters, offsets, start, step: 1, count });
  }
  return options;
}

function alignmentOf(
  { shape }: Tensor,
  entry: Entry,
  offset: number,
  options: readonly Option[],
): Alignment {
  const { letters, lengths, strides: own } = entry;
  const ranges = new Map<Letter, Range>();
  letters.forEach((letter, n) => {
    ranges.set(letter, { start: Math.floor(offset / own[n]) % lengths[n], step: 1, count: 1 });
  });
  for (const option of options) {
    const [outer, ...inner] = option.letters;
    const { start, step, count } = option;
    ranges.set(letters[outer], { start, step, count });
    for (const letter of inner)
      ranges.set(letters[letter], { start: 0, step: 1, count: lengths[letter] });
  }
  let next = 0;
  const axes = shape.map((length) =>
    length === 1 ? [] : options[next++].letters.map((letter) => letters[letter]),
  );
  return { entry, axes, ranges };
}

const isReversed = ({ ranges }: Pick<Alignment, 'ranges'>): boolean =>
  [...ranges.values()].some(({ step }) => step < 0);

/**
 * Whether an axis runs backwards, or heads are merged in another order than they are stored in: right only as something
 * on the way.
 */
export const isReordered = (alignment: Alignment): boolean =>
  isReversed(alignment) || isRegrouped(alignment);

/** Whether heads are merged in another order than they are stored in. */
export function isRegrouped({ entry, axes }: Alignment): boolean {
  const { letters: own } = entry;
  // Query heads may share keys and values in turns.
  const stored = own.indexOf('g') < own.indexOf('r') && own.includes('g') ? 'hgrav' : 'hrgav';
  return axes.some((letters) => {
    // Pairs of a rotation are laid out in one way alone.
    const pairs = letters.filter((letter) => letter === 'u' || letter === 'w');
    if (pairs.length === 2 && entry.letters.indexOf(pairs[0]) > entry.letters.indexOf(pairs[1]))
      return true;
    const order = letters.map((letter) => stored.indexOf(letter)).filter((at) => at >= 0);
    return order.some((at, n) => n > 0 && at < order[n - 1]);
  });
}

/** Whether the whole entry is there. */
export const isWhole = ({ entry, ranges }: Alignment): boolean =>
  entry.letters.every((letter, n) => ranges.get(letter)!.count === entry.lengths[n]);
