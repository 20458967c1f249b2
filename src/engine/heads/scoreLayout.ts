// How the scores are laid out, and tensors that are given for all or some of their letters.
import { axisLength, type AxisLetters, type Extents, shapeOf } from '../axes.ts';
import { ConfigError } from '../config.ts';
import type { Operand } from '../evaluate.ts';
import { laidOut, type Lettered } from '../lettered.ts';
import { formatShape, sameShape, type Tensor } from '../tensor.ts';

export interface ScoreLayout {
  /** Axes of S, Z, M, P and Pd, keys i and queries j last. */
  readonly axes: readonly AxisLetters[];
  readonly extents: Extents;
  /** Letters of the query heads. */
  readonly heads: AxisLetters;
  /** Earlier tokens before the first new one. */
  readonly past: number;
  /** Keys at the end that are no tokens: no mask hides them. */
  readonly nulls: number;
}

/** A given tensor of up to four dimensions with the letters of the score axes along which it is not repeated. */
export function lettered(entry: string, given: Tensor, layout: ScoreLayout): Operand {
  const { axes, extents, heads } = layout;
  const shape = shapeOf(axes, extents);
  const named = axes.map((axis, n) => `${axis.join('')} = ${shape[n]}`).join(', ');
  const refuse = (): never => {
    throw new ConfigError(
      entry,
      `found shape ${formatShape(given.shape)}, expected it to broadcast to (${named})`,
    );
  };
  if (given.shape.length < 2 || given.shape.length > 4) refuse();
  const own = [...Array.from({ length: 4 - given.shape.length }, () => 1), ...given.shape];
  // Scores without a head axis: what stands before their two axes is the batch.
  if (heads.length === 0 && given.shape.length === 3) own.splice(0, 2, given.shape[0], 1);
  const letters = [extents['b'] ? ['b'] : [], heads, ...axes.slice(-2)];
  if (own.some((length, n) => length !== 1 && length !== axisLength(letters[n], extents))) refuse();
  const kept = letters.filter((_, n) => own[n] !== 1);
  return { axes: kept, tensor: { shape: shapeOf(kept, extents), data: given.data } };
}

/** Repeats a given tensor of up to four dimensions along the score axes it lacks or has with length 1. */
export function broadcast(entry: string, given: Tensor, layout: ScoreLayout): Tensor {
  const { axes, tensor } = lettered(entry, given, layout);
  const letters = axes.flat();
  const lengths = letters.map((letter) => layout.extents[letter]);
  return spread({ letters, lengths, data: tensor.data }, layout);
}

/** The same along all axes of the scores. */
export function spread(
  own: Lettered,
  { axes, extents }: Pick<ScoreLayout, 'axes' | 'extents'>,
): Tensor {
  const letters = axes.flat();
  const lengths = letters.map((letter) => extents[letter]);
  return { shape: shapeOf(axes, extents), data: laidOut(own, letters, lengths).data };
}

/** One number per token (or per sequence), with a batch axis in front or for all batch entries. Throws ConfigError. */
export function perToken(
  entry: string,
  given: Tensor,
  token: string | null,
  { extents }: Pick<ScoreLayout, 'extents'>,
): Operand {
  const tokens: AxisLetters[] = token === null ? [] : [[token]];
  const own = shapeOf(tokens, extents);
  const batch = extents['b'];
  const all = [batch ?? 1, ...own];
  if (batch !== undefined && sameShape(given.shape, all))
    return { axes: [['b'], ...tokens], tensor: given };
  if (sameShape(given.shape, own) || sameShape(given.shape, all))
    return { axes: tokens, tensor: { shape: own, data: given.data } };
  const shapes = [all, ...(own.length > 0 ? [own] : [])].map(formatShape);
  throw new ConfigError(
    entry,
    `found shape ${formatShape(given.shape)}, expected ${shapes.join(' or ')}`,
  );
}
