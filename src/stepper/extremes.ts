// A matrix reduced to fewer cells: each shows the extreme entry of its block, for no mean may hide one.

/** Additive masks write such numbers for minus infinity: float16 can hold none below -65504. */
const FILL = -1e4;

/** Minus infinity or what stands for it: "this entry does not take part". */
export const isLeftOut = (entry: number): boolean => entry <= FILL;

/**
 * The extreme entry, with its sign, of each block of step[0] x step[1] entries, row by row (float64).
 * `masked`: what a mask left out yields to any other entry of its block.
 */
export function blockExtremes(
  data: Float64Array,
  [height, width]: readonly [number, number],
  step: readonly [number, number],
  masked: boolean,
): ArrayBuffer {
  if (step[0] === 1 && step[1] === 1) return data.slice().buffer;
  const [rows, cols] = [Math.ceil(height / step[0]), Math.ceil(width / step[1])];
  const extremes = new Float64Array(rows * cols);
  for (let row = 0; row < rows; row++) {
    for (let col = 0; col < cols; col++) {
      const [top, left] = [row * step[0], col * step[1]];
      const end = [Math.min(height, top + step[0]), Math.min(width, left + step[1])] as const;
      const extreme = extremeOf(data, width, [top, left], end, masked);
      extremes[row * cols + col] = extreme;
    }
  }
  return extremes.buffer;
}

/** NaN before infinities before the larger size; what a mask left out comes last. Of equals, the first. */
function extremeOf(
  data: Float64Array,
  width: number,
  [top, left]: readonly [number, number],
  [bottom, right]: readonly [number, number],
  masked: boolean,
): number {
  let extreme = data[top * width + left];
  // What is left out ranks below all, by size among its own.
  let size = masked && isLeftOut(extreme) ? -1 : Math.abs(extreme);
  if (Number.isNaN(size)) return extreme;
  for (let r = top; r < bottom; r++) {
    const end = r * width + right;
    for (let at = r * width + left; at < end; at++) {
      const entry = data[at];
      if (masked && entry <= FILL) {
        if (size < 0 && entry < extreme) extreme = entry;
        continue;
      }
      const own = Math.abs(entry);
      if (own > size) {
        extreme = entry;
        size = own;
      } else if (Number.isNaN(own)) return entry;
    }
  }
  return extreme;
}
