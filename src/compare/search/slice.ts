// A large problem cut down to its first batch entry and key/value head, to its first queries, or both: hypotheses cost less there.
import {
  type AxisLetters,
  type Extents,
  letterStrides,
  offsetTable,
  shapeOf,
} from '../../engine/axes.ts';
import type { HeadConfig, MaskPart, Rope, WeightId } from '../../engine/config.ts';
import { type Graph, hasNode, nodeOf, type NodeId, operationNodes } from '../../engine/graph.ts';
import { buildGraph } from '../../engine/heads/build.ts';
import { alibiSlopes, broadcast } from '../../engine/heads/mask.ts';
import type { Tensor } from '../../engine/tensor.ts';
import type { Context } from '../edits/edit.ts';
import { layoutOf } from '../mistakes/maskWords.ts';
import { pick } from '../align/layouts.ts';
import { type Key, keyOf, type Program, referenceProgram, State } from '../program/program.ts';

/** Letters of which only the first index is kept. */
export const HEADS: ReadonlySet<string> = new Set(['h', 'r']);
export const CUT: ReadonlySet<string> = new Set(['b', ...HEADS]);
const INPUTS = /^(x|xPrime|xValue|[Wb]_.)$/;
/** Values of one head alone; y, f and the gradients of x and x' mix all heads. */
const OF_ONE_HEAD = /^(K|Q|V|Kh|Qh|Vh|S|Z|M|P|Pd|O|C)$/;

/** What a slice is cut to. */
export interface Cut {
  /** Letters of which only the first index is kept: those of the heads, or of heads and batch entries, or none. */
  readonly one: ReadonlySet<string>;
  /** How many queries; Infinity for all. */
  readonly queries: number;
}

export interface Slice {
  readonly context: Context;
  /** The part of a tensor, or null where it is none of the slice's. */
  cut(key: Key, tensor: Tensor): Tensor | null;
}

/** By how much a slice is smaller. */
export function factorOf({ extents }: Graph, letters: ReadonlySet<string>): number {
  return [...letters].reduce((product, letter) => product * (extents[letter] ?? 1), 1);
}

/**
 * The slice in which `key` can be explained, or null where that is impossible or no gain. A mistake that mixes
 * heads, batch entries or queries is not in it: what is found here has to be tried on the whole.
 */
export function sliceOf(context: Context, key: Key, cut: Cut): Slice | null {
  return isOwn(context.graph, key, cut) ? slicedBy(context, cut) : null;
}

/** Whether a key is found in what is left alone. */
function isOwn(graph: Graph, key: Key, { one, queries }: Cut): boolean {
  const id = key.slice(2);
  const isHeads = OF_ONE_HEAD.test(id) || (one.size === 0 && id === 'y');
  if (key.startsWith('v:')) return isHeads;
  // All others are sums over the queries.
  if (queries < Infinity)
    return isHeads && hasNode(graph, id) && nodeOf(graph, id).axes.flat().includes('j');
  // A parameter's gradient is a sum over the batch.
  const isOneEntry = (graph.extents['b'] ?? 1) === 1 || !one.has('b');
  return isHeads || (/^[Wb]_[KQVO]$/.test(id) && isOneEntry && id !== 'b_O');
}

/** The first head of the first batch entry; null where there are no more, or the program is edited. */
export const headSlice = (context: Context): Slice | null =>
  slicedBy(context, { one: CUT, queries: Infinity });

/** Whether the first queries are computed as in the whole: not where the setup tells of each one by itself. */
const isOfFirstQueries = ({ config }: Context): boolean =>
  config.mask !== 'causal-bottom-right' &&
  !config.masks?.length &&
  !config.rope?.positions &&
  !config.rope?.queryPositions &&
  !config.start &&
  !config.positionBias &&
  config.temperature === undefined;

function slicedBy(context: Context, cut: Cut): Slice | null {
  const { graph, state } = context;
  const { one } = cut;
  const isOneHead = one.size > 0;
  const queries = Math.min(cut.queries, graph.extents['j']);
  const isShort = queries < graph.extents['j'];
  const isCuttable = graph.nodes.every(
    ({ id }) => INPUTS.test(id) || OF_ONE_HEAD.test(id) || /^[yf]$/.test(id),
  );
  if (!isCuttable) return null;
  const isLess = isShort || factorOf(graph, one) > 1;
  if (!isLess || !isReference(state.program)) return null;
  if (isOneHead ? graph.head !== 'multihead' : !isShort) return null;
  if (isShort && !isOfFirstQueries(context)) return null;
  const extents: Extents = { ...graph.extents, j: queries };
  const first = (axes: readonly AxisLetters[], tensor: Tensor): Tensor => {
    const kept = isOneHead ? axes.map((axis) => axis.filter((letter) => !one.has(letter))) : axes;
    const table = offsetTable(kept.flat(), letterStrides(axes, graph.extents), extents);
    return { shape: shapeOf(kept, extents), data: pick(tensor.data, table) };
  };
  const cutNode = (id: NodeId, tensor: Tensor): Tensor => first(nodeOf(graph, id).axes, tensor);
  /** Queries of the same tokens as the keys are fewer now. */
  const isApart = isShort && !hasNode(graph, 'xPrime');
  const cutQueries = (x: Tensor): Tensor => {
    const { axes } = nodeOf(graph, 'x');
    return first([...axes.slice(0, -2), ['j'], ...axes.slice(-1)], x);
  };
  const small = cutConfig(context, one, cutNode, first, isApart ? cutQueries : null);
  const smallGraph = buildGraph(small);
  const values = new Map<NodeId, Tensor>();
  for (const [id, tensor] of state.given.values) {
    if (isOwn(graph, keyOf(id, 'value'), cut) || INPUTS.test(id))
      values.set(id, cutNode(id, tensor));
    if (isApart && id === 'x') values.set('xPrime', cutQueries(tensor));
  }
  const gradients = new Map([['y', cutNode('y', state.gradient('y'))]]);
  for (const [id, tensor] of state.given.gradients) {
    if (isOwn(graph, keyOf(id, 'gradient'), cut)) gradients.set(id, cutNode(id, tensor));
  }
  const part: Context = {
    ...{ config: small, graph: smallGraph, type: context.type },
    state: new State(referenceProgram(smallGraph), { values, gradients }),
    whole: context.whole ?? context,
    ...(context.isExcluded && { isExcluded: context.isExcluded }),
  };
  return {
    context: part,
    cut: (each, tensor) => (isOwn(graph, each, cut) ? cutNode(each.slice(2), tensor) : null),
  };
}

function cutConfig(
  context: Context,
  one: ReadonlySet<string>,
  cutNode: (id: NodeId, tensor: Tensor) => Tensor,
  first: (axes: readonly AxisLetters[], tensor: Tensor) => Tensor,
  cutQueries: ((x: Tensor) => Tensor) | null,
): HeadConfig {
  const { config, graph } = context;
  const { extents } = graph;
  const isOneHead = one.size > 0;
  const batch = one.has('b') ? extents['b'] : undefined;
  const heads = isOneHead ? (extents['g'] ?? 1) : config.heads;
  const P = nodeOf(graph, 'P');
  const layout = layoutOf(context, P);
  /** Scores' axes as masks have them: (batch, heads, ., .). */
  const asMask = (tensor: Tensor): Tensor => {
    const part = cutNode('P', broadcast('mask', tensor, layout));
    const entries = one.has('b') ? 1 : (extents['b'] ?? 1);
    return { shape: [entries, heads, ...part.shape.slice(-2)], data: part.data };
  };
  const node = (id: NodeId, tensor: Tensor | undefined): Tensor | undefined =>
    tensor && hasNode(graph, id) ? cutNode(id, tensor) : tensor;
  const slopes = (): Tensor => {
    const { alibi } = config;
    const all = typeof alibi === 'object' ? alibi.data : alibiSlopes(config.heads);
    return { shape: [heads], data: all.slice(0, heads) };
  };
  const weights = Object.fromEntries(
    Object.entries(config.weights).map(([id, tensor]) => [id, node(id, tensor)]),
  ) as Partial<Record<WeightId, Tensor>>;
  const { mask, dropout, past, start } = config;
  const pastAxes = [...(extents['b'] ? [['b']] : []), [extents['g'] ? 'r' : 'h'], ['p']];
  const xPrime = config.xPrime ?? config.x;
  const cutPast = (tensor: Tensor, width: string): Tensor => first([...pastAxes, [width]], tensor);
  return {
    ...config,
    ...{
      x: node('x', config.x),
      xPrime: cutQueries && xPrime ? cutQueries(xPrime) : node('xPrime', config.xPrime),
      xValue: node('xValue', config.xValue),
      weights,
      heads,
      kvHeads: isOneHead ? 1 : config.kvHeads,
    },
    ...(typeof mask === 'object' && { mask: { ...mask, tensor: asMask(mask.tensor) } }),
    ...(config.rope && { rope: cutPositions(config.rope, batch) }),
    ...(config.masks && { masks: cutParts(config.masks, batch, asMask) }),
    ...(dropout && { dropout: { ...dropout, keep: asMask(dropout.keep) } }),
    ...(config.alibi && { alibi: slopes() }),
    ...(past && { past: { K: cutPast(past.K, 'a'), V: cutPast(past.V, 'v') } }),
    ...(start && {
      start: { K: node('K', start.K), Q: node('Q', start.Q), V: node('V', start.V) },
    }),
    // Its gradient is taken from the whole.
    loss: { kind: 'half-squared-norm' },
  };
}

/** Whether nothing is edited. */
function isReference({ graph, forward, backward, contributions, accumulators }: Program): boolean {
  return (
    operationNodes(graph).every(
      (node) => forward.get(node.id) === node && backward.get(node.id) === node,
    ) && contributions.size + accumulators.size === 0
  );
}

/** The positions of the first batch entry. */
function cutPositions(rope: Rope, batch: number | undefined): Rope {
  const front = rope.sections ? 1 : 0;
  const first = (tensor: Tensor | undefined): Tensor | undefined => {
    if (!tensor || batch === undefined || tensor.shape.length <= front + 1) return tensor;
    const tokens = tensor.shape[front + 1];
    const count = front ? tensor.shape[0] : 1;
    const data = new Float64Array(count * tokens);
    for (let n = 0; n < count; n++) {
      const start = n * batch * tokens;
      data.set(tensor.data.subarray(start, start + tokens), n * tokens);
    }
    return { shape: [...(front ? [count] : []), tokens], data };
  };
  const [positions, queryPositions] = [rope.positions, rope.queryPositions].map(first);
  return { ...rope, ...(positions && { positions }), ...(queryPositions && { queryPositions }) };
}

/** The parts of the first batch entry. `scores` cuts what is laid along the scores. */
function cutParts(
  masks: readonly MaskPart[],
  batch: number | undefined,
  scores: (tensor: Tensor) => Tensor,
): MaskPart[] {
  /** Of a tensor whose last `own` axes are not the batch. */
  const first = (tensor: Tensor, own: number): Tensor => {
    const { shape, data } = tensor;
    if (batch === undefined || shape.length <= own) return tensor;
    const rest = shape.slice(1);
    return { shape: [1, ...rest], data: data.slice(0, data.length / shape[0]) };
  };
  return masks.map((part): MaskPart => {
    switch (part.kind) {
      case 'given':
        return { ...part, tensor: scores(part.tensor) };
      case 'padding':
        return 'keep' in part
          ? { ...part, keep: first(part.keep, 1) }
          : { ...part, lengths: first(part.lengths, 0) };
      case 'prefix':
        return { ...part, length: first(part.length, 0) };
      case 'documents':
        return {
          ...part,
          ids: first(part.ids, 1),
          ...(part.queryIds && { queryIds: first(part.queryIds, 1) }),
        };
      default:
        return part;
    }
  });
}
