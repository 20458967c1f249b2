// Scores scaled by a number and by learned or given factors, of each head or query, then softcapped.
import { letterStrides, offsetTable, type AxisLetters, type Extents } from '../axes.ts';
import {
  accumulates,
  call,
  equals,
  type Formula,
  fraction,
  minus,
  number,
  power,
  product,
  sum,
  symbol,
} from '../formula.ts';
import type { Operation } from '../operation.ts';
import { map, type Tensor, zeros } from '../tensor.ts';

/**
 * Z = factor f_1 f_2 ... S, each f an operand after S with letters of S only; with a cap
 * Z = cap tanh(factor f_1 f_2 ... S / cap), whose slope is that of the inner product times 1 − (Z / cap)².
 */
export function scaledScores(
  axes: readonly AxisLetters[],
  by: readonly (readonly AxisLetters[])[],
  extents: Extents,
  { factor, cap }: { readonly factor: number; readonly cap?: number },
): Operation {
  const tables = by.map((own) => offsetTable(axes.flat(), letterStrides(own, extents), extents));
  /** The product of all factors, or of all but one. */
  const factorAt = (inputs: readonly Tensor[], at: number, without = -1): number =>
    tables.reduce(
      (total, table, n) => (n === without ? total : total * inputs[n + 1].data[table[at]]),
      factor,
    );
  const bent = (inner: number): number =>
    cap === undefined ? inner : cap * Math.tanh(inner / cap);
  const slope = (inner: number): number =>
    cap === undefined ? 1 : 1 - Math.tanh(inner / cap) ** 2;
  /** d Z / d operand at one entry of Z. */
  const slopeOf = (inputs: readonly Tensor[], slot: number, at: number): number => {
    const own = factorAt(inputs, at);
    const score = inputs[0].data[at];
    const outer = slope(own * score);
    return slot === 0 ? outer * own : outer * score * factorAt(inputs, at, slot - 1);
  };
  return {
    name: cap === undefined ? 'scale' : 'scale and softcap',
    summary:
      'Scales the scores by a number and by factors of their own for each head or query' +
      (cap === undefined ? '.' : ', and bends them smoothly into (−softcap, softcap).'),
    forward: (inputs) => map(inputs[0], (score, at) => bent(factorAt(inputs, at) * score)),
    vjp({ inputs }, upstream) {
      const toScores = map(upstream, (value, at) => value * slopeOf(inputs, 0, at));
      const others = tables.map((table, n) => {
        const out = zeros(inputs[n + 1].shape);
        for (let at = 0; at < table.length; at++)
          out.data[table[at]] += upstream.data[at] * slopeOf(inputs, n + 1, at);
        return out;
      });
      return [toScores, ...others];
    },
    partial({ inputs }, slot, outputOffset, inputOffset) {
      const own = slot === 0 ? outputOffset : tables[slot - 1][outputOffset];
      return own === inputOffset ? slopeOf(inputs, slot, outputOffset) : 0;
    },
    reach(_, slot, inputOffset) {
      if (slot === 0) return [inputOffset];
      const table = tables[slot - 1];
      return Array.from(table.keys()).filter((at) => table[at] === inputOffset);
    },
    formula({ output, inputs }) {
      const operands = inputs.map((id, n) => symbol(id, n === 0 ? axes : by[n - 1]));
      const factors = (without: number): Formula[] => [
        ...(factor === 1 ? [] : [number(factor)]),
        ...operands.filter((_, n) => n !== without),
      ];
      const inner = product(...factors(-1));
      const bend = call('tanh', fraction(inner, number(cap ?? 1)));
      const outer = cap === undefined ? [] : [minus(number(1), power(bend, number(2)))];
      return {
        forward: equals(
          symbol(output, axes),
          cap === undefined ? inner : product(number(cap), bend),
        ),
        backward: inputs.map((id, slot) => {
          const own = slot === 0 ? axes : by[slot - 1];
          const free = axes.flat().filter((letter) => !own.flat().includes(letter));
          const body = product(...factors(slot), ...outer, symbol(`d${output}`, axes));
          return accumulates(symbol(`d${id}`, own), sum(free, body));
        }),
      };
    },
  };
}
