// How a tensor is cut into blocks that fit one answer of a debugger.
import { sizeOf } from '../../engine/tensor.ts';

/** Entries `tensor[...prefix, from:to]`, whole along the axes after it; of a scalar: its entry. */
export interface Block {
  readonly prefix: readonly number[];
  readonly from: number;
  readonly to: number;
  /** Of its first entry, in row-major order. */
  readonly offset: number;
  readonly count: number;
  /** Of one of its rows. */
  readonly rowShape: readonly number[];
}

/** Blocks of at most `most` entries that cover a tensor in row-major order; none for an empty one. */
export function* blocksOf(shape: readonly number[], most: number): Generator<Block> {
  const size = sizeOf(shape);
  if (size === 0) return;
  // The first axis of which one row fits: every block is then more than half full, or a whole row of the axis before.
  let axis = 0;
  while (axis < shape.length - 1 && sizeOf(shape.slice(axis + 1)) > most) axis++;
  const rowShape = shape.slice(axis + 1);
  const row = sizeOf(rowShape);
  const rows = shape[axis] ?? 1;
  const step = Math.max(1, Math.floor(most / row));
  const outer = shape.slice(0, axis);
  const prefix = outer.map(() => 0);
  for (let offset = 0; offset < size;) {
    for (let from = 0; from < rows; from += step) {
      const to = Math.min(rows, from + step);
      const count = (to - from) * row;
      yield { prefix: [...prefix], from, to, offset, count, rowShape };
      offset += count;
    }
    for (let at = axis - 1; at >= 0 && ++prefix[at] === outer[at]; at--) prefix[at] = 0;
  }
}
