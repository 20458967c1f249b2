// Learned sinks and a query that sees no key: its weights are 0 by the softmax itself.
import { expect, test } from 'vitest';
import { check } from '../../src/compare/check.ts';
import { run } from '../../src/engine/run.ts';
import { resolveName } from '../../src/formats/nodeNames.ts';
import { openSetup } from '../../src/formats/openSetup.ts';

const random = (shape: number[], seed: number) => ({ random: 'normal', shape, seed });

test('a wrong output is told of, not stumbled over', async () => {
  const setup = {
    ...{ head: 'multihead', heads: 2, kvHeads: 2, x: random([3, 4], 1) },
    weights: {
      ...{ W_K: random([4, 4], 2), W_Q: random([4, 4], 3), W_V: random([4, 4], 4) },
      sinks: random([2], 5),
    },
    mask: [
      [false, false, false],
      [true, true, false],
      [true, true, true],
    ],
  };
  const { graph, config, problems } = await openSetup(JSON.stringify(setup), () =>
    Promise.reject(new Error('no files here')),
  );
  expect(problems.filter(({ severity }) => severity === 'error')).toEqual([]);
  const y = run(graph!).values.get('y')!;
  const report = check({
    ...{ config: config!, graph: graph!, names: {}, resolve: resolveName },
    trace: [
      { name: 'y', dtype: 'float64', tensor: { ...y, data: y.data.map((value) => value + 1) } },
    ],
  });
  expect(report.first).toEqual({ node: 'y', kind: 'value' });
});
