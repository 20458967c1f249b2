// What computing a graph takes, told before it is taken.
import { type Graph, nodeOf, operationNodes } from './graph.ts';
import { sizeOf } from './tensor.ts';

/** Bytes of all that a run keeps: values, contributions, and the gradients that several of them add up to. */
export function bytesOfRun(graph: Graph): number {
  const size = (id: string): number => sizeOf(nodeOf(graph, id).shape);
  const receivers = operationNodes(graph).flatMap(({ inputs }) => inputs);
  const entries = [
    ...graph.nodes.map(({ id }) => size(id)),
    ...receivers.map(size),
    // The first contribution is the gradient of a node that has no other.
    ...receivers.filter((id, n) => receivers.indexOf(id) < n).map(size),
  ];
  return 8 * entries.reduce((sum, each) => sum + each, 0);
}

/** "4.3 GB", "120 MB". */
export function inWords(bytes: number): string {
  return bytes >= 1e9 ? `${(bytes / 1e9).toFixed(1)} GB` : `${Math.ceil(bytes / 1e6)} MB`;
}
