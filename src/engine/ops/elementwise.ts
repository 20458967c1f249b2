// Operations that act on each entry alone: scale, softcap, dropout, masks.
import type { AxisLetters } from '../axes.ts';
import {
  accumulates,
  call,
  equals,
  type Formula,
  fraction,
  number,
  plus,
  power,
  product,
  minus,
  symbol,
} from '../formula.ts';
import type { Operation } from '../operation.ts';
import { map, type Tensor, times, zeros } from '../tensor.ts';
import { inBand, isBand, type Mask, maskTensor, withMask, withoutHidden } from './masking.ts';

interface Elementwise {
  readonly name: string;
  readonly summary: string;
  readonly value: (input: number, offset: number) => number;
  /** d output / d input at one entry. */
  readonly slope: (input: number, offset: number) => number;
  readonly forward: (input: Formula) => Formula;
  /** All entries at once, with the same bits as one by one. */
  readonly values?: (input: Tensor) => Tensor;
  readonly back?: (upstream: Tensor) => Tensor;
  /** Tensors that both formulas speak of. */
  readonly given?: () => Readonly<Record<string, Tensor>>;
  /** The slope as a formula. */
  readonly derivative: (input: Formula) => Formula;
}

function elementwise(axes: readonly AxisLetters[], own: Elementwise): Operation {
  return {
    name: own.name,
    summary: own.summary,
    forward: ([input]) => own.values?.(input) ?? map(input, own.value),
    vjp: ({ inputs: [input] }, upstream) => [
      own.back?.(upstream) ??
        map(upstream, (value, offset) => {
          const slope = own.slope(input.data[offset], offset);
          // 0 * NaN is NaN, but where the slope is 0 nothing upstream can reach the input.
          return slope === 0 ? 0 : value * slope;
        }),
    ],
    partial: ({ inputs: [input] }, _slot, outputOffset, inputOffset) =>
      outputOffset === inputOffset ? own.slope(input.data[inputOffset], inputOffset) : 0,
    // Where the slope is 0 (masked, dropped) nothing depends on the input.
    reach: ({ inputs: [input] }, _slot, inputOffset) =>
      own.slope(input.data[inputOffset], inputOffset) === 0 ? [] : [inputOffset],
    formula: ({ output, inputs: [input] }) => ({
      forward: equals(symbol(output, axes), own.forward(symbol(input, axes))),
      backward: [
        accumulates(
          symbol(`d${input}`, axes),
          product(own.derivative(symbol(input, axes)), symbol(`d${output}`, axes)),
        ),
      ],
      // As large as the operand, and asked for by few.
      get given() {
        const tensors = Object.entries(own.given?.() ?? {});
        return Object.fromEntries(tensors.map(([name, tensor]) => [name, { axes, tensor }]));
      },
    }),
  };
}

/** Z = factor * S. */
export function scale(axes: readonly AxisLetters[], factor: number): Operation {
  return elementwise(axes, {
    name: 'scale',
    summary: 'Scales the scores, so that their size does not grow with the width of the keys.',
    value: (input) => factor * input,
    slope: () => factor,
    values: (input) => times(factor, input),
    back: (upstream) => (factor === 0 ? zeros(upstream.shape) : times(factor, upstream)),
    forward: (input) => product(number(factor), input),
    derivative: () => number(factor),
  });
}

/** Z = cap * tanh(factor * S / cap); its slope is factor * (1 - (Z / cap)^2). */
export function scaleAndSoftcap(
  axes: readonly AxisLetters[],
  factor: number,
  cap: number,
): Operation {
  const inner = (input: Formula): Formula =>
    call('tanh', fraction(product(number(factor), input), number(cap)));
  return elementwise(axes, {
    name: 'scale and softcap',
    summary: 'Scales the scores and bends them smoothly into (−softcap, softcap).',
    value: (input) => cap * Math.tanh((factor * input) / cap),
    slope: (input) => factor * (1 - Math.tanh((factor * input) / cap) ** 2),
    forward: (input) => product(number(cap), inner(input)),
    derivative: (input) =>
      product(number(factor), minus(number(1), power(inner(input), number(2)))),
  });
}

/** M = Z + mask; an entry that is -inf in `mask` is cut off: its value is -inf and its gradient 0. */
export function addMask(axes: readonly AxisLetters[], mask: Mask): Operation {
  const at = isBand(mask) ? inBand(mask) : (offset: number): number => mask.data[offset];
  const masked = (offset: number): boolean => at(offset) === -Infinity;
  return elementwise(axes, {
    name: 'mask',
    summary: 'Adds the mask: −∞ where a query may not see a key.',
    value: (input, offset) => (masked(offset) ? -Infinity : input + at(offset)),
    slope: (_input, offset) => (masked(offset) ? 0 : 1),
    values: (input) => withMask(input, mask),
    back: (upstream) => withoutHidden(upstream, mask),
    forward: (input) => plus(input, symbol('mask', axes)),
    derivative: () => symbol('seen', axes),
    given: () => {
      const whole = maskTensor(mask);
      return { mask: whole, seen: map(whole, (value) => Number(value !== -Infinity)) };
    },
  });
}

/** Pd = P * keep / (1 - p), keep being 0 or 1 per entry. */
export function dropout(axes: readonly AxisLetters[], keep: Tensor, p: number): Operation {
  const factor = (offset: number): number => (keep.data[offset] === 0 ? 0 : 1 / (1 - p));
  return elementwise(axes, {
    name: 'dropout',
    summary:
      'Drops the weights that the keep-mask does not keep and scales the others by 1 / (1 − p).',
    value: (input, offset) => input * factor(offset),
    slope: (_input, offset) => factor(offset),
    forward: (input) => product(input, symbol('keep', axes), number(1 / (1 - p))),
    derivative: () => product(number(1 / (1 - p)), symbol('keep', axes)),
    given: () => ({ keep: map(keep, (value) => Number(value !== 0)) }),
  });
}
