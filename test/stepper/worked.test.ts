// The worked numbers of a softmax and of f: each row leads from the operand's entry to its part of the result.
import { describe, expect, test } from 'vitest';
import { offsetAt } from '../../src/engine/axes.ts';
import { nodeOf } from '../../src/engine/graph.ts';
import { workedView } from '../../src/stepper/worked.ts';
import { exampleRun, smallExampleNames } from '../support/setups.ts';

describe.each(smallExampleNames)('%s', (name) => {
  test('the softmax: exponentials over their sum are the weights', async () => {
    const run = await exampleRun(name);
    const { axes } = nodeOf(run.graph, 'P');
    const { extents } = run.graph;
    const P = run.values.get('P')!;
    for (let j = 0; j < extents['j']; j++) {
      const { rows, summary } = workedView(run, 'P', { j, i: 0 })!;
      expect(rows).toHaveLength(extents['i']);
      const total = summary.value;
      const keys = rows.reduce((sum, { numbers }) => sum + numbers[1], 0);
      // A sink takes the rest.
      if (run.graph.nodes.some(({ id }) => id === 'sinks')) expect(total).toBeGreaterThan(keys);
      else expect(total).toBeCloseTo(keys, 12);
      rows.forEach(({ numbers, chosen }, i) => {
        expect(numbers[2]).toBe(P.data[offsetAt(axes, extents, { j, i })]);
        if (total > 0) expect(numbers[1] / total).toBeCloseTo(numbers[2], 12);
        expect(chosen).toBe(i === 0);
      });
    }
  });

  test('f: the last column adds up to it', async () => {
    const run = await exampleRun(name);
    const worked = workedView(run, 'f', {});
    if (!worked) return;
    const total = worked.rows.reduce((sum, { numbers }) => sum + numbers.at(-1)!, 0);
    expect(worked.omitted).toBe(0);
    expect(total).toBeCloseTo(run.values.get('f')!.data[0], 10);
    expect(worked.summary.value).toBe(run.values.get('f')!.data[0]);
  });
});

test('the target is one of the numbers', async () => {
  const run = await exampleRun('exercise');
  const { columns, rows } = workedView(run, 'f', { j: 1, c: 1 })!;
  expect(columns).toEqual(['y', 'target', 'y − target', '½ (y − target)²']);
  const chosen = rows.find((row) => row.chosen)!;
  expect(chosen.label).toBe('y[1,1]');
  expect(chosen.numbers[1]).toBe(1);
  expect(chosen.numbers[2]).toBe(run.gradients.get('y')!.data[4]);
});

test('of many entries those around the selected one are listed', async () => {
  const run = await exampleRun('gpt2-heads');
  const { rows, omitted } = workedView(run, 'f', { j: 8, o: 300 })!;
  expect(rows).toHaveLength(64);
  expect(omitted).toBe(16 * 768 - 64);
  expect(rows.filter(({ chosen }) => chosen).map(({ label }) => label)).toEqual(['y[8,300]']);
});
