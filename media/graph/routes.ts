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

/** The parameters of queries stand below them. */
export const isBelow = (user: string, isCross: boolean): boolean =>
  /^(Q|KR|cQ|gate)/.test(user) || (isCross && user === 'xn');

/** Distance of edges that turn side by side. */
export const TURN_STEP = 5;

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
function parameterRoute({ operand, user }: Edge, isFirst: boolean, isOnly: boolean): Drawn {
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
  // A long name would reach into the gap before a narrow card, where others come up to the turned queries.
  const isLong = user.size.width < 60 && operand.id.length > 3 && user.id !== 'xn';
  const isRight = side || (isOnly && (isLong || operand.id === 'W_QR'));
  const label: EdgeLabel = isRight
    ? { x: x + 7, y: half, anchor: 'start' }
    : { x: x - 7, y: half, anchor: 'end' };
  return { points, label };
}

/** Between the heights at which edges of a fan turn. */
export const FAN_STEP = 6;

/** From one of a row of parameters up to its place along the border of λ; the outer ones turn nearer to it. */
function fanRoute({ operand, user }: Edge, rank: number, count: number): Drawn {
  const start = middleX(operand);
  const end = user.x + (user.size.width * (rank + 1)) / (count + 1);
  const fromEdge = Math.min(rank, count - 1 - rank);
  const turn = bottom(user) + FAN_STEP * (fromEdge + 1);
  return {
    points: [
      { x: start, y: operand.y },
      { x: start, y: turn },
      { x: end, y: turn },
      { x: end, y: bottom(user) },
    ],
    label: { x: start - 7, y: operand.y - 10, anchor: 'end' },
  };
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
  const most = Math.max(centre, ordered.length - 1 - centre);
  const step = Math.min(PORT, (box.size.height / 2 - 6) / Math.max(1, most));
  return middleY(box) + (ordered.indexOf(edge) - centre) * step;
}

/** The label of an edge that changes lanes stands beside it, on the side where no card is. */
function besideTurn(
  route: Drawn,
  edge: Edge,
  spacing: Spacing,
  { hasOuter, isTaken }: { hasOuter: boolean; isTaken: boolean },
): EdgeLabel {
  const { points, label } = route;
  if (points.length < 4) return label;
  const { operand, user } = edge;
  const turn = points[1].x;
  const towardsUser = middleY(operand) < middleY(user);
  // The card that lies lower (or higher) leaves its column free above (or below) it.
  const free = operand.id.startsWith('x') && !hasOuter && !isTaken ? 'before' : 'after';
  const box = free === 'after' ? user : operand;
  const off = box.id === 'QR' ? Math.min(10, spacing.parameterGap / 2) : 10;
  const edgeOfBox = (free === 'after') === towardsUser ? box.y - off : bottom(box) + off;
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

const isInput = ({ operand }: Edge): boolean => operand.id.startsWith('x');

/** Whether another edge of the same input turns down beside it, further out. */
const isInner = (edge: Edge, leaving: readonly Edge[]): boolean => {
  const down = downwards(edge, leaving);
  return isInput(edge) && down.includes(edge) && down.at(-1) !== edge;
};

/** In the gap before the user; those of an input behind it, of several each a little further out. */
function turnOf(edge: Edge, leaving: readonly Edge[], { columnGap }: Spacing): number {
  const down = isInput(edge) ? downwards(edge, leaving) : [];
  if (!down.includes(edge)) return edge.user.x - columnGap / 2;
  const { operand } = edge;
  const first = Math.min(...down.map(({ user }) => user.x));
  const needed = Math.max(columnGap, (down.length + 1) * TURN_STEP);
  const gap = Math.min(first - right(operand), needed);
  const step = Math.min(6, gap / (down.length + 1));
  const middle = operand.id === 'xn' ? first - gap / 2 : right(operand) + gap / 2;
  return middle + ((down.length - 1) / 2 - down.indexOf(edge)) * step;
}

/** Wider with its d than the gap between two columns. */
const hasLongName = ({ id }: Box): boolean => id.startsWith('c') || id.length > 3;

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
  const isRising = ({ operand }: Edge): boolean => /^(gate|lambda_full)$/.test(operand.id);
  const plain = edges.filter(
    (edge) => ![isParameter, isValue, isUnder, isRising, isPast].some((isOther) => isOther(edge)),
  );
  return edges.map((edge): Route => {
    const { operand, user, slot } = edge;
    const ends = { operand: operand.id, user: user.id, slot, note: null };
    if (user.id === 'lambda_full') {
      const fan = edges.filter((each) => each.user === user);
      return { ...ends, ...fanRoute(edge, fan.indexOf(edge), fan.length) };
    }
    if (isParameter(edge)) {
      const isOnly = edges.filter((each) => each.user === user && isParameter(each)).length === 1;
      return { ...ends, ...parameterRoute(edge, isFirst(edge), isOnly) };
    }
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
    // Parameters above the operand leave no room there.
    const isTaken =
      !isBelow(operand.id, placed.has('xPrime')) &&
      edges.some((each) => each.user === operand && isParameter(each));
    const hasOuter = isInner(edge, leaving);
    const label = besideTurn(route, edge, spacing, { hasOuter, isTaken });
    if (route.points.length > 2 || (spacing.columnGap >= 20 && !hasLongName(operand))) {
      return { ...ends, points: route.points, label };
    }
    // A narrow gap holds no text: it stands below the cards, where no bias comes in (above, in the lane of
    // queries), and above x where other edges leave it too.
    const isFree = isBelow(operand.id, placed.has('xPrime')) || /^x(Prime)?$/.test(operand.id);
    if (leaving.length > 1) {
      const x = Math.min(...leaving.map((each) => turnOf(each, leaving, spacing))) - 6;
      const y = isFree ? operand.y - 10 : bottom(operand) + 9;
      return { ...ends, ...route, label: { x, y, anchor: 'end' } };
    }
    const outside =
      Math.max(operand.size.height, user.size.height) / 2 + Math.min(9, spacing.laneGap / 2);
    const y = from.y + (isFree && operand.id !== 'x' ? -outside : outside);
    return { ...ends, points: route.points, label: { ...label, y } };
  });
}
