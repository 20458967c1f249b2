// Tensors that are several in one: fused projections, stacked or joined queries, keys and values.
import type { NodeId } from '../../engine/graph.ts';
import { cut, sizeOf, strides, type Tensor } from '../../engine/tensor.ts';
import { type Aligner, type Alignment, tellingOf } from './align.ts';
import type { Catalogue } from './catalogue.ts';
import { type Projection, projectionsOf } from '../forms/form.ts';

/** Fewer entries are copied sooner one by one. */
const FEW = 16;

/** `count` indices of one axis from `start` on, in each of `blocks` equal blocks of that axis. */
function cutOfBlocks(
  { shape, data }: Tensor,
  axis: number,
  blocks: number,
  start: number,
  count: number,
): Tensor {
  const [inner] = strides(shape).slice(axis, axis + 1);
  const outer = sizeOf(shape.slice(0, axis));
  const length = shape[axis];
  const block = length / blocks;
  const own = [
    ...shape.slice(0, axis),
    ...(blocks > 1 ? [blocks] : []),
    count,
    ...shape.slice(axis + 1),
  ];
  const out = new Float64Array(outer * blocks * count * inner);
  const run = count * inner;
  let at = 0;
  for (let o = 0; o < outer; o++)
    for (let b = 0; b < blocks; b++, at += run) {
      const from = (o * length + b * block + start) * inner;
      if (run > FEW) out.set(data.subarray(from, from + run), at);
      else for (let n = 0; n < run; n++) out[at + n] = data[from + n];
    }
  return { shape: own, data: out };
}

/** Fewer entries are no joined projections; programs in loops have many such tensors. */
const LEAST = 16;
/** Largest number of joined tensors. */
const MOST = 3;

/** One of several parts that are joined. */
export interface Piece extends Alignment {
  /** How many entries of all parts together belong to one token, or to one row of the weights. */
  readonly width: number;
  /** Letters of heads that lie outside of the parts: "" where each has all heads, "h" where each head has all of them. */
  readonly outside: string;
  /** Which of the parts it is, from 0; others may be nothing but rounding. */
  readonly place: number;
}

/** The parts of a tensor that is joined of several forms along one axis, or []. */
export function piecesOf(tensor: Tensor, aligner: Aligner, catalogue: Catalogue): Piece[] {
  const { parts, floor } = catalogue;
  const { shape } = tensor;
  if (shape.length === 0 || tensor.data.length < LEAST) return [];
  const { extents } = parts;
  const counts = blockCounts(extents);
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    for (const blocks of counts) {
      if (shape[axis] % blocks !== 0 || shape[axis] === blocks) continue;
      for (const widths of splits(shape[axis] / blocks, extents)) {
        let start = 0;
        const found: (Alignment & Pick<Piece, 'place'>)[] = [];
        let zeros = 0;
        for (const [place, width] of widths.entries()) {
          const piece = cutOfBlocks(tensor, axis, blocks, start, width);
          start += width;
          const telling = tellingOf(piece);
          if (telling.size <= floor && zeros < zerosOf(catalogue)) {
            zeros++;
            continue;
          }
          const [best] = aligner
            .align(piece, telling)
            .filter(({ entry }) => entry.role !== 'partial');
          if (!best) break;
          found.push({ ...best, place });
        }
        const nodes = new Set(found.map(({ entry }) => entry.node));
        const isAll = found.length + zeros === widths.length && nodes.size === found.length;
        if (isAll && found.length > 0)
          return found.map((each) => ({
            ...each,
            ...laidOut(each, axis, blocks, shape[axis] / blocks, extents),
          }));
      }
    }
  }
  return [];
}

/**
 * The parts of a weight whose bias is one more row or column of it, of their gradients, of what it is multiplied with, which
 * has a one more, and of the gradient of that; or [].
 */
export function biasedOf(tensor: Tensor, aligner: Aligner, catalogue: Catalogue): Piece[] {
  const biased = projectionsOf(catalogue.graph).filter(({ bias }) => bias !== null);
  const { shape, data } = tensor;
  if (biased.length === 0 || shape.length < 2 || data.length < LEAST) return [];
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const length = shape[axis];
    if (length < 2) continue;
    for (const at of [length - 1, 0]) {
      const most = at > 0 ? cut(tensor, axis, 0, at) : cut(tensor, axis, 1, length);
      const one = cut(tensor, axis, at, at + 1);
      const all = aligner
        .align(most)
        .map((each) => withBias(each, one, biased, aligner, catalogue));
      const found = all.find((each) => each.length > 0);
      const { extents } = catalogue.parts;
      if (found)
        return found.map((each, place) => ({
          ...each,
          ...laidOut(each, axis, 1, length, extents),
          place,
        }));
    }
  }
  return [];
}

/** What all but one row or column of a tensor is, with the bias that the one is; or [] where it is none. */
function withBias(
  most: Alignment,
  one: Tensor,
  biased: readonly Projection[],
  aligner: Aligner,
  { floor }: Catalogue,
): Alignment[] {
  const { node, kind, role } = most.entry;
  const own = biased.find(({ weight }) => weight === node);
  if (own) {
    // The gradient of the keys' bias is 0 but for rounding.
    if (kind === 'gradient' && tellingOf(one).size <= floor) return [most];
    const bias = aligner
      .align(one)
      .find(({ entry }) => entry.node === own.bias && entry.kind === kind);
    return bias ? [most, bias] : [];
  }
  const isSource = biased.some(({ source }) => source === node || isMerged(source, node));
  const isOnes = one.data.every((value) => value === 1);
  return isSource && (kind === 'gradient' || (isOnes && role !== 'partial')) ? [most] : [];
}

/** Heads side by side have the numbers of the heads. */
const isMerged = (source: NodeId, node: NodeId): boolean =>
  source === 'C' && /^O[gns]?$/.test(node);

/** How many parts may be 0 but for rounding: the gradient of the keys' bias, those of weights behind queries that are 0. */
const zerosOf = ({ entries, floor }: Catalogue): number =>
  Math.max(
    1,
    entries.filter(
      ({ key, role, size }) => role === 'node' && /^g:W_[QKV]$/.test(key) && size <= floor,
    ).length,
  );

const HEADS = /[hrg]/;

function laidOut(
  { axes }: Alignment,
  axis: number,
  blocks: number,
  length: number,
  extents: Readonly<Record<string, number>>,
): Pick<Piece, 'width' | 'outside'> {
  const letters = blocks > 1 ? axes[axis].filter((letter) => HEADS.test(letter)) : [];
  const width = letters.reduce((size, letter) => size * extents[letter], length);
  return { width, outside: letters.join('') };
}

/** Letters that may lie outside of what is joined, in one axis with it: a flat buffer of (B, T, 3C). */
const OUTER = ['b', 'j', 'i', 'h', 'r', 'g'];

/** How many times what is joined may lie one after another within an axis, the fewest first. */
function blockCounts(extents: Readonly<Record<string, number>>): number[] {
  const lengths = OUTER.flatMap((letter) => (extents[letter] > 1 ? [extents[letter]] : []));
  let counts = [1];
  for (const length of lengths) counts = [...counts, ...counts.map((count) => count * length)];
  return [...new Set(counts)].sort((a, b) => a - b);
}

/** Ways to cut a length in two or three: equal parts, and widths of keys, values and queries. */
function splits(length: number, extents: Readonly<Record<string, number>>): number[][] {
  const found: number[][] = [];
  for (let parts = 2; parts <= MOST; parts++)
    if (length % parts === 0) found.push(Array.from({ length: parts }, () => length / parts));
  const groups = extents['g'] ?? 1;
  const { a = 0, v = 0 } = extents;
  const kv = extents['h'] ?? extents['r'] ?? 1;
  const [queries, keys, values] = [kv * groups * a, kv * a, kv * v];
  const one = [groups * a, a, v];
  for (const [q, k, w] of [[queries, keys, values], one]) {
    const orders = [
      [q, k, w],
      [k, q, w],
      [k, w, q],
      [q, w, k],
      [w, q, k],
      [w, k, q],
      [k, w],
      [w, k],
      [q, k],
      [k, q],
    ];
    for (const order of orders)
      if (order.reduce((sum, width) => sum + width, 0) === length && new Set(order).size > 1)
        found.push(order);
  }
  return found;
}
