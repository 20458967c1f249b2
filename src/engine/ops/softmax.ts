// Softmax over one letter.
import {
  letterStrides,
  offsetTable,
  type AxisLetters,
  type Extents,
  type Letter,
} from '../axes.ts';
import { accumulates, call, equals, fraction, minus, product, sum, symbol } from '../formula.ts';
import type { Operation } from '../operation.ts';
import { zeros } from '../tensor.ts';

/**
 * P = exp(M) / sum over `over` of exp(M), computed with the row's maximum subtracted.
 * A row that is -inf throughout has no softmax; here it gives zeros, as in ONNX's reference and
 * torch._safe_softmax, and its gradient is zero.
 */
export function softmax(axes: readonly AxisLetters[], over: Letter, extents: Extents): Operation {
  const stride = letterStrides(axes, extents);
  const step = stride.get(over) ?? 1;
  const length = extents[over];
  const rows = offsetTable(
    axes.flat().filter((letter) => letter !== over),
    stride,
    extents,
  );
  /** The offset of the first entry of an offset's row. */
  const rowStart = (offset: number): number => offset - (Math.floor(offset / step) % length) * step;
  return {
    name: 'softmax',
    summary: 'Turns scores into weights that sum to 1 over the keys.',
    forward([logits]) {
      const out = zeros(logits.shape);
      for (const row of rows) {
        let max = -Infinity;
        for (let n = 0, at = row; n < length; n++, at += step) {
          // Math.max would do, but is slower; a NaN must not be lost either.
          if (logits.data[at] > max || Number.isNaN(logits.data[at])) max = logits.data[at];
          if (Number.isNaN(max)) break;
        }
        if (max === -Infinity) continue;
        let total = 0;
        for (let n = 0, at = row; n < length; n++, at += step) {
          const value = Math.exp(logits.data[at] - max);
          out.data[at] = value;
          total += value;
        }
        for (let n = 0, at = row; n < length; n++, at += step) out.data[at] /= total;
      }
      return out;
    },
    vjp({ output }, upstream) {
      const out = zeros(output.shape);
      for (const row of rows) {
        let dot = 0;
        for (let n = 0, at = row; n < length; n++, at += step) {
          // A weight of exactly 0 passes nothing on, whatever arrives (a masked value may be NaN).
          if (output.data[at] !== 0) dot += output.data[at] * upstream.data[at];
        }
        for (let n = 0, at = row; n < length; n++, at += step) {
          if (output.data[at] !== 0) out.data[at] = output.data[at] * (upstream.data[at] - dot);
        }
      }
      return [out];
    },
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
        max === -Infinity ? 0 : Math.exp(logits.data[at] - max),
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
