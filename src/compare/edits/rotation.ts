// Rotations of pairs of features by an angle, and other maps of pairs that stand for them.
import { type AxisLetters, shapeOf } from '../../engine/axes.ts';
import type { Tensor } from '../../engine/tensor.ts';
import type { StepOperation } from '../program.ts';
import type { Context } from './edit.ts';

export type Pairing = 'half' | 'interleaved';
/** The angle of a pair of features. */
export type Angle = (token: number, pair: number, head: number) => number;

/** out[f] = own · in[f] + cross · in[partner of f], for each token and feature. */
export interface PairMap {
  readonly partner: (feature: number, width: number) => number;
  readonly own: (token: number, feature: number, head: number) => number;
  readonly cross: (token: number, feature: number, head: number) => number;
}

export const PARTNER: Record<Pairing, PairMap['partner']> = {
  half: (feature, width) => (feature < width / 2 ? feature + width / 2 : feature - width / 2),
  interleaved: (feature) => feature ^ 1,
};
export const pairOf = (feature: number, width: number, pairing: Pairing): number =>
  pairing === 'interleaved' ? feature >> 1 : feature % (width / 2);
/** -1 for the first of a pair. */
export const side = (feature: number, width: number, pairing: Pairing): 1 | -1 =>
  (pairing === 'interleaved' ? feature % 2 === 0 : feature < width / 2) ? -1 : 1;

export function pairMap(
  axes: readonly AxisLetters[],
  { graph }: Context,
  { partner, own, cross }: PairMap,
): StepOperation {
  const shape = shapeOf(axes, graph.extents);
  const [tokens, width] = shape.slice(-2);
  const heads = shape[shape.length - 3];
  const partners = Array.from({ length: width }, (_, feature) => partner(feature, width));
  // The batch repeats the coefficients.
  const block = heads * tokens * width;
  const [mine, others] = [own, cross].map((of) =>
    Float64Array.from({ length: block }, (_, at) => {
      const token = Math.floor(at / width) % tokens;
      return of(token, at % width, Math.floor(at / width / tokens));
    }),
  );
  const go = ({ data }: Tensor, back: boolean): Tensor => {
    const out = new Float64Array(data.length);
    for (let row = 0; row < data.length; row += width) {
      const start = row % block;
      for (let feature = 0; feature < width; feature++) {
        const other = partners[feature];
        const by = others[start + feature];
        out[row + feature] += data[row + feature] * mine[start + feature];
        if (back) out[row + other] += data[row + feature] * by;
        else out[row + feature] += data[row + other] * by;
      }
    }
    return { shape, data: out };
  };
  return {
    name: 'rotary embedding',
    forward: ([input]) => go(input, false),
    vjp: (_, upstream) => [go(upstream, true)],
  };
}

/** The rotation of pairs of features by an angle. */
export function rotation(
  axes: readonly AxisLetters[],
  context: Context,
  pairing: Pairing,
  angle: Angle,
  sign: 1 | -1 = 1,
): StepOperation {
  const width = shapeOf(axes, context.graph.extents).slice(-1)[0];
  const of = (token: number, feature: number, head: number): number =>
    angle(token, pairOf(feature, width, pairing), head);
  return pairMap(axes, context, {
    partner: PARTNER[pairing],
    own: (token, feature, head) => Math.cos(of(token, feature, head)),
    cross: (token, feature, head) =>
      sign * side(feature, width, pairing) * Math.sin(of(token, feature, head)),
  });
}
