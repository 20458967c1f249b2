// Ways of the edges between placed nodes: right angles with round corners, in the gaps between columns.
import { isParameter as isLearned } from '../../src/engine/nodes.ts';
import type { Box, LayoutNode } from './layout.ts';
import type { Sizes } from './sizes.ts';

export interface Point {
  readonly x: number;
  readonly y: number;
}

export interface EdgeLabel extends Point {
  readonly anchor: 'start' | 'middle' | 'end';
}

/** An edge in data's direction: from an operand to the node that uses it. */
export interface Route {
  readonly operand: string;
  readonly user: string;
  readonly slot: number;
  /** Corners, from the operand's border to the user's. */
  readonly points: readonly Point[];
  /** Where "dP" can stand without touching anything. */
  readonly label: EdgeLabel;
  /** What a long edge stands for, written along it. */
  readonly note: (EdgeLabel & { readonly text: string }) | null;
}

type Drawn = Pick<Route, 'points' | 'label'>;
type Spacing = Sizes & { readonly valueLane: number; readonly underLane: number };

const right = ({ x, size }: Box): number => x + size.width;
const bottom = ({ y, size }: Box): number => y + size.height;
const middleX = ({ x, size }: Box): number => x + size.width / 2;
const middleY = ({ y, size }: Box): number => y + size.height / 2;

/** Distance of the ports of two edges on one side of a node. */
const PORT = 22;

interface Edge {
  readonly operand: Box;
  readonly user: Box;
  readonly slot: number;
}

/** Where a weight's edge meets the node that uses it. */
export const parameterX = ({ x, size: { width } }: Box): number =>
  x + (width < 50 ? width - 10 : 0.7 * Math.min(width, 76));

/** From a parameter down (or up) to its projection; a bias beside its weight turns once on the way. */
function parameterRoute({ operand, user }: Edge, isFirst: boolean): Drawn {
  const above = bottom(operand) <= user.y;
  const start = above ? bottom(operand) : operand.y;
  const end = above ? user.y : bottom(user);
  const side = !isFirst;
  // A weight's own gradient is written left of the edge, and a bias comes in on the right.
  const x = side ? middleX(operand) : parameterX(user);
  const half = (start + end) / 2;
  const inside = right(user) - (user.size.width < 50 ? 4 : 8);
  const points =
    x <= inside
      ? [
          { x, y: start },
          { x, y: end },
        ]
      : [
          { x, y: start },
          { x, y: half },
          { x: inside, y: half },
          { x: inside, y: end },
        ];
  const label: EdgeLabel = side
    ? { x: x + 7, y: half, anchor: 'start' }
    : { x: x - 7, y: half, anchor: 'end' };
  return { points, label };
}

/** Over the top: up from the operand (or straight out of it), along the value lane, and down into the user. */
function valueLaneRoute({ operand, user }: Edge, lane: number): Drawn {
  const x = middleX(user);
  const level = Math.abs(middleY(operand) - lane) < 1;
  const from = level ? { x: right(operand), y: lane } : { x: middleX(operand), y: operand.y };
  const points = [
    from,
    ...(level ? [] : [{ x: from.x, y: lane }]),
    { x, y: lane },
    { x, y: user.y },
  ];
  return { points, label: { x: x - 12, y: lane + 11, anchor: 'end' } };
}

/** Under all else: down from the operand and along the user's lane into it. */
function underRoute({ operand, user }: Edge): Drawn {
  const [x, lane] = [middleX(operand), middleY(user)];
  const points = [
    { x, y: bottom(operand) },
    { x, y: lane },
    { x: user.x, y: lane },
  ];
  return { points, label: { x: x - 7, y: bottom(operand) + 10, anchor: 'end' } };
}

/** Past the attention: down from the operand, along under all else, and up into the user. */
function pastRoute({ operand, user }: Edge, lane: number): Drawn {
  const [from, to] = [operand.x + operand.size.width / 4, middleX(user)];
  const points = [
    { x: from, y: bottom(operand) },
    { x: from, y: lane },
    { x: to, y: lane },
    { x: to, y: bottom(user) },
  ];
  return { points, label: { x: to - 12, y: lane - 11, anchor: 'end' } };
}

/** Along the operand's lane, under all else, and up into the user. */
function riseRoute({ operand, user }: Edge): Drawn {
  const [x, lane] = [middleX(user), middleY(operand)];
  const points = [
    { x: right(operand), y: lane },
    { x, y: lane },
    { x, y: bottom(user) },
  ];
  return { points, label: { x: x - 12, y: lane - 11, anchor: 'end' } };
}

/** Through the gap between two columns. */
function gapRoute(from: Point, to: Point, turn: number): Drawn {
  if (Math.abs(from.y - to.y) < 1) {
    return {
      points: [from, to],
      label: { x: (from.x + to.x) / 2, y: from.y - 12, anchor: 'middle' },
    };
  }
  const points = [from, { x: turn, y: from.y }, { x: turn, y: to.y }, to];
  return { points, label: { x: turn + 6, y: (from.y + to.y) / 2, anchor: 'start' } };
}

/** Spreads the ports of several edges along one side, in the order of where they lead. */
function port(box: Box, edges: readonly Edge[], edge: Edge, other: (edge: Edge) => Box): number {
  const ordered = [...edges].sort((a, b) => middleY(other(a)) - middleY(other(b)));
  const level = ordered.findIndex((each) => Math.abs(middleY(other(each)) - middleY(box)) < 1);
  const centre = level >= 0 ? level : (ordered.length - 1) / 2;
  return middleY(box) + (ordered.indexOf(edge) - centre) * PORT;
}

/** The label of an edge that changes lanes stands beside it, on the side where no card is. */
function besideTurn(route: Drawn, edge: Edge, spacing: Spacing, hasOuter: boolean): EdgeLabel {
  const { points, label } = route;
  if (points.length < 4) return label;
  const { operand, user } = edge;
  const turn = points[1].x;
  const towardsUser = middleY(operand) < middleY(user);
  // The card that lies lower (or higher) leaves its column free above (or below) it.
  const free = /^x/.test(operand.id) && !hasOuter ? 'before' : 'after';
  const box = free === 'after' ? user : operand;
  const edgeOfBox = (free === 'after') === towardsUser ? box.y - 10 : bottom(box) + 10;
  return free === 'after'
    ? { x: turn + 6, y: edgeOfBox, anchor: 'start' }
    : { x: turn - 6, y: Math.max(edgeOfBox, spacing.margin + 8), anchor: 'end' };
}

/** Those of the same input that go down, the nearest first. */
function downwards({ operand }: Edge, leaving: readonly Edge[]): Edge[] {
  return leaving
    .filter((each) => middleY(each.user) > middleY(operand) + 1)
    .sort((a, b) => middleY(a.user) - middleY(b.user));
}

const isInput = ({ operand }: Edge): boolean => /^x/.test(operand.id);

/** Whether another edge of the same input turns down beside it, further out. */
const isInner = (edge: Edge, leaving: readonly Edge[]): boolean => {
  const down = downwards(edge, leaving);
  return isInput(edge) && down.includes(edge) && down.at(-1) !== edge;
};

/** In the gap before the user; those of an input behind it, of several each a little further out. */
function turnOf(edge: Edge, leaving: readonly Edge[], { columnGap }: Spacing): number {
  const down = isInput(edge) ? downwards(edge, leaving) : [];
  if (!down.includes(edge)) return edge.user.x - columnGap / 2;
  const first = Math.min(...down.map(({ user }) => user.x));
  return first - columnGap / 2 - down.indexOf(edge) * Math.min(6, columnGap / 4);
}

export function routeEdges(
  nodes: readonly LayoutNode[],
  placed: ReadonlyMap<string, Box>,
  spacing: Spacing,
): Route[] {
  const edges = nodes.flatMap(({ id, inputs }) =>
    inputs.flatMap((input, slot): Edge[] => {
      const [operand, user] = [placed.get(input), placed.get(id)];
      return operand && user ? [{ operand, user, slot }] : [];
    }),
  );
  const isParameter = ({ operand }: Edge): boolean => isLearned(operand.id);
  const isFirst = (edge: Edge): boolean =>
    edges.find((each) => each.user === edge.user && isParameter(each)) === edge;
  const isPast = ({ operand, user }: Edge): boolean =>
    placed.has('ya') && /^(x|xPrime)$/.test(operand.id) && /^yr?$/.test(user.id);
  // The values' edge jumps over the columns of the weights.
  const isValue = ({ operand, user }: Edge): boolean =>
    /^(x|V|Vh)$/.test(operand.id) && /^(O|y)$/.test(user.id) && !isPast({ operand, user, slot: 0 });
  const isUnder = ({ user }: Edge): boolean => user.id === 'gate';
  const isRising = ({ operand }: Edge): boolean => operand.id === 'gate';
  const plain = edges.filter(
    (edge) => ![isParameter, isValue, isUnder, isRising, isPast].some((isOther) => isOther(edge)),
  );
  return edges.map((edge): Route => {
    const { operand, user, slot } = edge;
    const ends = { operand: operand.id, user: user.id, slot, note: null };
    if (isParameter(edge)) return { ...ends, ...parameterRoute(edge, isFirst(edge)) };
    if (isValue(edge)) {
      const route = valueLaneRoute(edge, spacing.valueLane);
      const { x, y } = route.points[1];
      const note = { x: x + 14, y: y - 9, anchor: 'start', text: 'x as value' } as const;
      return { ...ends, ...route, note: operand.id === 'x' ? note : null };
    }
    if (isPast(edge)) return { ...ends, ...pastRoute(edge, spacing.underLane) };
    if (isUnder(edge)) return { ...ends, ...underRoute(edge) };
    if (isRising(edge)) return { ...ends, ...riseRoute(edge) };
    const leaving = plain.filter((each) => each.operand === operand);
    const arriving = plain.filter((each) => each.user === user);
    const from = { x: right(operand), y: port(operand, leaving, edge, (each) => each.user) };
    const to = { x: user.x, y: port(user, arriving, edge, (each) => each.operand) };
    const turn = turnOf(edge, leaving, spacing);
    const route = gapRoute(from, to, turn);
    const label = besideTurn(route, edge, spacing, isInner(edge, leaving));
    if (route.points.length > 2 || (spacing.columnGap >= 20 && !operand.id.startsWith('c'))) {
      return { ...ends, points: route.points, label };
    }
    // A narrow gap holds no text: it stands below the cards, where no bias comes in (above, in the lane of
    // queries), and above x where other edges leave it too.
    if (leaving.length > 1) {
      return { ...ends, ...route, label: { x: turn - 6, y: operand.y - 10, anchor: 'end' } };
    }
    const outside =
      Math.max(operand.size.height, user.size.height) / 2 + Math.min(9, spacing.laneGap / 2);
    const y = from.y + (/^(xPrime|Q[ns]?|cQn?)$/.test(operand.id) ? -outside : outside);
    return { ...ends, points: route.points, label: { ...label, y } };
  });
}
