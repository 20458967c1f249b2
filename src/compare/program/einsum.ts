// A product with any letters, as a loop or an einsum string has them when one of its indices is another.
import {
  type AxisLetters,
  type Extents,
  type Letter,
  letterStrides,
  offsetTable,
  shapeOf,
} from '../../engine/axes.ts';
import { contract } from '../../engine/ops/contraction.ts';
import { map, type Tensor, zeros } from '../../engine/tensor.ts';

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

const within = (axes: readonly AxisLetters[], keep: (letter: Letter) => boolean): AxisLetters[] =>
  axes.map((axis) => axis.filter(keep)).filter(({ length }) => length > 0);

/** Summed over the letters that `out` lacks, and over those of `more`; one number along those that the operand lacks. */
function sumTo(
  { tensor, axes }: Indexed,
  out: readonly AxisLetters[],
  extents: Extents,
  more = '',
): Tensor {
  const own = axes.flat();
  const kept = within(out, (letter) => own.includes(letter) && !more.includes(letter));
  const strides = letterStrides(axes, extents);
  const steps = offsetTable(
    own.filter((letter) => !kept.flat().includes(letter)),
    strides,
    extents,
  );
  const sums = zeros(shapeOf(kept, extents));
  offsetTable(kept.flat(), strides, extents).forEach((start, n) => {
    for (const step of steps) sums.data[n] += tensor.data[start + step];
  });
  const table = offsetTable(out.flat(), letterStrides(kept, extents), extents);
  return map(zeros(shapeOf(out, extents)), (_, at) => sums.data[table[at]]);
}

/** Σ left · right over all letters that `out` lacks; one number along those that only `out` has. */
export function einsum(
  left: Indexed,
  right: Indexed,
  out: readonly AxisLetters[],
  extents: Extents,
): Tensor {
  const has = ({ axes }: Indexed, letter: Letter): boolean => axes.flat().includes(letter);
  /** Summed over the letters that nothing else has. */
  const summed = (operand: Indexed, other: Indexed): Indexed => {
    const axes = within(
      operand.axes,
      (letter) => has(other, letter) || out.flat().includes(letter),
    );
    return { tensor: sumTo(operand, axes, extents), axes };
  };
  const [a, b] = [summed(left, right), summed(right, left)];
  const axes = within(out, (letter) => has(a, letter) || has(b, letter));
  const tensor = contract(a.tensor, a.axes, b.tensor, b.axes, axes, extents);
  return sumTo({ tensor, axes }, out, extents);
}
