// Output gate: what a head gives, times the sigmoid of a logit of its own.
import { letterStrides, offsetTable, type AxisLetters, type Extents } from '../axes.ts';
import { accumulates, call, equals, minus, number, product, sum, symbol } from '../formula.ts';
import type { Operation } from '../operation.ts';
import { map, zeros } from '../tensor.ts';

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

/**
 * out = O sigmoid(g) (Qiu et al. 2025, Gated Attention), g with letters of O only: of each entry, or of each head.
 * dO = upstream sigmoid(g), dg = sum of upstream O sigmoid(g) (1 − sigmoid(g)).
 */
export function gated(
  axes: readonly AxisLetters[],
  gateAxes: readonly AxisLetters[],
  extents: Extents,
): Operation {
  const table = offsetTable(axes.flat(), letterStrides(gateAxes, extents), extents);
  return {
    name: 'gate',
    summary: 'Lets through as much of each head as its gate, a sigmoid between 0 and 1, says.',
    forward: ([input, gate]) => map(input, (value, at) => value * sigmoid(gate.data[table[at]])),
    vjp({ inputs: [input, gate] }, upstream) {
      const toGate = zeros(gate.shape);
      for (let at = 0; at < table.length; at++) {
        const open = sigmoid(gate.data[table[at]]);
        toGate.data[table[at]] += upstream.data[at] * input.data[at] * open * (1 - open);
      }
      return [map(upstream, (value, at) => value * sigmoid(gate.data[table[at]])), toGate];
    },
    partial({ inputs: [input, gate] }, slot, outputOffset, inputOffset) {
      const open = sigmoid(gate.data[table[outputOffset]]);
      if (slot === 0) return outputOffset === inputOffset ? open : 0;
      return table[outputOffset] === inputOffset ? input.data[outputOffset] * open * (1 - open) : 0;
    },
    reach: (_, slot, inputOffset) =>
      slot === 0
        ? [inputOffset]
        : Array.from(table.keys()).filter((at) => table[at] === inputOffset),
    formula({ output, inputs: [input, gate] }) {
      const [own, logit] = [symbol(input, axes), symbol(gate, gateAxes)];
      const upstream = symbol(`d${output}`, axes);
      const open = call('sigmoid', logit);
      const free = axes.flat().filter((letter) => !gateAxes.flat().includes(letter));
      return {
        forward: equals(symbol(output, axes), product(own, open)),
        backward: [
          accumulates(symbol(`d${input}`, axes), product(upstream, open)),
          accumulates(
            symbol(`d${gate}`, gateAxes),
            sum(free, product(upstream, own, open, minus(number(1), open))),
          ),
        ],
      };
    },
  };
}
