// The selected entry of a node: where it stands in its tensor, its name, its letters.
import { type Binding, bindingAt, offsetAt } from '../engine/axes.ts';
import type { Formula } from '../engine/formula.ts';
import type { GraphNode } from '../engine/graph.ts';
import type { Run } from '../engine/run.ts';

/** Letters that are bound beyond a node's axes are clamped: another setup may be smaller. */
export function entryOffset(run: Run, node: GraphNode, selection: Binding): number {
  const { extents } = run.graph;
  const clamped = Object.fromEntries(
    Object.entries(selection).map(([letter, at]) => [
      letter,
      Math.min(at, (extents[letter] ?? 1) - 1),
    ]),
  );
  return offsetAt(node.axes, extents, clamped);
}

export const entryText = (name: string, index: readonly number[]): string =>
  index.length === 0 ? name : `${name}[${index.join(',')}]`;

/** Binds a backward formula's operand letters to the entry: in self-attention x's token is j on its way as query. */
export function bindOperand(
  formula: Formula,
  node: GraphNode,
  offset: number,
  selection: Binding,
  run: Run,
): Binding {
  const own = bindingAt(node.axes, run.graph.extents, offset);
  if (formula.kind !== 'relation' || formula.left.kind !== 'symbol')
    return { ...selection, ...own };
  const renamed = formula.left.indices
    .flat()
    .map((letter, n) => [letter, own[node.axes.flat()[n]]] as const);
  return { ...selection, ...Object.fromEntries(renamed) };
}
