// What can go wrong in one place of a formula: every operator that changes a sub-formula into another.
import type { Letter } from '../../engine/axes.ts';
import {
  atIndex,
  call,
  type Formula,
  fraction,
  minus,
  modulo,
  number,
  plus,
  position,
  power,
  product,
  reduce,
  sum,
  toText,
} from '../../engine/formula.ts';
import { freeLetters, renamed } from '../../engine/where.ts';
import type { Operator, Scope, Variation } from './mistake.ts';

const LONGEST = 60;
const MINUS_ONE = number(-1);
const TWO = number(2);

/** A sub-formula in words: a tensor by its name alone. */
export function named(formula: Formula): string {
  if (formula.kind === 'symbol') return formula.name;
  const text = toText(formula).replaceAll(/(?<=[\p{L}\p{N}′_])\[[^\]]*\]/gu, '');
  return text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text;
}

const negative = (formula: Formula): Formula => product(MINUS_ONE, formula);
const oneOf = (factors: readonly Formula[]): Formula =>
  factors.length === 1 ? factors[0] : product(...factors);
const without = <Item>(list: readonly Item[], at: number): Item[] =>
  list.filter((_, n) => n !== at);
const replaced = <Item>(list: readonly Item[], at: number, by: Item): Item[] =>
  list.map((each, n) => (n === at ? by : each));

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
        yield left(negative(formula.right), formula.left, 'term', 0.2);
        return;
      case 'fraction':
        yield left(formula.top, formula.bottom, 'division by');
        return;
      case 'call':
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
          yield { is: plus(...replaced(formula.terms, n, negative(each))), say: say(each) };
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

const inverse: Operator = {
  name: 'inverse',
  cost: 1.1,
  *apply(formula) {
    if (formula.kind === 'fraction') {
      const { top, bottom } = formula;
      yield { is: product(top, bottom), say: `multiplied by ${named(bottom)} instead of divided` };
      yield { is: fraction(bottom, top), say: `${named(formula)} is upside down`, cost: 0.2 };
    }
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

/** a Σ b as Σ a b and the reverse: what stands before a sum goes into it, or comes out of it. */
const sink: Operator = {
  name: 'sink',
  cost: 1.2,
  *apply(formula, scope) {
    if (formula.kind === 'sum' && formula.body.kind === 'product') {
      const { over, body } = formula;
      for (const [n, each] of body.factors.entries()) {
        const names = new Map(over.map((letter) => [letter, scope.ownOf(letter)]));
        const rest = sum(over, oneOf(without(body.factors, n)));
        yield {
          is: product(renamed(each, names), rest),
          say: `${named(each)} stands before the sum`,
        };
      }
    }
    if (formula.kind !== 'product') return;
    for (const [n, each] of formula.factors.entries()) {
      if (each.kind !== 'sum') continue;
      const names = new Map(each.over.map((letter) => [scope.ownOf(letter), letter]));
      const rest = without(formula.factors, n).map((factor) => renamed(factor, names));
      const is = sum(each.over, product(...rest, each.body));
      yield { is, say: `${named(oneOf(rest))} stands inside the sum` };
    }
  },
};

const prime = (letter: Letter): Letter => `${letter}′`;

/** A sum over other axes than the right ones. */
const axes: Operator = {
  name: 'axes',
  cost: 1,
  *apply(formula, scope) {
    if (formula.kind !== 'sum') return;
    const { over, body } = formula;
    const own = new Map(over.map((letter) => [letter, scope.ownOf(letter)]));
    const free = [...freeLetters(body)].filter((letter) => !over.includes(letter));
    const isAlias = over.some((letter) => own.get(letter) !== letter);
    for (const letter of free) {
      const inside = new Map([[letter, prime(letter)]]);
      if ((scope.length(letter) ?? 1) < 2) continue;
      if (isAlias) {
        const is = sum([prime(letter)], renamed(body, new Map([...own, ...inside])));
        yield { is, say: `summed over ${letter} instead of ${[...own.values()].join(', ')}` };
      }
      const is = sum([...over, prime(letter)], renamed(body, inside));
      yield { is, say: `summed over ${letter} too` };
    }
    if (isAlias)
      yield { is: renamed(body, own), say: `not summed over ${[...own.values()].join(', ')}` };
  },
};

/** Another reduction than a sum. */
const reduction: Operator = {
  name: 'reduction',
  cost: 1,
  *apply(formula, scope) {
    if (formula.kind !== 'sum') return;
    const { over, body } = formula;
    const HOW = {
      mean: 'averaged',
      max: 'the largest',
      last: 'the last',
      first: 'the first',
    } as const;
    for (const [how, say] of Object.entries(HOW)) {
      yield {
        is: reduce(how as keyof typeof HOW, over, body),
        say: `${say} over ${over.join(', ')} instead of summed`,
      };
      if (over.length < 2) continue;
      for (const letter of over) {
        const rest = over.filter((each) => each !== letter);
        const is = reduce(how as keyof typeof HOW, [letter], sum(rest, body));
        yield { is, say: `${say} over ${letter} instead of summed` };
      }
    }
    for (const letter of over) {
      const count = scope.length(letter);
      if (count === undefined || count < 2) continue;
      const isLast = position(letter);
      const before = {
        kind: 'relation',
        left: isLast,
        sign: '<',
        right: number(count - 1),
      } as const;
      yield { is: sum(over, product(before, body)), say: `summed without the last ${letter}` };
      const after = { kind: 'relation', left: number(1), sign: '≤', right: isLast } as const;
      yield { is: sum(over, product(after, body)), say: `summed without the first ${letter}` };
    }
    if (over.length === 1 && scope.ownOf(over[0]) !== over[0]) {
      const own = scope.ownOf(over[0]);
      const is = reduce('running', [own], renamed(body, new Map([[over[0], own]])));
      yield { is, say: `a running sum over ${own} instead of the whole` };
    }
  },
};

/** A tensor or a sum taken at another index than its own. */
const index: Operator = {
  name: 'index',
  cost: 1.1,
  *apply(formula, scope) {
    if (formula.kind !== 'symbol' && formula.kind !== 'sum') return;
    const name = named(formula);
    for (const letter of freeLetters(formula)) {
      const length = scope.length(letter);
      if (length === undefined || length < 2) continue;
      const at = (source: Formula): Formula => atIndex(letter, source, formula);
      const own = position(letter);
      yield { is: at(minus(own, number(1))), say: `${name} at ${letter} − 1` };
      yield { is: at(plus(own, number(1))), say: `${name} at ${letter} + 1` };
      yield { is: at(minus(number(length - 1), own)), say: `${name} in reverse along ${letter}` };
      yield { is: at(number(0)), say: `${name} at ${letter} = 0 for all` };
      yield { is: at(number(length - 1)), say: `${name} at the last ${letter} for all` };
      yield {
        is: at(modulo(plus(own, number(1)), number(length))),
        say: `${name} rolled by one along ${letter}`,
        cost: 0.1,
      };
      yield {
        is: at(modulo(plus(own, number(length - 1)), number(length))),
        say: `${name} rolled by one along ${letter}`,
        cost: 0.1,
      };
    }
  },
};

/** The key/value head of a query head: h mod the number of KV heads for h / the size of a group. */
const group: Operator = {
  name: 'group',
  cost: 1,
  *apply(formula, scope) {
    if (formula.kind !== 'symbol') return;
    const letters = formula.indices.flat();
    const [members, heads] = [scope.length('g'), scope.length('r')];
    if (!letters.includes('r') || letters.includes('g') || !members || !heads) return;
    const head = plus(product(number(members), position('r')), position('g'));
    const say = `query head h reads head h mod ${heads} of ${formula.name}`;
    yield { is: atIndex('r', modulo(head, number(heads)), formula), say };
  },
};

const FUNCTIONS = ['exp', 'log', 'tanh', 'sqrt', 'abs', 'relu', 'sin', 'cos'] as const;

const wrapped: Operator = {
  name: 'function',
  cost: 1.5,
  *apply(formula) {
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
    }
    if (formula.kind === 'power') return;
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
    if (formula.kind !== 'symbol') return;
    if (formula.name !== 'mask' && formula.name !== 'seen') return;
    for (const { is, seen, say, cost } of scope.masks)
      yield { is: formula.name === 'mask' ? is : seen, say, cost };
  },
};

export const OPERATORS: readonly Operator[] = [
  ...[operand, transposed, drop, sign, inverse, arithmetic, sink, axes, reduction],
  ...[index, group, wrapped, factor, otherNumber, mask],
];

export type { Scope };
