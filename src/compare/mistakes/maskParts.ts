// A mask taken apart into causal, padding, window, chunks or prefix, whatever wrote it, and what comes of these parts lost,
// joined wrongly, of another length or repeated in the wrong order.
import type { Context } from '../edits/edit.ts';
import type { MaskWords } from './maskWords.ts';
import type { Row } from './table.ts';
import { joined } from './turning.ts';

/** Entries beyond which a mask is not taken apart. */
const LARGEST = 2_000_000;

/** A rule by which a mask hides entries: 1 where its formula does. */
interface Part {
  readonly id: 'causal' | 'padding' | 'window' | 'chunks' | 'prefix';
  /** "causal", "padding", "window of 4", "chunks of 4". */
  readonly words: string;
  readonly size?: number;
  readonly hides: string;
}

const CAUSAL: Part = { id: 'causal', words: 'causal', hides: '(d < 0)' };

const windowOf = (size: number): Part => ({
  ...{ id: 'window', words: `a sliding window of ${size}`, size },
  hides: `(${size} <= abs(d))`,
});

const chunksOf = (size: number): Part => ({
  ...{ id: 'chunks', words: `chunks (blocks) of ${size}`, size },
  hides: `not(not(floor((i + d) / ${size}) - floor(i / ${size})))`,
});

/** How many keys the first query of each batch entry sees, from the first on. */
const PREFIX = 'max_heads(max_i((i + 1) * at(j, 0, not(masked))))';

/** Causal but for the first keys, which all queries of that batch entry see (prefix language models). */
const prefixOf = (lengths: readonly number[], by: string): Part => ({
  ...{ id: 'prefix', size: Math.max(...lengths) },
  words: `causal behind a prefix of ${[...new Set(lengths)].join(', ')}`,
  hides: `(d < 0) * (${by} <= i)`,
});

const anyOf = (parts: readonly Pick<Part, 'hides'>[]): string =>
  parts.length === 0 ? '0' : `not(not(${parts.map(({ hides }) => hides).join(' + ')}))`;

/** A query that would see no key may be left its own place. */
const LEFT = 'not(masked) * not(d)';

/** The keys of a batch entry, or of one of its heads, that every query that could see them does not see. */
function paddingBeside(rest: readonly Part[]): string {
  const free = `not(${anyOf(rest)}) * not(${LEFT})`;
  return `max_j(${free} * masked) * not(max_j(${free} * not(masked)))`;
}

/** "causal and padding". */
const inWords = (parts: readonly Part[]): string =>
  parts.map(({ words }) => words).join(' and ') || 'nothing';

class MaskParts {
  readonly #words: MaskWords;
  readonly #hidden: Float64Array;
  readonly parts: readonly Part[];
  /** Of the keys, where padding is a part. */
  readonly padding: string | null = null;
  readonly prefixes: readonly number[];

  constructor(words: MaskWords) {
    this.#words = words;
    this.#hidden = words.given['masked'].tensor.data;
    this.prefixes = this.#prefixes();
    const bases = this.#bases();
    const found = bases.find((parts) => parts.length > 0 && this.#isWhole(parts));
    this.parts = found ?? [];
    for (const parts of found ? [] : bases) {
      // A rule that hides more than the mask is none of its parts.
      if (this.#some(`not(masked) * ${anyOf(parts)}`)) continue;
      const keys = paddingBeside(parts);
      const padding: Part = { id: 'padding', words: 'padding', hides: `${keys} * not(${LEFT})` };
      if (!this.#some(keys) || !this.#isWhole([...parts, padding])) continue;
      this.parts = [...parts, padding];
      this.padding = keys;
      return;
    }
  }

  #some(text: string): boolean {
    return this.#words.evaluate({ formula: text }).data.some((value) => value !== 0);
  }

  #isWhole(parts: readonly Part[]): boolean {
    const { data } = this.#words.evaluate({ formula: anyOf(parts) });
    return data.every((value, at) => value === this.#hidden[at]);
  }

  #prefixes(): number[] {
    const { extents } = this.#words.layout;
    const axes = extents['b'] === undefined ? [] : [['b']];
    return [...this.#words.evaluate({ formula: PREFIX }, axes).data];
  }

  /** What may be the parts but for padding, in the order in which they are told. */
  #bases(): Part[][] {
    const { extents } = this.#words.layout;
    const isLong = extents['j'] > 1;
    const hasCausal = isLong && !this.#some('(d < 0) * not(masked)');
    // Where all queries see the same keys it is padding.
    const isOfQueries = this.#some('masked - at(j, 0, masked)');
    const hasPrefix = !hasCausal && isOfQueries && this.prefixes.some((length) => length > 1);
    const { data } = this.#words.evaluate({ formula: 'not(masked) * (abs(d) + 1)' });
    const size = data.reduce((most, value) => Math.max(most, value), 0);
    const sized = size > 0 && size < extents['i'] ? [windowOf(size)] : [];
    if (size > 1 && size < extents['i']) sized.push(chunksOf(size));
    return [
      ...(hasCausal ? [[CAUSAL]] : []),
      [],
      ...(hasPrefix ? [[prefixOf(this.prefixes, PREFIX)]] : []),
      ...sized.flatMap((part) => [...(hasCausal ? [[CAUSAL, part]] : []), [part]]),
    ];
  }
}

type Say = Pick<Row, 'id' | 'title' | 'why' | 'wrong' | 'cost'>;

/** What hides nothing but that. */
const rowOf = (say: Say, hidden: string): Row => ({
  ...{ ...say, on: 'mask', formula: `rest + hide(${hidden})` },
});

/** The masks that come of a right one that is taken apart. */
export function partRows(context: Context, words: MaskWords): Row[] {
  const { data } = words.given['right'].tensor;
  if (data.length > LARGEST || !words.given['masked'].tensor.data.includes(1)) return [];
  const order = wrongOrder(words);
  if (typeof context.config.mask !== 'object') return order;
  const found = new MaskParts(words);
  const { parts } = found;
  return [
    ...(parts.length > 1 ? lost(parts) : []),
    ...otherKinds(parts),
    ...otherLengths(found, words),
    ...otherPrefixes(found),
    ...order,
  ];
}

/** A part of a joined mask that is not applied, and parts joined by AND of what they hide. */
function lost(parts: readonly Part[]): Row[] {
  const all = inWords(parts);
  const both: Say = {
    id: 'mask-parts-joined-by-or',
    title: `the parts of the mask (${all}) are joined the wrong way: a key is hidden only where all hide it`,
    why: 'A key is seen where every part lets it be seen; here one is enough.',
    wrong: `hidden = ${parts.map(({ words }) => words).join(' AND ')}`,
    cost: 1.05,
  };
  return [
    ...parts.map((part) => {
      const rest = parts.filter((each) => each !== part);
      const left = inWords(rest);
      const say: Say = {
        id: `mask-${part.id}-lost`,
        title: `the ${part.id} part of the mask is missing: only the ${left} mask is applied`,
        why: `The setup’s mask hides what is hidden by ${all}; yours hides only what ${left} hides.`,
        wrong: `hidden = ${left}, without ${part.words}`,
        cost: 0.96,
      };
      return rowOf(say, anyOf(rest));
    }),
    rowOf(both, parts.map(({ hides }) => `(${hides})`).join(' * ')),
  ];
}

/** A window where chunks are meant, and chunks where a window is; a causal mask where the given one is something else. */
function otherKinds(parts: readonly Part[]): Row[] {
  const known = parts.find(({ id }) => id === 'window' || id === 'chunks');
  if (known?.size === undefined) return [];
  const other = (known.id === 'window' ? chunksOf : windowOf)(known.size);
  const rest = parts.filter((each) => each !== known);
  const isCausal = rest.some(({ id }) => id === 'causal');
  return (isCausal ? [[]] : [[], [CAUSAL]]).map((more) => {
    const own = [...rest, ...more, other];
    const say: Say = {
      id: 'mask-window-for-chunks',
      title: `the mask is ${inWords([...more, other])} where the setup’s is ${known.words}`,
      why: 'A window moves with its query; chunks stand still: at the end of a chunk both see the same keys, at its beginning they do not.',
      wrong: `hidden = ${inWords(own)}`,
      cost: 1.05,
    };
    return rowOf(say, anyOf(own));
  });
}

/** A prefix that is one too long or too short, or left out: causal from the first key on. */
function otherPrefixes({ parts, prefixes }: MaskParts): Row[] {
  if (!parts.some(({ id }) => id === 'prefix')) return [];
  const rest = parts.filter(({ id }) => id !== 'prefix');
  const row = (id: string, title: string, wrong: string, by: string): Row =>
    rowOf(
      {
        ...{ id, title, wrong, cost: 0.97 },
        why: 'Keys of the prefix are seen by all queries, those behind it only by the queries at and after their place.',
      },
      anyOf([prefixOf(prefixes, by), ...rest]),
    );
  return [
    ...[1, -1].map((by) =>
      row(
        'mask-prefix-length',
        `the prefix of the mask is one key too ${by > 0 ? 'long' : 'short'}: ${prefixes.map((length) => length + by).join(', ')} instead of ${prefixes.join(', ')}`,
        `hidden = i > j and i >= prefix ${by > 0 ? '+' : '−'} 1`,
        `${PREFIX} + ${by}`,
      ),
    ),
    row(
      'mask-prefix-lost',
      'the prefix of the mask is missing: it is causal from the first key on',
      'hidden = i > j',
      '0',
    ),
  ];
}

/** A line each: how many keys, where its boundary is off, and which keys are hidden of those of the padding. */
const LENGTHS = [
  ['less', 'begins', 'late', 'KEYS * not((0 < i) * not(at(i, i - 1, KEYS)))'],
  ['less', 'ends', 'early', 'KEYS * not((i < n - 1) * not(at(i, i + 1, KEYS)))'],
  ['more', 'begins', 'early', 'not(not(KEYS + at(i, i + 1, KEYS)))'],
  ['more', 'ends', 'late', 'not(not(KEYS + at(i, i - 1, KEYS)))'],
  // Where a batch entry has none too.
  ['more', 'begins', 'early', 'not(not(KEYS + at(i, i + 1, KEYS) + (n - 1 <= i)))'],
  ['more', 'ends', 'late', 'not(not(KEYS + at(i, i - 1, KEYS) + (i < 1)))'],
] as const;

/** Padding that begins one key too late or too early, or ends so. */
function otherLengths({ parts, padding }: MaskParts, { evaluate, layout }: MaskWords): Row[] {
  if (padding === null) return [];
  const rest = parts.filter(({ id }) => id !== 'padding');
  const axes = layout.axes.map((axis) => axis.filter((letter) => letter !== 'j'));
  const keys = layout.extents['i'];
  const own = evaluate({ formula: padding }, axes).data;
  return LENGTHS.flatMap(([words, end, when, text]): Row[] => {
    const hides = text.replaceAll('KEYS', `(${padding})`);
    const changed = evaluate({ formula: hides }, axes).data;
    const off = [...changed.keys()].filter((at) => changed[at] !== own[at]).map((at) => at % keys);
    if (off.length === 0) return [];
    const which = [...new Set(off)].slice(0, 4);
    const is = words === 'less' ? 'seen (it leaks)' : 'hidden';
    const told = `${which.length > 1 ? 'keys' : 'key'} ${which.join(', ')} ${which.length > 1 ? 'are' : 'is'}`;
    const say: Say = {
      id: 'mask-padding-length',
      title: `the padding mask hides one key ${words} than it should: ${told} ${is}`,
      why: `The boundary between tokens and padding is off by one: it ${end} too ${when}.`,
      wrong: 'hidden = key >= length ± 1',
      cost: 1.05,
    };
    return [rowOf(say, anyOf([{ hides }, ...rest]))];
  });
}

/** The masks of the batch entries (or heads), repeated for every head (or batch entry) in the wrong order. */
function wrongOrder({ evaluate, layout }: MaskWords): Row[] {
  const { heads: letters, extents } = layout;
  const batches = extents['b'] ?? 1;
  const heads = letters.reduce((count, letter) => count * extents[letter], 1);
  if (batches < 2 || heads < 2) return [];
  const head = joined(letters, extents);
  const slice = `(b * ${heads} + ${head})`;
  /** The mask of a batch entry and head. */
  const maskOf = (b: string, h: string): string => {
    let [of, rest] = [`at(b′, ${b}, at(j′, j + 0, at(i′, i + 0, masked′)))`, `(${h})`];
    for (const letter of [...letters].reverse()) {
      of = `at(${letter}′, ${rest} % ${extents[letter]}, ${of})`;
      rest = `floor(${rest} / ${extents[letter]})`;
    }
    return of;
  };
  const isSame = (other: string): boolean =>
    evaluate({ formula: `masked - ${other}` }).data.every((value) => value === 0);
  const isOfBatch = isSame(maskOf('b + 0', '0'));
  if (isOfBatch === isSame(maskOf('0', head))) return [];
  const moved = isOfBatch
    ? maskOf(`${slice} % ${batches}`, '0')
    : maskOf('0', `floor(${slice} / ${batches}) % ${heads}`);
  const { data } = evaluate({ formula: `masked - ${moved}` });
  const first = data.findIndex((value) => value !== 0);
  if (first < 0) return [];
  const n = Math.floor((first * batches * heads) / data.length);
  const [what, whose] = isOfBatch
    ? ['batch entry', n % batches]
    : ['head', Math.floor(n / batches) % heads];
  const say: Say = {
    id: 'mask-repeat-order',
    title: `the mask is repeated over batch × heads in the wrong order: batch entry ${Math.floor(n / heads)}, head ${n % heads} has the mask of ${what} ${whose}`,
    why: isOfBatch
      ? `There is one mask per batch entry: head by head it must stand ${heads} times in a row (repeat_interleave), but all ${batches} are laid down in turn (repeat, tile).`
      : `There is one mask per head: all ${heads} must be laid down in turn for each batch entry (repeat, tile), but each stands ${batches} times in a row (repeat_interleave).`,
    wrong: isOfBatch
      ? `mask[b, h] = mask of batch entry (b · ${heads} + h) mod ${batches}`
      : `mask[b, h] = mask of head floor((b · ${heads} + h) / ${batches})`,
    cost: 0.98,
  };
  return [rowOf(say, moved)];
}
