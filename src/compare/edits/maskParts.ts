// A mask taken apart: the causal part, the padding, the window or the chunks that it consists of, whatever wrote it.
import type { Extents } from '../../engine/axes.ts';
import type { GraphNode } from '../../engine/graph.ts';
import type { Tensor } from '../../engine/tensor.ts';
import { FILL } from '../conventions.ts';
import { type Context, pastTokens } from './edit.ts';
import { indexAlong } from './piecewise.ts';

/** What a mask hides, -1e9 and the like too, by the scores' entries: 1 for hidden. */
export type Hidden = Uint8Array;

export const hiddenBy = ({ data }: Tensor): Hidden =>
  Uint8Array.from(data, (value) => Number(value <= FILL));

/** Where every entry of the scores stands. */
export interface Places {
  readonly extents: Extents;
  readonly batch: Int32Array;
  /** Among all query heads. */
  readonly head: Int32Array;
  readonly query: Int32Array;
  readonly key: Int32Array;
  /** How far a query stands before its key's place; negative for keys behind it. */
  distance(at: number): number;
  readonly keys: number;
  readonly queries: number;
  readonly batches: number;
  readonly heads: number;
}

export function placesOf(context: Context, node: GraphNode): Places {
  const { config, graph } = context;
  const { extents } = graph;
  const along = (...letters: string[]): Int32Array =>
    indexAlong(
      node.axes,
      letters.filter((letter) => node.axes.flat().includes(letter)),
      extents,
    );
  const [key, query] = [along('i'), along('j')];
  const [keys, queries] = [extents['i'], extents['j']];
  const offset = config.mask === 'causal-bottom-right' ? keys - queries : pastTokens(context);
  return {
    ...{ extents, key, query, keys, queries, batch: along('b'), head: along('h', 'r', 'g') },
    distance: (at) => offset + query[at] - key[at],
    batches: extents['b'] ?? 1,
    heads: (extents['h'] ?? 1) * (extents['r'] ?? 1) * (extents['g'] ?? 1),
  };
}

/** A rule by which a mask hides entries. */
export interface Part {
  readonly id: 'causal' | 'padding' | 'window' | 'chunks' | 'prefix';
  /** "causal", "padding", "window of 4", "chunks of 4". */
  readonly words: string;
  readonly size?: number;
  readonly hides: (at: number) => boolean;
}

export const causalPart = (places: Places): Part => ({
  ...{ id: 'causal', words: 'causal' },
  hides: (at) => places.distance(at) < 0,
});

export const windowPart = (places: Places, size: number): Part => ({
  ...{ id: 'window', words: `a sliding window of ${size}`, size },
  hides: (at) => Math.abs(places.distance(at)) >= size,
});

export const chunksPart = (places: Places, size: number): Part => ({
  ...{ id: 'chunks', words: `chunks (blocks) of ${size}`, size },
  hides: (at) => {
    const position = places.key[at] + places.distance(at);
    return Math.floor(position / size) !== Math.floor(places.key[at] / size);
  },
});

/** Causal but for the first keys, which all queries of that batch entry see (prefix language models). */
export function prefixPart(places: Places, lengths: readonly number[]): Part {
  const size = Math.max(...lengths);
  return {
    ...{
      id: 'prefix',
      size,
      words: `causal behind a prefix of ${[...new Set(lengths)].join(', ')}`,
    },
    hides: (at) => places.distance(at) < 0 && places.key[at] >= lengths[places.batch[at]],
  };
}

/** How many keys the first query of each batch entry sees, from the first on. */
export function prefixesOf({ batch, query, key, batches }: Places, hidden: Hidden): number[] {
  const lengths = Array.from({ length: batches }, () => 0);
  for (let at = 0; at < hidden.length; at++)
    if (query[at] === 0 && hidden[at] === 0)
      lengths[batch[at]] = Math.max(lengths[batch[at]], key[at] + 1);
  return lengths;
}

/**
 * The keys of a batch entry, or of one of its heads, that every query that could see them does not see; a query that
 * would see none may be left its own place.
 */
function paddingPart(places: Places, hidden: Hidden, rest: (at: number) => boolean): Part | null {
  const { batch, head, key, keys, heads } = places;
  const own = new Uint8Array(places.batches * heads * keys).fill(2);
  const slot = (at: number): number => (batch[at] * heads + head[at]) * keys + key[at];
  const isLeft = (at: number): boolean => hidden[at] === 0 && places.distance(at) === 0;
  for (let at = 0; at < hidden.length; at++) {
    if (rest(at) || isLeft(at)) continue;
    const to = slot(at);
    if (own[to] === 2) own[to] = hidden[at];
    else if (own[to] !== hidden[at]) return null;
  }
  if (!own.includes(1)) return null;
  return {
    ...{ id: 'padding', words: 'padding' },
    hides: (at) => own[slot(at)] === 1 && !isLeft(at),
  };
}

/** The parts of which a mask is made, all of which hide; none where it hides nothing or follows no such rule. */
export function partsOf(places: Places, hidden: Hidden): readonly Part[] {
  const isWhole = (parts: readonly Part[]): boolean =>
    hidden.every((is, at) => (is === 1) === parts.some(({ hides }) => hides(at)));
  const sizes = Array.from({ length: places.keys - 1 }, (_, n) => n + 1);
  const causal = causalPart(places);
  const hasCausal = places.queries > 1 && hidden.every((is, at) => is === 1 || !causal.hides(at));
  const prefixes = prefixesOf(places, hidden);
  const hasPrefix = places.queries > 1 && !hasCausal && prefixes.some((length) => length > 1);
  const base: Part[][] = [
    ...(hasCausal ? [[causal]] : []),
    [],
    ...(hasPrefix ? [[prefixPart(places, prefixes)]] : []),
    ...sizes.flatMap((size) => {
      const own = [windowPart(places, size), ...(size > 1 ? [chunksPart(places, size)] : [])];
      return own.flatMap((part) => [...(hasCausal ? [[causal, part]] : []), [part]]);
    }),
  ];
  for (const parts of base) {
    if (parts.length > 0 && isWhole(parts)) return parts;
    const rest = (at: number): boolean => parts.some(({ hides }) => hides(at));
    // A rule that hides more than the mask is none of its parts.
    if (hidden.some((is, at) => is === 0 && rest(at))) continue;
    const padding = paddingPart(places, hidden, rest);
    if (padding && isWhole([...parts, padding])) return [...parts, padding];
  }
  return [];
}

/** "causal and padding". */
export const partsInWords = (parts: readonly Part[]): string =>
  parts.map(({ words }) => words).join(' and ') || 'nothing';
