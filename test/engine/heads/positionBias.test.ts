// Learned biases by position: which row of the table each distance takes, and what does not fit.
import { describe, expect, test } from 'vitest';
import type { HeadConfig, PositionBias } from '../../../src/engine/config.ts';
import { buildGraph } from '../../../src/engine/heads/build.ts';
import { bucketFormula, bucketsOf } from '../../../src/engine/ops/positionBias.ts';
import { forward, run } from '../../../src/engine/run.ts';
import { zeros, type Tensor, tensor } from '../../../src/engine/tensor.ts';

function config(
  own: PositionBias,
  B: Tensor,
  queries: number,
  keys: number,
  heads = 1,
): HeadConfig {
  return {
    ...{
      head: 'multihead',
      weights: { B },
      heads,
      kvHeads: heads,
      mask: 'none',
      axes: 'query-first',
    },
    start: { Q: zeros([queries, heads]), K: zeros([keys, heads]), V: zeros([keys, heads]) },
    loss: { kind: 'half-squared-norm' },
    positionBias: own,
  };
}

const t5 = (bidirectional: boolean, maxDistance: number): PositionBias => ({
  ...{ kind: 't5', bidirectional, maxDistance },
});

/** Row of the table for each query and key, (j, i). */
function buckets(own: PositionBias, count: number, queries: number, keys: number): number[] {
  const formula = bucketFormula(own, { past: 0, buckets: count })!;
  return [...bucketsOf(formula, { i: keys, j: queries })];
}

describe('T5', () => {
  // By the function of the model's code in float32: the distances at which a new bucket begins.
  test.each<[boolean, number, number, number[]]>([
    [true, 32, 128, [1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 23, 32, 46, 64, 91]],
    [
      ...([false, 32, 128] as const),
      [
        1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 19, 21, 24, 27, 31, 35, 40, 46, 52,
        59, 67, 77, 87, 99, 113,
      ],
    ],
    [true, 16, 64, [1, 2, 3, 4, 8, 16, 32]],
    [
      ...([false, 32, 256] as const),
      [
        1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 20, 23, 27, 32, 39, 46, 54, 64, 77,
        91, 108, 128, 153, 182, 216,
      ],
    ],
    [true, 12, 100, [1, 2, 3, 10, 32]],
  ])('bidirectional %s, %i buckets up to %i', (bidirectional, count, most, expected) => {
    const tokens = 300;
    const rows = buckets(t5(bidirectional, most), count, tokens, tokens);
    // The last query looks back, the first ahead.
    const back = Array.from({ length: tokens }, (_, d) => rows[tokens * tokens - 1 - d]);
    const begins = back.flatMap((row, d) => (d > 0 && row !== back[d - 1] ? [d] : []));
    expect(begins).toEqual(expected);
    const ahead = rows.slice(0, tokens);
    const half = count / 2;
    expect(ahead).toEqual(
      back.map((row, d) => (bidirectional && d > 0 ? row + half : bidirectional ? row : 0)),
    );
  });
});

test('Swin: rows of the table by the difference of places, query minus key', () => {
  // A window of 2 rows and 1 column, then of 1 row and 3 columns.
  expect(buckets({ kind: 'swin', window: [2, 1] }, 3, 2, 2)).toEqual([1, 0, 2, 1]);
  expect(buckets({ kind: 'swin', window: [1, 3] }, 5, 3, 3)).toEqual([2, 1, 0, 3, 2, 1, 4, 3, 2]);
  // 2 x 2: token 3 is one row and one column after token 0.
  expect(buckets({ kind: 'swin', window: [2, 2] }, 9, 4, 4).slice(12)).toEqual([8, 7, 5, 4]);
});

test('a learned bias is added to each head and its gradient is that of the scores', () => {
  const B = tensor([2, 1, 2], [1, 2, 3, 4]);
  const own = run(buildGraph(config({ kind: 'learned' }, B, 1, 2, 2)));
  expect([...own.values.get('Zb')!.data]).toEqual([1, 2, 3, 4]);
  expect(own.gradients.get('B')).toEqual(own.gradients.get('Zb'));
});

test.each<[string, PositionBias, Tensor]>([
  ['weights.B: found shape (3, 4, 5), expected (h = 1', { kind: 'learned' }, zeros([3, 4, 5])],
  [
    'weights.B: found shape (5, 1), expected an even number of buckets',
    t5(true, 128),
    zeros([5, 1]),
  ],
  [
    'positionBias.maxDistance: found 8 with 16 buckets, expected it above 8',
    t5(false, 8),
    zeros([16, 1]),
  ],
  [
    'positionBias.window: found [2, 3] for 4 queries and 4 keys',
    { kind: 'swin', window: [2, 3] },
    zeros([15, 1]),
  ],
  [
    'weights.B: found shape (8, 1), expected (9, heads)',
    { kind: 'swin', window: [2, 2] },
    zeros([8, 1]),
  ],
])('%s', (message, own, table) => {
  expect(() => forward(buildGraph(config(own, table, 4, 4)))).toThrow(message);
});

test('a position bias needs its table', () => {
  const { weights: _, ...rest } = config({ kind: 'learned' }, zeros([1, 1, 1]), 1, 1);
  expect(() => buildGraph({ ...rest, weights: {} })).toThrow('weights.B: not given');
});
