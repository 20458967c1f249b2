// Keys or values put around those of the new tokens: of earlier tokens before, a learned one or zeros behind.
import { letterStrides, offsetTable, shapeOf, type AxisLetters, type Extents } from '../axes.ts';
import {
  accumulates,
  atIndex,
  atMost,
  equals,
  type Formula,
  minus,
  number,
  plus,
  position,
  product,
  sum,
  symbol,
  where,
  words,
} from '../formula.ts';
import type { Operation } from '../operation.ts';
import { type Tensor, zeros } from '../tensor.ts';
import { EARLIER } from './layout.ts';

export interface Around {
  /** Of earlier tokens, given: no gradient. */
  readonly before?: Tensor;
  /** What formulas call those. */
  readonly name?: string;
  /** Axes of the learned one, the second operand. */
  readonly learned?: readonly AxisLetters[];
  /** One of zeros at the end. */
  readonly zero: boolean;
}

/** Where no entry of an operand stands. */
const NONE = -1;

/**
 * Along the last axis but one: earlier tokens, the operand's own, the learned one (bias_k and bias_v of PyTorch's
 * MultiheadAttention), zeros (its add_zero_attn). `axes` are the result's, `sourceAxes` the operand's.
 */
export function extend(
  axes: readonly AxisLetters[],
  sourceAxes: readonly AxisLetters[],
  extents: Extents,
  { before, name = 'past', learned, zero }: Around,
): Operation {
  const shape = shapeOf(axes, extents);
  const [tokens, width] = shape.slice(-2);
  const own = shapeOf(sourceAxes, extents).at(-2)!;
  const earlier = before?.shape.at(-2) ?? 0;
  const size = shape.reduce((a, b) => a * b, 1);
  const learnedAt = learned && offsetTable(axes.flat(), letterStrides(learned, extents), extents);
  /** For each entry of the result: its offset in the operand, in the learned one, in the earlier ones. */
  const tables = [0, 1, 2].map(() => new Int32Array(size).fill(NONE));
  for (let at = 0; at < size; at++) {
    const token = Math.floor(at / width) % tokens;
    const [block, feature] = [Math.floor(at / (width * tokens)), at % width];
    if (token < earlier) tables[2][at] = (block * earlier + token) * width + feature;
    else if (token < earlier + own)
      tables[0][at] = (block * own + token - earlier) * width + feature;
    else if (learnedAt && token === earlier + own) tables[1][at] = learnedAt[at];
  }
  return {
    name: zero ? 'append zeros' : 'append',
    summary: 'Puts what belongs to no new token beside them: earlier tokens, a learned one, zeros.',
    forward(inputs) {
      const out = zeros(shape);
      const sources = [inputs[0], inputs[1], before];
      for (const [n, table] of tables.entries()) {
        const data = sources[n]?.data;
        if (data)
          for (let at = 0; at < size; at++) if (table[at] !== NONE) out.data[at] = data[table[at]];
      }
      return out;
    },
    vjp: ({ inputs }, upstream) =>
      inputs.map(({ shape: to }, slot) => {
        const out = zeros(to);
        const table = tables[slot];
        for (let at = 0; at < size; at++)
          if (table[at] !== NONE) out.data[table[at]] += upstream.data[at];
        return out;
      }),
    partial: (_, slot, outputOffset, inputOffset) =>
      tables[slot][outputOffset] === inputOffset ? 1 : 0,
    reach: (_, slot, inputOffset) =>
      Array.from(tables[slot].keys()).filter((at) => tables[slot][at] === inputOffset),
    formula({ output, inputs: [input, second] }) {
      const [token] = axes[axes.length - 2];
      const [fresh] = sourceAxes[sourceAxes.length - 2];
      const upstream = symbol(`d${output}`, axes);
      const place = position(token);
      const from = (count: number): Formula => (count === 0 ? place : minus(place, number(count)));
      const ofEarlier = axes.map((axis, n) => (n === axes.length - 2 ? [EARLIER] : axis));
      const parts = [
        ...(before ? [atIndex(EARLIER, place, symbol(name, ofEarlier))] : []),
        atIndex(fresh, from(earlier), symbol(input, sourceAxes)),
      ];
      const back = plus(position(fresh), ...(earlier === 0 ? [] : [number(earlier)]));
      const backward = [
        accumulates(symbol(`d${input}`, sourceAxes), atIndex(token, back, upstream)),
      ];
      if (second && learned) {
        const behind = number(earlier + own);
        const isThere = product(atMost(behind, place), atMost(place, behind));
        parts.push(product(isThere, symbol(second, learned)));
        const free = axes
          .flat()
          .filter((letter) => letter !== token && !learned.flat().includes(letter));
        backward.push(
          accumulates(symbol(`d${second}`, learned), sum(free, atIndex(token, behind, upstream))),
        );
      }
      return {
        forward: equals(symbol(output, axes), where(plus(...parts), words('absent entries are 0'))),
        backward,
        ...(before ? { given: { [name]: { axes: ofEarlier, tensor: before } } } : {}),
      };
    },
  };
}
