// Who sees whom: causal masks, windows, ALiBi and given masks, drawn as pictures.
import { describe, expect, test } from 'vitest';
import type { HeadConfig } from '../../../src/engine/config.ts';
import { buildGraph } from '../../../src/engine/heads/build.ts';
import { nodeOf, type OperationNode } from '../../../src/engine/graph.ts';
import { forward } from '../../../src/engine/run.ts';
import { headConfig } from '../../support/configs.ts';
import {
  fromNested,
  type Nested,
  scalar,
  type Tensor,
  tensor,
  zeros,
} from '../../../src/engine/tensor.ts';

/** All scores are 0, so that M is the mask itself. */
function masked(own: Partial<HeadConfig>, queries: number, keys: number, heads = 1): Tensor {
  const config: HeadConfig = {
    ...{ head: 'multihead', weights: {}, heads, kvHeads: heads, mask: 'none', axes: 'query-first' },
    start: { Q: zeros([queries, heads]), K: zeros([keys, heads]), V: zeros([keys, heads]) },
    loss: { kind: 'half-squared-norm' },
    ...own,
  };
  return forward(buildGraph(config)).get('M')!;
}

/** One line per query of the first head: x sees, . does not. */
function picture({ shape, data }: Tensor): string {
  const [queries, keys] = shape.slice(-2);
  const line = (j: number): string =>
    Array.from({ length: keys }, (_, i) => (data[j * keys + i] === -Infinity ? '.' : 'x')).join('');
  return Array.from({ length: queries }, (_, j) => line(j)).join(' ');
}

describe.each([
  ['causal', { mask: 'causal' }, 3, 3, 'x.. xx. xxx'],
  ['causal, more keys than queries', { mask: 'causal' }, 2, 4, 'x... xx..'],
  ['causal, fewer keys than queries', { mask: 'causal' }, 4, 2, 'x. xx xx xx'],
  ['causal to the bottom right', { mask: 'causal-bottom-right' }, 2, 4, 'xxx. xxxx'],
  ['causal to the bottom right, fewer keys', { mask: 'causal-bottom-right' }, 4, 2, '.. .. x. xx'],
  ['window of 1', { window: 1 }, 3, 3, 'x.. .x. ..x'],
  ['window of 2', { window: 2 }, 4, 4, 'xx.. xxx. .xxx ..xx'],
  ['causal window of 2', { window: 2, mask: 'causal' }, 4, 4, 'x... xx.. .xx. ..xx'],
  ['window from the bottom right', { window: 2, mask: 'causal-bottom-right' }, 2, 4, '.xx. ..xx'],
  ['window to the left', { masks: [{ kind: 'window', left: 1 }] }, 3, 4, 'xxxx xxxx .xxx'],
  ['window to both sides', { masks: [{ kind: 'window', left: 0, right: 1 }] }, 3, 3, 'xx. .xx ..x'],
  ['chunks', { masks: [{ kind: 'chunked', size: 2 }] }, 4, 4, 'xx.. xx.. ..xx ..xx'],
  [
    'causal chunks',
    { mask: 'causal', masks: [{ kind: 'chunked', size: 3 }] },
    4,
    4,
    'x... xx.. xxx. ...x',
  ],
  [
    'prefix',
    { mask: 'causal', masks: [{ kind: 'prefix', length: scalar(2) }] },
    3,
    3,
    'xx. xx. xxx',
  ],
  ['lengths', { masks: [{ kind: 'padding', lengths: tensor([1], [2]) }] }, 2, 3, 'xx. xx.'],
  ['keep', { masks: [{ kind: 'padding', keep: tensor([3], [0, 1, 1]) }] }, 2, 3, '.xx .xx'],
  [
    'documents',
    { masks: [{ kind: 'documents', ids: tensor([4], [0, 0, 1, 0]) }] },
    4,
    4,
    'xx.x xx.x ..x. xx.x',
  ],
  [
    'documents of a cross-attention',
    { masks: [{ kind: 'documents', ids: tensor([3], [0, 1, 1]), queryIds: tensor([2], [1, 0]) }] },
    ...([2, 3, '.xx x..'] as const),
  ],
  [
    'all that is hidden by any, and a window from the bottom right',
    {
      mask: 'causal-bottom-right',
      masks: [
        { kind: 'window', left: 1 },
        { kind: 'padding', keep: tensor([4], [1, 1, 0, 1]) },
      ],
    },
    ...([2, 4, '.x.. ...x'] as const),
  ],
] satisfies readonly (readonly [string, Partial<HeadConfig>, number, number, string])[])(
  '%s',
  (_, own, queries, keys, expected) => {
    test('hides what lies beyond', () => {
      expect(picture(masked(own, queries, keys))).toBe(expected);
    });

    test('keys first is the same, transposed', () => {
      const found = masked({ ...own, axes: 'key-first' }, queries, keys);
      const data = Array.from({ length: queries * keys }, (__, at) => {
        const [j, i] = [Math.floor(at / keys), at % keys];
        return found.data[i * queries + j];
      });
      expect(found.shape).toEqual([1, keys, queries]);
      expect(picture(tensor([queries, keys], data))).toBe(expected);
    });
  },
);

test('earlier tokens are seen by all; the new ones follow them', () => {
  const past = { K: zeros([1, 2, 1]), V: zeros([1, 2, 1]) };
  expect(picture(masked({ mask: 'causal', past }, 2, 2))).toBe('xxx. xxxx');
});

describe('a given mask', () => {
  const given = (nested: Nested, meaning: 'attend' | 'ignore' | 'add') => ({
    mask: { tensor: fromNested(nested), meaning },
  });

  test.each(['attend', 'ignore'] as const)('of 0 and 1 that means %s', (meaning) => {
    const found = picture(
      masked(
        given(
          [
            [1, 0, 1],
            [0, 0, 2],
          ],
          meaning,
        ),
        2,
        3,
      ),
    );
    expect(found).toBe(meaning === 'attend' ? 'x.x ..x' : '.x. xx.');
  });

  test('of numbers is added', () => {
    const found = masked(
      given(
        [
          [-1, 0.5],
          [-Infinity, 2],
        ],
        'add',
      ),
      2,
      2,
    );
    expect([...found.data]).toEqual([-1, 0.5, -Infinity, 2]);
  });

  test('combines with a window', () => {
    expect(
      picture(
        masked(
          {
            ...given(
              [
                [1, 1, 1],
                [0, 1, 1],
              ],
              'attend',
            ),
            window: 2,
          },
          2,
          3,
        ),
      ),
    ).toBe('xx. .xx');
  });

  test.each([
    [
      '(queries, keys)',
      [[1, 0]],
      [
        [1, 0],
        [1, 0],
      ],
    ],
    [
      '(heads, 1, keys)',
      [[[1, 0]], [[0, 1]]],
      [
        [1, 0],
        [0, 1],
      ],
    ],
    [
      '(1, heads, 1, keys)',
      [[[[1, 0]], [[0, 1]]]],
      [
        [1, 0],
        [0, 1],
      ],
    ],
  ])('%s is repeated along what it lacks', (_, nested, heads) => {
    const found = masked(given(nested, 'attend'), 1, 2, 2);
    expect([...found.data]).toEqual(heads.flat().map((seen) => (seen ? 0 : -Infinity)));
  });

  test.each([
    ['three axes are (batch, queries, keys) in a single head', 'qkv', [[[1, 0]], [[0, 1]]]],
    ['four axes are (batch, heads, queries, keys)', 'qkv', [[[[1, 0]]], [[[0, 1]]]]],
    ['four axes in multihead too', 'multihead', [[[[1, 0]]], [[[0, 1]]]]],
  ] as const)('in a batch, %s', (_, head, nested) => {
    const start = { Q: zeros([2, 1, 1]), K: zeros([2, 2, 1]), V: zeros([2, 2, 1]) };
    const found = masked({ ...given(nested, 'attend'), head, start }, 1, 2);
    expect([...found.data]).toEqual([0, -Infinity, -Infinity, 0]);
  });
});

describe('masks of a batch', () => {
  const start = { Q: zeros([2, 2, 1]), K: zeros([2, 2, 1]), V: zeros([2, 2, 1]) };
  const hidden = (masks: HeadConfig['masks'], mask: HeadConfig['mask'] = 'none'): string =>
    [...masked({ start, mask, masks }, 2, 2).data]
      .map((value) => (value === 0 ? 'x' : '.'))
      .join('');

  test.each<[string, string, NonNullable<HeadConfig['masks']>, HeadConfig['mask']?]>([
    ['lengths', 'xxxxx.x.', [{ kind: 'padding', lengths: tensor([2], [2, 1]) }]],
    ['keep', 'x.x.xxxx', [{ kind: 'padding', keep: tensor([2, 2], [1, 0, 1, 1]) }]],
    ['documents', 'x..xxxxx', [{ kind: 'documents', ids: tensor([2, 2], [0, 1, 1, 1]) }]],
    ['prefix', 'x.xxxxxx', [{ kind: 'prefix', length: tensor([2], [0, 2]) }], 'causal'],
  ])('%s', (_, expected, masks, mask) => {
    expect(hidden(masks, mask)).toBe(expected);
  });

  test.each<[string, NonNullable<HeadConfig['masks']>[number]]>([
    [
      'mask.3.lengths: found shape (3), expected (2)',
      { at: 3, kind: 'padding', lengths: zeros([3]) },
    ],
    ['mask.0.keep: found shape (3), expected (2, 2) or (2)', { kind: 'padding', keep: zeros([3]) }],
    [
      'mask.0.tensor: found shape (3, 3), expected it to broadcast',
      { kind: 'given', tensor: zeros([3, 3]), meaning: 'add' },
    ],
  ])('%s', (message, part) => {
    expect(() => hidden([part])).toThrow(message);
  });

  test('documents of keys that are not those of the queries', () => {
    const part = { kind: 'documents', ids: zeros([3]) } as const;
    expect(() => masked({ masks: [part] }, 2, 3)).toThrow('mask.0.ids: found no queryIds');
  });
});

test('which part hides an entry', () => {
  const graph = buildGraph(
    headConfig('qkv', {
      mask: 'causal',
      masks: [{ kind: 'padding', keep: tensor([5], [1, 1, 1, 1, 0]) }],
    }),
  );
  const { operation } = nodeOf(graph, 'M') as OperationNode;
  expect([0, 1, 4].map((offset) => operation.remark?.(offset))).toEqual([
    null,
    'Hidden here by: causal.',
    'Hidden here by: causal, padding.',
  ]);
});

describe('ALiBi', () => {
  test('takes slope x distance off, 2^(−8 (h + 1) / H) for head h', () => {
    const found = masked({ alibi: true }, 2, 2, 4);
    const slopes = [0.25, 0.0625, 0.015625, 0.00390625];
    expect([...found.data]).toEqual(slopes.flatMap((slope) => [0, -slope, -slope, 0]));
  });

  test('takes the slopes of the powers below and above where H is no power of two', () => {
    const slopesOf = (heads: number): number[] => {
      const found = masked({ alibi: true }, 1, 2, heads);
      return Array.from({ length: heads }, (_, h) => -found.data[2 * h + 1]);
    };
    expect(slopesOf(3)).toEqual([2 ** -4, 2 ** -8, 2 ** -2]);
    expect(slopesOf(6)).toEqual([2 ** -2, 2 ** -4, 2 ** -6, 2 ** -8, 2 ** -1, 2 ** -3]);
    expect(slopesOf(12).slice(8)).toEqual([2 ** -0.5, 2 ** -1.5, 2 ** -2.5, 2 ** -3.5]);
    expect(slopesOf(1)).toEqual([2 ** -8]);
  });

  test('with given slopes, under a causal mask', () => {
    const found = masked({ alibi: tensor([2], [0.5, 3]), mask: 'causal' }, 2, 2, 2);
    expect([...found.data]).toEqual([0, -Infinity, -0.5, 0, 0, -Infinity, -3, 0]);
  });

  test('counts the distance from the position after the earlier tokens', () => {
    const past = { K: zeros([1, 2, 1]), V: zeros([1, 2, 1]) };
    const found = masked({ alibi: tensor([1], [1]), past }, 1, 1);
    expect([...found.data]).toEqual([-2, -1, 0]);
  });
});

test('a query without any key gets an output of 0', () => {
  const config = { mask: 'causal-bottom-right' } as const;
  const graph = buildGraph({
    ...{ head: 'qkv', weights: {}, heads: 1, kvHeads: 1, axes: 'query-first' },
    start: { Q: zeros([2, 1]), K: zeros([1, 1]), V: tensor([1, 1], [7]) },
    loss: { kind: 'half-squared-norm' },
    ...config,
  });
  expect(nodeOf(graph, 'M').shape).toEqual([2, 1]);
  expect([...forward(graph).get('y')!.data]).toEqual([0, 7]);
});
