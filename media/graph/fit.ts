// Which drawing of the graph fits the room there is: the roomiest that stays readable, else the smallest, scrolled.
import { type GraphLayout, layoutGraph, type LayoutNode } from './layout.ts';
import {
  type CardStyle,
  COMFORTABLE_SCALE,
  LARGEST_SCALE,
  SMALLEST_SCALE,
  WHOLE_SCALE,
} from './sizes.ts';

export interface Fit {
  readonly layout: GraphLayout;
  readonly scale: number;
}

const styles: readonly CardStyle[] = ['wide', 'tall', 'low', 'small'];

/** A hair's breadth is rounding. */
export const isWhole = ({ layout, scale }: Fit, width: number, height: number): boolean =>
  layout.width * scale <= width + 0.01 && layout.height * scale <= height + 0.01;

/**
 * `height`: Infinity where the page scrolls and height is no limit. `most`: what may be taken of it rather than that
 * the graph is cut. `smallest`: what a scale that shows it whole may be.
 */
export function fitGraph(
  nodes: readonly LayoutNode[],
  width: number,
  height = Infinity,
  most = height,
  smallest = WHOLE_SCALE,
): Fit {
  const fits = styles.map((style): Fit => {
    const layout = layoutGraph(nodes, style);
    const scale = Math.min(LARGEST_SCALE, width / layout.width, height / layout.height);
    return { layout, scale };
  });
  const readable = fits.find(({ scale }) => scale >= COMFORTABLE_SCALE);
  if (readable) return readable;
  const best = fits.reduce((a, b) => (b.scale > a.scale ? b : a));
  if (most > height && best.scale < SMALLEST_SCALE) {
    const roomier = fitGraph(nodes, width, most, most, SMALLEST_SCALE);
    if (isWhole(roomier, width, most)) return roomier;
  }
  return best.scale >= smallest ? best : { ...best, scale: SMALLEST_SCALE };
}
