// Tensors that do not fit: the message names the entry, its shape, and the one it should have fitted.
import { describe, expect, test } from 'vitest';
import { ConfigError, type HeadConfig, type WeightId } from '../../../src/engine/config.ts';
import { buildGraph } from '../../../src/engine/heads/build.ts';
import { type Tensor, zeros } from '../../../src/engine/tensor.ts';
import { headConfig } from '../../support/configs.ts';

type Head = HeadConfig['head'];

const of = (...shape: number[]): Tensor => zeros(shape);
const weights = (head: Head, own: Partial<Record<WeightId, Tensor>>) => ({
  weights: { ...headConfig(head).weights, ...own },
});

function without(config: HeadConfig, ...keys: (keyof HeadConfig)[]): HeadConfig {
  return Object.fromEntries(
    Object.entries(config).filter(([key]) => !keys.includes(key as keyof HeadConfig)),
  ) as unknown as HeadConfig;
}

function refusal(config: HeadConfig): ConfigError {
  try {
    buildGraph(config);
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
  throw new Error('the configuration was accepted');
}

interface Misfit {
  readonly head: Head;
  readonly own: Partial<HeadConfig>;
  readonly message: string;
}

// x (5, 3), xPrime (4, 6), W_K (3, 2), W_Q (6, 2); in multihead 4 heads of width 2 share 2 key/value heads.
const misfits: readonly Misfit[] = [
  // Inputs
  { head: 'kq', own: { x: of(5) }, message: 'x: found shape (5), expected 2 axes: (i, c)' },
  {
    head: 'kq',
    own: { x: of(5, 1, 1, 1) },
    message: 'x: found shape (5, 1, 1, 1), expected 2 axes: (i, c)',
  },
  {
    head: 'kq',
    own: { x: of(2, 5, 3) },
    message:
      'xPrime: found shape (4, 6), expected a batch axis in front, as in x of shape (2, 5, 3)',
  },
  {
    head: 'kq',
    own: { xPrime: of(2, 4, 6) },
    message:
      'xPrime: found shape (2, 4, 6), expected no batch axis in front, as in x of shape (5, 3)',
  },
  {
    head: 'qkv',
    own: { start: { V: of(1, 5, 7) } },
    message:
      'start.V: found shape (1, 5, 7), expected no batch axis in front, as in x of shape (5, 3)',
  },
  {
    head: 'kq',
    own: { x: of(2, 5, 3), xPrime: of(3, 4, 6) },
    message:
      'xPrime: found shape (3, 4, 6), expected (b = 2, j, e): 2 comes from x shape (2, 5, 3)',
  },
  // Weights
  {
    head: 'kq',
    own: weights('kq', { W_K: of(4, 2) }),
    message: 'weights.W_K: found shape (4, 2), expected (c = 3, a): 3 comes from x shape (5, 3)',
  },
  {
    head: 'kq',
    own: weights('kq', { W_Q: of(5, 2) }),
    message:
      'weights.W_Q: found shape (5, 2), expected (e = 6, a = 2): 6 comes from xPrime shape (4, 6)',
  },
  {
    head: 'kq',
    own: weights('kq', { W_Q: of(6, 3) }),
    message:
      'weights.W_Q: found shape (6, 3), expected (e = 6, a = 2): 2 comes from weights.W_K shape (3, 2)',
  },
  {
    head: 'kq',
    own: weights('kq', { W_K: of(3) }),
    message: 'weights.W_K: found shape (3), expected 2 axes: (c = 3, a)',
  },
  {
    head: 'kq',
    own: weights('kq', { b_K: of(3) }),
    message:
      'weights.b_K: found shape (3), expected (a = 2): 2 comes from weights.W_K shape (3, 2)',
  },
  {
    head: 'qkv',
    own: weights('qkv', { W_V: of(4, 7) }),
    message: 'weights.W_V: found shape (4, 7), expected (c = 3, v): 3 comes from x shape (5, 3)',
  },
  {
    head: 'qkv',
    own: weights('qkv', { W_K: of(3, 0) }),
    message: 'weights.W_K: found shape (3, 0); an axis of length 0 leaves nothing to compute',
  },
  // Heads
  {
    head: 'multihead',
    own: { kvHeads: 3 },
    message: 'kvHeads: found 3, expected a divisor of heads = 4',
  },
  {
    head: 'multihead',
    own: weights('multihead', { W_K: of(3, 5) }),
    message: 'weights.W_K: found shape (3, 5), expected 5 to be a multiple of 2 (kvHeads = 2)',
  },
  {
    head: 'multihead',
    own: weights('multihead', { W_Q: of(6, 6) }),
    message:
      'weights.W_Q: found shape (6, 6), expected (e = 6, (r g a) = 8): ' +
      '8 comes from kvHeads = 2 and heads / kvHeads = 2 and weights.W_K shape (3, 4)',
  },
  {
    head: 'multihead',
    own: weights('multihead', { W_O: of(11, 7) }),
    message:
      'weights.W_O: found shape (11, 7), expected ((r g v) = 12, o): ' +
      '12 comes from kvHeads = 2 and heads / kvHeads = 2 and weights.W_V shape (3, 6)',
  },
  {
    head: 'multihead',
    own: weights('multihead', { b_O: of(6) }),
    message:
      'weights.b_O: found shape (6), expected (o = 7): 7 comes from weights.W_O shape (12, 7)',
  },
  {
    head: 'multihead',
    own: {
      ...weights('multihead', { W_K: of(3, 6), W_Q: of(6, 12), b_K: of(6), b_Q: of(12) }),
      rope: { base: 10, pairing: 'half' },
    },
    message: 'rope: found keys of width 3, expected an even width: features turn in pairs',
  },
  // Projections and earlier tokens
  {
    head: 'qkv',
    own: { start: { K: of(4, 2) } },
    message: 'start.K: found shape (4, 2), expected (i = 5, a): 5 comes from x shape (5, 3)',
  },
  {
    head: 'multihead',
    own: { past: { K: of(3, 2), V: of(2, 3, 3) } },
    message: 'past.K: found shape (3, 2), expected (kvHeads, tokens, width)',
  },
  {
    head: 'multihead',
    own: { past: { K: of(3, 3, 2), V: of(2, 3, 3) } },
    message:
      'past.K: found shape (3, 3, 2), expected (r = 2, p = 3, a = 2): 2 comes from kvHeads = 2',
  },
  {
    head: 'multihead',
    own: { past: { K: of(2, 3, 5), V: of(2, 3, 3) } },
    message:
      'past.K: found shape (2, 3, 5), expected (r = 2, p = 3, a = 2): 2 comes from weights.W_K shape (3, 4)',
  },
  {
    head: 'multihead',
    own: { past: { K: of(2, 3, 2), V: of(2, 4, 3) } },
    message:
      'past.V: found shape (2, 4, 3), expected (r = 2, p = 3, v = 3): 3 comes from past.K shape (2, 3, 2)',
  },
  // Masks
  {
    head: 'qkv',
    own: { mask: { tensor: of(5, 4), meaning: 'add' } },
    message: 'mask: found shape (5, 4), expected it to broadcast to (j = 4, i = 5)',
  },
  {
    head: 'qkv',
    own: { mask: { tensor: of(5), meaning: 'add' } },
    message: 'mask: found shape (5), expected it to broadcast to (j = 4, i = 5)',
  },
  {
    head: 'multihead',
    own: { mask: { tensor: of(3, 4, 5), meaning: 'add' } },
    message: 'mask: found shape (3, 4, 5), expected it to broadcast to (rg = 4, j = 4, i = 5)',
  },
  {
    head: 'qkv',
    own: { dropout: { p: 0.1, keep: of(5, 4) } },
    message: 'dropout.keep: found shape (5, 4), expected it to broadcast to (j = 4, i = 5)',
  },
  {
    head: 'qkv',
    own: { dropout: { p: 1, keep: of(4, 5) } },
    message: 'dropout.p: found 1, expected 0 <= p < 1',
  },
  {
    head: 'multihead',
    own: { alibi: of(3) },
    message: 'alibi: found shape (3), expected one slope per head (4)',
  },
  // f
  {
    head: 'qkv',
    own: { loss: { kind: 'upstream', G: of(4, 6) } },
    message: 'loss.upstream: found shape (4, 6), expected (4, 7), the shape of y',
  },
  {
    head: 'qkv',
    own: { loss: { kind: 'target', T: of(7, 4) } },
    message: 'loss.target: found shape (7, 4), expected (4, 7), the shape of y',
  },
  {
    head: 'qkv',
    own: { loss: { kind: 'expression', expression: 'sum(y .* G)', constants: { G: of(4, 1) } } },
    message: 'loss.constants.G: found shape (4, 1), expected (4, 7), the shape of y',
  },
  {
    head: 'qkv',
    own: { loss: { kind: 'expression', expression: 'sum(z)', constants: {} } },
    message: 'loss.expression: found the name z; known are y, pi, tau, e',
  },
];

describe('a shape that does not fit', () => {
  test.each(misfits)('$message', ({ head, own, message }) => {
    const error = refusal(headConfig(head, own));
    expect(error.message).toBe(message);
    expect(error.entry).toEqual(message.slice(0, message.indexOf(': ')).split('.'));
  });

  test('in self-attention the queries come from x', () => {
    const config = without(headConfig('kq', weights('kq', { W_Q: of(6, 2) })), 'xPrime');
    expect(refusal(config).message).toBe(
      'weights.W_Q: found shape (6, 2), expected (c = 3, a = 2): 3 comes from x shape (5, 3)',
    );
  });

  test('in self-attention the number of queries is that of the tokens', () => {
    const mask = { tensor: of(4, 5), meaning: 'add' } as const;
    const config = without(
      headConfig('kq', { ...weights('kq', { W_Q: of(3, 2) }), mask }),
      'xPrime',
    );
    expect(refusal(config).message).toContain('expected it to broadcast to (i = 5, j = 5)');
  });

  test('given projections are checked against each other', () => {
    const start = { Q: of(4, 3), K: of(5, 2) };
    expect(refusal(headConfig('kq', { start, weights: {} })).message).toBe(
      'start.Q: found shape (4, 3), expected (j = 4, a = 2): 2 comes from start.K shape (5, 2)',
    );
  });
});

describe('a tensor that is missing', () => {
  test.each([
    ['x', without(headConfig('kq'), 'x'), 'x: not given, and the head kq needs it'],
    ['all', without(headConfig('kq'), 'x', 'xPrime'), 'x: not given, and no start either'],
    ['W_K', headConfig('kq', { weights: {} }), 'weights.W_K: not given, and the head kq needs it'],
    [
      'W_V',
      headConfig('qkv', { weights: headConfig('kq').weights }),
      'weights.W_V: not given, and the head qkv needs it',
    ],
  ])('%s', (_, config, message) => {
    expect(refusal(config).message).toContain(message);
  });
});

describe('a node that would not fit into memory', () => {
  test.each([
    ['the scores', [20000, 1], [4000, 1], 1, 'x: found S of shape (20000, 4000), 80000000 entries'],
    [
      'a projection',
      [20000, 1],
      [1, 1],
      4000,
      'x: found K of shape (20000, 4000), 80000000 entries',
    ],
  ] as const)('%s', (_, x, xPrime, width, message) => {
    const tensors = { x: of(...x), xPrime: of(...xPrime) };
    const own = { W_K: of(1, width), W_Q: of(1, width) };
    const error = refusal(headConfig('kq', { ...tensors, weights: own }));
    expect(error.message).toBe(`${message}, expected at most 67108864`);
  });
});
