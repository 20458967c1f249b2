// Running quantities of tiled kernels: what a right program has after each tile, learnt from the tiles it uses.
import type { Letter } from '../../engine/axes.ts';
import { type Catalogue, type Entry, entryAs } from './catalogue.ts';
import type { Form } from '../forms/form.ts';
import { gradientOf, type Parts, valueOf } from '../forms/form.ts';
import {
  type Lettered,
  mapEach,
  offsetsIn,
  product,
  reduce,
  sumOver,
  times,
  zip,
} from '../recorded/lettered.ts';
import type { Observed } from './observe.ts';
import type { Recording } from '../recorded/recording.ts';
import type { Padding } from './padded.ts';
import { addStream, isStream } from './stream.ts';

interface Span {
  readonly start: number;
  readonly end: number;
}

/** More tiles along one axis are not looked at. */
const MOST_TILES = 16;
/** Share of the parts that begin elsewhere. */
const MOST_MISFITS = 0.05;
/** One for each pass. */
const MOST_WAYS = 2;
/** Largest problem whose tiles are looked at, in entries of the scores times tiles. */
const MOST = 4e5;

/**
 * Adds the forms of the tiles that the recording shows, or of keys one by one: the axes that such tiles do not divide, or
 * null where there are no tiles.
 */
export function addTiles(
  catalogue: Catalogue,
  observed: readonly Observed[],
  recording: Recording,
): Padding[] | null {
  const { parts, entries } = catalogue;
  const before = entries.length;
  const room = MOST / Math.max(1, valueOf(parts, 'S').data.length);
  const keys = tilesAlong('i', catalogue, observed);
  const queries = tilesAlong('j', catalogue, observed);
  const fits = ({ length }: readonly Span[]): boolean => length > 1 && length <= room;
  for (const each of keys.filter(fits)) addKeyTiles(catalogue, each);
  for (const each of queries.filter(fits)) addQueryTiles(catalogue, each);
  if (keys.length === 0 && isStream(recording, catalogue, observed)) addStream(catalogue);
  if (entries.length === before) return null;
  return [...keys.flatMap(paddingOf('i')), ...queries.flatMap(paddingOf('j'))];
}

const paddingOf =
  (letter: Letter) =>
  (spans: readonly Span[]): Padding[] => {
    const [{ end: block }] = spans;
    const { end: length } = spans.at(-1)!;
    return length % block === 0 ? [] : [{ letter, length, block }];
  };

/**
 * Equal parts but for the last, that together are all of an axis; [] where it is not cut so. A backward pass may cut it in
 * another way than the pass before it.
 */
function tilesAlong(letter: Letter, { parts }: Catalogue, observed: readonly Observed[]): Span[][] {
  const length = parts.extents[letter];
  const counts = new Map<number, number[]>();
  for (const { found, event } of observed) {
    if (event.how === 'gradient' || event.how === 'leaf') continue;
    for (const { entry, ranges } of found) {
      const range = ranges.get(letter);
      if (!range || range.step !== 1 || range.count < 2 || range.count >= length) continue;
      if (!entry.letters.includes(letter)) continue;
      counts.set(range.count, [...(counts.get(range.count) ?? []), range.start]);
    }
  }
  // A few tensors may be like parts that they are not.
  const cuts = [...counts].flatMap(([count, all]): [number, Set<number>][] => {
    const fits = all.filter((start) => start % count === 0 || start + count === length);
    const starts = new Set(fits);
    const isCut = all.length - fits.length <= MOST_MISFITS * all.length && starts.size > 1;
    return isCut || (starts.has(0) && count * 2 >= length) ? [[count, starts]] : [];
  });
  const isAll = ([count, starts]: [number, Set<number>]): boolean =>
    starts.size >= Math.floor(length / count);
  return cuts
    .sort((a, b) => b[1].size - a[1].size || b[0] - a[0])
    .filter((cut, n) => n === 0 || (n < MOST_WAYS && isAll(cut)))
    .filter(([block]) => length / block <= MOST_TILES)
    .map(([block]) =>
      Array.from({ length: Math.ceil(length / block) }, (_, n) => ({
        start: n * block,
        end: Math.min(length, (n + 1) * block),
      })),
    );
}

/** What is zero (or `fill`) outside of some indices of a letter. */
function within(
  a: Lettered,
  letter: Letter,
  { start, end }: Span,
  { extents }: Parts,
  fill = 0,
): Lettered {
  const at = offsetsIn(a.letters, [letter], extents);
  const data = a.data.map((value, n) => (at[n] >= start && at[n] < end ? value : fill));
  return { letters: a.letters, data };
}

/** exp(a − b), 0 where nothing was seen yet. */
const decay = (a: number, b: number): number => (a === -Infinity ? 0 : Math.exp(a - b));

class Tiles {
  readonly #catalogue: Catalogue;

  constructor(catalogue: Catalogue) {
    this.#catalogue = catalogue;
  }

  add(like: Entry, title: string, form: Lettered, role: Form['role'] = 'form'): void {
    entryAs(this.#catalogue, like, title, form, role);
  }

  /** The entry with that title. */
  titled(title: string): Entry {
    return this.#catalogue.entries.find((entry) => entry.title === title)!;
  }
}

/** m, l, the unnormalised output and what rescales them after each tile of keys; terms of dQ. */
function addKeyTiles(catalogue: Catalogue, spans: readonly Span[]): void {
  const { parts } = catalogue;
  const { extents, logits, output, weights, keys, queries, scale } = parts;
  const tiles = new Tiles(catalogue);
  const value = valueOf(parts, logits);
  const mixing = zip(valueOf(parts, weights), valueOf(parts, 'P'), extents, (a, b) =>
    b === 0 ? 0 : a / b,
  );
  const values = valueOf(parts, parts.values);
  const out = valueOf(parts, output).letters;
  const maxima = tiles.titled(`row maxima of ${logits}`);
  const exps = tiles.titled(`exp(${logits} − row maximum)`);
  const sums = tiles.titled(`row sums of exp(${logits} − row maximum)`);
  const lses = tiles.titled(`log-sum-exp of ${logits}`);
  const mixed = tiles.titled(output);
  let last: { peak: Lettered; sum: Lettered; acc: Lettered } | null = null;
  // A tile by itself, before it is joined with those before it.
  const addAlone = (n: number, peak: Lettered): void => {
    const of = `of tile ${n + 1} of keys alone`;
    const own = within(value, 'i', spans[n], parts, -Infinity);
    const top = reduce(own, 'i', extents, -Infinity, Math.max);
    const exp = zip(own, top, extents, decay);
    const kept = weights === 'Pd' ? zip(exp, mixing, extents, (a, b) => a * b) : exp;
    tiles.add(maxima, `row maxima ${of}`, top);
    tiles.add(exps, `exp(${logits} − row maximum) ${of}`, zip(value, top, extents, decay));
    tiles.add(sums, `row sums ${of}`, sumOver(exp, 'i', extents));
    tiles.add(mixed, `unnormalised ${output} ${of}`, product(kept, values, out, extents));
    tiles.add(sums, `exp(tile’s − new maximum) ${of}`, zip(top, peak, extents, decay));
  };
  for (const [n, { end }] of spans.entries()) {
    const seen = within(value, 'i', { start: 0, end }, parts, -Infinity);
    const peak = reduce(seen, 'i', extents, -Infinity, Math.max);
    const exp = zip(seen, peak, extents, decay);
    const sum = sumOver(exp, 'i', extents);
    const kept = weights === 'Pd' ? zip(exp, mixing, extents, (a, b) => a * b) : exp;
    const acc = product(kept, values, out, extents);
    const of = `after tile ${n + 1} of keys`;
    const whole = zip(value, peak, extents, decay);
    tiles.add(exps, `exp(${logits} − running maximum) ${of}`, whole);
    if (last) {
      const factor = zip(last.peak, peak, extents, decay);
      tiles.add(sums, `exp(old − new maximum) ${of}`, factor);
      const rescaled = zip(last.acc, factor, extents, (a, b) => a * b);
      tiles.add(mixed, `rescaled unnormalised ${output} ${of}`, rescaled);
      const less = zip(last.sum, factor, extents, (a, b) => a * b);
      tiles.add(sums, `rescaled row sums ${of}`, less);
    }
    if (last) addAlone(n, peak);
    last = { peak, sum, acc };
    if (end === extents['i']) break;
    tiles.add(maxima, `row maxima ${of}`, peak);
    tiles.add(maxima, `log2(e) row maxima ${of}`, times(peak, Math.LOG2E));
    tiles.add(sums, `row sums ${of}`, sum);
    tiles.add(mixed, `unnormalised ${output} ${of}`, acc);
    const lse = zip(peak, sum, extents, (a, b) => a + Math.log(b));
    tiles.add(lses, `log-sum-exp ${of}`, lse, 'partial');
    tiles.add(lses, `log-sum-exp ${of}, base 2`, times(lse, Math.LOG2E), 'partial');
    const inverse = mapEach(sum, (each) => (each === 0 ? 0 : 1 / each));
    const share = zip(acc, inverse, extents, (a, b) => a * b);
    tiles.add(mixed, `${output} of the keys so far ${of}`, share, 'partial');
  }
  const gradient = gradientOf(parts, 'S');
  const to = catalogue.entries.find(({ key, role }) => key === `g:${queries}` && role === 'node')!;
  addSums(tiles, to, `d${queries}`, scale, spans, 'keys', (span) =>
    product(
      within(gradient, 'i', span, parts),
      valueOf(parts, keys),
      gradientOf(parts, queries).letters,
      extents,
    ),
  );
}

/** Sums over some tiles of what a gradient is made of, with and without the scale. */
function addSums(
  tiles: Tiles,
  like: Entry,
  title: string,
  scale: number,
  spans: readonly Span[],
  side: string,
  make: (span: Span) => Lettered,
): void {
  for (const [n, { start, end }] of spans.entries()) {
    const parts: [string, Span][] = [
      [`tile ${n + 1}`, { start, end }],
      ...(n > 0 && n < spans.length - 1
        ? [[`tiles 1 to ${n + 1}`, { start: 0, end }] as [string, Span]]
        : []),
    ];
    for (const [which, span] of parts) {
      const sum = make(span);
      tiles.add(like, `${title} of ${which} of ${side}`, sum, 'partial');
      if (scale !== 1)
        tiles.add(
          like,
          `${title} / scale of ${which} of ${side}`,
          times(sum, 1 / scale),
          'partial',
        );
    }
  }
}

/** Terms of dK and dV of each tile of queries, and of those so far. */
function addQueryTiles(catalogue: Catalogue, spans: readonly Span[]): void {
  const { parts } = catalogue;
  const { extents, keys, values, weights, queries, output, scale } = parts;
  const tiles = new Tiles(catalogue);
  const entryOf = (id: string): Entry =>
    catalogue.entries.find(({ key, role }) => key === `g:${id}` && role === 'node')!;
  const mix = valueOf(parts, weights);
  const gradient = gradientOf(parts, 'S');
  const outer = parts.scores.filter((letter) => letter === 'g');
  const wide = (id: string): Letter[] => {
    const own = gradientOf(parts, id).letters;
    return outer.length > 0 && own[0] !== 'i'
      ? [...own.slice(0, -2), ...outer, ...own.slice(-2)]
      : [...own];
  };
  const lettersOf = (id: string): Letter[][] =>
    outer.length > 0 ? [[...gradientOf(parts, id).letters], wide(id)] : [wide(id)];
  for (const letters of lettersOf(values))
    addSums(tiles, entryOf(values), `d${values}`, 1, spans, 'queries', (span) =>
      product(within(mix, 'j', span, parts), gradientOf(parts, output), letters, extents),
    );
  for (const letters of lettersOf(keys))
    addSums(tiles, entryOf(keys), `d${keys}`, scale, spans, 'queries', (span) =>
      product(within(gradient, 'j', span, parts), valueOf(parts, queries), letters, extents),
    );
}
