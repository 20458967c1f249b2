// Where pieces of scores lie that loops make one after the other: by the same step with each iteration.
import type { Tensor } from '../../../engine/tensor.ts';
import type { Event } from '../../recorded/recording.ts';
import type { Placed } from './placed.ts';
import type { Value } from '../values/values.ts';

/** What one event shows of the scores, perhaps. */
export interface Piece {
  readonly event: Event;
  readonly tensor: Tensor;
  readonly eps: number;
  readonly value: Value;
  /** Which matrix of the event's tensor, where that has several. */
  readonly slice: number;
}

export interface PlacedPiece {
  readonly piece: Piece;
  readonly placed: Placed;
}

/** Where the pieces of a statement begin, by how far each of its loops is: the same step with each iteration. */
export function startsByLoops(found: readonly PlacedPiece[]): (piece: Piece) => number | null {
  const [first] = found;
  const own = first.piece.event;
  const isAlike = ({ event, slice }: Piece): boolean =>
    event.frame === own.frame &&
    event.loops.length === own.loops.length &&
    slice === first.piece.slice;
  const alike = found.filter(({ piece }) => isAlike(piece));
  const steps = own.loops.map((_, k) => {
    for (const a of alike) {
      const b = alike.find(({ piece }) =>
        piece.event.loops.every((at, n) => (at === a.piece.event.loops[n]) === (n !== k)),
      );
      if (!b) continue;
      const far = b.piece.event.loops[k] - a.piece.event.loops[k];
      return (b.placed.start - a.placed.start) / far;
    }
    return Number.NaN;
  });
  const startAt = (piece: Piece): number =>
    piece.event.loops.reduce(
      (start, at, k) => (at === own.loops[k] ? start : start + (at - own.loops[k]) * steps[k]),
      first.placed.start,
    );
  const isLinear = alike.every(({ piece, placed }) => startAt(piece) === placed.start);
  return (piece) => {
    const start = isLinear && isAlike(piece) ? startAt(piece) : Number.NaN;
    return Number.isInteger(start) && start >= 0 ? start : null;
  };
}

/** Whether a piece lies within one block of the scores. */
export function isInside(
  { shape, data }: Tensor,
  scores: Tensor,
  { start, isTransposed }: Placed,
): boolean {
  const width = shape[shape.length - 1];
  const height = data.length / width;
  const [, rows, cols] = scores.shape;
  const [i, j] = [start % cols, Math.floor(start / cols) % rows];
  const [across, down] = isTransposed ? [height, width] : [width, height];
  return i + across <= cols && j + down <= rows && start < scores.data.length;
}
