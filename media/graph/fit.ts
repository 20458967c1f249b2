// Which drawing of the graph fits a width: wide cards where they stay readable, else tall ones; scrolled at the least.
import { type GraphLayout, layoutGraph, type LayoutNode } from './layout.ts';
import { LARGEST_SCALE, SMALLEST_SCALE } from './sizes.ts';

export interface Fit {
  readonly layout: GraphLayout;
  readonly scale: number;
}

/** `height` is what there is without scrolling; width decides, height only keeps the drawing from growing. */
export function fitGraph(nodes: readonly LayoutNode[], width: number, height = Infinity): Fit {
  const scaleOf = (layout: GraphLayout): number =>
    Math.max(SMALLEST_SCALE, Math.min(LARGEST_SCALE, width / layout.width, height / layout.height));
  const wide = layoutGraph(nodes, 'wide');
  if (wide.width * SMALLEST_SCALE <= width) return { layout: wide, scale: scaleOf(wide) };
  const tall = layoutGraph(nodes, 'tall');
  return { layout: tall, scale: scaleOf(tall) };
}
