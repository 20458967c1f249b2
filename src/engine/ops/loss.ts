// The scalar f of the output y: half squared norm, given upstream gradient, half squared error.
import type { AxisLetters } from '../axes.ts';
import {
  equals,
  accumulates,
  type Formula,
  minus,
  number,
  power,
  product,
  sum,
  symbol,
} from '../formula.ts';
import type { Operation } from '../operation.ts';
import { scalar, type Tensor, times } from '../tensor.ts';

export interface ScalarFunction {
  readonly name: string;
  readonly summary: string;
  value(y: Tensor): number;
  /** df/dy at every entry. */
  gradient(y: Tensor): Float64Array;
  /** The numbers on the way from each entry of y to f: what is added up is the last. */
  readonly columns?: readonly string[];
  numbers?(y: number, offset: number): readonly number[];
  /** What its formulas speak of beside y, in y's shape or a number each. */
  readonly given?: Readonly<Record<string, Tensor>>;
  /** f and df/dy as formulas of y's symbol. */
  formula(y: Formula, axes: readonly AxisLetters[]): { value: Formula; gradient: Formula };
}

/** A node f = own(y); its upstream gradient df/df is 1. */
export function loss(axes: readonly AxisLetters[], own: ScalarFunction): Operation {
  return {
    name: own.name,
    summary: own.summary,
    forward: ([y]) => scalar(own.value(y)),
    vjp: ({ inputs: [y] }, upstream) => [
      times(upstream.data[0], { shape: y.shape, data: own.gradient(y) }),
    ],
    partial: ({ inputs: [y] }, _slot, _outputOffset, inputOffset) => own.gradient(y)[inputOffset],
    reach: () => [0],
    ...(own.columns && own.numbers
      ? {
          worked: ({ inputs: [y], output }) => ({
            columns: own.columns!,
            rows: Array.from(y.data, (value, offset) => ({
              offset,
              value,
              numbers: own.numbers!(value, offset),
            })),
            summary: { name: 'f, the sum', value: output.data[0] },
          }),
        }
      : {}),
    formula: ({ output, inputs: [input] }) => {
      const { value, gradient } = own.formula(symbol(input, axes), axes);
      return {
        forward: equals(symbol(output), value),
        backward: [accumulates(symbol(`d${input}`, axes), gradient)],
        given: Object.fromEntries(
          Object.entries(own.given ?? {}).map(([name, tensor]) => [
            name,
            { axes: tensor.shape.length === 0 ? [] : axes, tensor },
          ]),
        ),
      };
    },
  };
}

/** A loop: run on every entry, and Float64Array's own reduce is several times slower. */
function dot(a: Float64Array, b: Float64Array): number {
  let total = 0;
  for (let at = 0; at < a.length; at++) total += a[at] * b[at];
  return total;
}

const square = (inner: Formula): Formula => power(inner, number(2));

export const halfSquaredNorm: ScalarFunction = {
  name: 'half squared norm',
  summary: 'Half the squared norm of y; its gradient is y itself.',
  value: ({ data }) => dot(data, data) / 2,
  gradient: ({ data }) => data,
  columns: ['½ y²'],
  numbers: (y) => [(y * y) / 2],
  formula: (y, axes) => ({ value: product(number(0.5), sum(axes.flat(), square(y))), gradient: y }),
};

export function weightedSum(G: Tensor): ScalarFunction {
  return {
    name: 'given upstream gradient',
    summary: 'The sum of y weighted by a given G; its gradient is G.',
    value: ({ data }) => dot(G.data, data),
    gradient: () => G.data,
    columns: ['G', 'G y'],
    numbers: (y, offset) => [G.data[offset], G.data[offset] * y],
    given: { G },
    formula: (y, axes) => ({
      value: sum(axes.flat(), product(symbol('G', axes), y)),
      gradient: symbol('G', axes),
    }),
  };
}

export function halfSquaredError(T: Tensor): ScalarFunction {
  return {
    name: 'half squared error',
    summary: 'Half the squared distance of y from a target; its gradient is y minus the target.',
    value: ({ data }) =>
      data.reduce((total, value, at) => total + (value - T.data[at]) ** 2, 0) / 2,
    gradient: ({ data }) => data.map((value, at) => value - T.data[at]),
    columns: ['target', 'y − target', '½ (y − target)²'],
    numbers: (y, offset) => {
      const error = y - T.data[offset];
      return [T.data[offset], error, error ** 2 / 2];
    },
    given: { target: T },
    formula: (y, axes) => {
      const error = minus(y, symbol('target', axes));
      return { value: product(number(0.5), sum(axes.flat(), square(error))), gradient: error };
    },
  };
}
