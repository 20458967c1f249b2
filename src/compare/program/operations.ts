// Operations that a mistaken program has in place of the right ones, each with its vector-Jacobian product.
import {
  type AxisLetters,
  type Extents,
  type Letter,
  letterStrides,
  offsetTable,
} from '../../engine/axes.ts';
import { map, type Tensor, zeros } from '../../engine/tensor.ts';
import { pick } from '../align/layouts.ts';
import type { StepOperation } from './program.ts';

/** The operand as it is. */
export const identity: StepOperation = {
  name: 'identity',
  forward: ([input]) => input,
  vjp: (_, upstream) => [upstream],
};

/** Entries by a table of source offsets; an offset of -1 gives 0. */
export function gather(table: Int32Array, shape: readonly number[]): StepOperation {
  return {
    name: 'gather',
    forward: ([input]) => ({ shape, data: pick(input.data, table) }),
    vjp({ inputs: [input] }, upstream) {
      const out = zeros(input.shape);
      table.forEach((offset, at) => {
        if (offset >= 0) out.data[offset] += upstream.data[at];
      });
      return [out];
    },
  };
}

/** The same entries laid down in another order of letters and read as if in the node's own. */
export function permutationTable(
  axes: readonly AxisLetters[],
  order: readonly Letter[],
  extents: Extents,
): Int32Array {
  return offsetTable(order, letterStrides(axes, extents), extents);
}

/** An operation of each entry, with its slope. */
export function entrywise(
  value: (input: number, at: number) => number,
  slope: (input: number, at: number) => number,
): StepOperation {
  return {
    name: 'entrywise',
    forward: ([input]) => map(input, value),
    vjp: ({ inputs: [input] }, upstream) => [
      map(upstream, (each, at) => {
        const own = slope(input.data[at], at);
        return own === 0 ? 0 : each * own;
      }),
    ],
  };
}

export const times = (factor: number): StepOperation =>
  entrywise(
    (input) => factor * input,
    () => factor,
  );

/** `inner`, then `outer` of its result. */
export function after(inner: StepOperation, outer: StepOperation): StepOperation {
  return {
    // Sums stay sums for the simulation of rounding.
    name: inner.name,
    forward: (inputs) => outer.forward([inner.forward(inputs)]),
    vjp({ inputs, output }, upstream) {
      const middle = inner.forward(inputs);
      const [back] = outer.vjp({ inputs: [middle], output }, upstream);
      return inner.vjp({ inputs, output: middle }, back);
    },
  };
}

/** `change` of one operand, then `operation`. */
export function onOperand(
  operation: StepOperation,
  slot: number,
  change: StepOperation,
): StepOperation {
  const changed = (inputs: readonly Tensor[]): Tensor[] =>
    inputs.map((input, n) => (n === slot ? change.forward([input]) : input));
  return {
    name: operation.name,
    forward: (inputs) => operation.forward(changed(inputs)),
    vjp({ inputs, output }, upstream) {
      const own = changed(inputs);
      const parts = operation.vjp({ inputs: own, output }, upstream);
      return parts.map((part, n) =>
        n === slot ? change.vjp({ inputs: [inputs[slot]], output: own[slot] }, part)[0] : part,
      );
    },
  };
}

/** Offsets of each group of entries that differ only in `letters`, the first of them the slowest. */
export function fibres(
  axes: readonly AxisLetters[],
  letters: readonly Letter[],
  extents: Extents,
): { starts: Int32Array; steps: Int32Array } {
  const strides = letterStrides(axes, extents);
  const own = axes.flat();
  const rest = own.filter((letter) => !letters.includes(letter));
  return {
    starts: offsetTable(rest, strides, extents),
    steps: offsetTable(
      letters.filter((letter) => own.includes(letter)),
      strides,
      extents,
    ),
  };
}

/** The first entries of the rows (fibres along the keys) in which every score is hidden. */
export const blindStarts = (
  { starts, steps }: ReturnType<typeof fibres>,
  logits: Tensor,
): Int32Array =>
  starts.filter((start) => steps.every((step) => logits.data[start + step] === -Infinity));

/** A softmax that is 0/0 = NaN where all that it sums is hidden. */
export function notANumber(own: StepOperation, rows: ReturnType<typeof fibres>): StepOperation {
  return {
    ...own,
    forward(inputs) {
      const out = own.forward(inputs);
      for (const start of blindStarts(rows, inputs[0]))
        for (const step of rows.steps) out.data[start + step] = NaN;
      return out;
    },
  };
}

/** weights ∘ other; a weight of 0 hides what is infinite. */
export const weigh = (weights: Tensor, { data }: Tensor): Tensor =>
  map(weights, (w, at) => (w === 0 ? 0 : w * data[at]));
