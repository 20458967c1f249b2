// Softmax over one letter.
import { letterStrides, type AxisLetters, type Extents, type Letter } from '../axes.ts';
import { exponential } from '../exponential.ts';
import { accumulates, call, equals, fraction, minus, product, sum, symbol } from '../formula.ts';
import type { Operation } from '../operation.ts';
import { passedBack, weightsOf } from './softmaxRows.ts';

/**
 * P = exp(M) / sum over `over` of exp(M), computed with the row's maximum subtracted.
 * A row that is -inf throughout has no softmax; here it gives zeros, as in ONNX's reference and
 * torch._safe_softmax, and its gradient is zero.
 */
export function softmax(axes: readonly AxisLetters[], over: Letter, extents: Extents): Operation {
  const stride = letterStrides(axes, extents);
  const step = stride.get(over) ?? 1;
  const length = extents[over];
  const rows = { step, length };
  /** The offset of the first entry of an offset's row. */
  const rowStart = (offset: number): number => offset - (Math.floor(offset / step) % length) * step;
  return {
    name: 'softmax',
    summary: 'Turns scores into weights that sum to 1 over the keys.',
    forward: ([logits]) => ({ shape: logits.shape, data: weightsOf(logits.data, rows) }),
    vjp: ({ output }, upstream) => [
      { shape: output.shape, data: passedBack(output.data, upstream.data, rows) },
    ],
    partial({ output }, _slot, outputOffset, inputOffset) {
      if (rowStart(outputOffset) !== rowStart(inputOffset)) return 0;
      const delta = outputOffset === inputOffset ? 1 : 0;
      return output.data[outputOffset] * (delta - output.data[inputOffset]);
    },
    reach({ output }, _slot, inputOffset) {
      // A weight of exactly 0 (a masked key) neither depends on another nor moves one.
      if (output.data[inputOffset] === 0) return [];
      const start = rowStart(inputOffset);
      const row = Array.from({ length }, (_each, n) => start + n * step);
      return row.filter((offset) => output.data[offset] !== 0);
    },
    worked({ inputs: [logits], output }, outputOffset) {
      const start = rowStart(outputOffset);
      const offsets = Array.from({ length }, (_each, n) => start + n * step);
      const max = Math.max(...offsets.map((at) => logits.data[at]));
      const exponentials = offsets.map((at) =>
        max === -Infinity ? 0 : exponential(logits.data[at] - max),
      );
      return {
        columns: ['exp(· − max)', '÷ sum'],
        rows: offsets.map((offset, n) => ({
          offset,
          value: logits.data[offset],
          numbers: [exponentials[n], output.data[offset]],
        })),
        summary: {
          name: 'sum of exp',
          value: exponentials.reduce((total, each) => total + each, 0),
        },
      };
    },
    formula({ output, inputs: [input] }) {
      const other = 'l';
      const renamed = axes.map((axis) => axis.map((letter) => (letter === over ? other : letter)));
      const upstream = symbol(`d${output}`, renamed);
      return {
        forward: equals(
          symbol(output, axes),
          fraction(
            call('exp', symbol(input, axes)),
            sum([other], call('exp', symbol(input, renamed))),
          ),
        ),
        backward: [
          accumulates(
            symbol(`d${input}`, axes),
            sum(
              [other],
              product(
                upstream,
                symbol(output, renamed),
                minus(symbol('δ', [[other], [over]]), symbol(output, axes)),
              ),
            ),
          ),
        ],
      };
    },
  };
}
