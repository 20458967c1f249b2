// Tensors that a program fills part by part: from the parts to the whole.
import { sizeOf, type Tensor } from '../../../engine/tensor.ts';
import type { Event } from '../../recorded/recording.ts';

/** Whether an array kept a good part of what was in it: it is filled part by part, and not used again. */
export function isFilled({ data: before }: Tensor, { data }: Tensor): boolean {
  let kept = 0;
  for (let n = 0; n < data.length; n++)
    if (data[n] === before[n] && data[n] !== 0 && Number.isFinite(data[n])) kept++;
  return kept * 4 >= data.length;
}

/** Pieces of one shape along a new first axis; shorter last axes are filled with NaN; null where they do not fit. */
export function sideBySide(pieces: readonly Tensor[]): Tensor | null {
  const [{ shape: first }] = pieces;
  const head = first.slice(0, -1);
  const fits = pieces.every(
    ({ shape }) => shape.length === first.length && head.every((length, n) => shape[n] === length),
  );
  if (!fits) return null;
  const width = Math.max(...pieces.map(({ shape }) => shape[shape.length - 1]));
  const isRagged = pieces.some(({ shape }) => shape[shape.length - 1] !== width);
  if (isRagged && first.length > 2) return null;
  const rows = sizeOf(head);
  const data = new Float64Array(pieces.length * rows * width).fill(NaN);
  pieces.forEach(({ shape, data: own }, n) => {
    const length = shape[shape.length - 1];
    for (let row = 0; row < rows; row++) {
      const part = own.subarray(row * length, (row + 1) * length);
      data.set(part, (n * rows + row) * width);
    }
  });
  return { shape: [pieces.length, ...head, width], data };
}

/** The loops' own lengths where the pieces are a full grid in their order, else one axis. */
export function gridOf(events: readonly Event[]): number[] {
  const depth = events[0].loops.length;
  const one = [events.length];
  if (events.some(({ loops }) => loops.length !== depth)) return one;
  const count = (key: (event: Event) => unknown): number => new Set(events.map(key)).size;
  const frames = count(({ frame }) => frame);
  const lengths = events[0].loops.map((_, n) => count(({ loops }) => loops[n]));
  const grid = lengths.filter((length) => length > 1);
  if (sizeOf(grid) === events.length && grid.length > 0) return grid;
  return frames > 1 && sizeOf(grid) * frames === events.length ? [frames, ...grid] : one;
}
