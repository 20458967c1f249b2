// Pictures of a node's value or gradient, under the view's selection.
import type { GraphNode, NodeId } from '../engine/graph.ts';
import type { Run } from '../engine/run.ts';
import { add, type Tensor } from '../engine/tensor.ts';
import { colourRange } from './colourRange.ts';
import { type Picture, pictureOf } from './picture.ts';
import type { ViewOptions } from './stepView.ts';

/** Most rows and columns of a picture in a node of the graph, and in the step's detail. */
export const THUMBNAIL = 24;
const DETAIL = 64;

/** The last pictures of each tensor: along a walk most stay as they are. */
const drawn = new WeakMap<Tensor, Map<string, Picture>>();
/** In the graph and in detail, under this selection and the one before. */
const KEPT = 4;

export const drawnOf = (value: Tensor): ReadonlyMap<string, Picture> | undefined =>
  drawn.get(value);

export const setDrawn = (value: Tensor, pictures: ReadonlyMap<string, Picture>): void =>
  void drawn.set(value, new Map(pictures));

/** One picture for each selected slice; `range`: where its colours end, if not at the tensor's own range. */
export function picture(
  run: Pick<Run, 'graph'>,
  node: GraphNode,
  value: Tensor,
  options: Pick<ViewOptions, 'selection' | 'allHeads'>,
  most: number,
  range?: number,
): Picture {
  const leading = node.axes.slice(0, -2).flat();
  const bound = leading.map((letter) => options.selection[letter] ?? 0);
  const key = [node.id, most, options.allHeads, range, ...bound].join(' ');
  const known = drawn.get(value) ?? new Map<string, Picture>();
  const made = known.get(key) ?? makePicture(run, node, value, options, most, range);
  // The last used is the last to go.
  known.delete(key);
  known.set(key, made);
  for (const oldest of known.keys()) if (known.size > KEPT) known.delete(oldest);
  drawn.set(value, known);
  return made;
}

function makePicture(
  run: Pick<Run, 'graph'>,
  node: GraphNode,
  value: Tensor,
  options: Pick<ViewOptions, 'selection' | 'allHeads'>,
  most: number,
  range?: number,
): Picture {
  const { extents } = run.graph;
  return pictureOf(value, {
    axes: node.axes,
    extents,
    binding: options.selection,
    allHeads: options.allHeads,
    most,
    masked: node.id === 'M',
    range,
  });
}

/** In detail, the slice of the selected entry alone is seen. */
export function detail(
  run: Run,
  node: GraphNode,
  value: Tensor,
  { selection }: ViewOptions,
  range?: number,
): Picture {
  return picture(run, node, value, { selection, allHeads: false }, DETAIL, range);
}

const gradientRanges = new WeakMap<Run, Map<NodeId, number>>();

/** One end for a node's accumulator at every step, so that its colours do not jump: of all parts and all sums. */
export function gradientRange(run: Run, node: NodeId): number {
  const known = gradientRanges.get(run) ?? new Map<NodeId, number>();
  gradientRanges.set(run, known);
  const range = known.get(node) ?? rangeOfParts(run, node);
  known.set(node, range);
  return range;
}

function rangeOfParts(run: Run, node: NodeId): number {
  const parts = run.contributions.filter(({ to }) => to === node).map(({ value }) => value);
  const sums = parts.slice(1, -1).map((_, n) => parts.slice(1, n + 2).reduce(add, parts[0]));
  return Math.max(...[run.gradients.get(node)!, ...parts, ...sums].map(colourRange));
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
