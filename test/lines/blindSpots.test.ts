// What a right run does not show: a rule for each, and a run where all sizes differ that hides nothing.
import { expect, test } from 'vitest';
import type { HeadConfig } from '../../src/engine/config.ts';
import { buildGraph } from '../../src/engine/heads/build.ts';
import { run } from '../../src/engine/run.ts';
import { tensor, type Tensor } from '../../src/engine/tensor.ts';
import { blindSpots } from '../../src/lines/tell/blindSpots.ts';

function filled(shape: number[], seed: number): Tensor {
  const size = shape.reduce((product, each) => product * each, 1);
  return tensor(
    shape,
    Array.from({ length: size }, (_, at) => Math.sin(1.7 * at + seed)),
  );
}

function config(changes: Partial<HeadConfig> & { sizes?: Partial<typeof usual> } = {}): HeadConfig {
  const { sizes, ...rest } = changes;
  const { batch, keys, queries, d, heads, kvHeads, width, value } = { ...usual, ...sizes };
  return {
    head: 'multihead',
    x: filled([batch, keys, d], 1),
    xPrime: filled([batch, queries, d], 2),
    weights: {
      W_K: filled([d, kvHeads * width], 3),
      W_Q: filled([d, heads * width], 4),
      W_V: filled([d, kvHeads * value], 5),
      W_O: filled([heads * value, d], 6),
    },
    heads,
    kvHeads,
    mask: 'causal-bottom-right',
    loss: { kind: 'half-squared-norm' },
    axes: 'query-first',
    ...rest,
  };
}

const usual = { batch: 2, keys: 7, queries: 5, d: 9, heads: 4, kvHeads: 2, width: 3, value: 6 };

const found = (each: HeadConfig): string[] =>
  blindSpots(each, run(buildGraph(each))).map(({ id }) => id);

test('sizes that all differ, a batch, groups and a mask hide nothing', () => {
  expect(found(config())).toEqual([]);
});

test.each([
  ['heads-are-tokens', { sizes: { queries: 4 } }],
  ['batch-is-an-axis', { sizes: { batch: 5 } }],
  ['square', { sizes: { keys: 5 } }],
  ['widths', { sizes: { value: 3 } }],
  ['square-weights', { sizes: { d: 12 } }],
  ['width-is-length', { sizes: { width: 7 } }],
  ['one-batch-entry', { sizes: { batch: 1 } }],
  ['one-head', { sizes: { heads: 1, kvHeads: 1 } }],
  ['no-groups', { sizes: { kvHeads: 4 } }],
  ['no-mask', { mask: 'none' }],
  [
    'zero-bias',
    {
      weights: {
        ...config().weights,
        b_O: tensor(
          [9],
          Array.from({ length: 9 }, () => 0),
        ),
      },
    },
  ],
  [
    'equal-upstream',
    {
      loss: {
        kind: 'upstream',
        G: tensor(
          [2, 5, 9],
          Array.from({ length: 90 }, () => 1),
        ),
      },
    },
  ],
  ['equal-weights', { scale: 1e-3 }],
] as [string, Parameters<typeof config>[0]][])('%s', (id, changes) => {
  expect(found(config(changes))).toContain(id);
});

test('a causal mask over as many keys as queries hides its offset', () => {
  expect(found(config({ mask: 'causal', sizes: { keys: 5 } }))).toContain('aligned-corner');
});
