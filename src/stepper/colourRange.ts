// Where a tensor's own colour scale ends: at its extreme, or before it where a few entries would bleach all others.
import { remembered } from '../engine/remembered.ts';
import type { Tensor } from '../engine/tensor.ts';
import { blockExtremes, isLeftOut } from './extremes.ts';

/** Of the cells that are not zero, at most this part lies beyond the scale's end. */
const BEYOND = 0.01;
/** An extreme within this many times the rest's end stretches the scale instead of lying beyond it. */
const STRETCH = 3;
/** Cells of a matrix, down and across, as the largest picture of it has them. */
const CELLS = 64;

/**
 * The size at which the colours of a tensor end, >= 0: of the cells that pictures of it show, the 99th percentile
 * of the sizes that are not 0, or the extreme where that is no more than three times as large. Zeros (masked
 * weights), infinities and an additive mask's stand-ins for minus infinity say nothing about the others.
 */
export const colourRange = remembered((value) => {
  const sizes = cellsOf(value)
    .filter((entry) => Number.isFinite(entry) && entry !== 0 && !isLeftOut(entry))
    .map(Math.abs)
    .sort();
  const largest = sizes.at(-1) ?? 0;
  // Of a dozen cells or more, one may always lie beyond.
  const beyond = Math.max(Math.floor(sizes.length * BEYOND), sizes.length >= 12 ? 1 : 0);
  const end = sizes.at(-1 - beyond) ?? 0;
  return largest <= STRETCH * end ? largest : end;
});

/** Every matrix of the tensor, reduced as a picture reduces it. */
function cellsOf({ shape, data }: Tensor): Float64Array {
  const [height, width] = [shape.at(-2) ?? 1, shape.at(-1) ?? 1];
  const step: [number, number] = [Math.ceil(height / CELLS), Math.ceil(width / CELLS)];
  if (step[0] === 1 && step[1] === 1) return data;
  const count = data.length / (height * width);
  const parts = Array.from({ length: count }, (_, n) =>
    blockExtremes(
      data.subarray(n * height * width, (n + 1) * height * width),
      [height, width],
      step,
      true,
    ),
  );
  const cells = parts[0].byteLength / Float64Array.BYTES_PER_ELEMENT;
  const all = new Float64Array(count * cells);
  parts.forEach((part, n) => all.set(new Float64Array(part), n * cells));
  return all;
}
