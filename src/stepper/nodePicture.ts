// Pictures of a node's value or gradient, under the view's selection.
import type { GraphNode, NodeId } from '../engine/graph.ts';
import type { Run } from '../engine/run.ts';
import type { Tensor } from '../engine/tensor.ts';
import { type Picture, pictureOf } from './picture.ts';
import type { ViewOptions } from './stepView.ts';

/** Most rows and columns of a picture in a node of the graph, and in the step's detail. */
export const THUMBNAIL = 24;
export const DETAIL = 64;

export function picture(
  run: Run,
  node: GraphNode,
  value: Tensor,
  options: ViewOptions,
  most: number,
): Picture {
  const { extents } = run.graph;
  return pictureOf(value, {
    axes: node.axes,
    extents,
    binding: options.selection,
    allHeads: options.allHeads,
    most,
  });
}

/** Thumbnails of the values, which do not change along a run. */
export function valuePictures(run: Run, options: ViewOptions): Record<NodeId, Picture> {
  return Object.fromEntries(
    run.graph.nodes.map((node) => [
      node.id,
      picture(run, node, run.values.get(node.id)!, options, THUMBNAIL),
    ]),
  );
}
