// What can go wrong in one place of a formula: every operator that changes a sub-formula into another.
import {
  call,
  type Formula,
  fraction,
  minus,
  number,
  plus,
  power,
  product,
} from '../../engine/formula.ts';
import { replacedAt } from '../../engine/lists.ts';
import { renamed } from '../../engine/where.ts';
import type { Operator, Variation } from './mistake.ts';
import { axes, group, index, layout, loop, partOf, reduction, sink } from './sumOperators.ts';
import { named, negative, oneOf, without } from './words.ts';

const TWO = number(2);

const operand: Operator = {
  name: 'operand',
  cost: 1,
  *apply(formula, scope) {
    if (formula.kind !== 'symbol') return;
    for (const is of scope.like(formula)) {
      const isGradient = named(is).startsWith('d') === formula.name.startsWith('d');
      const say = `${named(is)} stands in the place of ${formula.name}`;
      yield { is, say, cost: isGradient ? 0 : 0.2 };
    }
  },
};

/** P[i,j] for P[j,i]: two axes of one length exchanged. */
const transposed: Operator = {
  name: 'transposed',
  cost: 1.1,
  *apply(formula, scope) {
    if (formula.kind !== 'symbol') return;
    const letters = formula.indices.flat();
    for (let a = 0; a < letters.length; a++) {
      for (let b = a + 1; b < letters.length; b++) {
        const [one, other] = [letters[a], letters[b]];
        if (scope.length(one) !== scope.length(other) || (scope.length(one) ?? 1) < 2) continue;
        const names = new Map([
          [one, other],
          [other, one],
        ]);
        yield {
          is: renamed(formula, names),
          say: `${formula.name} is transposed (${one} and ${other})`,
        };
      }
    }
  },
};

const drop: Operator = {
  name: 'left-out',
  cost: 1,
  *apply(formula) {
    const left = (is: Formula, what: Formula, as: string, cost = 0): Variation => ({
      is,
      say: `the ${as} ${named(what)} is left out`,
      cost,
    });
    switch (formula.kind) {
      case 'product':
        for (const [n, each] of formula.factors.entries())
          yield left(oneOf(without(formula.factors, n)), each, 'factor');
        return;
      case 'add':
        for (const [n, each] of formula.terms.entries())
          yield left(plus(...without(formula.terms, n)), each, 'term');
        return;
      case 'subtract':
        yield left(formula.left, formula.right, 'term');
        yield {
          is: formula.right,
          say: `${named(formula.left)} − before ${named(formula.right)} is left out`,
          cost: 0.1,
        };
        yield left(negative(formula.right), formula.left, 'term', 0.2);
        return;
      case 'fraction':
        yield left(formula.top, formula.bottom, 'division by');
        return;
      case 'call':
        if (CONDITIONS.has(formula.name)) return;
        yield { is: formula.argument, say: `${formula.name} is left out` };
        return;
      case 'power':
        yield { is: formula.base, say: `the power ${named(formula.exponent)} is left out` };
        return;
      default:
    }
  },
};

const sign: Operator = {
  name: 'sign',
  cost: 1,
  *apply(formula) {
    const say = (what: Formula): string => `the sign of ${named(what)} is wrong`;
    switch (formula.kind) {
      case 'subtract': {
        yield { is: plus(formula.left, formula.right), say: say(formula.right) };
        const is = minus(formula.right, formula.left);
        yield { is, say: `${named(formula)} is the wrong way round` };
        return;
      }
      case 'add':
        for (const [n, each] of formula.terms.entries())
          yield { is: plus(...replacedAt(formula.terms, n, negative(each))), say: say(each) };
        return;
      case 'call':
        yield { is: call(formula.name, negative(formula.argument)), say: say(formula.argument) };
        return;
      case 'symbol':
      case 'sum':
        yield { is: negative(formula), say: say(formula) };
        return;
      default:
    }
  },
};

/** Another tensor multiplied or added where nothing more belongs. */
const extra: Operator = {
  name: 'extra',
  cost: 1.35,
  *apply(formula, scope) {
    if (formula.kind !== 'symbol') return;
    for (const other of scope.like(formula)) {
      const name = named(other);
      yield { is: product(formula, other), say: `${formula.name} is multiplied by ${name}` };
      yield { is: plus(formula, other), say: `${name} is added to ${formula.name}` };
    }
  },
};

const inverse: Operator = {
  name: 'inverse',
  cost: 1.1,
  *apply(formula) {
    if (formula.kind === 'fraction') {
      const { top, bottom } = formula;
      yield { is: product(top, bottom), say: `multiplied by ${named(bottom)} instead of divided` };
      yield { is: fraction(bottom, top), say: `${named(formula)} is upside down`, cost: 0.2 };
    }
    if (formula.kind === 'number' && formula.value !== 0 && Math.abs(formula.value) !== 1)
      yield { is: number(1 / formula.value), say: `1 / ${named(formula)} in its place` };
    if (formula.kind !== 'product') return;
    for (const [n, each] of formula.factors.entries()) {
      const rest = oneOf(without(formula.factors, n));
      const isNumber = each.kind === 'number';
      const is = fraction(rest, each);
      yield {
        is,
        say: `divided by ${named(each)} instead of multiplied`,
        cost: isNumber ? 0 : 0.3,
      };
    }
  },
};

/** Something done twice, a product for a sum, and what multiplies a bracket only one part of it. */
const arithmetic: Operator = {
  name: 'arithmetic',
  cost: 1.2,
  *apply(formula) {
    switch (formula.kind) {
      case 'product':
        for (const each of formula.factors)
          yield {
            is: product(...formula.factors, each),
            say: `the factor ${named(each)} stands twice`,
          };
        yield {
          is: plus(...formula.factors),
          say: `${named(formula)} is added, not multiplied`,
          cost: 0.3,
        };
        yield* spread(formula.factors);
        return;
      case 'subtract': {
        const { left, right } = formula;
        yield { is: product(left, right), say: `${named(formula)} is multiplied`, cost: 0.3 };
        yield { is: minus(left, product(TWO, right)), say: `${named(right)} is subtracted twice` };
        return;
      }
      case 'add':
        yield { is: product(...formula.terms), say: `${named(formula)} is multiplied`, cost: 0.3 };
        for (const each of formula.terms)
          yield { is: plus(...formula.terms, each), say: `${named(each)} is added twice` };
        return;
      default:
    }
  },
};

/** a (b − c) as a b − c, and as b − a c. */
function* spread(factors: readonly Formula[]): Generator<Variation> {
  for (const [n, each] of factors.entries()) {
    if (each.kind !== 'subtract') continue;
    const rest = without(factors, n);
    const { left, right } = each;
    const say = (over: Formula): string => `${named(oneOf(rest))} multiplies only ${named(over)}`;
    yield { is: minus(product(...rest, left), right), say: say(left) };
    yield { is: minus(left, product(...rest, right)), say: say(right) };
  }
}

const CONDITIONS = new Set(['hide', 'not']);

const FUNCTIONS = ['exp', 'log', 'tanh', 'sqrt', 'abs', 'relu', 'sin', 'cos'] as const;

const wrapped: Operator = {
  name: 'function',
  cost: 1.5,
  *apply(formula) {
    // What hides a score is no function of it; another mask may stand there.
    if (formula.kind === 'call' && CONDITIONS.has(formula.name)) return;
    if (formula.kind === 'call') {
      for (const name of FUNCTIONS)
        if (name !== formula.name)
          yield {
            is: call(name, formula.argument),
            say: `${name} in the place of ${formula.name}`,
            cost: -0.2,
          };
      yield { is: call(formula.name, formula), say: `${formula.name} is taken twice`, cost: -0.3 };
      if (formula.name === 'exp') {
        const is = call('exp', product(number(Math.LN2), formula.argument));
        yield { is, say: 'powers of 2 in the place of exp', cost: -0.4 };
      }
      if (formula.name === 'log') {
        const is = fraction(formula, number(Math.LN2));
        yield { is, say: 'log2 in the place of log', cost: -0.4 };
      }
    }
    if (formula.kind === 'power') {
      const say = `abs of ${named(formula.base)} in the place of its power`;
      yield { is: call('abs', formula.base), say, cost: -0.2 };
      return;
    }
    if (formula.kind === 'number') return;
    const isTensor = formula.kind === 'symbol';
    if (
      !isTensor &&
      formula.kind !== 'sum' &&
      formula.kind !== 'subtract' &&
      formula.kind !== 'call'
    )
      return;
    yield { is: power(formula, TWO), say: `${named(formula)} is squared`, cost: -0.3 };
    yield { is: fraction(number(1), formula), say: `1 / ${named(formula)} in its place` };
    for (const name of FUNCTIONS)
      yield { is: call(name, formula), say: `${name} of ${named(formula)}` };
  },
};

const factor: Operator = {
  name: 'factor',
  cost: 1.2,
  *apply(formula, scope) {
    if (formula.kind === 'number' || formula.kind === 'hole') return;
    if (formula.kind === 'relation' || formula.kind === 'at') return;
    for (const { name, value } of scope.numbers)
      yield {
        is: product(number(value), formula),
        say: `${named(formula)} is multiplied by ${name}`,
      };
  },
};

/** Another number than the setup's. */
const otherNumber: Operator = {
  name: 'number',
  cost: 1.2,
  *apply(formula, scope) {
    if (formula.kind !== 'number') return;
    for (const { name, value } of [...scope.numbers, { name: '1', value: 1 }])
      if (value !== formula.value)
        yield { is: number(value), say: `${name} in the place of ${named(formula)}` };
    yield {
      is: number(formula.value + 1),
      say: `${formula.value + 1} in the place of ${named(formula)}`,
    };
    yield {
      is: number(formula.value - 1),
      say: `${formula.value - 1} in the place of ${named(formula)}`,
    };
  },
};

/** Another mask than the setup's. */
const mask: Operator = {
  name: 'mask',
  cost: 1,
  *apply(formula, scope) {
    if (formula.kind !== 'symbol' && formula.kind !== 'call') return;
    const isAdded = formula.name === 'mask' || formula.name === 'hide';
    if (!isAdded && formula.name !== 'seen' && formula.name !== 'not') return;
    for (const { is, seen, say, cost } of scope.masks) yield { is: isAdded ? is : seen, say, cost };
  },
};

export const OPERATORS: readonly Operator[] = [
  ...[operand, transposed, drop, sign, inverse, arithmetic, sink, axes, reduction, extra],
  ...[loop, index, partOf, layout, group, wrapped, factor, otherNumber, mask],
];
