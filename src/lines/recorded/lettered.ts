// Tensors with one letter per axis, and the few operations that forms of a right program are made of.
import type { AxisLetters, Extents, Letter } from '../../engine/axes.ts';
import { contract } from '../../engine/ops/contraction.ts';
import { sizeOf, strides, type Tensor } from '../../engine/tensor.ts';

export interface Lettered {
  /** One letter per axis, slowest first: merged axes are split. */
  readonly letters: readonly Letter[];
  readonly data: Float64Array;
}

export const lengthsOf = (letters: readonly Letter[], extents: Extents): number[] =>
  letters.map((letter) => extents[letter]);

export function lettered(axes: readonly AxisLetters[], { data }: Tensor): Lettered {
  return { letters: axes.flat(), data };
}

export function mapEach(a: Lettered, fn: (value: number) => number): Lettered {
  const data = new Float64Array(a.data.length);
  for (let at = 0; at < data.length; at++) data[at] = fn(a.data[at]);
  return { letters: a.letters, data };
}

export const times = (a: Lettered, factor: number): Lettered =>
  mapEach(a, (value) => value * factor);

/** Where each entry of a tensor with `letters` lies in one that has some of them. */
export function offsetsIn(
  letters: readonly Letter[],
  inner: readonly Letter[],
  extents: Extents,
): Int32Array {
  const own = strides(lengthsOf(inner, extents));
  const steps = letters.map((letter) => {
    const at = inner.indexOf(letter);
    return at < 0 ? 0 : own[at];
  });
  const lengths = lengthsOf(letters, extents);
  const table = new Int32Array(sizeOf(lengths));
  let filled = 1;
  for (let axis = letters.length - 1; axis >= 0; axis--) {
    for (let value = lengths[axis] - 1; value >= 0; value--) {
      const base = value * steps[axis];
      const start = value * filled;
      for (let at = 0; at < filled; at++) table[start + at] = base + table[at];
    }
    filled *= lengths[axis];
  }
  return table;
}

/** fn(a, b) entry by entry; the letters of `b` are among those of `a`. */
export function zip(
  a: Lettered,
  b: Lettered,
  extents: Extents,
  fn: (a: number, b: number) => number,
): Lettered {
  const where = offsetsIn(a.letters, b.letters, extents);
  const data = new Float64Array(a.data.length);
  for (let at = 0; at < data.length; at++) data[at] = fn(a.data[at], b.data[where[at]]);
  return { letters: a.letters, data };
}

/** Folds away one letter. */
export function reduce(
  a: Lettered,
  letter: Letter,
  extents: Extents,
  start: number,
  fn: (total: number, value: number) => number,
): Lettered {
  const letters = a.letters.filter((each) => each !== letter);
  const where = offsetsIn(a.letters, letters, extents);
  const data = new Float64Array(sizeOf(lengthsOf(letters, extents))).fill(start);
  for (let at = 0; at < a.data.length; at++) data[where[at]] = fn(data[where[at]], a.data[at]);
  return { letters, data };
}

export const sumOver = (a: Lettered, letter: Letter, extents: Extents): Lettered =>
  reduce(a, letter, extents, 0, (total, value) => total + value);

/** Sums a * b over the letters that `out` lacks. */
export function product(
  a: Lettered,
  b: Lettered,
  out: readonly Letter[],
  extents: Extents,
): Lettered {
  const axes = (letters: readonly Letter[]): AxisLetters[] => letters.map((letter) => [letter]);
  const asTensor = ({ letters, data }: Lettered): Tensor => ({
    shape: lengthsOf(letters, extents),
    data,
  });
  // A letter of one factor alone that is summed away goes first: `contract` sums only over shared ones.
  const lone = (one: Lettered, other: Lettered): Lettered =>
    one.letters
      .filter((letter) => !out.includes(letter) && !other.letters.includes(letter))
      .reduce((rest, letter) => sumOver(rest, letter, extents), one);
  const [left, right] = [lone(a, b), lone(b, a)];
  const { data } = contract(
    asTensor(left),
    axes(left.letters),
    asTensor(right),
    axes(right.letters),
    axes(out),
    extents,
  );
  return { letters: [...out], data };
}

export const isSubset = (some: readonly Letter[], all: readonly Letter[]): boolean =>
  some.every((letter) => all.includes(letter));
