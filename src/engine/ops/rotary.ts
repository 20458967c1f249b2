// Rotary position embeddings: pairs of features turned by an angle that grows with a token's position.
import { type AxisLetters, type Extents, type Letter, shapeOf } from '../axes.ts';
import { evaluate } from '../evaluate.ts';
import {
  accumulates,
  call,
  equals,
  type Formula,
  minus,
  plus,
  product,
  symbol,
  where,
} from '../formula.ts';
import { laidOut } from '../lettered.ts';
import type { Operation } from '../operation.ts';
import { map, sizeOf, type Tensor } from '../tensor.ts';
import { expanded } from '../where.ts';
import { type Angles, anglesOf, type Rotation, turnedFeatures } from './ropeAngles.ts';

/** The feature letter's partner in a rotated pair: a becomes a*. */
const partnerAxis = (axis: AxisLetters, n: number, all: readonly AxisLetters[]): AxisLetters =>
  n === all.length - 1 ? [...axis.slice(0, -1), `${axis[axis.length - 1]}*`] : axis;

/** A number for each token and feature, and for each batch entry where they differ. */
interface Table {
  at(offset: number): number;
}

/** Computes what a formula of batch, token and feature says, for every entry of a tensor with the letters of `axes`. */
function tableOf(
  axes: readonly AxisLetters[],
  extents: Extents,
  formula: Formula,
  { definitions, given }: Angles,
): Table {
  const value = evaluate(
    expanded({ kind: 'where', body: formula, definitions }),
    (name) => given[name],
    extents,
  );
  const own = axes.slice(-2).flat();
  const perBatch = value.letters.includes('b');
  const letters = perBatch ? ['b', ...own] : own;
  const lengths = letters.map((letter) => extents[letter]);
  const { data } = laidOut(value, letters, lengths);
  if (!perBatch) return { at: (offset) => data[offset % data.length] };
  const block = sizeOf(shapeOf(axes.slice(-2), extents));
  const entry = sizeOf(shapeOf(axes, extents)) / extents['b'];
  return { at: (offset) => data[Math.floor(offset / entry) * block + (offset % block)] };
}

/** The feature that turns together with another; of one that does not turn, itself. */
function partnerIn(turned: number, pairing: Rotation['pairing'], feature: number): number {
  if (feature >= turned) return feature;
  if (pairing === 'interleaved') return feature ^ 1;
  return feature < turned / 2 ? feature + turned / 2 : feature - turned / 2;
}

/** By which angle each feature of a token turns, and together with which other; the letters of tokens and features. */
export function turningOf(
  extents: Extents,
  [token, feature]: readonly [token: Letter, feature: Letter],
  rotation: Rotation,
): {
  angle(batch: number, token: number, feature: number): number;
  partner(feature: number): number;
} {
  const axes = [...(extents['b'] === undefined ? [] : [['b']]), [token], [feature]];
  const angles = anglesOf(axes, extents, rotation);
  const table = tableOf(axes, extents, angles.angle, angles);
  const [tokens, width] = [extents[token], extents[feature]];
  const turned = turnedFeatures(rotation, width);
  return {
    angle: (batch, at, own) => table.at((batch * tokens + at) * width + own),
    partner: (own) => partnerIn(turned, rotation.pairing, own),
  };
}

/**
 * Rotary position embedding (Su et al. 2021, RoFormer, eq. 34) on the last axis: the pair (u, w) of a token at
 * position t becomes (u cos θ − w sin θ, w cos θ + u sin θ) with θ = t base^(−2k/width), k the pair's number.
 * `half` pairs entry k with k + width/2 (GPT-NeoX, Llama), `interleaved` 2k with 2k + 1 (the paper, GPT-J). Where only
 * the first `features` turn, they are the width, and the others stay as they are.
 */
export function rotary(
  axes: readonly AxisLetters[],
  extents: Extents,
  rotation: Rotation,
): Operation {
  const width = shapeOf(axes, extents)[axes.length - 1];
  const turned = turnedFeatures(rotation, width);
  const partnerOf = (feature: number): number => partnerIn(turned, rotation.pairing, feature);
  const angles = anglesOf(axes, extents, rotation);
  const { angle, sign, magnitude, definitions, given } = angles;
  const scaled = (own: Formula): Formula => (magnitude ? product(magnitude, own) : own);
  const [cos, sin] = [scaled(call('cos', angle)), scaled(product(sign, call('sin', angle)))];
  const [cosines, sines] = [cos, sin].map((each) => tableOf(axes, extents, each, angles));
  const partnerOffset = (offset: number): number =>
    offset - (offset % width) + partnerOf(offset % width);
  const rotate = (input: Tensor, turn: 1 | -1): Tensor =>
    map(
      input,
      (value, at) => value * cosines.at(at) + turn * input.data[partnerOffset(at)] * sines.at(at),
    );
  return {
    name: 'rotary embedding',
    summary:
      'Rotates pairs of features (a, a*) of a token by an angle θ that grows with its position.',
    forward: ([input]) => rotate(input, 1),
    // A rotation's transpose is the rotation back.
    vjp: (_, upstream) => [rotate(upstream, -1)],
    partial(_, _slot, outputOffset, inputOffset) {
      if (outputOffset === inputOffset) return cosines.at(outputOffset);
      return partnerOffset(outputOffset) === inputOffset ? sines.at(outputOffset) : 0;
    },
    reach: (_, _slot, inputOffset) =>
      [...new Set([inputOffset, partnerOffset(inputOffset)])].sort((a, b) => a - b),
    formula({ output, inputs: [input] }) {
      const turn = (name: string): [Formula, Formula] => [
        product(cos, symbol(name, axes)),
        product(sin, symbol(name, axes.map(partnerAxis))),
      ];
      const [along, across] = turn(input);
      const [upAlong, upAcross] = turn(`d${output}`);
      return {
        forward: equals(symbol(output, axes), where(plus(along, across), ...definitions)),
        backward: [
          accumulates(symbol(`d${input}`, axes), where(minus(upAlong, upAcross), ...definitions)),
        ],
        given,
      };
    },
  };
}
