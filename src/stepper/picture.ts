// A tensor as pictures: one matrix per head (or batch entry), reduced where it is larger than what can be seen.
import {
  type AxisLetters,
  axisLabel,
  axisName,
  type Binding,
  type Extents,
} from '../engine/axes.ts';
import { largestMagnitude, type Tensor, strides } from '../engine/tensor.ts';
import { colourRange } from './colourRange.ts';
import { blockExtremes } from './extremes.ts';

/** Matrices of one size, each a slice over the last two axes. A scalar is 1 x 1, a vector one row. */
export interface Picture {
  readonly rows: number;
  readonly cols: number;
  /** Names of the axes that run down and across; null where the tensor has no such axis. */
  readonly rowAxis: string | null;
  readonly colAxis: string | null;
  /** Letters of these two axes, for binding an entry that is pointed at. */
  readonly rowLetters: AxisLetters;
  readonly colLetters: AxisLetters;
  /** One per slice: what the axes in front are fixed to, "head 1", and the values row by row (float64). */
  readonly slices: readonly { readonly label: string; readonly data: ArrayBuffer }[];
  /** Entries of the tensor in one entry of the picture, down and across; 1 where nothing is reduced. */
  readonly step: readonly [number, number];
  readonly shape: readonly number[];
  /** Largest finite absolute value of the whole tensor. */
  readonly largest: number;
  /** Where the tensor's own colour scale ends; a few entries may lie beyond it. */
  readonly range: number;
}

export interface PictureOptions {
  readonly axes: readonly AxisLetters[];
  readonly extents: Extents;
  /** Which slice to show. */
  readonly binding: Binding;
  /** Show every slice over the axis before the last two (the heads), not only the bound one. */
  readonly allHeads?: boolean;
  /** Most rows and columns; of a larger tensor, each cell shows the extreme of its block. */
  readonly most: number;
  /** Minus infinity is what a mask left out, and yields to any other entry of its block. */
  readonly masked?: boolean;
  /** Where the colours end, if not at the tensor's own range. */
  readonly range?: number;
}

const MAX_SLICES = 16;

function boundIndex(axis: AxisLetters, binding: Binding, extents: Extents): number {
  return axis.reduce(
    (at, letter) => at * extents[letter] + Math.min(binding[letter] ?? 0, extents[letter] - 1),
    0,
  );
}

export function pictureOf(value: Tensor, options: PictureOptions): Picture {
  const { axes, extents, binding, allHeads = false, most, masked = false } = options;
  const rank = value.shape.length;
  const [height, width] = [
    rank > 1 ? value.shape[rank - 2] : 1,
    rank > 0 ? value.shape[rank - 1] : 1,
  ];
  const leading = axes.slice(0, Math.max(0, rank - 2));
  const stride = strides(value.shape);
  const headAxis = leading.length - 1;
  const base = leading.reduce(
    (offset, axis, n) =>
      offset + (allHeads && n === headAxis ? 0 : boundIndex(axis, binding, extents) * stride[n]),
    0,
  );
  const count = allHeads && headAxis >= 0 ? Math.min(value.shape[headAxis], MAX_SLICES) : 1;
  const step: [number, number] = [Math.ceil(height / most), Math.ceil(width / most)];
  const fixed = leading.map((axis, n) => ({
    name: axisName(axis),
    at: boundIndex(axis, binding, extents),
    n,
  }));
  const slices = Array.from({ length: count }, (_, slice) => {
    const start = base + (allHeads && headAxis >= 0 ? slice * stride[headAxis] : 0);
    const at = (n: number, own: number): number => (allHeads && n === headAxis ? slice : own);
    return {
      label: fixed.map((each) => `${each.name} ${at(each.n, each.at)}`).join(', '),
      data: blockExtremes(
        value.data.subarray(start, start + height * width),
        [height, width],
        step,
        masked,
      ),
    };
  });
  const rowLetters = rank > 1 ? axes[rank - 2] : [];
  const colLetters = rank > 0 ? axes[rank - 1] : [];
  return {
    rows: Math.ceil(height / step[0]),
    cols: Math.ceil(width / step[1]),
    rowAxis: rowLetters.length ? `${axisName(rowLetters)} ${axisLabel(rowLetters)}` : null,
    colAxis: colLetters.length ? `${axisName(colLetters)} ${axisLabel(colLetters)}` : null,
    rowLetters,
    colLetters,
    slices,
    step,
    shape: value.shape,
    largest: largestMagnitude(value),
    range: options.range ?? colourRange(value),
  };
}
