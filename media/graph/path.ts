// From corners to curves: the SVG path of an edge, the arrowhead at its end, and points along it.
import type { Point } from './routes.ts';

const RADIUS = 8;

interface Corner {
  readonly before: Point;
  readonly at: Point;
  readonly after: Point;
}

function towards(from: Point, to: Point, distance: number): Point {
  const length = Math.hypot(to.x - from.x, to.y - from.y);
  if (length === 0) return from;
  return {
    x: from.x + ((to.x - from.x) * distance) / length,
    y: from.y + ((to.y - from.y) * distance) / length,
  };
}

function corners(points: readonly Point[]): Corner[] {
  return points.slice(1, -1).map((at, n) => {
    const [previous, next] = [points[n], points[n + 2]];
    const half = (other: Point): number => Math.hypot(other.x - at.x, other.y - at.y) / 2;
    const radius = Math.min(RADIUS, half(previous), half(next));
    return { before: towards(at, previous, radius), at, after: towards(at, next, radius) };
  });
}

/** Ends short of the last point, to leave room for the arrowhead. */
export function pathOf(points: readonly Point[], short = 0): string {
  const last = points[points.length - 1];
  const end = towards(last, points[points.length - 2], short);
  const write = ({ x, y }: Point): string => `${x.toFixed(2)} ${y.toFixed(2)}`;
  const turns = corners(points).map(
    ({ before, at, after }) => `L${write(before)}Q${write(at)} ${write(after)}`,
  );
  return `M${write(points[0])}${turns.join('')}L${write(end)}`;
}

/** A triangle whose tip is the last point. */
export function arrowhead(points: readonly Point[], length: number, width: number): string {
  const tip = points[points.length - 1];
  const base = towards(tip, points[points.length - 2], length);
  const [dx, dy] = [
    ((tip.x - base.x) / length) * (width / 2),
    ((tip.y - base.y) / length) * (width / 2),
  ];
  return `${tip.x},${tip.y} ${base.x - dy},${base.y + dx} ${base.x + dy},${base.y - dx}`;
}

/** Points along the drawn curve, for checking what it passes through. */
export function samplesOf(points: readonly Point[], every = 2): Point[] {
  const samples: Point[] = [];
  const line = (from: Point, to: Point): void => {
    const length = Math.hypot(to.x - from.x, to.y - from.y);
    for (let at = 0; at < length; at += every) samples.push(towards(from, to, at));
  };
  let from = points[0];
  for (const { before, at, after } of corners(points)) {
    line(from, before);
    for (let t = 0; t < 1; t += 0.1) {
      const along = (a: number, b: number, c: number): number =>
        (1 - t) ** 2 * a + 2 * t * (1 - t) * b + t ** 2 * c;
      samples.push({ x: along(before.x, at.x, after.x), y: along(before.y, at.y, after.y) });
    }
    from = after;
  }
  line(from, points[points.length - 1]);
  return [...samples, points[points.length - 1]];
}
