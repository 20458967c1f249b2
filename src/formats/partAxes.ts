// On which axis the ranks' pieces of a tensor lie side by side.
import type { NodeId } from '../engine/graph.ts';
import { formatShape } from '../engine/tensor.ts';
import { type Part, type Piece, SPAN_KEYS, type SpanKey, totalOf } from './partMeta.ts';

/** `key` is taken apart on `axis`, counted from the end. */
export interface Cut {
  readonly key: SpanKey;
  readonly axis: number;
}

type Choice =
  { readonly cuts: readonly Cut[] } | { readonly found: string; readonly expected: string };

interface Split {
  readonly nodes: string;
  readonly axis: number;
  /** An axis of whole heads or tokens; otherwise of features, some for each head. */
  readonly counts: boolean;
}

/** Which axis of a node is taken apart, as in attention_trace.py: axes in the node table's order. */
const SPLIT: Readonly<Record<SpanKey, readonly Split[]>> = {
  heads: [
    { nodes: 'Qh O S Z Zb M P Pd', axis: -3, counts: true },
    { nodes: 'Q C W_Q b_Q', axis: -1, counts: false },
    { nodes: 'W_O', axis: -2, counts: false },
  ],
  kvHeads: [
    { nodes: 'Kh Vh', axis: -3, counts: true },
    { nodes: 'K V W_K W_V b_K b_V', axis: -1, counts: false },
  ],
  queries: [{ nodes: 'xPrime Q Qh S Z Zb M P Pd O C y', axis: -2, counts: true }],
  keys: [{ nodes: 'x K V Kh Vh', axis: -2, counts: true }],
};

/** Axes to try for one key, the likeliest first; null: each rank has all of it. */
type Candidates = readonly (number | null)[];

/** The likeliest cuts with which the whole may be the node; what is wrong where there are none at all. */
export function chooseAxes(
  name: string,
  node: NodeId,
  pieces: readonly Piece[],
  parts: readonly Part[],
  fits?: (node: NodeId, shape: readonly number[]) => boolean,
): Choice {
  const shapes = pieces.map(({ tensor }) => tensor.shape);
  const ranks = new Set(shapes.map(({ length }) => length));
  if (ranks.size > 1) return { found: shapeList(shapes), expected: 'equal numbers of axes' };
  let choices: (readonly Cut[])[] = [[]];
  for (const key of SPAN_KEYS) {
    const split = SPLIT[key].find(({ nodes }) => nodes.split(' ').includes(node));
    if (!split || !parts.every(({ spans }) => spans[key])) continue;
    const found = candidates(name, node, key, split, pieces, totalOf(parts, key));
    if (found.length === 0) {
      const lengths = pieces.map(({ part }) => sizeOfSpan(part, key)).join(', ');
      const expected = split.counts
        ? `${lengths} ${key} on axis ${split.axis}`
        : `features in the ratio of ${lengths} ${key} on axis ${split.axis}`;
      return { found: shapeList(shapes), expected };
    }
    choices = choices.flatMap((cuts) =>
      found.flatMap((axis) => {
        if (axis === null) return [cuts];
        return cuts.some((each) => each.axis === axis) ? [] : [[...cuts, { key, axis }]];
      }),
    );
  }
  const whole = (cuts: readonly Cut[]): number[] => wholeShape(cuts, pieces);
  const cuts = (fits && choices.find((each) => fits(node, whole(each)))) ?? choices[0];
  return cuts ? { cuts } : { found: shapeList(shapes), expected: 'an axis for each of its cuts' };
}

function candidates(
  name: string,
  node: NodeId,
  key: SpanKey,
  { axis: usual, counts }: Split,
  pieces: readonly Piece[],
  total: number,
): Candidates {
  const shapes = pieces.map(({ tensor }) => tensor.shape);
  const sizes = pieces.map(({ part }) => sizeOfSpan(part, key));
  const lengths = (axis: number): number[] =>
    shapes.map((shape) => shape[shape.length + axis] ?? 0);
  const isCut = (axis: number): boolean =>
    lengths(axis).every((length, n, all) =>
      counts
        ? length === sizes[n]
        : length > 0 && length % sizes[n] === 0 && length * sizes[0] === all[0] * sizes[n],
    );
  const others = shapes[0].map((_, n) => n - shapes[0].length);
  const first = firstAxes(name, node, key, usual);
  const cut = [...new Set([...first, ...others])].filter(isCut);
  if (counts && lengths(usual).every((length) => length === total)) return [null, ...cut];
  const areEqual = shapes.every((shape) => formatShape(shape) === formatShape(shapes[0]));
  return cut.length > 0 && areEqual ? [...cut, null] : cut;
}

function firstAxes(name: string, node: NodeId, key: SpanKey, usual: number): number[] {
  // Where scores are key-first, queries are their last axis.
  if (key === 'queries' && /^(?:S|Z|M|P|Pd)$/.test(node)) return [usual, -1];
  // PyTorch's weights are (out, in).
  if (node.startsWith('W_') && /weight(?:[._]grad)?$/i.test(name)) return [-3 - usual, usual];
  return [usual];
}

function sizeOfSpan({ spans }: Part, key: SpanKey): number {
  const [from, to] = spans[key]!;
  return to - from;
}

/** As the pieces say, if their spans meet without a gap. */
function wholeShape(cuts: readonly Cut[], pieces: readonly Piece[]): number[] {
  const shape = [...pieces[0].tensor.shape];
  for (const { key, axis } of cuts) {
    const at = shape.length + axis;
    const ends = new Map(pieces.map(({ part, tensor }) => [part.spans[key]![0], tensor.shape[at]]));
    shape[at] = [...ends.values()].reduce((total, length) => total + length, 0);
  }
  return shape;
}

const shapeList = (shapes: readonly (readonly number[])[]): string =>
  `shapes ${shapes.map(formatShape).join(', ')}`;
