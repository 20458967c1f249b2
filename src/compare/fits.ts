// Whether a tensor may be a node by its shape alone, in any of the layouts that are undone.
import { type Graph, hasNode, type NodeId, nodeOf } from '../engine/graph.ts';
import { layoutsOf } from './layouts.ts';

export const fitsIn =
  (graph: Graph) =>
  (node: NodeId, shape: readonly number[]): boolean =>
    hasNode(graph, node) && layoutsOf(shape, nodeOf(graph, node).axes, graph.extents).length > 0;
