// Operations that move entries without computing: axes rearranged, earlier tokens put in front, rotations.
import {
  letterStrides,
  offsetTable,
  parseSpec,
  shapeOf,
  type AxisLetters,
  type Extents,
} from '../axes.ts';
import {
  accumulates,
  atIndex,
  call,
  equals,
  type Formula,
  fraction,
  minus,
  modulo,
  number,
  plus,
  position,
  power,
  product,
  symbol,
  where,
  words,
} from '../formula.ts';
import type { Operation } from '../operation.ts';
import { map, sizeOf, type Tensor, zeros } from '../tensor.ts';

/** A loop: Float64Array.from with a function is ten times slower. */
function pick(data: Float64Array, table: Int32Array): Float64Array {
  const out = new Float64Array(table.length);
  for (let at = 0; at < out.length; at++) out[at] = data[table[at]];
  return out;
}

/** rearrange('b i (r a) -> b r i a'): the same entries under reordered axes; splits and merges heads. */
export function rearrange(spec: string, extents: Extents, summary: string): Operation {
  const [from, to] = parseSpec(spec);
  const source = offsetTable(to.flat(), letterStrides(from, extents), extents);
  const target = offsetTable(from.flat(), letterStrides(to, extents), extents);
  const take = (input: Tensor, table: Int32Array, axes: readonly AxisLetters[]): Tensor => ({
    shape: shapeOf(axes, extents),
    data: pick(input.data, table),
  });
  return {
    name: 'rearrange',
    summary,
    forward: ([input]) => take(input, source, to),
    vjp: (_, upstream) => [take(upstream, target, from)],
    partial: (_, _slot, outputOffset, inputOffset) =>
      source[outputOffset] === inputOffset ? 1 : 0,
    reach: (_, _slot, inputOffset) => [target[inputOffset]],
    summands: (_, outputOffset) => [[{ slot: 0, offset: source[outputOffset] }]],
    formula: ({ output, inputs: [input] }) => ({
      forward: equals(symbol(output, to), symbol(input, from)),
      backward: [accumulates(symbol(`d${input}`, from), symbol(`d${output}`, to))],
    }),
  };
}

/**
 * Puts the keys or values of earlier tokens before the new ones, along the last axis but one.
 * `past` is given and receives no gradient here; `name` is what formulas call it. `newAxes` are those of the operand.
 */
export function prepend(
  axes: readonly AxisLetters[],
  newAxes: readonly AxisLetters[],
  past: Tensor,
  name = 'past',
): Operation {
  const [earlier, width] = past.shape.slice(-2);
  const blocks = sizeOf(past.shape.slice(0, -2));
  const pastBlock = earlier * width;
  const newBlock = (shape: readonly number[]): number => shape[shape.length - 2] * width;
  const outputOf = (inputOffset: number, block: number): number =>
    inputOffset + pastBlock * (Math.floor(inputOffset / block) + 1);
  return {
    name: 'prepend',
    summary: 'Puts the keys or values of earlier tokens in front of the new ones.',
    forward([input]) {
      const block = newBlock(input.shape);
      const out = zeros([...past.shape.slice(0, -2), earlier + block / width, width]);
      for (let n = 0; n < blocks; n++) {
        const at = n * (pastBlock + block);
        out.data.set(past.data.subarray(n * pastBlock, (n + 1) * pastBlock), at);
        out.data.set(input.data.subarray(n * block, (n + 1) * block), at + pastBlock);
      }
      return out;
    },
    vjp({ inputs: [input] }, upstream) {
      const block = newBlock(input.shape);
      const out = zeros(input.shape);
      for (let n = 0; n < blocks; n++) {
        const at = n * (pastBlock + block) + pastBlock;
        out.data.set(upstream.data.subarray(at, at + block), n * block);
      }
      return [out];
    },
    partial: ({ inputs: [input] }, _slot, outputOffset, inputOffset) =>
      outputOf(inputOffset, newBlock(input.shape)) === outputOffset ? 1 : 0,
    reach: ({ inputs: [input] }, _slot, inputOffset) => [
      outputOf(inputOffset, newBlock(input.shape)),
    ],
    formula({ output, inputs: [input] }) {
      const [token] = axes[axes.length - 2];
      const [fresh] = newAxes[newAxes.length - 2];
      const [old, added, upstream] = [name, input, `d${output}`].map((own, n) =>
        symbol(own, n === 2 ? axes : n === 1 ? newAxes : axes.map(earlierAxis)),
      );
      const before = atIndex(EARLIER, position(token), old);
      const after = atIndex(fresh, minus(position(token), number(earlier)), added);
      const back = atIndex(token, plus(position(fresh), number(earlier)), upstream);
      return {
        forward: equals(
          symbol(output, axes),
          where(plus(before, after), words('absent entries are 0')),
        ),
        backward: [accumulates(symbol(`d${input}`, newAxes), back)],
        given: { [name]: { axes: axes.map(earlierAxis), tensor: past } },
      };
    },
  };
}

/** The letter of earlier tokens. */
const EARLIER = 'p';

const earlierAxis = (axis: AxisLetters, n: number, all: readonly AxisLetters[]): AxisLetters =>
  n === all.length - 2 ? [EARLIER] : axis;

/** The feature letter's partner in a rotated pair: a becomes a*. */
const partnerAxis = (axis: AxisLetters, n: number, all: readonly AxisLetters[]): AxisLetters =>
  n === all.length - 1 ? [...axis.slice(0, -1), `${axis[axis.length - 1]}*`] : axis;

/**
 * Rotary position embedding (Su et al. 2021, RoFormer, eq. 34) on the last axis: the pair (u, w) of a token at
 * position t becomes (u cos θ − w sin θ, w cos θ + u sin θ) with θ = t base^(−2k/width), k the pair's number.
 * `half` pairs entry k with k + width/2 (GPT-NeoX, Llama), `interleaved` 2k with 2k + 1 (the paper, GPT-J).
 */
export function rotary(
  axes: readonly AxisLetters[],
  extents: Extents,
  options: { base: number; pairing: 'half' | 'interleaved'; firstPosition: number },
): Operation {
  const { base, pairing, firstPosition } = options;
  const [tokens, width] = shapeOf(axes, extents).slice(-2);
  const half = width / 2;
  const partnerOf = (feature: number): number => {
    if (pairing === 'interleaved') return feature ^ 1;
    return feature < half ? feature + half : feature - half;
  };
  const pairOf = (feature: number): number =>
    pairing === 'interleaved' ? feature >> 1 : feature % half;
  const angles = Float64Array.from({ length: tokens * width }, (_, at) => {
    const feature = at % width;
    return (firstPosition + Math.floor(at / width)) * base ** ((-2 * pairOf(feature)) / width);
  });
  /** −1 for the first of a pair, +1 for the second: the sign of the partner's sine. */
  const signOf = (feature: number): number =>
    (pairing === 'interleaved' ? feature % 2 === 0 : feature < half) ? -1 : 1;
  const partnerOffset = (offset: number): number =>
    offset - (offset % width) + partnerOf(offset % width);
  const cosines = angles.map((angle) => Math.cos(angle));
  const sines = angles.map((angle, at) => signOf(at % width) * Math.sin(angle));
  const cosine = (offset: number): number => cosines[offset % angles.length];
  const sine = (offset: number): number => sines[offset % angles.length];
  const rotate = (input: Tensor, sign: 1 | -1): Tensor =>
    map(input, (value, at) => value * cosine(at) + sign * input.data[partnerOffset(at)] * sine(at));
  return {
    name: 'rotary embedding',
    summary:
      'Rotates pairs of features (a, a*) of a token by an angle θ that grows with its position.',
    forward: ([input]) => rotate(input, 1),
    // A rotation's transpose is the rotation back.
    vjp: (_, upstream) => [rotate(upstream, -1)],
    partial(_, _slot, outputOffset, inputOffset) {
      if (outputOffset === inputOffset) return cosine(outputOffset);
      return partnerOffset(outputOffset) === inputOffset ? sine(outputOffset) : 0;
    },
    reach: (_, _slot, inputOffset) =>
      [inputOffset, partnerOffset(inputOffset)].sort((a, b) => a - b),
    formula({ output, inputs: [input] }) {
      const { definitions, angle, sign } = rotation(axes, extents, options);
      const turn = (name: string): [Formula, Formula] => [
        product(call('cos', angle), symbol(name, axes)),
        product(sign, call('sin', angle), symbol(name, axes.map(partnerAxis))),
      ];
      const [along, across] = turn(input);
      const [upAlong, upAcross] = turn(`d${output}`);
      return {
        forward: equals(symbol(output, axes), where(plus(along, across), ...definitions)),
        backward: [
          accumulates(symbol(`d${input}`, axes), where(minus(upAlong, upAcross), ...definitions)),
        ],
      };
    },
  };
}

/** The angle θ of a token and feature, the sign σ of the partner's sine, and the partner a* of a feature. */
function rotation(
  axes: readonly AxisLetters[],
  extents: Extents,
  { base, pairing, firstPosition }: Parameters<typeof rotary>[2],
): { definitions: Formula[]; angle: Formula; sign: Formula } {
  const [[token], [feature]] = axes.slice(-2);
  const width = extents[feature];
  const own = position(feature);
  const isHalf = pairing === 'half';
  const parity = modulo(own, number(2));
  const pair = isHalf ? modulo(own, number(width / 2)) : call('floor', fraction(own, number(2)));
  const second = isHalf ? call('floor', fraction(own, number(width / 2))) : parity;
  const place =
    firstPosition === 0 ? position(token) : plus(number(firstPosition), position(token));
  const angle = symbol('θ', [[token], [feature]]);
  const sign = symbol('σ', [[feature]]);
  const frequency = power(number(base), fraction(product(number(-2), pair), number(width)));
  return {
    definitions: [
      equals(angle, product(place, frequency)),
      equals(sign, minus(product(number(2), second), number(1))),
      equals(
        position(`${feature}*`),
        isHalf
          ? modulo(plus(own, number(width / 2)), number(width))
          : minus(plus(own, number(1)), product(number(2), parity)),
      ),
    ],
    angle,
    sign,
  };
}
