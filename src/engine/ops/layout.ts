// Operations that move entries without computing: axes rearranged, earlier tokens put in front.
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
  equals,
  minus,
  number,
  plus,
  position,
  symbol,
  where,
  words,
} from '../formula.ts';
import type { Operation } from '../operation.ts';
import { sizeOf, type Tensor, zeros } from '../tensor.ts';

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
export const EARLIER = 'p';

export const earlierAxis = (
  axis: AxisLetters,
  n: number,
  all: readonly AxisLetters[],
): AxisLetters => (n === all.length - 2 ? [EARLIER] : axis);
