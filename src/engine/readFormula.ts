// The tensors that a run's formulas speak of.
import type { Operand, Read } from './evaluate.ts';
import { operationNodes } from './graph.ts';
import type { Run } from './run.ts';

/** Values by their node's name, gradients with a d in front, and what the operations are given beside their operands. */
export function readOf({ graph, values, gradients }: Run): Read {
  const known = new Map<string, Operand>();
  for (const { id, operation, inputs } of operationNodes(graph)) {
    const { given } = operation.formula({ output: id, inputs });
    for (const [name, operand] of Object.entries(given ?? {})) known.set(name, operand);
  }
  for (const { id, axes } of graph.nodes) {
    known.set(id, { axes, tensor: values.get(id)! });
    known.set(`d${id}`, { axes, tensor: gradients.get(id)! });
  }
  return (name) => known.get(name);
}
