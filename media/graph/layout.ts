// Places the nodes of a head as a person draws them: columns by depth, lanes for value, key and query.
import { nameParts } from '../names.tsx';
import type { CardSize, CardStyle, Sizes } from './sizes.ts';
import { sizesOf, sizeWith } from './sizes.ts';
import { isParameter, SCALARS } from '../../src/engine/nodes.ts';
import { FAN_STEP, isBelow, parameterX, type Route, routeEdges, TURN_STEP } from './routes.ts';

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

const NORMED: readonly string[] = ['Kn', 'Qn'];
const SPLIT: readonly string[] = ['Ks', 'Qs', 'Vs'];

/** Nodes of one column stand for the same depth, whatever the head leaves out. */
const columns: readonly (readonly string[])[] = [
  ['x', 'xPrime', 'xValue'],
  ['xn'],
  ['cKV', 'cQ', 'KR'],
  ['cKVn', 'cQn'],
  ['K', 'Q', 'V', 'QR', 'gate'],
  ['KRs', 'QRs'],
  NORMED,
  SPLIT,
  ['Kh', 'Qh', 'Vh'],
  ['S'],
  ['Z'],
  ['Zb'],
  ['M'],
  ['P', 'lambda_full'],
  ['Pd'],
  ['Pdiff'],
  ['O'],
  ['On'],
  ['Os'],
  ['Og'],
  ['C'],
  ['ya'],
  ['yn'],
  ['yr'],
  ['y'],
  ['f'],
];

/** Between a weight and its bias. */
const PARAMETER_STEP = 6;

/** A norm after the rotation stands after it. */
function columnsFor(all: readonly string[]): string[][] {
  const isAfter = all.includes('Ks') && all.indexOf('Kn') > all.indexOf('Ks');
  const exchanged = (column: readonly string[]): readonly string[] =>
    column === NORMED ? SPLIT : column === SPLIT ? NORMED : column;
  const known = isAfter ? columns.map(exchanged) : columns;
  const own = known.map((column) => column.filter((id) => all.includes(id)));
  // A node that this drawing does not know stands at the end rather than nowhere.
  const unknown = all.filter((id) => !isParameter(id) && !columns.flat().includes(id));
  return [...own.filter((column) => column.length > 0), ...unknown.map((id) => [id])];
}

/** Vertical centres of the lanes, from top to bottom. */
interface Lanes {
  readonly value: number;
  readonly key: number;
  readonly query: number;
  /** Of the parts of keys and queries that turn. */
  readonly keyTurn: number;
  readonly queryTurn: number;
  readonly gate: number;
  readonly middle: number;
  /** Of λ, below the weights. */
  readonly share: number;
  /** Of the input that goes past the attention. */
  readonly under: number;
  readonly bottom: number;
}

/** Parameters by the node that uses them. */
type Parameters = ReadonlyMap<string, readonly string[]>;

function parametersIn(nodes: readonly LayoutNode[]): Parameters {
  const used = new Set(nodes.flatMap(({ inputs }) => inputs));
  // What nothing uses stands with those of the output.
  const unused = nodes.map(({ id }) => id).filter((id) => isParameter(id) && !used.has(id));
  const own = nodes.map(
    ({ id, inputs }) =>
      [id, [...inputs.filter(isParameter), ...(id === 'y' ? unused : [])]] as const,
  );
  return new Map(own.filter(([, parameters]) => parameters.length > 0));
}

/** Between λ and its vectors, whose edges turn one above the other. */
const fanGap = ({ parameterGap }: Sizes): number => parameterGap + 2 * FAN_STEP;

function lanesOf(ids: ReadonlySet<string>, parameters: Parameters, sizes: Sizes): Lanes {
  const { tensor, weight, bias, scalar, parameterGap, margin, above } = sizes;
  // Where edges come down past cards, their names stand between the lanes.
  const laneGap = ids.has('KR') || ids.has('xn') ? Math.max(20, sizes.laneGap) : sizes.laneGap;
  const parametersOf = (projection: string): number =>
    [projection, `${projection}n`, `c${projection}`, `c${projection}V`].some((id) =>
      parameters.has(id),
    )
      ? weight.height + parameterGap
      : 0;
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
  const turning = ['KR', 'QR'].map((id) => {
    if (!ids.has(id)) return top;
    const own = top + tensor.height / 2;
    top += tensor.height + parametersOf(id) + laneGap;
    return own;
  });
  const query = top + tensor.height / 2;
  top = query + tensor.height / 2 + parametersOf('Q');
  const middle = (key + query) / 2;
  const share = middle + tensor.height / 2 + laneGap + scalar.height / 2;
  if (ids.has('lambda_full'))
    top = Math.max(top, share + scalar.height / 2 + fanGap(sizes) + bias.height);
  const gate = top + laneGap + tensor.height / 2;
  if (ids.has('gate')) top = gate + tensor.height / 2 + parametersOf('gate');
  const under = ids.has('ya') ? top + 16 : top;
  return {
    ...{ value, key, query, gate, under, keyTurn: turning[0], queryTurn: turning[1] },
    ...{ middle, share, bottom: under + margin },
  };
}

function laneOf(id: string, ids: ReadonlySet<string>, lanes: Lanes): number {
  if (/^(K[nsh]?|cKVn?)$/.test(id)) return lanes.key;
  if (/^(Q[nsh]?|cQn?|xPrime)$/.test(id)) return lanes.query;
  if (/^KRs?$/.test(id)) return lanes.keyTurn;
  if (/^QRs?$/.test(id)) return lanes.queryTurn;
  if (id === 'xn') return ids.has('xPrime') ? lanes.query : lanes.key;
  if (/^V[sh]?$/.test(id) || id === 'xValue') return lanes.value;
  if (id === 'gate') return lanes.gate;
  if (id === 'lambda_full') return lanes.share;
  // x alone feeds keys and queries alike; with values below the top lane it stands level with the keys.
  if (id === 'x') return ids.has('xPrime') || ids.has('V') ? lanes.key : lanes.middle;
  return lanes.middle;
}

/** For names of many letters. */
function sizeFor(id: string, sizes: Sizes): CardSize {
  const size = usualSize(id, sizes);
  const name = nameParts(id);
  if (size.shape === 'nowhere') return sizeWith(size, name);
  const { length } = name.subscript;
  const isTight = id.startsWith('c') && size.width < 80;
  return isTight && length > 1 ? { ...size, width: size.width + 7 * (length - 1) } : size;
}

const usualSize = (id: string, sizes: Sizes): CardSize => {
  if (id.startsWith('W_')) return sizes.weight;
  if (isParameter(id)) return sizes.bias;
  return SCALARS.includes(id) ? sizes.scalar : sizes.tensor;
};

const widthOf = (ids: readonly string[], sizes: Sizes): number =>
  ids.reduce((sum, id) => sum + sizeFor(id, sizes).width, PARAMETER_STEP * (ids.length - 1));

/** In a row under λ, as far to its left as to its right. */
function placeFan(
  own: readonly string[],
  target: Box,
  placed: Map<string, Box>,
  sizes: Sizes,
): void {
  let x = target.x + (target.size.width - widthOf(own, sizes)) / 2;
  const y = target.y + target.size.height + fanGap(sizes);
  for (const id of own) {
    const size = sizeFor(id, sizes);
    placed.set(id, { id, x, y, size });
    x += size.width + PARAMETER_STEP;
  }
}

/** Parameters, small, next to the node that they are for. */
function placeParameters(parameters: Parameters, placed: Map<string, Box>, sizes: Sizes): void {
  const rightmost = Math.max(...[...placed.values()].map(({ x, size }) => x + size.width));
  for (const [user, own] of parameters) {
    const target = placed.get(user)!;
    if (user === 'lambda_full') {
      placeFan(own, target, placed, sizes);
      continue;
    }
    // Those of the output end where the drawing ends, but the weight stands over its edge.
    const farthest = parameterX(target) + 6 - sizeFor(own[0], sizes).width;
    const most = isMiddle(user) ? target.x + target.size.width : rightmost;
    let x = Math.max(Math.min(target.x, most - widthOf(own, sizes)), farthest);
    const y = isBelow(user, placed.has('xPrime'))
      ? target.y + target.size.height + sizes.parameterGap
      : target.y - sizes.parameterGap - sizes.weight.height;
    for (const id of own) {
      const size = sizeFor(id, sizes);
      placed.set(id, { id, x, y, size });
      x += size.width + PARAMETER_STEP;
    }
  }
}

/** Beside it the values come down into the next column. */
const isMiddle = (user: string): boolean => user === 'P';

/** As far as names of weights reach beyond narrow cards. */
const BEYOND = 12;

/** Room behind an input for all edges that turn down there to go side by side. */
function roomToTurn(
  id: string,
  nodes: readonly LayoutNode[],
  lane: (id: string) => number,
  { columnGap, tensor }: Sizes,
): number {
  if (!id.startsWith('x')) return 0;
  const users = nodes.filter(({ inputs }) => inputs.includes(id));
  const down = users.filter((user) => lane(user.id) > lane(id) + 1).length;
  const beyond = down > 1 && tensor.width < 50 ? BEYOND : 0;
  return Math.max(0, (down + 1) * TURN_STEP - columnGap) + beyond;
}

/** Behind these edges turn up and down: nothing of theirs stands in the way. */
const spreadOf = (id: string, parameters: Parameters, sizes: Sizes): number =>
  /^(xn|c)/.test(id) && parameters.has(id)
    ? widthOf(parameters.get(id)!, sizes) + (sizes.tensor.width < 50 ? BEYOND : 0)
    : 0;

/** Where the parameters placed so far end, by lane and side: those of a later column stand beside them. */
class Ends {
  readonly #ends = new Map<string, number>();
  readonly #parameters: Parameters;
  /** The node to which the values come down. */
  readonly #user: string;
  readonly #isCross: boolean;
  readonly #sizes: Sizes;

  constructor(parameters: Parameters, ids: ReadonlySet<string>, sizes: Sizes) {
    this.#parameters = parameters;
    this.#isCross = ids.has('xPrime');
    const user = ids.has('O') ? 'O' : 'y';
    this.#user = user;
    this.#sizes = sizes;
  }

  /** The least x of a card whose parameters, or the values that come down to it, are to find room. */
  before(id: string, lane: number, width: number): number {
    const end = this.#ends.get(`${lane} ${isBelow(id, this.#isCross)}`) ?? 0;
    const own = this.#parameters.get(id);
    const isFirst = own !== undefined && !isMiddle(id);
    if (end === 0 || isFirst) return end;
    if (own) return end + widthOf(own, this.#sizes) - width;
    return id === this.#user ? end - width / 3 : 0;
  }

  add(id: string, lane: number, x: number): void {
    const own = this.#parameters.get(id);
    if (own)
      this.#ends.set(
        `${lane} ${isBelow(id, this.#isCross)}`,
        x + widthOf(own, this.#sizes) + PARAMETER_STEP,
      );
  }
}

/** Pure: the same nodes in the same style always stand in the same places. */
export function layoutGraph(nodes: readonly LayoutNode[], style: CardStyle): GraphLayout {
  const sizes = sizesOf[style];
  const all = nodes.map(({ id }) => id);
  const ids = new Set(all);
  const parameters = parametersIn(nodes);
  const lanes = lanesOf(ids, parameters, sizes);
  const placed = new Map<string, Box>();
  let left = sizes.margin;
  const ends = new Ends(parameters, ids, sizes);
  for (const column of columnsFor(all)) {
    const lane = (id: string): number => laneOf(id, ids, lanes);
    const widths = column.map((id) => sizeFor(id, sizes).width);
    const width = Math.max(...widths, ...column.map((id) => spreadOf(id, parameters, sizes)));
    const x = Math.max(left, ...column.map((id) => ends.before(id, lane(id), width)));
    for (const id of column) {
      const size = sizeFor(id, sizes);
      placed.set(id, { id, x, y: lane(id) - size.height / 2, size });
      ends.add(id, lane(id), x);
    }
    const room = Math.max(...column.map((id) => roomToTurn(id, nodes, lane, sizes)));
    left = x + width + sizes.columnGap + room;
  }
  placeParameters(parameters, placed, sizes);
  const boxes = all.flatMap((id) => placed.get(id) ?? []);
  return {
    style,
    width: Math.max(...boxes.map(({ x, size }) => x + size.width)) + sizes.margin,
    height: lanes.bottom,
    boxes,
    routes: routeEdges(nodes, placed, { ...sizes, valueLane: lanes.value, underLane: lanes.under }),
  };
}
