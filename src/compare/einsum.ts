// A product with any letters, as a loop or an einsum string has them when one of its indices is another.
import {
  type AxisLetters,
  type Extents,
  type Letter,
  letterStrides,
  offsetTable,
  shapeOf,
} from '../engine/axes.ts';
import { contract } from '../engine/ops/contraction.ts';
import { type Tensor, zeros } from '../engine/tensor.ts';

export interface Indexed {
  readonly tensor: Tensor;
  readonly axes: readonly AxisLetters[];
}

/**
 * The operand with index `to` where `from` belongs, its diagonal where it has both. Where `both` are exchanged, so are
 * its rows and columns. null where the index runs beyond the axis, or the operand has none of that name.
 */
export function reread(
  { tensor, axes }: Indexed,
  from: Letter,
  to: Letter,
  extents: Extents,
  both = false,
): Indexed | null {
  const strides = new Map(letterStrides(axes, extents));
  const [old, other] = [strides.get(from), strides.get(to)];
  if (old === undefined || extents[to] > extents[from]) return null;
  if (both && (other === undefined || extents[to] !== extents[from])) return null;
  strides.set(to, both ? old : old + (other ?? 0));
  if (both) strides.set(from, other!);
  else strides.delete(from);
  const letters = both
    ? axes
    : axes
        .map((axis) =>
          axis.flatMap((letter) => (letter !== from ? [letter] : other === undefined ? [to] : [])),
        )
        .filter(({ length }) => length > 0);
  const out = zeros(shapeOf(letters, extents));
  offsetTable(letters.flat(), strides, extents).forEach((at, n) => (out.data[n] = tensor.data[at]));
  return { tensor: out, axes: letters };
}

/** Σ left · right over all letters that `out` lacks; one number along those that only `out` has. */
export function einsum(
  left: Indexed,
  right: Indexed,
  out: readonly AxisLetters[],
  extents: Extents,
): Tensor {
  const has = ({ axes }: Indexed, letter: Letter): boolean => axes.flat().includes(letter);
  const within = (axes: readonly AxisLetters[], keep: (letter: Letter) => boolean): AxisLetters[] =>
    axes.map((axis) => axis.filter(keep)).filter(({ length }) => length > 0);
  const [a, b] = [
    summed(left, (letter) => has(right, letter) || out.flat().includes(letter)),
    summed(right, (letter) => has(left, letter) || out.flat().includes(letter)),
  ];
  const known = within(out, (letter) => has(a, letter) || has(b, letter));
  const product = contract(a.tensor, a.axes, b.tensor, b.axes, known, extents);
  const table = offsetTable(out.flat(), letterStrides(known, extents), extents);
  const spread = zeros(shapeOf(out, extents));
  table.forEach((at, n) => (spread.data[n] = product.data[at]));
  return spread;

  /** Summed over the letters that nothing else has. */
  function summed(operand: Indexed, keep: (letter: Letter) => boolean): Indexed {
    const axes = within(operand.axes, keep);
    const strides = letterStrides(operand.axes, extents);
    const rest = operand.axes.flat().filter((letter) => !keep(letter));
    if (rest.length === 0) return operand;
    const steps = offsetTable(rest, strides, extents);
    const sums = zeros(shapeOf(axes, extents));
    offsetTable(axes.flat(), strides, extents).forEach((start, n) => {
      for (const step of steps) sums.data[n] += operand.tensor.data[start + step];
    });
    return { tensor: sums, axes };
  }
}
