// Which factors of the equations a step computes. A factor is named by steps: "=P" is the value of P, "y>P" the local
// Jacobian that the step from y to P multiplies by, "P>S>K>x" a chain of them; "|" separates several.
import { hasNode, type Graph, type NodeId } from './graph.ts';

export interface Marks {
  /** Factors that are exactly what the step computes. */
  readonly parts: readonly string[];
  /** Factors that take several steps, of which this is one. */
  readonly links: readonly string[];
}

/** Nodes of the exercise's own head: no projected values, and nothing between scores, weights and output. */
const PLAIN: readonly NodeId[] = ['x', 'xPrime', 'W_K', 'W_Q', 'K', 'Q', 'S', 'P', 'y', 'f'];

export function isPlain(graph: Graph): boolean {
  const needed = PLAIN.filter((id) => id !== 'xPrime');
  return (
    needed.every((id) => hasNode(graph, id)) &&
    graph.nodes.every(({ id }) => PLAIN.includes(id)) &&
    // Not with a 1 in the denominator.
    graph.nodes.some((node) => node.kind === 'operation' && node.operation.name === 'softmax')
  );
}

export const value = (node: NodeId): string => `=${node}`;

/** Nodes that this head does not have are left out of the chain. */
export function jacobian(graph: Graph, ids: readonly NodeId[]): string {
  const chain = ids.filter((id, n) => hasNode(graph, id) && ids.indexOf(id) === n);
  return chain.join('>');
}

const alternatives = (name: string): string[] => name.split('|');

export function forwardMarks(names: readonly string[], node: NodeId): Marks {
  const own = value(node);
  return { parts: names.filter((name) => alternatives(name).includes(own)), links: [] };
}

export function backwardMarks(names: readonly string[], from: NodeId, to: NodeId): Marks {
  const step = `${from}>${to}`;
  const isLink = (chain: string): boolean => `>${chain}>`.includes(`>${step}>`);
  const parts = names.filter((name) => alternatives(name).includes(step));
  const links = names.filter((name) => alternatives(name).some(isLink) && !parts.includes(name));
  return { parts, links };
}
