// Operators on sums and indices: over other axes, reduced in another way, taken elsewhere.
import type { Letter } from '../../engine/axes.ts';
import {
  atIndex,
  atMost,
  below,
  call,
  type Formula,
  fraction,
  minus,
  modulo,
  number,
  plus,
  position,
  product,
  reduce,
  sum,
} from '../../engine/formula.ts';
import { freeLetters, renamed } from '../../engine/where.ts';
import type { Operator, Scope } from './mistake.ts';
import { named, oneOf, without } from './words.ts';

/** a Σ b as Σ a b and the reverse: what stands before a sum goes into it, or comes out of it. */
export const sink: Operator = {
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
export const axes: Operator = {
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
export const reduction: Operator = {
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
      const own = position(letter);
      const before = sum(over, product(below(own, number(count - 1)), body));
      yield { is: before, say: `summed without the last ${letter}` };
      const after = sum(over, product(atMost(number(1), own), body));
      yield { is: after, say: `summed without the first ${letter}` };
    }
    if (over.length === 1 && scope.ownOf(over[0]) !== over[0]) {
      const own = scope.ownOf(over[0]);
      const is = reduce('running', [own], renamed(body, new Map([[over[0], own]])));
      yield { is, say: `a running sum over ${own} instead of the whole` };
    }
  },
};

/** A tensor or a sum taken at another index than its own. */
export const index: Operator = {
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

/** 0 but in the first or the last batch entry or head, or on one side of the diagonal. */
export const partOf: Operator = {
  name: 'part',
  cost: 1.1,
  *apply(formula, scope) {
    if (formula.kind !== 'symbol' && formula.kind !== 'sum') return;
    const name = named(formula);
    const letters = freeLetters(formula);
    for (const letter of letters) {
      const length = scope.length(letter);
      if (!/^[bhrg]$/.test(letter) || length === undefined || length < 2) continue;
      const [own, last] = [position(letter), number(length - 1)];
      const first = product(below(own, number(1)), formula);
      yield { is: first, say: `${name} is 0 but in the first ${letter}` };
      yield {
        is: product(atMost(last, own), formula),
        say: `${name} is 0 but in the last ${letter}`,
      };
      if (length < 3) continue;
      yield { is: product(below(own, last), formula), say: `${name} is 0 in the last ${letter}` };
      const rest = product(atMost(number(1), own), formula);
      yield { is: rest, say: `${name} is 0 in the first ${letter}` };
    }
    if (!letters.has('i') || !letters.has('j')) return;
    const isOwn = call('not', minus(position('i'), position('j')));
    yield { is: product(call('not', isOwn), formula), say: `${name} is 0 on the diagonal` };
    yield { is: product(isOwn, formula), say: `only the diagonal of ${name} is left` };
  },
};

/** The key/value head of a query head: h mod the number of KV heads for h / the size of a group. */
export const group: Operator = {
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

/** A loop over the keys that ends at the query's own, before it, or leaves only that one. */
export const loop: Operator = {
  name: 'loop',
  cost: 1,
  *apply(formula, scope) {
    if (formula.kind !== 'sum' || formula.over.length !== 1) return;
    const { over, body } = formula;
    const [letter] = over;
    const [keys, queries] = [scope.length('i'), scope.length('j')];
    if (scope.ownOf(letter) !== 'i' || !freeLetters(body).has('j')) return;
    const past = (keys ?? 0) - (queries ?? 0);
    const own = past > 0 ? plus(position('j'), number(past)) : position('j');
    const key = position(letter);
    const before = sum(over, product(below(key, own), body));
    yield { is: before, say: 'the sum ends before the query’s own key' };
    const upTo = sum(over, product(atMost(key, own), body));
    yield { is: upTo, say: 'the sum ends with the query’s own key' };
    const rest = minus(formula, atIndex(letter, own, body));
    yield { is: rest, say: 'the query’s own key is left out of the sum' };
    yield { is: atIndex(letter, own, body), say: 'only the query’s own key counts in the sum' };
  },
};

const MOST_LETTERS = 4;

/** Written in one order of two axes and read in the other. */
export const layout: Operator = {
  name: 'layout',
  cost: 1.2,
  *apply(formula, scope) {
    if (formula.kind !== 'symbol' && formula.kind !== 'sum') return;
    const letters = [...freeLetters(formula)].filter((letter) => (scope.length(letter) ?? 1) > 1);
    if (letters.length > MOST_LETTERS) return;
    for (const [n, a] of letters.entries()) {
      for (const b of letters.slice(n + 1)) {
        for (const [slow, fast] of [
          [a, b],
          [b, a],
        ]) {
          const say = `${named(formula)} is written as (${slow}, ${fast}) and read as (${fast}, ${slow})`;
          yield { is: reread(formula, slow, fast, scope), say };
        }
      }
    }
  },
};

/** Entry (fast, slow) of the order (fast, slow) out of memory in the order (slow, fast). */
function reread(formula: Formula, slow: Letter, fast: Letter, scope: Scope): Formula {
  const [slowLength, fastLength] = [slow, fast].map((letter) => scope.length(letter) ?? 1);
  const place = plus(product(number(slowLength), position(fast)), position(slow));
  const [first, second] = [`${slow}‴`, `${fast}‴`];
  const inner = renamed(
    formula,
    new Map([
      [slow, first],
      [fast, second],
    ]),
  );
  return atIndex(
    first,
    call('floor', fraction(place, number(fastLength))),
    atIndex(second, modulo(place, number(fastLength)), inner),
  );
}
