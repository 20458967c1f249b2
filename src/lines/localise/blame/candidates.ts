// What an operand may have to be instead: another part, node, order, position, number or mask.
import type { Letter } from '../../../engine/axes.ts';
import { sizeOf, strides, type Tensor } from '../../../engine/tensor.ts';
import type { Alignment, Range } from '../../align/align.ts';
import type { Entry } from '../../align/catalogue.ts';
import { isInteger } from '../../recorded/recording.ts';
import type { Field } from '../suspects.ts';
import { MASKED } from './common.ts';

export interface Candidate {
  readonly value: Tensor;
  readonly what: string;
  /** What it is then. */
  readonly entry?: Entry;
  /** The same numbers in another order: only where something is laid out does that go wrong. */
  readonly isOtherLayout?: boolean;
}

/** What may be wrong with an operand: nothing, its order or which part it is, or all of it. */
export type Doubt = 'none' | 'order' | 'all';

const MOST_CANDIDATES = 64;
const MOST_NUMBER = 32;

/** Whole numbers that count along one axis. */
export function isPositions({ recording }: Field, id: number): boolean {
  const { dtype, shape } = recording.events[id];
  return /^int\d+$/.test(dtype) && shape.some((length) => length > 1);
}

/** Whether positions are those of the axis that they lie along. */
export function isAlong(
  { shape, data }: Tensor,
  { ranges, axes }: Alignment,
  result: Tensor,
): boolean {
  const own = shape.findIndex((length) => length > 1);
  const axis = own + result.shape.length - shape.length;
  const [letter] = axes[axis] ?? [];
  const range = letter === undefined ? undefined : ranges.get(letter);
  return range !== undefined && data[0] === range.start && data[1] === range.start + range.step;
}

export function* candidatesFor(field: Field, operand: number, doubt: Doubt): Generator<Candidate> {
  const { recording, observed } = field;
  const { event, found, standing } = observed[operand];
  const own = recording.tensor(operand);
  if (event.value !== undefined || event.shape.length === 0) {
    const value = event.value ?? own?.data[0] ?? 0;
    for (const alignment of found)
      if (isSlope(alignment)) yield* otherParts(alignment, event.shape);
    if (isInteger(event)) yield* otherNumbers(value);
    else yield* otherFactors(field);
    return;
  }
  if (!own) return;
  if (isPositions(field, operand)) yield* shifted(own);
  else if (found.length > 0) {
    let count = 0;
    for (const alignment of found)
      for (const candidate of [
        ...otherParts(alignment, own.shape),
        ...(doubt === 'all' ? otherNodes(field, alignment, own.shape) : []),
        ...(doubt === 'all' ? asNamed(field, alignment, operand) : []),
        ...otherLayouts(alignment, own.shape),
      ])
        if (count++ < MOST_CANDIDATES) yield candidate;
  } else if (standing === 'neutral' || standing === 'free') yield* masksOf(field, own);
  else if (standing === 'off' && doubt === 'all') yield* ofSameShape(field, own);
  if (doubt === 'all') yield* namesakes(field, operand);
}

/** What is none of the forms was to be one of its shape. */
function* ofSameShape({ catalogue }: Field, { shape }: Tensor): Generator<Candidate> {
  let count = 0;
  for (const entry of catalogue.entries) {
    const { role, letters, lengths, title } = entry;
    if (role === 'partial' || lengths.join() !== shape.join()) continue;
    if (count++ >= MOST_CANDIDATES) return;
    const ranges = new Map(
      letters.map((letter, n) => [letter, { start: 0, step: 1, count: lengths[n] }]),
    );
    const axes = letters.map((letter) => [letter]);
    yield { value: laidOut(entry, axes, ranges, shape), what: title, entry };
  }
}

/** What bears the same name in another function, and is something else: it was handed on under the wrong name. */
function* namesakes({ recording, observed }: Field, operand: number): Generator<Candidate> {
  const { events, statements, functions } = recording;
  const { name, shape, statement } = events[operand];
  const own = statements[statement].function;
  if (!/^\w+$/.test(name)) return;
  const seen = new Set<number>();
  for (const { event, standing, found } of observed) {
    const { id, name: other, shape: its, statement: at } = event;
    const of = statements[at].function;
    if (id >= operand || other !== name || of === own || its.join() !== shape.join()) continue;
    if (standing !== 'right' || found.length === 0 || seen.has(at)) continue;
    const value = recording.tensor(id);
    if (!value) continue;
    seen.add(at);
    const where = functions[of].name === '' ? 'the program' : functions[of].name;
    yield { value, what: `what ${where} calls ${name}` };
  }
}

function* otherNumbers(value: number): Generator<Candidate> {
  for (let n = 0; n <= MOST_NUMBER; n++)
    if (n !== value) yield { value: { shape: [], data: Float64Array.of(n) }, what: String(n) };
}

const MOST_WHOLE = 16;
const MOST_LISTED = 12;

/** Whole numbers in place of others: one of them another one, all of them one more, in reverse, negated. */
export function* wholesInstead({ shape, data }: Tensor): Generator<Tensor> {
  const most = Math.max(MOST_WHOLE, ...data.slice(0, MOST_LISTED)) + 1;
  const entries = data.length <= MOST_LISTED ? data.length : 0;
  for (let at = 0; at < entries; at++)
    for (let n = 0; n <= most; n++)
      if (n !== data[at]) yield { shape, data: data.map((each, k) => (k === at ? n : each)) };
  if (data.length < 2) return;
  yield { shape, data: data.slice().reverse() };
  yield { shape, data: data.slice().sort() };
  yield { shape, data: data.map((each) => -each) };
  for (const by of [-1, 1]) yield { shape, data: data.map((each) => each + by) };
  if (new Set(shape).size === 1 && shape.length === 2) yield transposedSquare(shape, data);
}

const transposedSquare = (shape: readonly number[], data: Float64Array): Tensor => ({
  shape,
  data: data.map((_, at) => data[(at % shape[0]) * shape[0] + Math.floor(at / shape[0])]),
});

export const isSlope = ({ entry: { title } }: Alignment): boolean =>
  /^−?ALiBi’s slopes$/.test(title);

/** Numbers that attention multiplies or divides by. */
export function factorsOf({ catalogue: { parts, config } }: Field): number[] {
  const width = parts.extents['a'] ?? 1;
  const { scale } = parts;
  const own = [scale, Math.sqrt(width), config.softcap ?? scale];
  return [...new Set(own.flatMap((each) => [each, 1 / each, each * Math.LOG2E]))];
}

/** In place of a number that is none of those. */
function* otherFactors(field: Field): Generator<Candidate> {
  for (const factor of factorsOf(field))
    yield {
      value: { shape: [], data: Float64Array.of(factor) },
      what: String(Number(factor.toPrecision(6))),
    };
}

function* shifted({ shape, data }: Tensor): Generator<Candidate> {
  for (let by = -MOST_NUMBER; by <= MOST_NUMBER; by++)
    if (by !== 0)
      yield {
        value: { shape, data: data.map((each) => each + by) },
        what: `${data[0] + by}, ${data[1] + by}, …`,
      };
}

/** An entry, laid out as an alignment has it. */
function laidOut(
  { data, letters, strides: own }: Entry,
  axes: Alignment['axes'],
  ranges: ReadonlyMap<Letter, Range>,
  shape: readonly number[],
): Tensor {
  const stepOf = (letter: Letter): number => own[letters.indexOf(letter)];
  const along = new Set(axes.flat());
  let base = 0;
  for (const letter of letters)
    if (!along.has(letter)) base += ranges.get(letter)!.start * stepOf(letter);
  const steps = strides(shape);
  const values = new Float64Array(sizeOf(shape));
  for (let at = 0; at < values.length; at++) {
    let from = base;
    shape.forEach((length, axis) => {
      let n = Math.floor(at / steps[axis]) % length;
      for (const letter of [...axes[axis]].reverse()) {
        const { start, step, count } = ranges.get(letter)!;
        from += (start + (n % count) * step) * stepOf(letter);
        n = Math.floor(n / count);
      }
    });
    values[at] = data[from];
  }
  return { shape, data: values };
}

const WHERE: Readonly<Record<string, string>> = { b: 'sequence', i: 'key', j: 'query', t: 'token' };

/** Other heads, sequences, tiles of the same. */
export function* otherParts(
  { entry, axes, ranges }: Alignment,
  shape: readonly number[],
): Generator<Candidate> {
  const along = new Set(axes.flat());
  for (const [n, letter] of entry.letters.entries()) {
    const range = ranges.get(letter)!;
    if (range.count >= entry.lengths[n] || /[acveou]/.test(letter)) continue;
    const step = along.has(letter) ? range.count : 1;
    for (let start = 0; start + range.count <= entry.lengths[n]; start += step) {
      if (start === range.start) continue;
      const other = new Map(ranges).set(letter, { ...range, start });
      const what = `that of ${WHERE[letter] ?? 'head'} ${start}`;
      yield { value: laidOut(entry, axes, other, shape), what };
    }
  }
}

/** Letters that run over the same: tokens, features, heads. */
const classOf = (letter: Letter): string =>
  /[ijt]/.test(letter) ? 't' : /[hrgs]/.test(letter) ? 'h' : letter === 'b' ? 'b' : 'f';

/** What a mask, a scale, a rotation or a dropout alone stands between: a step that is missing is its user's. */
const stepOf = (key: string): string => key.replace(/[SZM]$/, 'S').replace(/([PQKV])[dhn]$/, '$1');

/** What is kept of each row of the weights where it was to be its log-sum-exp. */
const ROW_SUMS = /\blog.*row sums|^row sums|^log-sum-exp/;

/** Other nodes of the same size, laid out alike; for what is kept of each row, its log-sum-exp. */
function* otherNodes(
  { catalogue }: Field,
  { entry, axes, ranges }: Alignment,
  shape: readonly number[],
): Generator<Candidate> {
  const sorted = ({ letters, lengths }: Entry): { letter: Letter; key: string }[] =>
    letters
      .map((letter, n) => ({ letter, key: `${classOf(letter)} ${lengths[n]}` }))
      .sort((a, b) => a.key.localeCompare(b.key));
  const own = sorted(entry);
  for (const other of catalogue.entries) {
    const isOfRows = ROW_SUMS.test(entry.title) && other.title.startsWith('log-sum-exp');
    const isOther = other.role === 'node' && stepOf(other.key) !== stepOf(entry.key);
    if (!isOther && !isOfRows) continue;
    const theirs = sorted(other);
    if (theirs.map(({ key }) => key).join() !== own.map(({ key }) => key).join()) continue;
    const isAlike = other.letters.every((letter) => entry.letters.includes(letter));
    const named = new Map(
      own.map(({ letter }, n) => [letter, isAlike ? letter : theirs[n].letter]),
    );
    const value = laidOut(
      other,
      axes.map((axis) => axis.map((letter) => named.get(letter)!)),
      new Map([...ranges].map(([letter, range]) => [named.get(letter)!, range])),
      shape,
    );
    yield { value, what: other.title, entry: other };
  }
}

/** A log-sum-exp by name that lacks the maximum which the row sums are of. */
function* asNamed(
  { catalogue, recording }: Field,
  { entry, axes, ranges }: Alignment,
  operand: number,
): Generator<Candidate> {
  const { name, shape } = recording.events[operand];
  const [, base] = /^log(2?) of the row sums/.exec(entry.title) ?? [];
  if (!/(^|_|\.)(lse|log_?sum_?exp)/i.test(name) || base === undefined) return;
  const wanted = base === '' ? 'log-sum-exp of ' : 'log-sum-exp, base 2';
  const other = catalogue.entries.find(({ title }) => title.startsWith(wanted));
  if (!other || other.letters.join() !== entry.letters.join()) return;
  yield { value: laidOut(other, axes, ranges, shape), what: 'the log-sum-exp', entry: other };
}

/** The same with its letters along other axes. */
function* otherLayouts(
  { entry, axes, ranges }: Alignment,
  shape: readonly number[],
): Generator<Candidate> {
  const along = axes.flat();
  const lengths = along.map((letter) => ranges.get(letter)!.count);
  for (let one = 0; one < along.length; one++)
    for (let other = one + 1; other < along.length; other++) {
      const isAlike = lengths[one] === lengths[other];
      if (!isAlike) continue;
      const swap = (letter: Letter): Letter =>
        letter === along[one] ? along[other] : letter === along[other] ? along[one] : letter;
      const value = laidOut(
        entry,
        axes.map((axis) => axis.map(swap)),
        ranges,
        shape,
      );
      yield { value, what: `${entry.title} in another order`, isOtherLayout: true };
    }
}

/** Masks, whichever way round, and what dropout keeps, of as many entries. */
function* masksOf({ catalogue: { visible, config } }: Field, own: Tensor): Generator<Candidate> {
  const { shape } = own;
  const { dropout } = config;
  const kept = dropout ? blocksOf(dropout.keep.data, own.data.length) : [];
  // What dropout keeps is right as it is, and to be scaled by its user.
  if (kept.some((keep) => own.data.every((value, at) => value === keep[at]))) return;
  const lowest = own.data.reduce((least, value) => Math.min(least, value), 0);
  const blocks = visible ? blocksOf(visible.data, own.data.length) : [];
  const isMask = (seen: readonly number[]): boolean =>
    [1, 0].some((keep) => own.data.every((value, at) => (value !== 0) === (seen[at] === keep)));
  // One that is right is used the wrong way round.
  if (!blocks.some(isMask))
    for (const seen of blocks)
      for (const map of [
        (value: number): number => value,
        (value: number): number => 1 - value,
        ...(lowest < -1 ? [(value: number): number => (value === 0 ? lowest : 0)] : []),
      ])
        yield { value: { shape, data: Float64Array.from(seen, map) }, what: OTHER_MASK };
  else if (lowest > MASKED)
    // It is in the right places, and too small to hide anything.
    yield {
      value: { shape, data: own.data.map((value) => (value === 0 ? 0 : -1e9)) },
      what: '−∞ where a key is hidden',
    };
  if (!dropout) return;
  for (const keep of kept)
    for (const factor of [1 / (1 - dropout.p), 1])
      yield {
        value: { shape, data: Float64Array.from(keep, (each) => (each === 0 ? 0 : factor)) },
        what: 'what dropout keeps',
      };
}

/** Of a mask that hides other keys. */
export const OTHER_MASK = 'another mask';

const MOST_BLOCKS = 6;

/** Parts of so many entries side by side: of one head, of one sequence; those that differ. */
function blocksOf(data: ArrayLike<number>, size: number): number[][] {
  const found = new Map<string, number[]>();
  if (size === 0 || data.length % size !== 0) return [];
  const all = Array.from(data);
  for (let at = 0; at < all.length && found.size < MOST_BLOCKS; at += size) {
    const block = all.slice(at, at + size);
    found.set(block.join(), block);
  }
  return [...found.values()];
}
