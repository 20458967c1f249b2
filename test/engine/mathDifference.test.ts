import { expect, test } from 'vitest';
import {
  equals,
  type Formula,
  minus,
  number,
  part,
  plus,
  product,
  sum,
  symbol,
} from '../../src/engine/formula.ts';
import { CHANGED, markDifference } from '../../src/engine/mathDifference.ts';
import { type MathNode, toMath } from '../../src/engine/mathml.ts';

const P = symbol('P', [['i'], ['j']]);
const dP = symbol('dP', [['i'], ['j']]);
const dM = symbol('dM', [['i'], ['j']]);
const scale = symbol('scale');

const textOf = ({ text, children }: MathNode): string =>
  text ?? (children ?? []).map(textOf).join('').replaceAll('\u2063', '');
const marked = (node: MathNode): string[] =>
  node.part === CHANGED ? [textOf(node)] : (node.children ?? []).flatMap(marked);
const between = (yours: Formula, right: Formula): [string[], string[]] => {
  const both = markDifference(toMath(yours), toMath(right));
  expect(both.map(textOf)).toEqual([yours, right].map((each) => textOf(toMath(each))));
  return both.map(marked) as [string[], string[]];
};

test('an operand in the place of another, and only that', () => {
  const step = (inner: Formula): Formula =>
    equals(
      symbol('dZ', [['i'], ['j']]),
      product(P, minus(dP, sum(['k'], product(symbol('P', [['k'], ['j']]), inner)))),
    );
  expect(between(step(dM), step(dP))).toEqual([['dM'], ['dP']]);
});

test('a factor or a term that one has not', () => {
  expect(between(product(P, dP), product(P, dP, scale))).toEqual([[], ['scale']]);
  expect(between(dP, product(dP, scale))).toEqual([[], ['scale']]);
  expect(between(plus(P, dP, dM), plus(P, dM))).toEqual([['dPij+'], []]);
});

test('other indices, other numbers, another form as a whole', () => {
  expect(between(symbol('P', [['j'], ['i']]), P)).toEqual([['ji'], ['ij']]);
  expect(between(product(number(2), P), product(number(3), P))).toEqual([['2'], ['3']]);
  expect(between(sum(['k'], P), P)).toEqual([['∑k'], []]);
});

test('parts that are marked for something else do not count', () => {
  expect(between(product(part('left', P), dP), product(P, dP))).toEqual([[], []]);
});
