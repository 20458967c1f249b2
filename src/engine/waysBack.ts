// The ways by which f depends on an input, as chains of nodes from an output back to it.
import { type Graph, hasNode, type NodeId, nodeOf } from './graph.ts';

/** Every chain of nodes from `from` back to `to`; of no length where they are one node. */
function waysBack(graph: Graph, from: NodeId, to: NodeId): NodeId[][] {
  if (from === to) return [[to]];
  const node = hasNode(graph, from) ? nodeOf(graph, from) : null;
  if (node?.kind !== 'operation') return [];
  return [...new Set(node.inputs)].flatMap((input) =>
    waysBack(graph, input, to).map((rest) => [from, ...rest]),
  );
}

export interface Ways {
  /** From f to what the heads give, from there to the weights: one chain each. */
  readonly upstream: readonly NodeId[];
  readonly toWeights: readonly NodeId[];
  /** From what the heads give to the input, as values. */
  readonly values: readonly (readonly NodeId[])[];
  /** From the weights, through the keys or through the queries. */
  readonly keys: readonly (readonly NodeId[])[];
  readonly queries: readonly (readonly NodeId[])[];
  /** From f, past what the heads give: gates, the residual connection. */
  readonly past: readonly (readonly NodeId[])[];
}

/** What the heads give: O where there are several, else y. */
export const mixedNode = (graph: Graph): NodeId => (hasNode(graph, 'O') ? 'O' : 'y');

export function waysTo(graph: Graph, input: NodeId): Ways {
  const mixed = mixedNode(graph);
  const scores = nodeOf(graph, 'S');
  const [key, query] = scores.kind === 'operation' ? scores.inputs : [];
  const weights = waysBack(graph, 'P', input);
  const through = (id: NodeId): NodeId[][] =>
    weights.filter((way) => way[way.indexOf('S') + 1] === id);
  return {
    upstream: waysBack(graph, 'f', mixed)[0],
    toWeights: waysBack(graph, mixed, 'P')[0],
    values: waysBack(graph, mixed, input).filter((way) => !way.includes('P')),
    keys: through(key),
    queries: through(query),
    past: waysBack(graph, 'f', input).filter((way) => !way.includes(mixed)),
  };
}
