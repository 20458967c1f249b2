// f as a mathjs expression of y: a function of sums of elementwise terms, differentiated by the chain rule.
import type { MathNode } from 'mathjs';
import { derivative } from '../differentiate.ts';
import type { Formula } from '../formula.ts';
import type { Tensor } from '../tensor.ts';
import {
  call,
  compiled,
  type Dual,
  type Leaves,
  parsed,
  quoted,
  reductions,
  refuse,
  times,
} from './expression.ts';
import { formulaOf } from './expressionFormula.ts';
import type { ScalarFunction } from './loss.ts';

type Constants = Readonly<Record<string, Tensor>>;

const knownNumbers: ReadonlyMap<string, number> = new Map([
  ['pi', Math.PI],
  ['tau', 2 * Math.PI],
  ['e', Math.E],
]);

/** An entry of y, where a term is evaluated. */
interface Entry {
  readonly y: Dual;
  readonly offset: number;
}

/** The sums over the entries, where what stands outside of them is evaluated. */
interface Sums {
  readonly sums: readonly Dual[];
  /** Number of entries of y. */
  readonly entries: number;
}

type Term = (at: Entry) => Dual;

const fixed = (value: number): (() => Dual) => {
  const dual = { value, slope: 0 };
  return () => dual;
};

/** A scalar constant or a known number; undefined for anything else. Throws ConfigError for unknown names. */
function numberNamed(name: string, constants: Constants): (() => Dual) | undefined {
  if (Object.hasOwn(constants, name)) {
    const { shape, data } = constants[name];
    return shape.length === 0 ? fixed(data[0]) : undefined;
  }
  const known = knownNumbers.get(name);
  if (known !== undefined) return fixed(known);
  if (name === 'y') return undefined;
  const names = ['y', ...Object.keys(constants), ...knownNumbers.keys()].join(', ');
  return refuse(`found the name ${name}; known are ${names}`);
}

/** All names that stand for one number. */
function numbersOf(constants: Constants): Map<string, number> {
  const own = Object.entries(constants).filter(([, { shape }]) => shape.length === 0);
  return new Map([...knownNumbers, ...own.map(([name, { data }]) => [name, data[0]] as const)]);
}

function termOf(node: MathNode, constants: Constants): Term {
  return compiled<Entry>(node, {
    symbol(name) {
      const number = numberNamed(name, constants);
      if (number) return number;
      if (name === 'y') return ({ y }) => y;
      const { data } = constants[name];
      return ({ offset }) => ({ value: data[offset], slope: 0 });
    },
    reduction: (_, inner) => refuse(`found a sum inside a sum: ${quoted(inner)}`),
  });
}

/**
 * f = F(s_1, s_2, ...) with s_k = sum over the entries of y of g_k; df/dy = sum over k of dF/ds_k g_k'(y).
 * `sum`, `mean`, `dot(a, b)` and `norm(a)` may stand anywhere but inside each other. `constants` are numbers
 * (shape []) or tensors of y's shape. Throws ConfigError for anything else.
 */
export function expressionLoss(expression: string, constants: Constants): ScalarFunction {
  const root = parsed(expression);
  const terms: Term[] = [];
  const outside: Leaves<Sums> = {
    symbol: (name) =>
      numberNamed(name, constants) ??
      refuse(
        `${quoted(expression)} is not one number: ${name} stands outside of ${[...reductions.keys()].join(', ')}`,
      ),
    reduction(name, { args }) {
      const [a, b = a] = args.map((arg) => termOf(arg, constants));
      const place = terms.length;
      if (name === 'sum' || name === 'mean') terms.push(a);
      else {
        terms.push((at) => {
          const [left, right] = [a(at), b(at)];
          const slope = times(left.slope, right.value) + times(right.slope, left.value);
          return { value: left.value * right.value, slope };
        });
      }
      if (name === 'norm') return ({ sums }) => call('sqrt', sums[place]);
      if (name !== 'mean') return ({ sums }) => sums[place];
      return ({ sums, entries }) => {
        const { value, slope } = sums[place];
        return { value: value / entries, slope: slope / entries };
      };
    },
  };
  const combine = compiled(root, outside);

  const entry = ({ data }: Tensor, offset: number): Entry => ({
    y: { value: data[offset], slope: 1 },
    offset,
  });
  const totals = (y: Tensor): number[] =>
    terms.map((term) =>
      y.data.reduce((total, _, offset) => total + term(entry(y, offset)).value, 0),
    );
  /** F, and its slope by one of the sums. */
  const combined = (y: Tensor, values: readonly number[], by?: number): Dual =>
    combine({
      sums: values.map((value, k) => ({ value, slope: k === by ? 1 : 0 })),
      entries: y.data.length,
    });
  const known = new WeakMap<Tensor, Float64Array>();
  return {
    name: 'expression',
    summary: `f = ${expression}, with its exact derivative.`,
    value: (y) => combined(y, totals(y)).value,
    gradient: (y) => {
      const cached = known.get(y);
      if (cached) return cached;
      const values = totals(y);
      const weights = terms.map((_, k) => combined(y, values, k).slope);
      const gradient = y.data.map((_, offset) =>
        // At y = 0 the slope of a norm is 0 * infinity: 0 is its smallest subgradient, as in PyTorch.
        terms.reduce(
          (total, term, k) => total + times(weights[k], term(entry(y, offset)).slope),
          0,
        ),
      );
      known.set(y, gradient);
      return gradient;
    },
    formula: (y, axes) => {
      const value = formulaOf(root, { y, axes, numbers: numbersOf(constants) });
      return { value, gradient: derivative(value, (y as Formula & { kind: 'symbol' }).name) };
    },
    given: Object.fromEntries(
      Object.entries(constants).filter(([, { shape }]) => shape.length > 0),
    ),
  };
}
