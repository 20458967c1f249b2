// Functions of each entry that stand where none belongs: an activation, an absolute value, rounding.
import { entrywise } from '../operations.ts';
import type { Transform } from './transform.ts';

/** Abramowitz and Stegun 7.1.6: a series of positive terms only. */
function erf(x: number): number {
  if (Math.abs(x) > 6) return Math.sign(x);
  let term = x;
  let sum = x;
  for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(sum); n++) {
    term *= (2 * x * x) / (2 * n + 1);
    sum += term;
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
}

const normalDensity = (x: number): number => Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI);
const normal = (x: number): number => (1 + erf(x / Math.SQRT2)) / 2;
const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
const softplus = (x: number): number => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
const geluTanh = (x: number): number => Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3));

type Row = readonly [
  id: string,
  words: string,
  formula: (name: string) => string,
  value: (x: number) => number,
  slope: (x: number) => number,
  cost: number,
];

const call =
  (name: string) =>
  (operand: string): string =>
    `${name}(${operand})`;

const ROWS: readonly Row[] = [
  [
    'absolute-value',
    'has its absolute value taken: the signs are lost',
    call('abs'),
    Math.abs,
    Math.sign,
    1.4,
  ],
  [
    'relu',
    'goes through a ReLU: negative entries are 0',
    call('relu'),
    (x) => Math.max(0, x),
    (x) => Number(x > 0),
    1.4,
  ],
  [
    'leaky-relu',
    'goes through a leaky ReLU (slope 0.01)',
    call('leaky_relu'),
    (x) => (x > 0 ? x : 0.01 * x),
    (x) => (x > 0 ? 1 : 0.01),
    1.6,
  ],
  [
    'elu',
    'goes through an ELU activation',
    call('elu'),
    (x) => (x > 0 ? x : Math.expm1(x)),
    (x) => (x > 0 ? 1 : Math.exp(x)),
    1.6,
  ],
  [
    'elu-plus-one',
    'goes through ELU + 1 (the feature map of linear attention)',
    (n) => `elu(${n}) + 1`,
    (x) => (x > 0 ? x + 1 : Math.exp(x)),
    (x) => (x > 0 ? 1 : Math.exp(x)),
    1.6,
  ],
  [
    'gelu',
    'goes through a GELU activation',
    call('gelu'),
    (x) => x * normal(x),
    (x) => normal(x) + x * normalDensity(x),
    1.5,
  ],
  [
    'gelu',
    'goes through a GELU activation (tanh form)',
    call('gelu_tanh'),
    (x) => (x * (1 + geluTanh(x))) / 2,
    (x) => {
      const t = geluTanh(x);
      return (
        (1 + t) / 2 + (x * (1 - t * t) * Math.sqrt(2 / Math.PI) * (1 + 3 * 0.044715 * x * x)) / 2
      );
    },
    1.55,
  ],
  [
    'silu',
    'goes through a SiLU (swish) activation',
    call('silu'),
    (x) => x * sigmoid(x),
    (x) => sigmoid(x) * (1 + x * (1 - sigmoid(x))),
    1.5,
  ],
  [
    'tanh',
    'goes through a tanh activation',
    call('tanh'),
    Math.tanh,
    (x) => 1 - Math.tanh(x) ** 2,
    1.4,
  ],
  [
    'sigmoid',
    'goes through a sigmoid',
    call('sigmoid'),
    sigmoid,
    (x) => sigmoid(x) * (1 - sigmoid(x)),
    1.4,
  ],
  ['softplus', 'goes through a softplus', call('softplus'), softplus, sigmoid, 1.6],
  ['squared', 'is squared entry by entry', (n) => `${n}²`, (x) => x * x, (x) => 2 * x, 1.4],
  [
    'square-root',
    'has its square root taken',
    call('sqrt'),
    Math.sqrt,
    (x) => 0.5 / Math.sqrt(x),
    1.5,
  ],
  ['exponential', 'is exponentiated: exp of every entry', call('exp'), Math.exp, Math.exp, 1.5],
  ['logarithm', 'has its logarithm taken', call('log'), Math.log, (x) => 1 / x, 1.5],
  [
    'reciprocal',
    'is inverted entry by entry',
    (n) => `1 / ${n}`,
    (x) => 1 / x,
    (x) => -1 / (x * x),
    1.6,
  ],
  [
    'one-minus',
    'is subtracted from 1 (its complement)',
    (n) => `1 − ${n}`,
    (x) => 1 - x,
    () => -1,
    1.5,
  ],
  [
    'truncated-to-integers',
    'is cut to whole numbers (cast to int)',
    call('trunc'),
    Math.trunc,
    () => 0,
    1.4,
  ],
  [
    'rounded-to-integers',
    'is rounded to whole numbers',
    call('round'),
    (x) => (2 * Math.round(x / 2) === x ? x : Math.round(x)),
    () => 0,
    1.5,
  ],
  [
    'rounded-to-integers',
    'is rounded down to whole numbers',
    call('floor'),
    Math.floor,
    () => 0,
    1.5,
  ],
  [
    'clipped',
    'is clipped to 0 … 1',
    (n) => `clip(${n}, 0, 1)`,
    (x) => Math.min(1, Math.max(0, x)),
    (x) => Number(x > 0 && x < 1),
    1.6,
  ],
  [
    'clipped',
    'is clipped to −1 … 1',
    (n) => `clip(${n}, −1, 1)`,
    (x) => Math.min(1, Math.max(-1, x)),
    (x) => Number(Math.abs(x) < 1),
    1.5,
  ],
  ['sign-only', 'has only its signs left', call('sign'), Math.sign, () => 0, 1.6],
];

export const FUNCTIONS: readonly Transform[] = ROWS.map(
  ([id, words, formula, value, slope, cost]) => ({
    ...{ id, title: (name: string) => `${name} ${words}`, formula, cost, isLinear: false },
    operation: entrywise(value, slope),
  }),
);
