// Tensors of a setup as the events of a run hold them: in another order of axes, or joined with others along one.
import { type AxisLetters, type Letter, shapeOf } from '../../engine/axes.ts';
import { nodeOf } from '../../engine/graph.ts';
import { cut, sizeOf, strides, type Tensor } from '../../engine/tensor.ts';
import type { Alignment } from '../align/align.ts';
import type { Catalogue, Entry } from '../align/catalogue.ts';
import type { Event } from '../recorded/recording.ts';

export type Extents = Record<Letter, number>;

/** Of several tensors that are joined along one axis: that axis of those before one of them. */
export interface Cut {
  readonly axis: number;
  readonly before: readonly AxisLetters[];
}

/** The axes of a node, those that an entry has. */
export function ownAxes({ graph }: Catalogue, { node, letters }: Entry): AxisLetters[] {
  return nodeOf(graph, node).axes.map((axis) => axis.filter((letter) => letters.includes(letter)));
}

export function laidOut(
  { letters, lengths, strides: steps, data }: Entry,
  axes: readonly AxisLetters[],
): Tensor {
  const extents = Object.fromEntries(letters.map((letter, n) => [letter, lengths[n]]));
  const order = axes.flat();
  const inner = order.map((letter) => extents[letter]);
  const own = strides(inner);
  const result = new Float64Array(sizeOf(inner));
  for (let n = 0; n < result.length; n++) {
    let from = 0;
    for (let k = 0; k < order.length; k++)
      from += (Math.floor(n / own[k]) % inner[k]) * steps[letters.indexOf(order[k])];
    result[n] = data[from];
  }
  return { shape: shapeOf(axes, extents), data: result };
}

/** The axis along which the pieces of an event are joined, one after the other; null where they are joined otherwise. */
export function joinedAxis({ shape }: Event, pieces: readonly Alignment[]): number | null {
  const shapes = pieces.map(({ entry, axes }) => laidOut(entry, axes).shape);
  if (pieces.length < 2 || shapes.some((each) => each.length !== shape.length)) return null;
  const axis = shape.findIndex((length, n) => shapes.some((each) => each[n] !== length));
  const others = shapes.every((each) =>
    each.every((length, n) => n === axis || length === shape[n]),
  );
  const sum = shapes.reduce((total, each) => total + each[axis], 0);
  return axis >= 0 && others && sum === shape[axis] ? axis : null;
}

export function sliced(
  tensor: Tensor,
  { axis, before }: Cut,
  letters: AxisLetters,
  extents: Extents,
): Tensor {
  const lengthOf = (some: AxisLetters): number => sizeOf(some.map((letter) => extents[letter]));
  const start = before.reduce((sum, each) => sum + lengthOf(each), 0);
  const length = lengthOf(letters);
  return cut(tensor, axis, start, start + length);
}

/** The numbers of an event whose axes have these letters, in the order of others; null where they do not fit. */
export function readAs(
  data: Float64Array,
  axes: readonly AxisLetters[],
  own: readonly AxisLetters[],
  extents: Extents,
): Tensor | null {
  const from = axes.flat();
  const to = own.flat();
  const lengths = from.map((letter) => extents[letter]);
  if (
    sizeOf(lengths) !== data.length ||
    sizeOf(to.map((letter) => extents[letter])) !== data.length
  )
    return null;
  const steps = strides(to.map((letter) => extents[letter]));
  const inner = strides(lengths);
  const result = new Float64Array(data.length);
  for (let n = 0; n < data.length; n++) {
    let at = 0;
    for (let k = 0; k < from.length; k++)
      at += (Math.floor(n / inner[k]) % lengths[k]) * (steps[to.indexOf(from[k])] ?? 0);
    result[at] = data[n];
  }
  return { shape: shapeOf(own, extents), data: result };
}
