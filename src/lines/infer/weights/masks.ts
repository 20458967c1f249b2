// Which keys a query may see, told by the zeros of the weights or by a recorded mask, and what such a pattern is called.
import type { Layout } from '../values/layout.ts';

/** A pattern in the order (block, query, key): 1 where the query may see the key. */
export interface Pattern {
  readonly blocks: number;
  readonly queries: number;
  readonly keys: number;
  readonly visible: Uint8Array;
}

export interface Named {
  readonly mask: 'none' | 'causal' | 'causal-bottom-right' | 'given';
  readonly window?: number;
  /** It hides one diagonal more or less than the mask it is named, or the other side. */
  readonly off?: string;
}

const rowOf = ({ keys, queries, visible }: Pattern, block: number, j: number): Uint8Array =>
  visible.subarray((block * queries + j) * keys, (block * queries + j + 1) * keys);

/** Whether all blocks are the same. */
function isShared(pattern: Pattern): boolean {
  const size = pattern.queries * pattern.keys;
  return pattern.visible.every((value, n) => value === pattern.visible[n % size]);
}

type Rule = (i: number, j: number) => boolean;

function obeys(pattern: Pattern, rule: Rule): boolean {
  const { keys, queries } = pattern;
  for (let j = 0; j < queries; j++) {
    const row = rowOf(pattern, 0, j);
    const wanted = Array.from(row, (_, i) => rule(i, j));
    // A query that is to see nothing has weights that tell nothing: NaN, or all the same.
    if (!wanted.includes(true) && row.every((value) => value === row[0])) continue;
    for (let i = 0; i < keys; i++) if ((row[i] === 1) !== wanted[i]) return false;
  }
  return true;
}

/** What the pattern is called; `past` keys stand before the first query. */
export function nameOf(pattern: Pattern, past = 0): Named {
  const { keys, queries } = pattern;
  if (pattern.visible.every((value) => value === 1)) return { mask: 'none' };
  if (!isShared(pattern)) return { mask: 'given' };
  const starts: [Named['mask'], number][] = [['causal', past]];
  if (keys - queries !== past) starts.push(['causal-bottom-right', keys - queries]);
  for (const [mask, start] of starts) {
    if (obeys(pattern, (i, j) => i <= j + start)) return { mask };
    for (let window = 1; window < keys; window++) {
      const inside: Rule = (i, j) => Math.abs(j + start - i) < window;
      if (obeys(pattern, (i, j) => i <= j + start && inside(i, j))) return { mask, window };
      if (obeys(pattern, inside)) return { mask: 'none', window };
    }
  }
  for (const [mask, start] of starts) {
    const near: [string, Rule][] = [
      ['lets each query see the next key', (i, j) => i <= j + start + 1],
      ['hides each query’s own key', (i, j) => i < j + start],
      ['hides the earlier keys, not the later ones', (i, j) => i >= j + start],
      ['hides the earlier keys and each query’s own', (i, j) => i > j + start],
      ['shows only the later keys but one', (i, j) => i >= j + start - 1],
      ['lets each query see two later keys', (i, j) => i <= j + start + 2],
    ];
    const off = near.find(([, rule]) => obeys(pattern, rule));
    if (off) return { mask, off: off[0] };
  }
  return { mask: 'given' };
}

/** The pattern as keys by block where it depends on the key alone: padding. */
export function paddingOf(pattern: Pattern): Uint8Array[] | null {
  const found: Uint8Array[] = [];
  for (let block = 0; block < pattern.blocks; block++) {
    const first = rowOf(pattern, block, 0);
    for (let j = 1; j < pattern.queries; j++)
      if (!rowOf(pattern, block, j).every((value, i) => value === first[i])) return null;
    found.push(first);
  }
  return found;
}

/**
 * Whether the pattern is one that people write in place: keys in front that all queries of a causal mask see, or keys at one
 * end of each block that none sees, beside a causal mask or without one.
 */
export function isWritten(pattern: Pattern, past: number): boolean {
  const { blocks, queries, keys, visible } = pattern;
  const isCausal: Rule = (i, j) => i <= j + past;
  // The first query sees no more than the prefix and the keys before it.
  const length = rowOf(pattern, 0, 0).indexOf(0);
  if (isShared(pattern) && obeys(pattern, (i, j) => isCausal(i, j) || i < length)) return true;
  const size = queries * keys;
  return Array.from({ length: blocks }, (_, n) => n * size).every((at) => {
    const block = { blocks: 1, queries, keys, visible: visible.subarray(at, at + size) };
    const seen = Array.from({ length: keys }, () => false);
    block.visible.forEach((each, n) => (seen[n % keys] ||= each === 1));
    const changes = seen.filter((each, i) => i > 0 && each !== seen[i - 1]).length;
    const isAtEnd = changes === 0 ? seen[0] : changes === 1;
    const rules: Rule[] = [(i) => seen[i], (i, j) => seen[i] && isCausal(i, j)];
    return isAtEnd && rules.some((rule) => obeys(block, rule));
  });
}

/** The entries of a layout that are hidden where `isHidden` says so. */
export function patternOf(
  data: Float64Array,
  { offset, axes }: Layout,
  extents: readonly [blocks: number, queries: number, keys: number],
  isVisible: (value: number) => boolean,
): Pattern {
  let places = [offset];
  for (const { size, stride } of axes.flat())
    places = places.flatMap((at) => Array.from({ length: size }, (_, n) => at + n * stride));
  const [blocks, queries, keys] = extents;
  const visible = Uint8Array.from(places, (at) => (isVisible(data[at]) ? 1 : 0));
  return { blocks, queries, keys, visible };
}
