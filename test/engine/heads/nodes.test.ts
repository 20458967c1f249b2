// Which nodes a head has, in which order, with which shapes: a step that is not asked for is not there.
import { describe, expect, test } from 'vitest';
import { axisLabel } from '../../../src/engine/axes.ts';
import type { HeadConfig } from '../../../src/engine/config.ts';
import { buildGraph } from '../../../src/engine/heads/build.ts';
import { run } from '../../../src/engine/run.ts';
import { scalar, tensor } from '../../../src/engine/tensor.ts';
import { headConfig } from '../../support/configs.ts';
import { randomTensor } from '../../support/random.ts';

const ids = (config: HeadConfig): string =>
  buildGraph(config)
    .nodes.map(({ id }) => id)
    .join(' ');

/** "S (j i) = (4, 5)" for every node. */
const shapes = (config: HeadConfig): string[] =>
  buildGraph(config).nodes.map(
    ({ id, axes, shape }) => `${id} (${axes.map(axisLabel).join(', ')}) = (${shape.join(', ')})`,
  );

const self = (config: HeadConfig): HeadConfig => {
  const { xPrime: _, ...rest } = config;
  return {
    ...rest,
    weights: { ...rest.weights, W_Q: randomTensor([3, rest.weights.W_Q!.shape[1]], 1) },
  };
};

describe('kq', () => {
  test('the exercise', () => {
    expect(ids(headConfig('kq'))).toBe('x xPrime W_K W_Q K Q S P y f');
  });

  test('self-attention has no xPrime', () => {
    expect(ids(self(headConfig('kq')))).toBe('x W_K W_Q K Q S P y f');
  });

  test.each([
    [{ scale: 0.5 }, 'K Q S Z P y f'],
    [{ scale: '1/sqrt(d)' }, 'K Q S Z P y f'],
    [{ softcap: 5 }, 'K Q S Z P y f'],
    [{ mask: 'causal' }, 'K Q S M P y f'],
    [{ window: 2 }, 'K Q S M P y f'],
    [{ alibi: true }, 'K Q S M P y f'],
    [{ dropout: { p: 0.1, keep: tensor([1, 1], [1]) } }, 'K Q S P Pd y f'],
  ] as const)('with %j', (own, steps) => {
    expect(ids(headConfig('kq', own))).toBe(`x xPrime W_K W_Q ${steps}`);
  });

  test('shapes, keys first', () => {
    expect(shapes(headConfig('kq'))).toMatchInlineSnapshot(`
      [
        "x (i, c) = (5, 3)",
        "xPrime (j, e) = (4, 6)",
        "W_K (c, a) = (3, 2)",
        "W_Q (e, a) = (6, 2)",
        "K (i, a) = (5, 2)",
        "Q (j, a) = (4, 2)",
        "S (i, j) = (5, 4)",
        "P (i, j) = (5, 4)",
        "y (j, c) = (4, 3)",
        "f () = ()",
      ]
    `);
  });
});

describe('qkv', () => {
  test('has values and a scale', () => {
    expect(ids(headConfig('qkv'))).toBe('x xPrime W_K W_Q W_V K Q V S Z P y f');
  });

  test('projections that are given replace x and the weights', () => {
    const start = {
      Q: randomTensor([4, 2], 1),
      K: randomTensor([5, 2], 2),
      V: randomTensor([5, 7], 3),
    };
    const { x: _x, xPrime: _xPrime, ...config } = headConfig('qkv', { start, weights: {} });
    expect(ids(config)).toBe('K Q V S Z P y f');
  });

  test.each([
    ['x on both sides', self(headConfig('qkv')), true],
    ['xPrime on one of them', headConfig('qkv'), false],
    [
      'queries that are given',
      { ...self(headConfig('qkv')), start: { Q: randomTensor([4, 2], 1) } },
      false,
    ],
  ])('%s', (_, config, expected) => {
    expect(buildGraph(config).selfAttention).toBe(expected);
  });

  test('shapes in a batch, queries first', () => {
    const batched = { x: randomTensor([2, 5, 3], 1), xPrime: randomTensor([2, 4, 6], 2) };
    expect(shapes(headConfig('qkv', batched))).toMatchInlineSnapshot(`
      [
        "x (b, i, c) = (2, 5, 3)",
        "xPrime (b, j, e) = (2, 4, 6)",
        "W_K (c, a) = (3, 2)",
        "W_Q (e, a) = (6, 2)",
        "W_V (c, v) = (3, 7)",
        "K (b, i, a) = (2, 5, 2)",
        "Q (b, j, a) = (2, 4, 2)",
        "V (b, i, v) = (2, 5, 7)",
        "S (b, j, i) = (2, 4, 5)",
        "Z (b, j, i) = (2, 4, 5)",
        "P (b, j, i) = (2, 4, 5)",
        "y (b, j, v) = (2, 4, 7)",
        "f () = ()",
      ]
    `);
  });
});

describe('multihead', () => {
  test('splits, merges and mixes', () => {
    expect(ids(headConfig('multihead'))).toBe(
      'x xPrime W_K W_Q W_V W_O b_K b_Q b_V b_O K Q V Kh Qh Vh S Z P O C y f',
    );
  });

  test('without W_O the merged heads are the output', () => {
    const { W_O: _W, b_O: _b, ...weights } = headConfig('multihead').weights;
    expect(ids(headConfig('multihead', { weights })).endsWith('Vh S Z P O y f')).toBe(true);
  });

  test('shapes of grouped heads after three earlier tokens', () => {
    const past = { K: randomTensor([2, 3, 2], 1), V: randomTensor([2, 3, 3], 2) };
    expect(shapes(headConfig('multihead', { past }))).toMatchInlineSnapshot(`
      [
        "x (t, c) = (5, 3)",
        "xPrime (j, e) = (4, 6)",
        "W_K (c, (r a)) = (3, 4)",
        "W_Q (e, (r g a)) = (6, 8)",
        "W_V (c, (r v)) = (3, 6)",
        "W_O ((r g v), o) = (12, 7)",
        "b_K ((r a)) = (4)",
        "b_Q ((r g a)) = (8)",
        "b_V ((r v)) = (6)",
        "b_O (o) = (7)",
        "K (t, (r a)) = (5, 4)",
        "Q (j, (r g a)) = (4, 8)",
        "V (t, (r v)) = (5, 6)",
        "Kh (r, i, a) = (2, 8, 2)",
        "Qh ((r g), j, a) = (4, 4, 2)",
        "Vh (r, i, v) = (2, 8, 3)",
        "S ((r g), j, i) = (4, 4, 8)",
        "Z ((r g), j, i) = (4, 4, 8)",
        "P ((r g), j, i) = (4, 4, 8)",
        "O ((r g), j, v) = (4, 4, 3)",
        "C (j, (r g v)) = (4, 12)",
        "y (j, o) = (4, 7)",
        "f () = ()",
      ]
    `);
  });

  test('query head h uses KV head floor(h kvHeads / heads)', () => {
    const { values } = run(buildGraph(headConfig('multihead', { scale: 1 })));
    const [Kh, Qh, S] = ['Kh', 'Qh', 'S'].map((id) => values.get(id)!.data);
    for (let h = 0; h < 4; h++) {
      const kv = Math.floor((h * 2) / 4);
      // Query 1, key 3; queries (4, 4, 2), keys (2, 5, 2), scores (4, 4, 5).
      const expected = [0, 1].reduce(
        (sum, a) => sum + Qh[(h * 4 + 1) * 2 + a] * Kh[(kv * 5 + 3) * 2 + a],
        0,
      );
      expect(S[(h * 4 + 1) * 5 + 3]).toBeCloseTo(expected, 14);
    }
  });
});

describe('scale', () => {
  const factor = (own: Partial<HeadConfig>, head: 'kq' | 'qkv' | 'multihead'): number => {
    const { values } = run(buildGraph(headConfig(head, own)));
    return values.get('Z')!.data[0] / values.get('S')!.data[0];
  };

  test.each([
    ['qkv', {}, Math.SQRT1_2],
    ['multihead', {}, Math.SQRT1_2],
    ['kq', { scale: '1/sqrt(d)' }, Math.SQRT1_2],
    ['multihead', { scale: 3 }, 3],
  ] as const)('%s with %j', (head, own, expected) => {
    expect(factor(own, head)).toBeCloseTo(expected, 14);
  });
});

describe('f', () => {
  const y = [0, 1].map((n) => randomTensor([4, 3], 20 + n));
  const f = (loss: HeadConfig['loss']): [number, number] => {
    const { values } = run(buildGraph(headConfig('kq', { loss })));
    const own = values.get('y')!.data;
    const expected = {
      'half-squared-norm': own.reduce((sum, value) => sum + value ** 2 / 2, 0),
      upstream: own.reduce((sum, value, at) => sum + value * y[0].data[at], 0),
      target: own.reduce((sum, value, at) => sum + (value - y[0].data[at]) ** 2 / 2, 0),
      expression: own.reduce((sum, value, at) => sum + 3 * value * y[1].data[at], 0),
    };
    return [values.get('f')!.data[0], expected[loss.kind]];
  };

  test.each([
    { kind: 'half-squared-norm' },
    { kind: 'upstream', G: y[0] },
    { kind: 'target', T: y[0] },
    { kind: 'expression', expression: 'k * sum(y .* G)', constants: { k: scalar(3), G: y[1] } },
  ] as const)('$kind', (loss) => {
    const [found, expected] = f(loss);
    expect(found).toBeCloseTo(expected, 13);
  });
});
