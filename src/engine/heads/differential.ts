// Differential attention (Ye et al. 2024): two softmaxes for each head, one less λ times the other, a norm of what comes out.
import { type AxisLetters, type Extents, parseSpec } from '../axes.ts';
import { ConfigError, type Differential, type HeadConfig } from '../config.ts';
import type { GraphBuilder, NodeId } from '../graph.ts';
import { difference, LAMBDA_WEIGHTS, PAIR, reparametrised } from '../ops/difference.ts';
import { scale } from '../ops/elementwise.ts';
import { addNorm } from './norms.ts';

/** The letters of heads with that of their two softmaxes, next to the features or before the heads. */
export const paired = (heads: string, { pairs }: Differential): string =>
  pairs === 'halves' ? `${PAIR} ${heads}` : `${heads} ${PAIR}`;

/** Adds λ and the weights that are left, Pdiff, after `weights`; returns the id of what goes on. Throws ConfigError. */
export function addDifference(
  graph: GraphBuilder,
  { differential }: HeadConfig,
  weights: NodeId,
  { scores, extents }: { readonly scores: string; readonly extents: Extents },
): NodeId {
  if (!differential) return weights;
  const lambda = graph.has('lambda_share') ? 'lambda_share' : 'lambda_full';
  if (lambda === 'lambda_full') {
    for (const id of LAMBDA_WEIGHTS)
      if (!graph.has(id))
        throw new ConfigError(`weights.${id}`, 'not given, and differential attention needs it');
    const operation = reparametrised(graph.axesOf('lambda_q1'), differential.lambdaInit);
    graph.node(lambda, [], operation, LAMBDA_WEIGHTS);
  }
  const [axes] = parseSpec(scores);
  const from = graph.axesOf(weights);
  graph.node('Pdiff', axes, difference(axes, from, extents), [weights, lambda]);
  return 'Pdiff';
}

/** Adds the norm of each head's output and the factor 1 − λ_init; returns the id of what goes on. */
export function addHeadNorm(
  graph: GraphBuilder,
  { differential }: HeadConfig,
  axes: readonly AxisLetters[],
  extents: Extents,
): NodeId {
  if (!differential) return 'O';
  const { norm, lambdaInit } = differential;
  if (norm)
    addNorm(graph, norm, { id: 'On', of: 'O', axes, over: ['v'], parameters: 'O' }, extents);
  const last = norm ? 'On' : 'O';
  if (lambdaInit === 0) return last;
  graph.node('Os', axes, scale(axes, 1 - lambdaInit), [last]);
  return 'Os';
}
