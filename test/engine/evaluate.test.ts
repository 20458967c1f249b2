// Formulas that compute: every one that the panel shows gives its node's value, or its contribution.
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Evaluator, evaluate, evaluateRelation, type Read } from '../../src/engine/evaluate.ts';
import {
  atIndex,
  call,
  type Formula,
  fraction,
  hole,
  minus,
  number,
  plus,
  position,
  product,
  reduce,
  sum,
  symbol,
  toText,
  words,
} from '../../src/engine/formula.ts';
import { readOf } from '../../src/engine/readFormula.ts';
import { operationNodes } from '../../src/engine/graph.ts';
import { type Run, run } from '../../src/engine/run.ts';
import { largestMagnitude, type Tensor, tensor } from '../../src/engine/tensor.ts';
import { buildGraph } from '../../src/engine/heads/build.ts';
import { headConfig } from '../support/configs.ts';
import { cases, randomTensor } from '../support/random.ts';
import { drawnSetup, exampleRun, runOf, smallExampleNames } from '../support/setups.ts';

/** What differs between the formulas of a run and its tensors. */
function wrongFormulas(own: Run): string[] {
  const evaluator = new Evaluator(readOf(own), { ...own.graph.extents, l: own.graph.extents.i });
  const wrong: string[] = [];
  const compare = (formula: Formula, expected: Tensor): void => {
    const found = evaluateRelation(formula, evaluator);
    const most = 1e-10 * Math.max(1, largestMagnitude(expected));
    const isSame = found.data.every(
      (value, n) =>
        Object.is(value, expected.data[n]) || Math.abs(value - expected.data[n]) <= most,
    );
    if (!isSame || found.data.length !== expected.data.length) wrong.push(toText(formula));
  };
  for (const { id, operation, inputs } of operationNodes(own.graph)) {
    const { forward, backward } = operation.formula({ output: id, inputs });
    compare(forward, own.values.get(id)!);
    backward.forEach((formula, slot) => {
      const made = own.contributions.find((each) => each.from === id && each.slot === slot)!;
      compare(formula, made.value);
    });
  }
  return wrong;
}

describe('each shown formula computes its node and its contributions', () => {
  test.each(smallExampleNames)('example %s', async (name) => {
    expect(wrongFormulas(await exampleRun(name))).toEqual([]);
  });

  test('drawn setups with any option', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(1e9), async (seed) => {
        expect(wrongFormulas(await runOf(drawnSetup(seed)))).toEqual([]);
      }),
      cases(200),
    );
  });

  test.each([
    'sum(y .^ 2) / 2',
    'mean(abs(y) ^ 3)',
    'log(sum(exp(y)))',
    'sum(tanh(y)) ^ 2 + norm(y)',
    'dot(sin(y), G .* y) / k',
    'sum(sqrt(1 + square(y))) - 3 * mean(y) * sum(atan(y)) / pow(2, k)',
    '-sum(log(1 + exp(-y), 2)) * pi',
    '2',
  ])('the loss %s', (expression) => {
    const constants = { G: randomTensor([4, 7], 21), k: tensor([], [1.5]) };
    const loss = { kind: 'expression' as const, expression, constants };
    expect(wrongFormulas(run(buildGraph(headConfig('multihead', { loss }))))).toEqual([]);
  });

  test('a score that would overflow, a row in which all is hidden', () => {
    const config = headConfig('qkv', {
      scale: 1e4,
      mask: {
        tensor: tensor(
          [4, 5],
          Array.from({ length: 20 }, (_, n) => Number(n > 4)),
        ),
        meaning: 'attend',
      },
    });
    expect(wrongFormulas(run(buildGraph(config)))).toEqual([]);
  });
});

describe('one formula', () => {
  const a = tensor([2, 3], [1, 2, 3, 4, 5, 6]);
  const read: Read = (name) => (name === 'a' ? { axes: [['i'], ['j']], tensor: a } : undefined);
  const extents = { i: 2, j: 3, k: 3 };
  const A = symbol('a', [['i'], ['j']]);
  const numbers = (formula: Formula): number[] => [...evaluate(formula, read, extents).data];

  test.each<[string, Formula, number[]]>([
    ['a sum', sum(['j'], A), [6, 15]],
    ['a sum over a letter that it lacks', sum(['k'], A), [3, 6, 9, 12, 15, 18]],
    ['a mean', reduce('mean', ['j'], A), [2, 5]],
    ['the largest', reduce('max', ['i'], A), [4, 5, 6]],
    ['the last', reduce('last', ['j'], A), [3, 6]],
    ['the first', reduce('first', ['j'], A), [1, 4]],
    ['a running sum', reduce('running', ['j'], A), [1, 3, 6, 4, 9, 15]],
    ['an entry before', atIndex('j', minus(position('j'), number(1)), A), [0, 1, 2, 0, 4, 5]],
    ['in reverse', atIndex('j', minus(number(2), position('j')), A), [3, 2, 1, 6, 5, 4]],
    ['the index', product(position('i'), position('j')), [0, 0, 0, 0, 1, 2]],
    [
      'a product with 0 passes nothing on',
      product(position('j'), fraction(number(1), position('i'))),
      [0, 0, Infinity, 1, Infinity, 2],
    ],
    [
      'a mean of a product',
      fraction(sum(['j'], product(A, position('j'))), number(3)),
      [8 / 3, 17 / 3],
    ],
    ['hidden', call('hide', position('i')), [0, -Infinity]],
  ])('%s', (_, formula, expected) => {
    expect(numbers(formula)).toEqual(expected);
  });

  test('equal parts are computed once', () => {
    const evaluator = new Evaluator(read, extents);
    const exp = (): Formula => call('exp', product(A, A));
    evaluator.evaluate(exp());
    const { work } = evaluator;
    evaluator.evaluate(plus(exp(), number(1)));
    expect(evaluator.work - work).toBe(7);
  });

  test.each<[string, Formula]>([
    ['words', words('as it is')],
    ['an open hole', hole('c')],
    ['a symbol that is not known', symbol('b')],
    ['a symbol with other letters', symbol('a', [['i']])],
    ['a function that is not known', call('exq', A)],
  ])('%s cannot be computed', (_, formula) => {
    expect(() => numbers(formula)).toThrow(RangeError);
  });
});
