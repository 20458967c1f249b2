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
import type { Operand } from '../evaluate.ts';
import type { ComposedMask } from '../heads/mask.ts';
import type { MaskFormula } from '../heads/maskParts.ts';
import type { Application, Operation } from '../operation.ts';
import { largestMagnitude, map, type Tensor, times, zeros } from '../tensor.ts';
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
  readonly given?: () => Readonly<Record<string, Operand>>;
  /** Where the slope is a difference: the largest of its terms. */
  readonly steepest?: number;
  /** The slope as a formula; null where it is 1. */
  readonly derivative: ((input: Formula) => Formula) | null;
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
    ...(own.steepest !== undefined && {
      cancelled: (_: Application, slot: number | null, upstream: Tensor) =>
        slot === null ? 0 : own.steepest! * largestMagnitude(upstream),
    }),
    formula: ({ output, inputs: [input] }) => ({
      forward: equals(symbol(output, axes), own.forward(symbol(input, axes))),
      backward: [
        accumulates(
          symbol(`d${input}`, axes),
          own.derivative
            ? product(own.derivative(symbol(input, axes)), symbol(`d${output}`, axes))
            : symbol(`d${output}`, axes),
        ),
      ],
      // As large as the operand, and asked for by few.
      get given() {
        return own.given?.() ?? {};
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
    steepest: Math.abs(factor),
    forward: (input) => product(number(cap), inner(input)),
    derivative: (input) =>
      product(number(factor), minus(number(1), power(inner(input), number(2)))),
  });
}

/**
 * M = Z + mask; an entry that is -inf in `mask` is cut off: its value is -inf and its gradient 0. `parts`, of which the
 * mask is made, are what its formulas show and its remarks name.
 */
export function addMask(
  axes: readonly AxisLetters[],
  mask: Mask,
  parts?: Pick<ComposedMask, 'parts' | 'hiddenBy'>,
): Operation {
  const at = isBand(mask) ? inBand(mask) : (offset: number): number => mask.data[offset];
  const masked = (offset: number): boolean => at(offset) === -Infinity;
  const operation = elementwise(axes, {
    name: 'mask',
    summary: 'Adds the mask: −∞ where a query may not see a key.',
    value: (input, offset) => (masked(offset) ? -Infinity : input + at(offset)),
    slope: (_input, offset) => (masked(offset) ? 0 : 1),
    values: (input) => withMask(input, mask),
    back: (upstream) => withoutHidden(upstream, mask),
    forward: (input) => plus(input, symbol('mask', axes)),
    derivative: () => symbol('seen', axes),
    given: () => ({ mask: { axes, tensor: maskTensor(mask) }, seen: seenOf(axes, mask) }),
    ...(parts?.parts && partFormulas(axes, mask, parts.parts)),
  });
  return parts
    ? { ...operation, remark: (offset) => hiddenWords(parts.hiddenBy(offset)) }
    : operation;
}

function hiddenWords(names: readonly string[]): string | null {
  if (names.length === 0) return null;
  const all = [...new Set(names)];
  return `Hidden here by: ${all.join(', ')}.`;
}

const seenOf = (axes: readonly AxisLetters[], mask: Mask): Operand => ({
  axes,
  tensor: map(maskTensor(mask), (value) => Number(value !== -Infinity)),
});

function partFormulas(
  axes: readonly AxisLetters[],
  mask: Mask,
  parts: readonly MaskFormula[],
): Pick<Elementwise, 'forward' | 'derivative' | 'given'> {
  const of = (how: MaskFormula['how']): Formula[] =>
    parts.flatMap((part) => (part.how === how ? [part.formula] : []));
  const hidden = of('hide');
  const given = Object.assign({}, ...parts.map((part) => part.given)) as MaskFormula['given'];
  // A given mask may have −∞ of its own, which no formula tells.
  const isOpen = parts.some(
    (part) =>
      part.how === 'add' && Object.values(part.given).some(({ tensor }) => hasHidden(tensor)),
  );
  return {
    forward: (input) =>
      plus(
        of('subtract').reduce(minus, input),
        ...of('add'),
        ...hidden.map((condition) => call('hide', condition)),
      ),
    derivative: isOpen
      ? () => symbol('seen', axes)
      : hidden.length > 0
        ? () => product(...hidden.map((condition) => call('not', condition)))
        : null,
    given: () => ({ ...given, ...(isOpen && { seen: seenOf(axes, mask) }) }),
  };
}

const hasHidden = ({ data }: Tensor): boolean => data.includes(-Infinity);

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
    given: () => ({ keep: { axes, tensor: map(keep, (value) => Number(value !== 0)) } }),
  });
}
