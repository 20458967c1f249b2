// A large problem cut down to its first batch entry and its first key/value head, where hypotheses cost less.
import { type AxisLetters, letterStrides, offsetTable, shapeOf } from '../engine/axes.ts';
import type { HeadConfig, WeightId } from '../engine/config.ts';
import { type Graph, hasNode, nodeOf, type NodeId } from '../engine/graph.ts';
import { buildGraph } from '../engine/heads/build.ts';
import { alibiSlopes, broadcast } from '../engine/heads/mask.ts';
import type { Tensor } from '../engine/tensor.ts';
import type { Context } from './edits/edit.ts';
import { layoutOf } from './edits/maskLayout.ts';
import { cutParts } from './edits/masksListed.ts';
import { cutPositions } from './edits/ropeOptions.ts';
import { pick } from './layouts.ts';
import { isReference, type Key, keyOf, referenceProgram, State } from './program.ts';

/** Letters of which only the first index is kept. */
export const CUT = new Set(['b', 'h', 'r']);
const INPUTS = /^(x|xPrime|xValue|[Wb]_.)$/;
/** Values of one head alone; y, f and the gradients of x and x' mix all heads. */
const OF_ONE_HEAD = /^(K|Q|V|Kh|Qh|Vh|S|Z|M|P|Pd|O|C)$/;

export interface Slice {
  readonly context: Context;
  /** The part of a tensor, or null where it is none of the slice's. */
  cut(key: Key, tensor: Tensor): Tensor | null;
}

/** By how much a slice is smaller. */
function factorOf({ extents }: Graph): number {
  return ['b', 'h', 'r'].reduce((product, letter) => product * (extents[letter] ?? 1), 1);
}

/**
 * The slice in which `key` can be explained, or null where that is impossible or no gain. A mistake that mixes
 * heads or batch entries is not in it: what is found here has to be tried on the whole.
 */
export function sliceOf(context: Context, key: Key): Slice | null {
  return isOwn(context.graph, key) ? headSlice(context) : null;
}

/** Whether a key is found in one head and one batch entry alone. */
function isOwn({ extents }: Graph, key: Key): boolean {
  const id = key.slice(2);
  if (OF_ONE_HEAD.test(id)) return true;
  // A parameter's gradient is a sum over the batch.
  return (
    key.startsWith('g:') && /^[Wb]_[KQVO]$/.test(id) && (extents['b'] ?? 1) === 1 && id !== 'b_O'
  );
}

/** The first head of the first batch entry; null where there are no more, or the program is edited. */
export function headSlice(context: Context): Slice | null {
  const { graph, state } = context;
  const isCuttable = graph.nodes.every(
    ({ id }) => INPUTS.test(id) || OF_ONE_HEAD.test(id) || /^[yf]$/.test(id),
  );
  if (!isCuttable) return null;
  if (graph.head !== 'multihead' || factorOf(graph) < 2 || !isReference(state.program)) return null;
  const first = (axes: readonly AxisLetters[], tensor: Tensor): Tensor => {
    const kept = axes.map((axis) => axis.filter((letter) => !CUT.has(letter)));
    const table = offsetTable(kept.flat(), letterStrides(axes, graph.extents), graph.extents);
    return { shape: shapeOf(kept, graph.extents), data: pick(tensor.data, table) };
  };
  const cutNode = (id: NodeId, tensor: Tensor): Tensor => first(nodeOf(graph, id).axes, tensor);
  const small = cutConfig(context, cutNode, first);
  const smallGraph = buildGraph(small);
  const values = new Map<NodeId, Tensor>();
  for (const [id, tensor] of state.given.values) {
    if (isOwn(graph, keyOf(id, 'value')) || INPUTS.test(id)) values.set(id, cutNode(id, tensor));
  }
  const gradients = new Map([['y', cutNode('y', state.gradient('y'))]]);
  for (const [id, tensor] of state.given.gradients) {
    if (isOwn(graph, keyOf(id, 'gradient'))) gradients.set(id, cutNode(id, tensor));
  }
  const part: Context = {
    ...{ config: small, graph: smallGraph, type: context.type },
    state: new State(referenceProgram(smallGraph), { values, gradients }),
    whole: context.whole ?? context,
  };
  return {
    context: part,
    cut: (each, tensor) => (isOwn(graph, each) ? cutNode(each.slice(2), tensor) : null),
  };
}

function cutConfig(
  context: Context,
  cutNode: (id: NodeId, tensor: Tensor) => Tensor,
  first: (axes: readonly AxisLetters[], tensor: Tensor) => Tensor,
): HeadConfig {
  const { config, graph } = context;
  const { extents } = graph;
  const P = nodeOf(graph, 'P');
  const layout = layoutOf(context, P);
  /** Scores' axes as masks have them: (batch, heads, ., .). */
  const asMask = (tensor: Tensor): Tensor => {
    const part = cutNode('P', broadcast('mask', tensor, layout));
    return { shape: [1, extents['g'] ?? 1, ...part.shape.slice(-2)], data: part.data };
  };
  const node = (id: NodeId, tensor: Tensor | undefined): Tensor | undefined =>
    tensor && hasNode(graph, id) ? cutNode(id, tensor) : tensor;
  const heads = extents['g'] ?? 1;
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
  const cutPast = (tensor: Tensor, width: string): Tensor => first([...pastAxes, [width]], tensor);
  return {
    ...config,
    ...{
      x: node('x', config.x),
      xPrime: node('xPrime', config.xPrime),
      xValue: node('xValue', config.xValue),
      weights,
      heads,
      kvHeads: 1,
    },
    ...(typeof mask === 'object' && { mask: { ...mask, tensor: asMask(mask.tensor) } }),
    ...(config.rope && { rope: cutPositions(config.rope, extents['b']) }),
    ...(config.masks && { masks: cutParts(config.masks, extents['b'], asMask) }),
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
