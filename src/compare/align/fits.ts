// Whether a tensor may be a node by its shape alone, in any of the layouts that are undone.
import type { Extents } from '../../engine/axes.ts';
import { type Graph, hasNode, type NodeId, nodeOf } from '../../engine/graph.ts';
import { sizeOf } from '../../engine/tensor.ts';
import type { Want } from '../../formats/want.ts';
import type { ResolvedName } from '../../formats/nodeNames.ts';
import { isRowSum } from '../judge/rowSums.ts';
import { misfit } from './align.ts';
import { layoutsOf } from './layouts.ts';
import { isPacked } from './unpacked.ts';

export const fitsIn =
  (graph: Graph) =>
  (node: NodeId, shape: readonly number[]): boolean =>
    hasNode(graph, node) && layoutsOf(shape, nodeOf(graph, node).axes, graph.extents).length > 0;

/** KV heads may be repeated for every query head of their group. */
const repeats = (extents: Extents): number => extents['g'] ?? 1;

/** A tensor that is named as a node and is so much larger than any is not read to say what it is instead. */
const LARGEST_MISFIT = 16;

/** What of a trace can be a node of this graph, or is named as one; the rest need not be read. */
export function wantedBy(
  graph: Graph,
  resolve: (name: string, rank: number) => ResolvedName | null,
): Want {
  const most = Math.max(...graph.nodes.map(({ shape }) => sizeOf(shape))) * repeats(graph.extents);
  const fits = fitsIn(graph);
  return {
    most: LARGEST_MISFIT * most,
    why: (name, shape, isPart) => {
      // A part is smaller than its node, in ways that all parts tell together.
      if (isPart && sizeOf(shape) <= most) return '';
      const named = resolve(name, shape.length);
      const isFinding = named !== null && hasNode(graph, named.node);
      if (isFinding && sizeOf(shape) <= LARGEST_MISFIT * most) return '';
      const isRead = isPacked(name, resolve) || isRowSum(name);
      if (isRead && sizeOf(shape) <= LARGEST_MISFIT * most) return '';
      const mayBe = !isPart && graph.nodes.some(({ id }) => fits(id, shape));
      return mayBe ? '' : misfit(graph, named, shape);
    },
  };
}
