// Formulas as people read them: plain text, bound indices, and the MathML tree.
import { describe, expect, test } from 'vitest';
import {
  call,
  equals,
  formatNumber,
  fraction,
  minus,
  number,
  part,
  partial,
  plus,
  position,
  power,
  product,
  sum,
  symbol,
  toText,
  words,
} from '../../src/engine/formula.ts';
import { type MathNode, toMath } from '../../src/engine/mathml.ts';

const x = symbol('x', [['i'], ['c']]);
const W = symbol('W', [['c'], ['h', 'a']]);
const extents = { i: 4, c: 3, h: 2, a: 5 };

describe('numbers', () => {
  test.each([
    [Math.SQRT1_2, '0.70711'],
    [-2, '−2'],
    [1e-9, '1e-9'],
    [-1.5e-9, '−1.5e-9'],
    [1e21, '1e+21'],
    [NaN, 'NaN'],
    [-Infinity, '−∞'],
    [Infinity, '∞'],
    [-0, '0'],
  ])('%f', (value, text) => {
    expect(formatNumber(value)).toBe(text);
  });
});

describe('text', () => {
  test.each([
    [
      'a sum inside a product is in brackets',
      product(plus(x, number(1)), W),
      '(x[i,c] + 1) · W[c,ha]',
    ],
    ['what is subtracted is in brackets', minus(x, plus(W, x)), 'x[i,c] − (W[c,ha] + x[i,c])'],
    [
      'a named part is written as its body',
      product(part('p', minus(x, W)), x),
      '(x[i,c] − W[c,ha]) · x[i,c]',
    ],
    ['a fraction', fraction(plus(x, W), x), '(x[i,c] + W[c,ha]) / x[i,c]'],
    ['a power', power(minus(x, W), number(2)), '(x[i,c] − W[c,ha])^2'],
    ['a derivative', partial(symbol('f'), x), '∂f/∂x[i,c]'],
    ['a call', call('exp', x), 'exp(x[i,c])'],
    ['a sum over no letter', sum([], x), 'x[i,c]'],
    ['words', equals(x, words('given')), 'x[i,c] = given'],
  ])('%s', (_, formula, text) => {
    expect(toText(formula)).toBe(text);
  });
});

describe('bound indices', () => {
  const formula = equals(symbol('K', [['i'], ['h', 'a']]), sum(['c'], product(x, W)));

  test('are numbers, merged axes one number; the letter of a sum stays a letter', () => {
    const writing = { binding: { i: 3, c: 2, h: 1, a: 4 }, extents };
    expect(toText(formula, writing)).toBe('K[3,9] = Σ_c x[3,c] · W[c,9]');
  });

  test('an axis with an unbound letter keeps its letters', () => {
    expect(toText(formula, { binding: { i: 3, h: 1 }, extents })).toBe(
      'K[3,ha] = Σ_c x[3,c] · W[c,ha]',
    );
  });
});

describe('MathML', () => {
  const written = ({ tag, text, part: name, children = [] }: MathNode): string => {
    const inner = text ?? children.map(written).join('');
    return `<${tag}${name ? ` part=${name}` : ''}>${inner}</${tag}>`;
  };

  test('a sum of products', () => {
    expect(written(toMath(sum(['c'], product(x, number(2)))))).toMatchSnapshot();
  });

  test('a number behind a factor, or what is bound to one, does not seem to be of it', () => {
    const ten = power(number(10), number(3));
    const dot = '<mo>·</mo>';
    expect(written(toMath(product(position('i'), ten)))).toContain(dot);
    expect(written(toMath(product(symbol('s'), position('i')), { binding: { i: 2 } }))).toContain(
      dot,
    );
    expect(written(toMath(product(symbol('s'), position('i'))))).not.toContain(dot);
    expect(written(toMath(product(x, power(minus(number(2), W), number(3)))))).not.toContain(dot);
  });

  test('a part is marked by its name', () => {
    expect(written(toMath(part('dy/dp', number(1))))).toBe('<mrow part=dy/dp><mn>1</mn></mrow>');
  });

  test('a fraction needs no brackets, a power of a sum does', () => {
    expect(written(toMath(fraction(plus(x, W), number(2))))).toMatchSnapshot();
    expect(written(toMath(power(minus(x, W), number(2))))).toMatchSnapshot();
  });
});
