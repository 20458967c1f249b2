// Softmax over one letter.
import {
  letterStrides,
  offsetTable,
  type AxisLetters,
  type Extents,
  type Letter,
} from '../axes.ts';
import {
  accumulates,
  call,
  equals,
  type Formula,
  formatNumber,
  fraction,
  minus,
  number,
  plus,
  product,
  sum,
  symbol,
} from '../formula.ts';
import type { Names, Operation, OperationFormula } from '../operation.ts';
import { type Tensor, zeros } from '../tensor.ts';
import { passedBack, weightsOf } from './softmaxRows.ts';

/** What stands in the denominator beside the keys: exp(0), or exp of a learned logit with these axes. */
export type Sink = 'one' | readonly AxisLetters[];

const SUMMARIES = {
  none: 'Turns scores into weights that sum to 1 over the keys.',
  one: 'Turns scores into weights that sum to less than 1: the denominator has a 1 beside the keys.',
  learned:
    'Turns scores into weights; a learned sink of each head takes its share and gives nothing.',
} as const;

/**
 * P = exp(M) / sum over `over` of exp(M), computed with the row's maximum subtracted; with a sink s, the second operand,
 * P = exp(M) / (exp(s) + sum of exp(M)) (Xiao et al. 2023, gpt-oss; s = 0 is Miller's softmax plus one).
 * A row that is -inf throughout has no softmax; here it gives zeros, as in ONNX's reference and
 * torch._safe_softmax, and its gradient is zero.
 */
export function softmax(
  axes: readonly AxisLetters[],
  over: Letter,
  extents: Extents,
  sink: Sink | null = null,
): Operation {
  const stride = letterStrides(axes, extents);
  const step = stride.get(over) ?? 1;
  const length = extents[over];
  const letters = axes.flat().filter((letter) => letter !== over);
  const rows = offsetTable(letters, stride, extents);
  const alone = { step, length };
  const isLearned = sink !== null && sink !== 'one';
  /** Of each row, the offset of its sink. */
  const sinkOf = isLearned ? offsetTable(letters, letterStrides(sink, extents), extents) : null;
  const sinkAt = (inputs: readonly Tensor[], row: number): number => {
    if (sinkOf) return inputs[1].data[sinkOf[row]];
    return sink === 'one' ? 0 : -Infinity;
  };
  /** The offset of the first entry of an offset's row, and the row's number. */
  const rowStart = (offset: number): number => offset - (Math.floor(offset / step) % length) * step;
  const rowOf = (offset: number): number =>
    Math.floor(offset / (step * length)) * step + (offset % step);
  const offsetsFrom = (start: number): number[] =>
    Array.from({ length }, (_, n) => start + n * step);
  /** What is left for the sink: 1 less all weights of the row. */
  const shareOfSink = (inputs: readonly Tensor[], row: number): number => {
    const logit = sinkAt(inputs, row);
    const { data } = inputs[0];
    const max = Math.max(logit, ...offsetsFrom(rows[row]).map((at) => data[at]));
    let total = Math.exp(logit - max);
    for (let n = 0, at = rows[row]; n < length; n++, at += step) total += Math.exp(data[at] - max);
    return Math.exp(logit - max) / total;
  };
  return {
    name: sink === null ? 'softmax' : sink === 'one' ? 'softmax plus one' : 'softmax with sinks',
    summary: SUMMARIES[sink === null ? 'none' : sink === 'one' ? 'one' : 'learned'],
    forward(inputs) {
      const [logits] = inputs;
      if (sink === null) return { shape: logits.shape, data: weightsOf(logits.data, alone) };
      const out = zeros(logits.shape);
      for (let row = 0; row < rows.length; row++) {
        const extra = sinkAt(inputs, row);
        let max = extra;
        for (let n = 0, at = rows[row]; n < length; n++, at += step) {
          // Math.max would do, but is slower; a NaN must not be lost either.
          if (logits.data[at] > max || Number.isNaN(logits.data[at])) max = logits.data[at];
          if (Number.isNaN(max)) break;
        }
        if (max === -Infinity) continue;
        let total = Math.exp(extra - max);
        for (let n = 0, at = rows[row]; n < length; n++, at += step) {
          const value = Math.exp(logits.data[at] - max);
          out.data[at] = value;
          total += value;
        }
        for (let n = 0, at = rows[row]; n < length; n++, at += step) out.data[at] /= total;
      }
      return out;
    },
    vjp({ inputs, output }, upstream) {
      if (sinkOf === null)
        return [{ shape: output.shape, data: passedBack(output.data, upstream.data, alone) }];
      const out = zeros(output.shape);
      const ofSink = zeros(inputs[1].shape);
      for (let row = 0; row < rows.length; row++) {
        let dot = 0;
        for (let n = 0, at = rows[row]; n < length; n++, at += step) {
          // A weight of exactly 0 passes nothing on, whatever arrives (a masked value may be NaN).
          if (output.data[at] !== 0) dot += output.data[at] * upstream.data[at];
        }
        for (let n = 0, at = rows[row]; n < length; n++, at += step) {
          if (output.data[at] !== 0) out.data[at] = output.data[at] * (upstream.data[at] - dot);
        }
        if (dot !== 0) ofSink.data[sinkOf[row]] -= shareOfSink(inputs, row) * dot;
      }
      return [out, ofSink];
    },
    partial({ inputs, output }, slot, outputOffset, inputOffset) {
      if (slot === 1) {
        const row = rowOf(outputOffset);
        if (sinkOf?.[row] !== inputOffset || output.data[outputOffset] === 0) return 0;
        return -output.data[outputOffset] * shareOfSink(inputs, row);
      }
      if (rowStart(outputOffset) !== rowStart(inputOffset)) return 0;
      const delta = outputOffset === inputOffset ? 1 : 0;
      return output.data[outputOffset] * (delta - output.data[inputOffset]);
    },
    reach({ output }, slot, inputOffset) {
      if (slot === 1)
        return Array.from(output.data.keys()).filter(
          (at) => sinkOf?.[rowOf(at)] === inputOffset && output.data[at] !== 0,
        );
      // A weight of exactly 0 (a masked key) neither depends on another nor moves one.
      if (output.data[inputOffset] === 0) return [];
      return offsetsFrom(rowStart(inputOffset)).filter((offset) => output.data[offset] !== 0);
    },
    worked({ inputs, output }, outputOffset) {
      const offsets = offsetsFrom(rowStart(outputOffset));
      const { data } = inputs[0];
      const extra = sinkAt(inputs, rowOf(outputOffset));
      const max = Math.max(extra, ...offsets.map((at) => data[at]));
      const exp = (logit: number): number => (max === -Infinity ? 0 : Math.exp(logit - max));
      const exponentials = offsets.map((at) => exp(data[at]));
      return {
        columns: ['exp(· − max)', '÷ sum'],
        rows: offsets.map((offset, n) => ({
          offset,
          value: data[offset],
          numbers: [exponentials[n], output.data[offset]],
        })),
        summary: {
          name:
            sink === null
              ? 'sum of exp'
              : `sum of exp, with ${formatNumber(exp(extra))} of the sink`,
          value: exponentials.reduce((total, each) => total + each, exp(extra)),
        },
      };
    },
    formula: (names) => formulaOf(axes, over, sink, names),
  };
}

function formulaOf(
  axes: readonly AxisLetters[],
  over: Letter,
  sink: Sink | null,
  { output, inputs }: Names,
): OperationFormula {
  const other = 'l';
  const renamed = axes.map((axis) => axis.map((letter) => (letter === over ? other : letter)));
  const [input, learned] = inputs;
  const upstream = symbol(`d${output}`, renamed);
  const total = sum([other], call('exp', symbol(input, renamed)));
  const sinks = learned === undefined || sink === 'one' ? [] : [symbol(learned, sink ?? [])];
  const beside = sink === 'one' ? [number(1)] : sinks.map((each) => call('exp', each));
  const toSink = (own: Formula): Formula => {
    const free = axes
      .flat()
      .filter((letter) => !(sink as readonly AxisLetters[]).flat().includes(letter));
    const left = minus(sum([other], symbol(output, renamed)), number(1));
    const body = product(symbol(`d${output}`, axes), symbol(output, axes), left);
    return accumulates({ ...own, name: `d${learned}` } as Formula, sum(free, body));
  };
  return {
    forward: equals(
      symbol(output, axes),
      fraction(call('exp', symbol(input, axes)), plus(...beside, total)),
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
      ...sinks.map(toSink),
    ],
  };
}
