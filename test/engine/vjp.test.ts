// Reverse mode over a formula: against the operations' own, and against finite differences.
import { describe, expect, test } from 'vitest';
import { Evaluator, type Read } from '../../src/engine/evaluate.ts';
import {
  atIndex,
  call,
  type Formula,
  fraction,
  minus,
  number,
  plus,
  position,
  power,
  product,
  reduce,
  sum,
  symbol,
} from '../../src/engine/formula.ts';
import { operationNodes } from '../../src/engine/graph.ts';
import { laidOut } from '../../src/engine/lettered.ts';
import { readOf } from '../../src/engine/readFormula.ts';
import { type Tensor } from '../../src/engine/tensor.ts';
import { vjpOf } from '../../src/engine/vjp.ts';
import { randomTensor } from '../support/random.ts';
import { drawnSetup, runOf } from '../support/setups.ts';

test('of each forward formula it is what the operation passes back', async () => {
  for (let seed = 0; seed < 60; seed++) {
    const run = await runOf(drawnSetup(seed));
    const { extents } = run.graph;
    const evaluator = new Evaluator(readOf(run), { ...extents, l: extents.i });
    for (const { id, axes, operation, inputs } of operationNodes(run.graph)) {
      const { forward } = operation.formula({ output: id, inputs });
      if (forward.kind !== 'relation') throw new Error('no relation');
      const letters = axes.flat();
      const lengths = letters.map((letter) => extents[letter]);
      const upstream = { letters, lengths, data: run.gradients.get(id)!.data };
      const found = vjpOf(forward.right, upstream, evaluator);
      for (const name of new Set(inputs)) {
        const own = run.contributions.filter((each) => each.from === id && each.to === name);
        const expected = own
          .map(({ value }) => value.data)
          .reduce((a, b) => a.map((x, n) => x + b[n]));
        expected.forEach((value, n) => {
          expect(found.get(name)?.[n] ?? 0, `${name} of ${id}, seed ${seed}`).toBeCloseTo(value, 8);
        });
      }
    }
  }
});

describe('against finite differences', () => {
  const a = randomTensor([3, 4], 1);
  const extents = { i: 3, j: 4 };
  const A = symbol('a', [['i'], ['j']]);
  const readFrom =
    (tensor: Tensor): Read =>
    () => ({ axes: [['i'], ['j']], tensor });

  test.each<[string, Formula]>([
    ['mean', product(A, reduce('mean', ['j'], A))],
    ['max', reduce('max', ['j'], product(A, A))],
    ['last', reduce('last', ['i'], power(A, number(3)))],
    ['running', reduce('running', ['j'], product(A, A))],
    ['shifted', product(A, atIndex('j', minus(position('j'), number(1)), A))],
    ['reversed', product(A, atIndex('i', minus(number(2), position('i')), call('exp', A)))],
    ['a fraction', fraction(call('tanh', A), plus(number(3), sum(['j'], product(A, A))))],
    ['a power', power(number(2), A)],
    ['the index', product(A, position('j'), call('sin', A))],
  ])('%s', (_, formula) => {
    const evaluator = new Evaluator(readFrom(a), extents);
    const value = evaluator.evaluate(formula);
    const weights = randomTensor([value.data.length], 5).data;
    const upstream = { ...value, data: weights };
    const found = vjpOf(formula, upstream, evaluator).get('a')!;
    const total = (tensor: Tensor): number => {
      const own = new Evaluator(readFrom(tensor), extents).evaluate(formula);
      const { data } = laidOut(own, value.letters, value.lengths);
      return data.reduce((sumOf, each, n) => sumOf + each * weights[n], 0);
    };
    a.data.forEach((each, n) => {
      const at = (step: number): Tensor => ({ ...a, data: a.data.with(n, each + step) });
      expect(found[n]).toBeCloseTo((total(at(1e-5)) - total(at(-1e-5))) / 2e-5, 6);
    });
  });
});
