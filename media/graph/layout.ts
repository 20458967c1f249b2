// Places the nodes of a head as a person draws them: columns by depth, lanes for value, key and query.
import type { CardSize, CardStyle, Sizes } from './sizes.ts';
import { sizesOf } from './sizes.ts';
import { parameterX, type Route, routeEdges } from './routes.ts';

export interface LayoutNode {
  readonly id: string;
  readonly inputs: readonly string[];
}

export interface Box {
  readonly id: string;
  readonly x: number;
  readonly y: number;
  readonly size: CardSize;
}

export interface GraphLayout {
  readonly style: CardStyle;
  readonly width: number;
  readonly height: number;
  readonly boxes: readonly Box[];
  readonly routes: readonly Route[];
}

/** Nodes of one column stand for the same depth, whatever the head leaves out. */
const columns = [
  ['x', 'xPrime'],
  ['K', 'Q', 'V'],
  ['Kh', 'Qh', 'Vh'],
  ['S'],
  ['Z'],
  ['M'],
  ['P'],
  ['Pd'],
  ['O'],
  ['C'],
  ['y'],
  ['f'],
];

/** Between a weight and its bias. */
const PARAMETER_STEP = 6;

const isParameter = (id: string): boolean => /^[Wb]_/.test(id);

/** Vertical centres of the lanes, from top to bottom. */
interface Lanes {
  readonly value: number;
  readonly key: number;
  readonly query: number;
  readonly middle: number;
  readonly bottom: number;
}

function lanesOf(ids: ReadonlySet<string>, sizes: Sizes): Lanes {
  const { tensor, weight, laneGap, parameterGap, margin, above } = sizes;
  const parametersOf = (projection: string): number =>
    ids.has(`W_${projection}`) || ids.has(`b_${projection}`) ? weight.height + parameterGap : 0;
  let top = above;
  let value = top + 18;
  if (ids.has('V')) {
    top += parametersOf('V');
    value = top + tensor.height / 2;
    top += tensor.height + laneGap;
  } else {
    // Without projected values x itself goes along this lane, above everything.
    top += 20 + laneGap;
  }
  top += parametersOf('K');
  const key = top + tensor.height / 2;
  top += tensor.height + laneGap;
  const query = top + tensor.height / 2;
  const bottom = query + tensor.height / 2 + parametersOf('Q') + margin;
  return { value, key, query, middle: (key + query) / 2, bottom };
}

function laneOf(id: string, ids: ReadonlySet<string>, lanes: Lanes): number {
  if (/^Kh?$/.test(id)) return lanes.key;
  if (/^Qh?$/.test(id) || id === 'xPrime') return lanes.query;
  if (/^Vh?$/.test(id)) return lanes.value;
  // x alone feeds keys and queries alike; with values below the top lane it stands level with the keys.
  if (id === 'x') return ids.has('xPrime') || ids.has('V') ? lanes.key : lanes.middle;
  return lanes.middle;
}

const sizeFor = (id: string, sizes: Sizes): CardSize => {
  if (id.startsWith('W_')) return sizes.weight;
  if (id.startsWith('b_')) return sizes.bias;
  return id === 'f' ? sizes.scalar : sizes.tensor;
};

/** Weights and biases, small, next to the node that they are for. */
function placeParameters(ids: readonly string[], placed: Map<string, Box>, sizes: Sizes): void {
  const rightmost = Math.max(...[...placed.values()].map(({ x, size }) => x + size.width));
  for (const suffix of ['K', 'Q', 'V', 'O']) {
    const target = placed.get(suffix === 'O' ? 'y' : suffix);
    if (!target) continue;
    const own = [`W_${suffix}`, `b_${suffix}`].filter((each) => ids.includes(each));
    if (own.length === 0) continue;
    const total = own.reduce(
      (sum, id) => sum + sizeFor(id, sizes).width,
      PARAMETER_STEP * (own.length - 1),
    );
    // Those of the output end where the drawing ends, but the weight stands over its edge.
    const farthest = parameterX(target) + 6 - sizeFor(own[0], sizes).width;
    let x = Math.max(Math.min(target.x, rightmost - total), farthest);
    const below = suffix === 'Q';
    const y = below
      ? target.y + target.size.height + sizes.parameterGap
      : target.y - sizes.parameterGap - sizes.weight.height;
    for (const id of own) {
      const size = sizeFor(id, sizes);
      placed.set(id, { id, x, y, size });
      x += size.width + PARAMETER_STEP;
    }
  }
}

/** Pure: the same nodes in the same style always stand in the same places. */
export function layoutGraph(nodes: readonly LayoutNode[], style: CardStyle): GraphLayout {
  const sizes = sizesOf[style];
  const all = nodes.map(({ id }) => id);
  const ids = new Set(all);
  const lanes = lanesOf(ids, sizes);
  const placed = new Map<string, Box>();
  let left = sizes.margin;
  const known = columns
    .map((column) => column.filter((id) => ids.has(id)))
    .filter((column) => column.length > 0);
  // A node that this drawing does not know stands at the end rather than nowhere.
  const unknown = all.filter((id) => !isParameter(id) && !columns.flat().includes(id));
  for (const column of [...known, ...unknown.map((id) => [id])]) {
    const width = Math.max(...column.map((id) => sizeFor(id, sizes).width));
    for (const id of column) {
      const size = sizeFor(id, sizes);
      placed.set(id, { id, x: left, y: laneOf(id, ids, lanes) - size.height / 2, size });
    }
    left += width + sizes.columnGap;
  }
  placeParameters(all, placed, sizes);
  const boxes = all.flatMap((id) => placed.get(id) ?? []);
  return {
    style,
    width: Math.max(...boxes.map(({ x, size }) => x + size.width)) + sizes.margin,
    height: lanes.bottom,
    boxes,
    routes: routeEdges(nodes, placed, { ...sizes, valueLane: lanes.value }),
  };
}
