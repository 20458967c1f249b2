// The sum of two tensors of one shape: a residual connection.
import type { AxisLetters } from '../axes.ts';
import { accumulates, equals, plus, symbol } from '../formula.ts';
import type { Operation } from '../operation.ts';
import { add } from '../tensor.ts';

/** out = a + b; both receive the upstream gradient as it is. */
export function addition(axes: readonly AxisLetters[], summary: string): Operation {
  return {
    name: 'residual',
    summary,
    forward: ([a, b]) => add(a, b),
    vjp: (_, upstream) => [upstream, upstream],
    partial: (_, _slot, outputOffset, inputOffset) => (outputOffset === inputOffset ? 1 : 0),
    reach: (_, _slot, inputOffset) => [inputOffset],
    formula: ({ output, inputs }) => ({
      forward: equals(symbol(output, axes), plus(...inputs.map((id) => symbol(id, axes)))),
      backward: inputs.map((id) => accumulates(symbol(`d${id}`, axes), symbol(`d${output}`, axes))),
    }),
  };
}
