// `run` of a head whose scores do not fit: what is said of it is what would be said of the whole run.
import { expect, test } from 'vitest';
import { summaryInTiles } from '../../src/cli/run.ts';
import type { HeadConfig } from '../../src/engine/config.ts';
import { buildGraph } from '../../src/engine/heads/build.ts';
import { run } from '../../src/engine/run.ts';
import { norm } from '../../src/engine/tensor.ts';
import { buildTimeline, captionOf } from '../../src/stepper/timeline.ts';
import { randomTensor } from '../support/random.ts';

const base: HeadConfig = {
  ...{ head: 'qkv', heads: 1, kvHeads: 1, mask: 'causal', axes: 'query-first' },
  x: randomTensor([30, 7], 1),
  weights: {
    ...{ W_K: randomTensor([7, 4], 2), W_Q: randomTensor([7, 4], 3), W_V: randomTensor([7, 5], 4) },
    b_V: randomTensor([5], 6),
  },
  loss: { kind: 'upstream', G: randomTensor([30, 5], 7) },
};

test.each<[string, HeadConfig]>([
  ['causal', base],
  ['without a mask', { ...base, mask: 'none' }],
  [
    'other tokens ask, another scale',
    {
      ...{ ...base, mask: 'none', scale: -0.4, xPrime: randomTensor([11, 7], 8) },
      loss: { kind: 'half-squared-norm' },
    },
  ],
])('%s', (_name, config) => {
  const graph = buildGraph(config);
  const whole = run(graph);
  const summary = summaryInTiles({ graph, config });
  expect(summary.f).toBeCloseTo(whole.values.get('f')!.data[0], 10);
  expect(summary.nodes.map(({ node }) => node)).toEqual(graph.nodes.map(({ id }) => id));
  for (const { node, shape, ...own } of summary.nodes) {
    expect(shape).toEqual(whole.values.get(node)!.shape);
    const right = [norm(whole.values.get(node)!), norm(whole.gradients.get(node)!)];
    [own.norm, own.gradientNorm].forEach((value, at) => {
      if (right[at] === Infinity) expect(value, node).toBe(Infinity);
      else expect(value / right[at], node).toBeCloseTo(1, 10);
    });
  }
  const captions = ({ timeline }: Pick<typeof summary, 'timeline'>): string[] =>
    timeline.ticks.map((tick) => captionOf(timeline, tick));
  expect(captions(summary)).toEqual(captions({ timeline: buildTimeline(whole) }));
  const names = summary.tensors.map(([name]) => name);
  expect(names).toEqual(
    expect.arrayContaining(['x', 'dx', 'K', 'dK', 'W_Q', 'dW_Q', 'y', 'dy', 'f', 'df']),
  );
  expect(names).not.toContain('P');
  expect(summary.inTiles).toEqual(expect.arrayContaining(['S', 'Z', 'P']));
});
