// RMS norm and layer norm over one or several letters, with learned gains and biases.
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
  fraction,
  minus,
  number,
  plus,
  power,
  product,
  sum,
  symbol,
  where,
} from '../formula.ts';
import type { Names, Operation, OperationFormula } from '../operation.ts';
import { type Tensor, zeros } from '../tensor.ts';

export interface Normalisation {
  /** `rms`: x / sqrt(mean(x²) + eps) · `layer`: (x − mean) / sqrt(variance + eps) */
  readonly kind: 'rms' | 'layer';
  readonly eps: number;
  /** The gain is 1 + the learned one, as in Gemma. */
  readonly unitOffset?: boolean;
}

export interface NormAxes {
  readonly axes: readonly AxisLetters[];
  /** What the mean is taken over. */
  readonly over: readonly Letter[];
  /** Of the learned gains, the second operand; null where there are none. */
  readonly gain: readonly AxisLetters[] | null;
  /** Of the learned biases, the last operand. */
  readonly bias: readonly AxisLetters[] | null;
}

/** What one entry of a row is normalised to, and by what: x̂ = (x − mean) inverse. */
interface Normalised {
  readonly hat: Float64Array;
  /** 1 / sqrt(mean square + eps), by row. */
  readonly inverse: Float64Array;
}

/**
 * out = gain x̂ + bias, x̂ = x / sqrt(mean(x²) + eps) (Zhang and Sennrich 2019, RMSNorm) or
 * (x − mean) / sqrt(mean((x − mean)²) + eps) (Ba et al. 2016, layer norm). With g = gain · upstream,
 * dx = (g − x̂ mean(g x̂)) / sqrt(...), and for layer norm less mean(g).
 */
export function normalise(layout: NormAxes, extents: Extents, own: Normalisation): Operation {
  const { axes, over } = layout;
  const stride = letterStrides(axes, extents);
  const letters = axes.flat();
  const table = (some: readonly Letter[]): Int32Array => offsetTable(some, stride, extents);
  const starts = table(letters.filter((letter) => !over.includes(letter)));
  const steps = table(letters.filter((letter) => over.includes(letter)));
  /** Of each entry, the offset of its gain or bias. */
  const parameterOf = (parameter: readonly AxisLetters[] | null): Int32Array | null =>
    parameter && offsetTable(letters, letterStrides(parameter, extents), extents);
  const [gainOf, biasOf] = [parameterOf(layout.gain), parameterOf(layout.bias)];
  const [gainSlot, biasSlot] = [1, layout.gain ? 2 : 1];
  const gainAt = (inputs: readonly Tensor[], at: number): number =>
    gainOf ? inputs[gainSlot].data[gainOf[at]] + (own.unitOffset ? 1 : 0) : 1;
  const isCentred = own.kind === 'layer';
  const count = steps.length;

  const known = new WeakMap<Tensor, Normalised>();
  const normalised = (input: Tensor): Normalised => {
    const cached = known.get(input);
    if (cached) return cached;
    const made = {
      hat: new Float64Array(input.data.length),
      inverse: new Float64Array(starts.length),
    };
    starts.forEach((start, row) => {
      let mean = 0;
      if (isCentred) for (const step of steps) mean += input.data[start + step] / count;
      let square = 0;
      for (const step of steps) square += (input.data[start + step] - mean) ** 2;
      const inverse = 1 / Math.sqrt(square / count + own.eps);
      made.inverse[row] = inverse;
      for (const step of steps)
        made.hat[start + step] = (input.data[start + step] - mean) * inverse;
    });
    known.set(input, made);
    return made;
  };
  let rows: Int32Array | undefined;
  const rowOf = (at: number): number => {
    if (!rows) {
      rows = new Int32Array(starts.length * count);
      for (const [row, start] of starts.entries())
        for (const step of steps) rows[start + step] = row;
    }
    return rows[at];
  };

  const largestHat = (hat: Float64Array, start: number): number =>
    steps.reduce((most, step) => Math.max(most, Math.abs(hat[start + step])), 1);

  /** A parameter's gradient: what each of its entries multiplies, summed. */
  const gathered = (
    of: Int32Array,
    shape: readonly number[],
    term: (at: number) => number,
  ): Tensor => {
    const out = zeros(shape);
    for (let at = 0; at < of.length; at++) out.data[of[at]] += term(at);
    return out;
  };
  const backToInput = (inputs: readonly Tensor[], upstream: Tensor): Tensor => {
    const { hat, inverse } = normalised(inputs[0]);
    const out = zeros(inputs[0].shape);
    starts.forEach((start, row) => {
      let [mean, along] = [0, 0];
      for (const step of steps) {
        const g = gainAt(inputs, start + step) * upstream.data[start + step];
        if (isCentred) mean += g / count;
        along += (g * hat[start + step]) / count;
      }
      for (const step of steps) {
        const at = start + step;
        const g = gainAt(inputs, at) * upstream.data[at];
        out.data[at] = (g - mean - hat[at] * along) * inverse[row];
      }
    });
    return out;
  };

  return {
    name: isCentred ? 'layer norm' : 'RMS norm',
    summary: isCentred
      ? 'Takes the mean away and divides by the standard deviation.'
      : 'Divides by the root of the mean square, so that only the direction is left.',
    forward(inputs) {
      const { hat } = normalised(inputs[0]);
      const out = zeros(inputs[0].shape);
      for (let at = 0; at < hat.length; at++)
        out.data[at] =
          gainAt(inputs, at) * hat[at] + (biasOf ? inputs[biasSlot].data[biasOf[at]] : 0);
      return out;
    },
    vjp({ inputs }, upstream) {
      const { hat } = normalised(inputs[0]);
      const parts = [backToInput(inputs, upstream)];
      if (gainOf)
        parts.push(gathered(gainOf, inputs[gainSlot].shape, (at) => upstream.data[at] * hat[at]));
      if (biasOf) parts.push(gathered(biasOf, inputs[biasSlot].shape, (at) => upstream.data[at]));
      return parts;
    },
    cancelled({ inputs }, slot, upstream) {
      const { hat, inverse } = normalised(inputs[0]);
      const isInput = slot === 0;
      let [largest, along] = [0, 0];
      for (const [row, start] of starts.entries()) {
        let [size, mean, mixed] = [0, 0, 0];
        for (const step of steps) {
          const at = start + step;
          const gain = slot === gainSlot ? 1 : Math.abs(gainAt(inputs, at));
          const g = slot === null ? gain : gain * Math.abs(upstream.data[at]);
          // What the mean is taken away from; without one only the sums of the backward pass cancel.
          const taken = isCentred ? Math.abs(inputs[0].data[at]) * inverse[row] : 0;
          size = Math.max(size, isInput ? g : g * taken);
          mean += g / count;
          mixed += (g * Math.max(Math.abs(hat[at]), isInput ? taken : 0)) / count;
        }
        const all = isInput ? (size + mean + mixed * largestHat(hat, start)) * inverse[row] : size;
        largest = Math.max(largest, all);
        along += 1;
      }
      if (slot === null || isInput) return largest;
      return slot === gainSlot && gainOf ? largest * Math.sqrt(along) : 0;
    },
    partial({ inputs }, slot, outputOffset, inputOffset) {
      const { hat, inverse } = normalised(inputs[0]);
      if (slot === gainSlot && gainOf)
        return gainOf[outputOffset] === inputOffset ? hat[outputOffset] : 0;
      if (slot > 0) return biasOf![outputOffset] === inputOffset ? 1 : 0;
      const row = rowOf(outputOffset);
      if (row !== rowOf(inputOffset)) return 0;
      const delta = outputOffset === inputOffset ? 1 : 0;
      const shared = (isCentred ? 1 : 0) + hat[outputOffset] * hat[inputOffset];
      return gainAt(inputs, outputOffset) * inverse[row] * (delta - shared / count);
    },
    reach(_, slot, inputOffset) {
      const of = slot === gainSlot && gainOf ? gainOf : biasOf;
      if (slot > 0) return Array.from(of!.keys()).filter((at) => of![at] === inputOffset);
      const start = starts[rowOf(inputOffset)];
      return Array.from(steps, (step) => start + step).sort((a, b) => a - b);
    },
    worked({ inputs: [input] }, outputOffset) {
      const start = starts[rowOf(outputOffset)];
      const offsets = Array.from(steps, (step) => start + step);
      const values = offsets.map((at) => input.data[at]);
      const mean = isCentred ? values.reduce((total, each) => total + each / count, 0) : 0;
      const squares = values.map((value) => (value - mean) ** 2);
      return {
        columns: isCentred ? ['· − mean', 'squared'] : ['squared'],
        rows: offsets.map((offset, n) => ({
          offset,
          value: values[n],
          numbers: isCentred ? [values[n] - mean, squares[n]] : [squares[n]],
        })),
        summary: {
          name: 'sum of squares',
          value: squares.reduce((total, each) => total + each, 0),
        },
      };
    },
    formula: (names) => formulaOf(layout, count, own, names),
  };
}

/** The letters of a sum inside another formula of the same letters. */
const primed = (axes: readonly AxisLetters[], over: readonly Letter[]): AxisLetters[] =>
  axes.map((axis) => axis.map((letter) => (over.includes(letter) ? `${letter}′` : letter)));

function formulaOf(
  { axes, over, gain, bias }: NormAxes,
  count: number,
  { kind, eps, unitOffset }: Normalisation,
  { output, inputs }: Names,
): OperationFormula {
  const isCentred = kind === 'layer';
  const rows = axes.flat().filter((letter) => !over.includes(letter));
  const ofRow = (name: string): Formula =>
    symbol(
      name,
      rows.map((letter) => [letter]),
    );
  const [mean, root] = [ofRow('μ'), ofRow('σ')];
  const own = (name: string, at: readonly AxisLetters[], isSummed: boolean): Formula =>
    symbol(name, isSummed ? primed(at, over) : at);
  const average = (body: Formula): Formula =>
    fraction(
      sum(
        over.map((letter) => `${letter}′`),
        body,
      ),
      number(count),
    );
  const centred = (isSummed: boolean): Formula => {
    const x = own(inputs[0], axes, isSummed);
    return isCentred ? minus(x, mean) : x;
  };
  const learned = (isSummed: boolean): Formula[] => {
    if (!gain) return [];
    const each = own(inputs[1], gain, isSummed);
    return [unitOffset ? plus(number(1), each) : each];
  };
  const upstream = (isSummed: boolean): Formula => own(`d${output}`, axes, isSummed);
  const scaled = (isSummed: boolean): Formula => product(...learned(isSummed), upstream(isSummed));
  const missing = (from: readonly AxisLetters[]): Letter[] =>
    axes.flat().filter((letter) => !from.flat().includes(letter));
  const definitions = [
    ...(isCentred ? [equals(mean, average(own(inputs[0], axes, true)))] : []),
    equals(root, call('sqrt', plus(average(power(centred(true), number(2))), number(eps)))),
  ];
  const hat = fraction(centred(false), root);
  const along = average(product(scaled(true), centred(true)));
  const shared = fraction(product(centred(false), along), power(root, number(2)));
  const direct = isCentred ? minus(scaled(false), average(scaled(true))) : scaled(false);
  const biasSlot = gain ? 2 : 1;
  const receives = (slot: number, at: readonly AxisLetters[], body: Formula): Formula =>
    accumulates(symbol(`d${inputs[slot]}`, at), where(body, ...definitions));
  return {
    forward: equals(
      symbol(output, axes),
      where(
        plus(
          gain ? product(...learned(false), hat) : hat,
          ...(bias ? [symbol(inputs[biasSlot], bias)] : []),
        ),
        ...definitions,
      ),
    ),
    backward: [
      receives(0, axes, fraction(minus(direct, shared), root)),
      ...(gain ? [receives(1, gain, sum(missing(gain), product(upstream(false), hat)))] : []),
      ...(bias
        ? [accumulates(symbol(`d${inputs[biasSlot]}`, bias), sum(missing(bias), upstream(false)))]
        : []),
    ],
  };
}
