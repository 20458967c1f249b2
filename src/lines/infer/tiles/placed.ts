// Where a piece of scores lies in the product of two whole tensors.
import type { Tensor } from '../../../engine/tensor.ts';

/** Where a piece lies in a matrix of products: factor * scores[block, j + row, i + column]. */
export interface Placed {
  readonly start: number;
  readonly factor: number;
  /** The piece's last axis runs along the rows of the scores. */
  readonly isTransposed: boolean;
}

const isFinite = (value: number): boolean => Math.abs(value) < 1e6;

/** Two entries beside each other, or one above the other, by whose ratio a piece is sought; null where it has none. */
export function pairOf(
  piece: Tensor,
): { at: number; next: number; ratio: number; isAbove: boolean } | null {
  const width = piece.shape[piece.shape.length - 1];
  for (const isAbove of [false, true]) {
    const step = isAbove ? width : 1;
    for (let at = 0; at + step < piece.data.length; at++) {
      if (!isAbove && at % width === width - 1) continue;
      const [a, b] = [piece.data[at], piece.data[at + step]];
      if (isFinite(a) && isFinite(b) && a !== 0 && b !== 0 && a !== b)
        return { at, next: b, ratio: b / a, isAbove };
    }
  }
  return null;
}

/** Ratios of entries `step` apart, in their order, and sorted. */
interface Ratios {
  readonly all: Float64Array;
  readonly sorted: Float64Array;
}

/** Many pieces are looked for in the same scores. */
const known = new WeakMap<Tensor, Map<number, Ratios>>();

function ratiosOf(scores: Tensor, step: number): Ratios {
  const own = known.get(scores) ?? new Map<number, Ratios>();
  known.set(scores, own);
  const before = own.get(step);
  if (before) return before;
  const { data } = scores;
  const all = data.subarray(0, data.length - step).map((value, at) => data[at + step] / value);
  const made = { all, sorted: all.slice().sort() };
  own.set(step, made);
  return made;
}

/** Entries of the scores that have this ratio to the one `step` after them, in their order: mostly none. */
function withRatio(scores: Tensor, step: number, ratio: number, room: number): number[] {
  const { all, sorted } = ratiosOf(scores, step);
  const [low, high] = [ratio * (1 - room), ratio * (1 + room)].sort((a, b) => a - b);
  let [from, to] = [0, sorted.length];
  while (from < to) {
    const middle = (from + to) >> 1;
    // NaN comes last.
    if (sorted[middle] < low) from = middle + 1;
    else to = middle;
  }
  if (!(sorted[from] <= high)) return [];
  const found: number[] = [];
  for (let at = 0; at < all.length; at++) if (all[at] >= low && all[at] <= high) found.push(at);
  return found;
}

/** As `withRatio`, of what something is added to. */
function withRatioBeside(
  { data }: Tensor,
  added: Float64Array,
  step: number,
  [value, next]: readonly [number, number],
  room: number,
): number[] {
  const found: number[] = [];
  for (let at = 0; at + step < data.length; at++) {
    const ratio = (next - added[at + step]) / (value - added[at]);
    if (Math.abs(data[at + step] / (data[at] * ratio) - 1) <= room) found.push(at);
  }
  return found;
}

/** Where a piece lies in factor * scores + added, both (block, row, column). */
export function place(
  piece: Tensor,
  scores: Tensor,
  eps: number,
  added?: Float64Array,
): Placed | null {
  const pair = pairOf(piece);
  if (!pair) return null;
  const width = piece.shape[piece.shape.length - 1];
  const height = piece.data.length / width;
  const [, rows, cols] = scores.shape;
  const [row, column] = [Math.floor(pair.at / width), pair.at % width];
  for (const isTransposed of [false, true]) {
    const [along, across] = isTransposed ? [cols, 1] : [1, cols];
    const [length, depth] = isTransposed ? [rows, cols] : [cols, rows];
    const { data } = scores;
    const step = pair.isAbove ? across : along;
    const own = piece.data[pair.at];
    const places = added
      ? withRatioBeside(scores, added, step, [own, pair.next], 2000 * eps)
      : withRatio(scores, step, pair.ratio, 20 * eps);
    for (const at of places) {
      const [i, j] = [at % cols, Math.floor(at / cols) % rows];
      const [u, w] = isTransposed ? [j, i] : [i, j];
      if (u < column || w < row) continue;
      // The last tile may be longer than what is left, and padded.
      const isOver = u - column + width > length || w - row + height > depth;
      if (isOver && !hasPadding(piece)) continue;
      const factor = (own - (added ? added[at] : 0)) / data[at];
      const start = at - column * along - row * across;
      if (fits(piece, scores, { start, factor, isTransposed }, eps, ENTRIES, added))
        return { start, factor, isTransposed };
    }
  }
  return null;
}

const ENTRIES = 3;

const isPadding = (value: number): boolean => value === 0 || !isFinite(value);

/** Whether nothing is in the last row or column of a piece, as where a tile is longer than what is left. */
function hasPadding({ shape, data }: Tensor): boolean {
  const width = shape[shape.length - 1];
  const row = data.subarray(data.length - width);
  return (
    row.every(isPadding) || data.every((value, n) => n % width < width - 1 || isPadding(value))
  );
}

/** The offset in the scores of each entry of a piece; null beyond their end. */
export function offsetsIn(
  { shape }: Tensor,
  scores: Tensor,
  { start, isTransposed }: Placed,
): (entry: number) => number | null {
  const width = shape[shape.length - 1];
  const [, rows, cols] = scores.shape;
  const [along, across] = isTransposed ? [cols, 1] : [1, cols];
  const [i, j] = [start % cols, Math.floor(start / cols) % rows];
  const [u, w] = isTransposed ? [j, i] : [i, j];
  const [length, depth] = isTransposed ? [rows, cols] : [cols, rows];
  return (entry) => {
    const [column, row] = [entry % width, Math.floor(entry / width)];
    return u + column < length && w + row < depth ? start + column * along + row * across : null;
  };
}

export function fits(
  piece: Tensor,
  scores: Tensor,
  { start, factor, isTransposed }: Placed,
  eps: number,
  least = ENTRIES,
  added?: Float64Array,
): boolean {
  const offsetAt = offsetsIn(piece, scores, { start, factor, isTransposed });
  let size = 0;
  let compared = 0;
  const isNear = piece.data.every((value, n) => {
    if (!isFinite(value)) return true;
    const at = offsetAt(n);
    if (at === null) return value === 0;
    const expected = factor * scores.data[at] + (added?.[at] ?? 0);
    size = Math.max(size, Math.abs(expected), Math.abs(value));
    compared++;
    return Math.abs(value - expected) <= 20 * eps * size;
  });
  return isNear && compared >= least;
}

/** Decimal digits that a piece's numbers have together beyond those that count the places, where chance is ruled out. */
const DIGITS = 3;

/** Where a piece of a few entries lies, as the last of its row is, whose factor and direction others have shown. */
export function placeLike(
  tensor: Tensor,
  eps: number,
  scores: Tensor,
  { factor, isTransposed }: Placed,
  added?: Float64Array,
): Placed | null {
  const count = tensor.data.reduce((n, value) => n + (isFinite(value) && value !== 0 ? 1 : 0), 0);
  const digits = count * -Math.log10(20 * eps) - Math.log10(scores.data.length);
  if (count === 0 || count > ENTRIES || digits < DIGITS) return null;
  const at = tensor.data.findIndex((value) => isFinite(value) && value !== 0);
  const width = tensor.shape[tensor.shape.length - 1];
  const height = tensor.data.length / width;
  const [row, column] = [Math.floor(at / width), at % width];
  const [, rows, cols] = scores.shape;
  const [along, across] = isTransposed ? [cols, 1] : [1, cols];
  const [length, depth] = isTransposed ? [rows, cols] : [cols, rows];
  for (let to = 0; to < scores.data.length; to++) {
    const [i, j] = [to % cols, Math.floor(to / cols) % rows];
    const [u, w] = isTransposed ? [j, i] : [i, j];
    if (u < column || w < row) continue;
    const isOver = u - column + width > length || w - row + height > depth;
    if (isOver && !hasPadding(tensor)) continue;
    const start = to - column * along - row * across;
    if (fits(tensor, scores, { start, factor, isTransposed }, eps, count, added))
      return { start, factor, isTransposed };
  }
  return null;
}
