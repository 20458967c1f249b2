// From a cell of a picture to the letters it binds, and from an entry of a tensor to its cell.
import type { Binding, Extents } from '../../src/engine/axes.ts';
import type { Picture } from '../../src/stepper/picture.ts';

export interface Cell {
  readonly slice: number;
  readonly row: number;
  readonly col: number;
}

/** Values of an axis's letters at a place on it; slowest letter first. */
function bindAxis(letters: readonly string[], at: number, extents: Extents): Binding {
  const binding: Record<string, number> = {};
  let rest = at;
  for (const letter of [...letters].reverse()) {
    const length = extents[letter] ?? 1;
    binding[letter] = rest % length;
    rest = Math.floor(rest / length);
  }
  return binding;
}

/** Letters of an axis from its label: "head (r g)" -> r, g. */
export function lettersOf(label: string): string[] {
  const merged = /\(([^)]+)\)$/.exec(label);
  return merged ? merged[1].split(' ') : [label.slice(-1)];
}

/** What a cell that is pointed at binds; `axes` are the node's, for the axis that the slices run over. */
export function bindingOf(
  picture: Picture,
  axes: readonly string[],
  { slice, row, col }: Cell,
  extents: Extents,
): Binding {
  const { rowLetters, colLetters, step, slices } = picture;
  const sliceAxis = slices.length > 1 ? axes[axes.length - 3] : undefined;
  return {
    ...(sliceAxis === undefined ? {} : bindAxis(lettersOf(sliceAxis), slice, extents)),
    ...bindAxis(rowLetters, row * step[0], extents),
    ...bindAxis(colLetters, col * step[1], extents),
  };
}

/** The cell of an entry; null when its slice is not shown. */
export function cellOf(picture: Picture, index: readonly number[]): Cell | null {
  const { step, slices } = picture;
  const rank = index.length;
  const slice = slices.length > 1 ? index[rank - 3] : 0;
  if (slice >= slices.length) return null;
  const row = rank > 1 ? Math.floor(index[rank - 2] / step[0]) : 0;
  const col = rank > 0 ? Math.floor(index[rank - 1] / step[1]) : 0;
  return { slice, row, col };
}

export function numbersOf(picture: Picture, slice: number): Float64Array {
  return new Float64Array(picture.slices[slice].data);
}

/** "4×3"; a scalar is "scalar". */
export function shapeText(shape: readonly number[]): string {
  return shape.length === 0 ? 'scalar' : shape.join('×');
}
