// Attention that is computed piece by piece: rows or tiles of scores found inside of the product of two whole tensors.
import type { Tensor } from '../../../engine/tensor.ts';
import { type Factor, offsets } from '../values/layout.ts';
import { addedTo } from './tilesAdded.ts';
import { SUMMED } from '../operands/products.ts';
import type { Site } from '../weights/site.ts';
import { nameOf } from '../weights/masks.ts';
import { fits, offsetsIn, pairOf, place, type Placed, placeLike } from './placed.ts';
import { isInside, type Piece, type PlacedPiece, startsByLoops } from './placedInLoops.ts';
import type { Value, Values } from '../values/values.ts';
import { factorOf, repeated, type Whole, wholes } from './wholes.ts';

const PIECES = 400;

/** Entries of scores, for each statement, that are looked through for pieces that are not known to be made of them. */
const MOST_UNLIKELY = 2e6;

/** Blocks of another tensor, all of which read the same. */
const sharedBy = (factors: readonly Factor[]): Factor[] =>
  factors.map(({ size }) => ({ size, stride: 0 }));

/** Products of all tokens of two tensors: (block, left token, right token); null where they do not fit. */
function products(left: Whole, right: Whole): Tensor | null {
  const [own, other] = [left, right].map((each) => each.outer.map((axis) => factorOf(each, axis)));
  // One head of keys for all heads of queries.
  const [a, b] = [own.length > 0 ? own : sharedBy(other), other.length > 0 ? other : sharedBy(own)];
  if (a.length !== b.length || a.some(({ size }, n) => size !== b[n].size)) return null;
  const [c, d] = [factorOf(left, left.feature), factorOf(right, right.feature)];
  if (c.size !== d.size || c.size < 2) return null;
  const [rows, cols] = [factorOf(left, left.token), factorOf(right, right.token)];
  const [startsA, startsB] = [offsets(a), offsets(b)];
  const data = new Float64Array(startsA.length * rows.size * cols.size);
  if (data.length > 2 ** 20) return null;
  let at = 0;
  for (let block = 0; block < startsA.length; block++) {
    for (let j = 0; j < rows.size; j++) {
      for (let i = 0; i < cols.size; i++) {
        let sum = 0;
        for (let k = 0; k < c.size; k++)
          sum +=
            left.value.tensor.data[startsA[block] + j * rows.stride + k * c.stride] *
            right.value.tensor.data[startsB[block] + i * cols.stride + k * d.stride];
        data[at++] = sum;
      }
    }
  }
  return { shape: [startsA.length, rows.size, cols.size], data };
}

/** More matrices in one tensor are not looked at. */
const SLICES = 64;

/** The matrices, or the row, that a tensor is made of. */
function slicesOf({ shape, data }: Tensor): Tensor[] {
  if (shape.length < 3) return [{ shape, data }];
  const inner = shape.slice(-2);
  const size = inner[0] * inner[1];
  const count = size === 0 ? 0 : data.length / size;
  if (count > SLICES) return [];
  return Array.from({ length: count }, (_, n) => ({
    shape: inner,
    data: data.subarray(n * size, (n + 1) * size),
  }));
}

/** Statements that make several pieces, the pieces of each. */
function groups(values: Values): Piece[][] {
  const found = new Map<string, Piece[]>();
  for (const value of values.all) {
    const { tensor, eps, kind, grid, isVirtual } = value;
    if (kind !== 'float' || grid.length > 0 || isVirtual) continue;
    if (tensor.shape.length < 1 || tensor.shape.length > 4) continue;
    for (const event of value.events) {
      const { statement, name, how, loops, frame } = event;
      if (loops.length === 0 && frame === 0) continue;
      const key = `${statement} ${how} ${name.replace(/\[\d+\]$/, '')}`;
      const own = found.get(key) ?? [];
      for (const [slice, part] of slicesOf(tensor).entries())
        own.push({ event, tensor: part, eps, value, slice });
      found.set(key, own);
    }
  }
  return [...found.values()]
    .filter(({ length }) => length >= 2)
    .map((each) => each.slice(0, PIECES));
}

/**
 * A site for scores that are only computed in pieces: its weights, the softmax of the placed scores, are virtual.
 * Hidden is what is so low in a piece, or in none.
 */
export function tiledSites(values: Values): Site[] {
  const plain = wholes(values);
  const all = [...plain, ...repeated(values, plain)];
  const pieces = groups(values);
  const isMade = (each: Whole): readonly boolean[] =>
    pieces.map((group) => group.some(({ value }) => values.descends(value, each.value)));
  const made = all.map(isMade);
  const pairs = all.flatMap((left, n) =>
    all.slice(n).map((right, m) => {
      const isOfBoth = made[n].some((each, group) => each && made[n + m][group]);
      return { left, right, isOfBoth };
    }),
  );
  const likely = sitesOf(
    values,
    pieces,
    pairs.filter(({ isOfBoth }) => isOfBoth),
  );
  // What was computed from what is not always known.
  return likely.length > 0
    ? likely
    : sitesOf(
        values,
        pieces,
        pairs.filter(({ isOfBoth }) => !isOfBoth),
        MOST_UNLIKELY,
      );
}

interface WholePair {
  readonly left: Whole;
  readonly right: Whole;
}

function sitesOf(
  values: Values,
  pieces: readonly Piece[][],
  all: readonly WholePair[],
  most = Infinity,
): Site[] {
  const found: Site[] = [];
  const pairs: [Whole, Whole, Tensor][] = [];
  let budget = most;
  for (const { left, right } of all) {
    if (budget < 0) break;
    if (left.value === right.value && left.token !== right.token) continue;
    const scores = products(left, right);
    if (!scores) continue;
    const work = scores.data.length * pieces.length;
    values.work.spend(work);
    budget -= work;
    const site = siteOf(values, pieces, left, right, scores);
    if (site) found.push(site);
    pairs.push([left, right, scores]);
  }
  // A backward pass may forget what the forward pass adds, and that may add it in a statement of its own.
  const began = Math.min(...found.map(({ scores }) => scores.time));
  const plainly = found.find(({ scores }) => scores.time === began)?.scores;
  for (const [left, right, scores] of pairs) {
    const outer = outerShapeOf(left, right);
    for (const added of addedTo(values, scores, outer)) {
      const site = siteOf(values, pieces, left, right, scores, added);
      if (!site) continue;
      const isFirst = site.scores.time < began;
      if (isFirst || (plainly && values.descends(site.scores, plainly))) return [site, ...found];
    }
  }
  return found;
}

const LOW = -1e4;

function siteOf(
  values: Values,
  pieces: readonly Piece[][],
  left: Whole,
  right: Whole,
  scores: Tensor,
  added?: Float64Array,
): Site | null {
  const found = placements(pieces, scores, added);
  if (found.length < 2) return null;
  const [first] = found;
  const isLeft = found.filter(({ placed }) => !placed.isTransposed).length * 2 >= found.length;
  const all = [...found, ...hiddenPieces(pieces, found, scores, added)];
  const { state, factors } = marked(all, scores);
  const { factor } = found[found.length - 1].placed;
  // Natural logarithms: a power of 2 has log2(e) in its scale.
  // With a number or a range in the exponent it is a slope or a width.
  const isBinary = values.recording.statements.some(({ text }) =>
    /\bexp2\b|\b2(?:\.0)? \*\* (?!\(?-?\s*(?:\d|\w+\.arange|range))/.test(text),
  );
  const base = isBinary ? Math.LN2 : 1;
  // What no piece shows, as of one entry, has the factor of the others.
  const scaled = scores.data.map(
    (value, n) => (value * (factors[n] === 0 ? factor : factors[n]) + (added?.[n] ?? 0)) * base,
  );
  const functionOf = ({ event }: Piece): number =>
    values.recording.statements[event.statement].function;
  // A backward pass may mask its tiles otherwise.
  const forward = all.filter(({ piece }) => functionOf(piece) === functionOf(first.piece));
  const isShown =
    shownKeys(marked(forward, scores).state, scores.shape, isLeft, true) ??
    shownKeys(state, scores.shape, isLeft);
  const weights = softmax({ shape: scores.shape, data: scaled }, isShown, isLeft ? 2 : 1);
  const outerShape = outerShapeOf(left, right);
  const tensor = { shape: [...outerShape, scores.shape[1], scores.shape[2]], data: weights };
  const virtual = values.addVirtual(tensor, [left.value, right.value, first.piece.value]);
  if (!virtual) return null;
  return { ...wholeSite(virtual, left, right, factor * base), scores: first.piece.value };
}

/** Pieces in which nearly all is hidden: they lie where their iteration's other pieces do. */
function hiddenPieces(
  pieces: readonly Piece[][],
  found: readonly PlacedPiece[],
  scores: Tensor,
  added: Float64Array | undefined,
): PlacedPiece[] {
  const byIteration = new Map(found.map(({ piece, placed }) => [iterationOf(piece), placed]));
  return pieces.flat().flatMap((piece) => {
    const placed = byIteration.get(iterationOf(piece));
    const isHidden = piece.tensor.data.some((each) => each <= LOW);
    return placed && isHidden && agrees(piece, scores, placed, added) ? [{ piece, placed }] : [];
  });
}

/** What pieces show or hide, and the factor of each entry: a row may have its own, where it is scaled by its length. */
function marked(
  all: readonly PlacedPiece[],
  scores: Tensor,
): { state: Int8Array; factors: Float64Array } {
  const state = new Int8Array(scores.data.length);
  const factors = new Float64Array(scores.data.length);
  for (const { piece, placed } of all) mark(piece.tensor, scores, placed, state, factors);
  return { state, factors };
}

const iterationOf = ({ event: { frame, loops }, tensor, slice }: Piece): string =>
  `${frame} ${loops.join()} ${tensor.shape.join()} ${slice}`;

const SAMPLE = 6;

/** Some of the pieces, spread evenly. */
const sampled = (pieces: readonly Piece[]): readonly Piece[] =>
  pieces.filter((_, n) => n % Math.ceil(pieces.length / SAMPLE) === 0);

/** The pieces of those statements most of whose pieces lie in the scores, in the order of the statements. */
function placements(
  pieces: readonly Piece[][],
  scores: Tensor,
  added?: Float64Array,
): PlacedPiece[] {
  return pieces.flatMap((group) => {
    const shown = group.filter(({ tensor }) => pairOf(tensor) !== null);
    const isAnyPlaced = sampled(shown).some(
      ({ tensor, eps }) => place(tensor, scores, eps, added) !== null,
    );
    if (!isAnyPlaced) return [];
    const found: PlacedPiece[] = [];
    let missed = 0;
    for (const piece of shown) {
      const placed = place(piece.tensor, scores, piece.eps, added);
      if (placed) found.push({ piece, placed });
      else if (++missed * 2 >= shown.length) return [];
    }
    if (found.length === 0) return [];
    const [{ placed: first }] = found;
    const isPlaced = new Set(found.map(({ piece }) => piece));
    const startAt = startsByLoops(found);
    const others = group.flatMap((piece) => {
      if (isPlaced.has(piece)) return [];
      const start = startAt(piece);
      const like = start === null ? null : { ...first, start };
      const isThere =
        like !== null &&
        isInside(piece.tensor, scores, like) &&
        fits(piece.tensor, scores, like, piece.eps, 1, added);
      const placed = isThere ? like : placeLike(piece.tensor, piece.eps, scores, first, added);
      return placed ? [{ piece, placed }] : [];
    });
    return [...found, ...others];
  });
}

/**
 * The keys that count: those that a piece shows; or, where that is no mask of a name, all that no piece hides,
 * for a loop may have ended early. With `named`, undefined where they have no name.
 */
function shownKeys(state: Int8Array, shape: readonly number[], isLeft: boolean): Uint8Array;
function shownKeys(
  state: Int8Array,
  shape: readonly number[],
  isLeft: boolean,
  named: true,
): Uint8Array | undefined;
function shownKeys(
  state: Int8Array,
  [blocks, rows, cols]: readonly number[],
  isLeft: boolean,
  named = false,
): Uint8Array | undefined {
  const [queries, keys] = isLeft ? [rows, cols] : [cols, rows];
  const isNamed = (all: Uint8Array): boolean => {
    const turned = isLeft
      ? all
      : all.map((_, n) => {
          const [block, j, i] = [
            Math.floor(n / (rows * cols)),
            Math.floor(n / keys) % queries,
            n % keys,
          ];
          return all[(block * rows + i) * cols + j];
        });
    const { mask, off } = nameOf({ blocks, queries, keys, visible: turned });
    return mask !== 'given' && off === undefined;
  };
  const shown = Uint8Array.from(state, (each) => (each === 1 ? 1 : 0));
  const notHidden = Uint8Array.from(state, (each) => (each === -1 ? 0 : 1));
  if (isNamed(shown)) return shown;
  if (isNamed(notHidden)) return notHidden;
  return named ? undefined : shown;
}

/** Whether the entries of a piece that are not hidden are the scores at its place. */
const agrees = (
  piece: Piece,
  scores: Tensor,
  placed: Placed,
  added: Float64Array | undefined,
): boolean =>
  piece.tensor.data.every((each) => each <= LOW) ||
  fits(piece.tensor, scores, placed, piece.eps, 1, added);

/** 1 where a piece shows an entry, -1 where it hides it. */
function mark(
  piece: Tensor,
  scores: Tensor,
  placed: Placed,
  state: Int8Array,
  factors: Float64Array,
): void {
  const offsetAt = offsetsIn(piece, scores, placed);
  piece.data.forEach((value, n) => {
    const at = offsetAt(n);
    if (at === null) return;
    factors[at] = placed.factor;
    if (value <= LOW) state[at] = -1;
    else if (state[at] === 0) state[at] = 1;
  });
}

function softmax(scores: Tensor, isShown: Uint8Array, axis: 1 | 2): Float64Array {
  const [blocks, rows, cols] = scores.shape;
  const out = new Float64Array(scores.data.length);
  const [lines, length, step] = axis === 2 ? [rows, cols, 1] : [cols, rows, cols];
  for (let block = 0; block < blocks; block++) {
    for (let line = 0; line < lines; line++) {
      const start = block * rows * cols + line * (axis === 2 ? cols : 1);
      let largest = -Infinity;
      for (let n = 0; n < length; n++)
        if (isShown[start + n * step] === 1)
          largest = Math.max(largest, scores.data[start + n * step]);
      let sum = 0;
      for (let n = 0; n < length; n++) {
        const at = start + n * step;
        if (isShown[at] === 1) sum += out[at] = Math.exp(scores.data[at] - largest);
      }
      if (sum > 0) for (let n = 0; n < length; n++) out[start + n * step] /= sum;
    }
  }
  return out;
}

/** The one of two that has blocks. */
const withBlocks = (left: Whole, right: Whole): Whole => (left.outer.length > 0 ? left : right);

function outerShapeOf(left: Whole, right: Whole): number[] {
  const { outer, value } = withBlocks(left, right);
  return outer.map((axis) => value.tensor.shape[axis]);
}

function wholeSite(
  weights: Value,
  left: Whole,
  right: Whole,
  factor: number,
): Omit<Site, 'scores'> {
  const { outer } = withBlocks(left, right);
  const rank = outer.length;
  const axes = (each: Whole, token: number): number[] =>
    each.value.tensor.shape.map((_, n) =>
      n === each.feature ? SUMMED : n === each.token ? token : each.outer.indexOf(n),
    );
  return {
    weights,
    product: {
      ...{ left: left.value, right: right.value, factor },
      ...{ leftAxes: axes(left, rank), rightAxes: axes(right, rank + 1) },
    },
    ...{
      leftToken: rank,
      rightToken: rank + 1,
      outer: outer.map((_, n) => n),
      how: 'crossed',
    },
  };
}
