// The order in which mistakes can cause each other: values first, then gradients as reverse mode completes them.
import { type Graph, operationNodes } from '../../engine/graph.ts';
import { type Key, keyOf } from '../program/program.ts';

/** Keys in causal order: values as they are computed, gradients as reverse mode completes them. */
export function causalOrder(graph: Graph): Key[] {
  const values = graph.nodes.map(({ id }) => keyOf(id, 'value'));
  const gradients: Key[] = ['g:f'];
  const waiting = new Map<string, number>();
  for (const { inputs } of operationNodes(graph))
    for (const id of inputs) waiting.set(id, (waiting.get(id) ?? 0) + 1);
  for (const { inputs } of operationNodes(graph).reverse()) {
    for (const id of inputs) {
      const left = waiting.get(id)! - 1;
      waiting.set(id, left);
      if (left === 0) gradients.push(keyOf(id, 'gradient'));
    }
  }
  return [...values, ...gradients];
}
