// Differential attention: one softmax's weights less a share of the other's, and that share.
import {
  letterStrides,
  offsetTable,
  type AxisLetters,
  type Extents,
  type Letter,
} from '../axes.ts';
import {
  accumulates,
  atIndex,
  call,
  equals,
  type Formula,
  minus,
  number,
  plus,
  position,
  product,
  sum,
  symbol,
} from '../formula.ts';
import type { Operation } from '../operation.ts';
import { map, scalar, type Tensor, zeros } from '../tensor.ts';

/** The softmaxes of a pair, 0 and 1. */
export const PAIR: Letter = 's';

/**
 * A = P[s = 0] − λ P[s = 1], λ the second operand, a scalar (Ye et al. 2024, Differential Transformer, eq. 1).
 * dP[s = 0] = dA, dP[s = 1] = −λ dA, dλ = −sum dA P[s = 1].
 */
export function difference(
  axes: readonly AxisLetters[],
  from: readonly AxisLetters[],
  extents: Extents,
): Operation {
  const stride = letterStrides(from, extents);
  const first = offsetTable(axes.flat(), stride, extents);
  const step = stride.get(PAIR)!;
  return {
    name: 'difference',
    summary:
      'Takes from the weights of one softmax λ times those of another: what both see alike goes.',
    forward([weights, { data: lambda }]) {
      const out = new Float64Array(first.length);
      for (let at = 0; at < out.length; at++)
        out[at] = weights.data[first[at]] - lambda[0] * weights.data[first[at] + step];
      return {
        shape: axes.map((axis) => axis.reduce((n, letter) => n * extents[letter], 1)),
        data: out,
      };
    },
    vjp({ inputs: [weights, { data: lambda }] }, upstream) {
      const toWeights = zeros(weights.shape);
      let toLambda = 0;
      for (let at = 0; at < first.length; at++) {
        const own = upstream.data[at];
        toWeights.data[first[at]] = own;
        toWeights.data[first[at] + step] = -lambda[0] * own;
        toLambda -= own * weights.data[first[at] + step];
      }
      return [toWeights, scalar(toLambda)];
    },
    partial({ inputs: [weights, { data: lambda }] }, slot, outputOffset, inputOffset) {
      const own = first[outputOffset];
      if (slot === 1) return -weights.data[own + step];
      if (inputOffset === own) return 1;
      return inputOffset === own + step ? -lambda[0] : 0;
    },
    reach: (_, slot, inputOffset) =>
      slot === 1
        ? Array.from(first.keys())
        : Array.from(first.keys()).filter(
            (at) => first[at] === inputOffset || first[at] + step === inputOffset,
          ),
    formula({ output, inputs: [weights, lambda] }) {
      const all = symbol(weights, from);
      const one = (n: number): Formula => atIndex(PAIR, number(n), all);
      const upstream = symbol(`d${output}`, axes);
      const which = position(PAIR);
      // 1 of the first, −λ of the second.
      const share = minus(minus(number(1), which), product(symbol(lambda), which));
      return {
        forward: equals(symbol(output, axes), minus(one(0), product(symbol(lambda), one(1)))),
        backward: [
          accumulates(symbol(`d${weights}`, from), product(upstream, share)),
          accumulates(
            symbol(`d${lambda}`),
            product(number(-1), sum(axes.flat(), product(upstream, one(1)))),
          ),
        ],
      };
    },
  };
}

/** The operands of λ, in order. */
export const LAMBDA_WEIGHTS = ['lambda_q1', 'lambda_k1', 'lambda_q2', 'lambda_k2'] as const;

/**
 * λ = exp(λ_q1 · λ_k1) − exp(λ_q2 · λ_k2) + λ_init (Ye et al. 2024, eq. 2). dλ_q1 = dλ exp(λ_q1 · λ_k1) λ_k1, and the
 * second pair with a minus.
 */
export function reparametrised(axes: readonly AxisLetters[], initial: number): Operation {
  const letters = axes.flat();
  const dot = (a: Tensor, b: Tensor): number =>
    a.data.reduce((total, value, n) => total + value * b.data[n], 0);
  const grown = (inputs: readonly Tensor[], pair: number): number =>
    Math.exp(dot(inputs[2 * pair], inputs[2 * pair + 1]));
  /** d λ / d operand: exp of its pair's product times its partner. */
  const slope = (inputs: readonly Tensor[], slot: number): Tensor => {
    const pair = slot < 2 ? 0 : 1;
    const factor = (pair === 0 ? 1 : -1) * grown(inputs, pair);
    return map(inputs[slot ^ 1], (value) => factor * value);
  };
  return {
    name: 'reparametrised λ',
    summary: 'The share of the second softmax that is taken away, by four learned vectors.',
    forward: (inputs) => scalar(grown(inputs, 0) - grown(inputs, 1) + initial),
    vjp: ({ inputs }, { data: [upstream] }) =>
      inputs.map((_, slot) => map(slope(inputs, slot), (value) => upstream * value)),
    partial: ({ inputs }, slot, _, inputOffset) => slope(inputs, slot).data[inputOffset],
    reach: () => [0],
    formula({ output, inputs }) {
      const own = inputs.map((id) => symbol(id, axes));
      const exp = (pair: number): Formula =>
        call('exp', sum(letters, product(own[2 * pair], own[2 * pair + 1])));
      const upstream = symbol(`d${output}`);
      return {
        forward: equals(symbol(output), plus(minus(exp(0), exp(1)), number(initial))),
        backward: inputs.map((id, slot) => {
          const pair = slot < 2 ? 0 : 1;
          const sign = pair === 0 ? [] : [number(-1)];
          return accumulates(
            symbol(`d${id}`, axes),
            product(...sign, upstream, exp(pair), own[slot ^ 1]),
          );
        }),
      };
    },
  };
}
