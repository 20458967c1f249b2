// The specs of S or O with KV heads in turn instead of in blocks, or with a KV head for each query head.
import type { AxisLetters } from '../../engine/axes.ts';
import { type Graph, nodeOf, type OperationNode } from '../../engine/graph.ts';

const write = (axes: readonly AxisLetters[]): string =>
  axes.map((axis) => (axis.length === 1 ? axis[0] : `(${axis.join(' ')})`)).join(' ');

export function permutedSpec(graph: Graph, id: string): string {
  const node = nodeOf(graph, id) as OperationNode;
  const exchange = (axes: readonly AxisLetters[]): AxisLetters[] =>
    axes.map((axis) => (axis.join('') === 'rg' ? ['g', 'r'] : axis));
  const operands = node.inputs.map((input) => write(exchange(nodeOf(graph, input).axes)));
  return `${operands.join(', ')} -> ${write(exchange(node.axes))}`;
}

/** Keys and values have the heads of the queries. */
export function perHeadSpec(graph: Graph, id: string): string {
  const node = nodeOf(graph, id) as OperationNode;
  const all = (axes: readonly AxisLetters[]): AxisLetters[] =>
    axes.map((axis) => (axis.join('') === 'r' ? ['r', 'g'] : axis));
  const operands = node.inputs.map((input) => write(all(nodeOf(graph, input).axes)));
  return `${operands.join(', ')} -> ${write(node.axes)}`;
}
