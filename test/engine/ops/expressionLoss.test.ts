// f as an expression of y: its gradient against finite differences, and what is refused, at once and in one line.
import { describe, expect, test } from 'vitest';
import { ConfigError } from '../../../src/engine/config.ts';
import { expressionLoss } from '../../../src/engine/ops/expressionLoss.ts';
import { scalar, tensor, type Tensor } from '../../../src/engine/tensor.ts';
import { difference, moved } from '../../support/differences.ts';

// Within the domain of every function below but acosh.
const y = tensor([2, 3], [0.5, 0.3, 0.8, 0.15, 0.62, 0.44]);
const constants = {
  k: scalar(0.7),
  G: tensor([2, 3], [1, -2, 0.5, 3, -0.25, 1.5]),
  // Names that an object or an evaluator might take for its own.
  entries: scalar(100),
  sum_0: scalar(5),
  end: scalar(2),
  constructor: scalar(3),
  ...Object.fromEntries([['__proto__', scalar(4)]]),
};

function differences(expression: string, at: Tensor): number[] {
  const own = expressionLoss(expression, constants);
  return Array.from(
    at.data,
    (_, offset) => difference((t) => Float64Array.of(own.value(moved(at, offset, t))))[0],
  );
}

describe('gradient', () => {
  const functions =
    'abs acos asin asinh atan atanh cbrt cos cosh exp log log10 log2 sin sinh sqrt square cube tan tanh sech';
  test.each([
    ...functions.split(' ').map((name) => `sum(${name}(y) .* G)`),
    'sum(acosh(y + 1))',
    'sum(y .^ 2) / 2',
    'mean(exp(y ./ 4))',
    'sum(tanh(y)) ^ 2 + norm(y)',
    'log(sum(exp(y)))',
    'dot(sin(y), y) / 3',
    'dot(y, G) * sum(y) - mean(y) ^ 3',
    'sum(pow(y, 3)) + sum(pow(2, y)) + sum(y ^ y)',
    'sum(log(y, 3)) + log(sum(y), 10)',
    'sum(-y^2) + sum(2^-y) - (-sum(y))',
    'k * sum(2 y) + pi * mean(e ^ y) / tau',
    'norm(y - G) / (1 + norm(G))',
    'sum(((y .^ 2) .^ 2) ./ (1 + y))',
    'mean(y) * entries',
    'sum(y) * sum_0 + constructor * mean(y) + __proto__ * sum(y) ^ end',
    'sum(G .* y) # with a comment',
  ])('%s', (expression) => {
    const found = expressionLoss(expression, constants).gradient(y);
    differences(expression, y).forEach((slope, offset) => {
      expect(Math.abs(found[offset] - slope)).toBeLessThan(1e-8 * Math.max(1, Math.abs(slope)));
    });
  });

  test.each([
    ['sum(cbrt(y))', [-8, -1], [1 / 12, 1 / 3]],
    ['sum(square(y)) + sum(cube(y))', [-2, 1], [8, 5]],
    ['sum(y ^ 3)', [-2, 0], [12, 0]],
    ['sum(y * y)', [-2, 0], [-4, 0]],
    ['sum(0 ^ (y + 3))', [-2, 0], [0, 0]],
    ['sum(y ^ 0)', [-2, 0], [0, 0]],
  ])('%s at negative entries and 0', (expression, entries, expected) => {
    const found = expressionLoss(expression, {}).gradient(tensor([2], entries));
    found.forEach((slope, n) => expect(slope).toBeCloseTo(expected[n], 13));
  });

  test.each(['norm(y)', 'sum(abs(y))', 'sqrt(sum(y .^ 2))', 'sum(y ^ 1.5)', 'sum(sqrt(y ^ 2))'])(
    '%s at y = 0 is the smallest subgradient, 0',
    (expression) => {
      expect([...expressionLoss(expression, {}).gradient(tensor([2], [0, 0]))]).toEqual([0, 0]);
    },
  );

  test('is 0 where y does not occur', () => {
    const own = expressionLoss('sum(G) + k', constants);
    expect(own.value(y)).toBeCloseTo(3.75 + 0.7, 14);
    expect([...own.gradient(y)]).toEqual([0, 0, 0, 0, 0, 0]);
  });
});

describe('value', () => {
  test.each([
    ['mean(y)', 2.81 / 6],
    ['sum(y)(2)', 5.62],
    ['norm(y)', Math.hypot(...y.data)],
    ['dot(y, y)', Math.hypot(...y.data) ** 2],
    ['-2 ^ 2 + sum(y - y)', -4],
    ['2 ^ 3 ^ 2 + sum(y - y)', 512],
    ['8 / 2 * 4 + sum(y - y)', 16],
  ])('%s', (expression, expected) => {
    expect(expressionLoss(expression, constants).value(y)).toBeCloseTo(expected, 13);
  });

  test('outside of a domain is NaN, never complex', () => {
    expect(expressionLoss('sum(log(0 - y))', {}).value(y)).toBeNaN();
    expect(expressionLoss('sum((-y) ^ 0.5)', {}).value(y)).toBeNaN();
  });
});

describe('refusal', () => {
  test.each([
    ['sum(sum(y))', 'found a sum inside a sum: "sum(y)"'],
    ['sum(y .* mean(y))', 'found a sum inside a sum: "mean(y)"'],
    ['y', 'y stands outside of sum, mean, dot, norm'],
    ['sum(y) + y', 'y stands outside of'],
    ['sum(y) * G', 'G stands outside of'],
    ['sum(z)', 'found the name z; known are y, k, G'],
    ['sum(y * toString)', 'found the name toString'],
    ['sum', 'found the name sum'],
    ['sum(sin)', 'found the name sin'],
    ['sum(relu(y))', 'found the function relu; known are sum, mean, dot, norm, abs'],
    ['import("fs")', 'found the function import'],
    ['sum(y.constructor)', 'found "y.constructor"'],
    ['sum(y[1])', 'found "y[1]"'],
    ['f(x) = x', 'found "f(x) = x"'],
    ['a = sum(y)', 'found "a = sum(y)"'],
    ['sum(y); sum(y)', 'found "sum(y); sum(y)"'],
    ['sum(y)\n+ sum(y)', 'found "sum(y) +sum(y)"'],
    ['sum(1:10)', 'found "1:10"'],
    ['[1, 2]', 'found "[1, 2]"'],
    ['{a: 1}', 'found "{"a": 1}"'],
    ['sum(y > 0 ? y : 0)', 'found "(y > 0) ? y : 0"'],
    ['sum(y > 0)', 'found "y > 0"'],
    ['sum(y % 2)', 'found "y % 2"'],
    ['sum(y!)', 'found "y!"'],
    ["sum(y')", `found "y'"`],
    ['sum("2" * y)', 'found ""2""'],
    ['sum(null * y)', 'found "null"'],
    ['sum(true * y)', 'found "true"'],
    ['sum()', 'found 0 arguments in sum(), expected 1'],
    ['sum(y, y)', 'found 2 arguments in sum(y, y), expected 1'],
    ['dot(y)', 'found 1 argument in dot(y), expected 2'],
    ['norm(y, 1)', 'found 2 arguments in norm(y, 1), expected 1'],
    ['sum(exp())', 'found 0 arguments in exp(), expected 1'],
    ['sum(pow(y))', 'found 1 argument in pow(y), expected 2'],
    ['sum(log(y, 2, 3))', 'found 3 arguments in log(y, 2, 3), expected 1 or 2'],
    ['sum(y', 'Parenthesis ) expected'],
    [' # nothing', 'found nothing'],
  ])('%s', (expression, message) => {
    const refused = (): unknown => expressionLoss(expression, constants);
    expect(refused).toThrow(ConfigError);
    expect(refused).toThrow(message);
    expect(refused).toThrow(/^loss\.expression: .*$/);
  });

  test('of more than 2000 characters', () => {
    const long = Array.from({ length: 400 }, () => 'sum(y)').join(' + ');
    expect(() => expressionLoss(long, {})).toThrow('found 3597 characters, expected at most 2000');
  });
});

describe('as long as allowed, built and differentiated without a pause', () => {
  const repeat = (text: string, join: string, count: number): string =>
    Array.from({ length: count }, () => text).join(join);
  test.each([
    ['factors', `sum(${repeat('y', '*', 990)})`],
    ['elementwise factors', `sum(${repeat('y', '.*', 650)})`],
    ['quotients', `sum(${repeat('y', '/', 990)})`],
    ['powers', `sum(${repeat('y', '^', 990)})`],
    ['terms', `sum(${repeat('y', '+', 990)})`],
    ['signs', `sum(${'-'.repeat(1990)}y)`],
    ['calls', `sum(${'exp('.repeat(390)}y${')'.repeat(390)})`],
    ['brackets', `sum(${'('.repeat(990)}y${')'.repeat(990)})`],
    ['sums', repeat('sum(y)', '*', 280)],
    ['numbers', `sum(${repeat('9', '^', 900)} * y)`],
  ])('%s', (_, expression) => {
    expect(expression.length).toBeLessThanOrEqual(2000);
    const began = performance.now();
    try {
      expressionLoss(expression, {}).gradient(y);
    } catch (error) {
      // The parser itself may give up on depth; that is an answer too.
      expect(error).toBeInstanceOf(ConfigError);
    }
    // What doubles with each operator would take years.
    expect(performance.now() - began).toBeLessThan(60_000);
  });
});
