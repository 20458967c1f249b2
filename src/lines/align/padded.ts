// Tiles that are loaded whole where their axis ends within them: what lies beyond its end is nobody's.
import type { Letter } from '../../engine/axes.ts';
import { cut, strides, type Tensor } from '../../engine/tensor.ts';
import type { Alignment } from './align.ts';

/** An axis that tiles of `block` entries do not divide. */
export interface Padding {
  readonly letter: Letter;
  readonly length: number;
  readonly block: number;
}

interface Cut {
  readonly axis: number;
  readonly padding: Padding;
  readonly count: number;
}

/** A tensor without what may lie beyond the end of an axis, and the axes of which that is true. */
export interface Cropped {
  readonly tensor: Tensor;
  readonly cuts: readonly Cut[];
}

/**
 * Ways to read a tensor as a last tile, along one axis or several, or as an array with room for more than there is:
 * `extents` are the lengths of the tokens' letters.
 */
export function* croppedWays(
  tensor: Tensor,
  paddings: readonly Padding[],
  extents: Readonly<Record<Letter, number>>,
): Generator<Cropped> {
  const cuts = tensor.shape.flatMap((length, axis): Cut[] => [
    ...paddings.flatMap((padding): Cut[] =>
      padding.block === length ? [{ axis, padding, count: padding.length % padding.block }] : [],
    ),
    ...TOKENS.flatMap((letter): Cut[] => {
      const own = extents[letter] ?? length;
      if (own < 2 || own >= length || !isEmptyFrom(tensor, axis, own)) return [];
      return [{ axis, padding: { letter, length: own, block: length }, count: own }];
    }),
  ]);
  for (const one of cuts) yield { tensor: cropped(tensor, [one]), cuts: [one] };
  for (const [n, one] of cuts.entries())
    for (const other of cuts.slice(n + 1))
      if (one.axis !== other.axis && one.padding.letter !== other.padding.letter)
        yield { tensor: cropped(tensor, [one, other]), cuts: [one, other] };
}

const TOKENS: readonly Letter[] = ['i', 'j'];

/** Whether there are zeros alone from an index of an axis on. */
function isEmptyFrom({ shape, data }: Tensor, axis: number, start: number): boolean {
  const inner = strides(shape)[axis];
  return data.every((value, at) => value === 0 || Math.floor(at / inner) % shape[axis] < start);
}

const cropped = (tensor: Tensor, cuts: readonly Cut[]): Tensor =>
  cuts.reduce((own, { axis, count }) => cut(own, axis, 0, count), tensor);

/** Whether what is left ends where the axes end. */
export const isAtEnd = ({ ranges, axes }: Alignment, { cuts }: Cropped): boolean =>
  cuts.every(({ axis, padding, count }) => {
    const range = ranges.get(padding.letter);
    const isAlong = count === 1 || axes[axis].join() === padding.letter;
    return isAlong && range?.step === 1 && range.start === padding.length - count;
  });

/** Whether it has nothing but zeros beyond the end of an axis, where it has not ended along the others. */
export function isNothingBeyond(tensor: Tensor, { cuts }: Cropped, letter: Letter): boolean {
  const [others, own] = [false, true].map((isOwn) =>
    cuts.filter(({ padding }) => (padding.letter === letter) === isOwn),
  );
  const within = cropped(tensor, others);
  const count = ({ data }: Tensor): number => data.reduce((sum, each) => sum + (each ? 1 : 0), 0);
  return count(within) === count(cropped(within, own));
}
