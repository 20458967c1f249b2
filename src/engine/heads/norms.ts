// Norms as nodes, with the gains and biases that are given.
import { type AxisLetters, type Extents, isOfHeads, type Letter } from '../axes.ts';
import type { HeadConfig, Norm } from '../config.ts';
import type { GraphBuilder, NodeId } from '../graph.ts';
import { normalise } from '../ops/normalise.ts';

interface NormPlace {
  readonly id: NodeId;
  readonly of: NodeId;
  readonly axes: readonly AxisLetters[];
  readonly over: readonly Letter[];
  /** Ids end so: gamma_K, beta_K. */
  readonly parameters: string;
}

/** Adds `id`, the normalised `of`. */
export function addNorm(
  graph: GraphBuilder,
  norm: Norm,
  { id, of, axes, over, parameters }: NormPlace,
  extents: Extents,
): void {
  const [gain, bias] = [`gamma_${parameters}`, `beta_${parameters}`];
  const axesOf = (own: NodeId): readonly AxisLetters[] | null =>
    graph.has(own) ? graph.axesOf(own) : null;
  const operation = normalise(
    { axes, over, gain: axesOf(gain), bias: axesOf(bias) },
    extents,
    norm,
  );
  graph.node(id, axes, operation, [of, ...[gain, bias].filter((own) => graph.has(own))]);
}

/** Adds `${id}n` from `from` where the head has a norm of queries and keys; returns the id of what goes on. */
export function addQkNorm(
  graph: GraphBuilder,
  { qkNorm }: HeadConfig,
  {
    id,
    from,
    axes,
    as = `${id}n`,
  }: { id: 'K' | 'Q'; from: NodeId; axes: readonly AxisLetters[]; as?: NodeId },
  extents: Extents,
): NodeId {
  if (!qkNorm) return from;
  const heads = axes.flat().filter(isOfHeads);
  const over = qkNorm.over === 'all' ? [...heads, 'a'] : ['a'];
  addNorm(graph, qkNorm, { id: as, of: from, axes, over, parameters: id }, extents);
  return as;
}
