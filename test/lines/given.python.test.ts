// Programs that are held against a given setup which says less than they do, or in other pieces.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { HeadConfig } from '../../src/engine/config.ts';
import { buildGraph } from '../../src/engine/heads/build.ts';
import type { Tensor } from '../../src/engine/tensor.ts';
import { answer, type Answer } from '../../src/lineRun/answer.ts';
import type { Recording } from '../../src/lines/recorded/recording.ts';
import { hasNumpy, hasTorch, recorded } from '../support/recorded.ts';

const sourceOf = (name: string): string =>
  readFileSync(join(import.meta.dirname, 'given', `${name}.py`), 'utf8');

const lineOf = (source: string, text: string): number =>
  source.slice(0, source.indexOf(text)).split('\n').length;

/** The tensor that a name of the program stands for first. */
function named(recording: Recording, name: string): Tensor {
  const event = recording.events.find((each) => each.name === name);
  const found = event && recording.tensor(event.id);
  if (!found) throw new Error(`${name} was not recorded`);
  return found;
}

function held(
  source: string,
  config: (of: (name: string) => Tensor) => HeadConfig,
  ends: 'well' | 'badly' = 'well',
): Answer {
  const { recording } = recorded(source, ends);
  const given = config((name) => named(recording, name));
  const found = answer(recording, {
    ...{ file: 'program.py', args: [] },
    setup: { config: given, graph: buildGraph(given), setup: {} as never },
  });
  expect(found).not.toBeNull();
  return found!;
}

const plain = { mask: 'none', axes: 'query-first' } as const;

describe.skipIf(!hasNumpy)('a residual connection that the setup lacks', () => {
  const config = (of: (name: string) => Tensor): HeadConfig => ({
    ...{ ...plain, head: 'multihead', heads: 2, kvHeads: 2 },
    x: of('x'),
    weights: { W_Q: of('wq'), W_K: of('wk'), W_V: of('wv'), W_O: of('wo') },
    loss: { kind: 'upstream', G: of('dr') },
  });
  const right = sourceOf('residual');

  test('is taken for one, and said', () => {
    const { result, config: judged } = held(right, config);
    expect(result.verdict).toBe('match');
    expect(result.notes.join()).toMatch(/residual/);
    expect(judged.block).toEqual({ residual: true });
  });

  test('is then asked of the gradient as well', () => {
    const wrong = right.replace('dx = dr + dq', 'dx = dq');
    const { result } = held(wrong, config);
    expect(result.first).toMatchObject({ line: lineOf(wrong, 'dx = dq'), node: 'x' });
  });

  test('is none where something else is added', () => {
    const wrong = right.replace('r = x + z @ wo', 'r = q.sum() + z @ wo');
    const { result, config: judged } = held(wrong, config);
    expect(result.first).toMatchObject({ line: lineOf(wrong, 'r = q'), node: 'y' });
    expect(judged.block).toBeUndefined();
  });
});

describe.skipIf(!hasNumpy)('biases that are one more row of the weights', () => {
  /** All but the last row, and the last row. */
  const apart = ({ shape: [rows, width], data }: Tensor): [weight: Tensor, bias: Tensor] => {
    const size = (rows - 1) * width;
    const weight = { shape: [rows - 1, width], data: data.slice(0, size) };
    return [weight, { shape: [width], data: data.slice(size) }];
  };
  const config = (of: (name: string) => Tensor): HeadConfig => {
    const [W_Q, b_Q] = apart(of("A['q']"));
    const [W_K, b_K] = apart(of("A['k']"));
    const [W_V, b_V] = apart(of("A['v']"));
    const [W_O, b_O] = apart(of('out'));
    return {
      ...{ ...plain, head: 'multihead', heads: 2, kvHeads: 2, x: of('x') },
      weights: { W_Q, b_Q, W_K, b_K, W_V, b_V, W_O, b_O },
      loss: { kind: 'upstream', G: of('up') },
    };
  };
  const right = sourceOf('biasColumn');

  test('are read so', () => {
    const { result } = held(right, config);
    expect(result.first).toBeNull();
    expect(result.verdict).toBe('match');
  });

  test.each([
    ['dout = o1.T @ up', 'dout = o1.T @ y'],
    ['x1.T @ flat', 'x1.T @ g.reshape(n, h * d)'],
    ['dx1 = dx1 + flat', 'dx1 = flat'],
    ['o1 = with_one((p @ v).transpose(1, 0, 2)', 'o1 = with_one((p @ v)'],
  ])('%s is then told: %s', (before, after) => {
    const wrong = right.replace(before, after);
    expect(held(wrong, config).result.first?.line).toBe(lineOf(wrong, after));
  });
});

describe.skipIf(!hasTorch)('gradients of one sequence after the other', () => {
  const config = (of: (name: string) => Tensor): HeadConfig => ({
    ...{ ...plain, head: 'qkv', heads: 1, kvHeads: 1 },
    x: of('xs'),
    weights: {
      ...{ W_Q: of("W['q']"), W_K: of("W['k']"), W_V: of("W['v']") },
      ...{ b_Q: of("W['bq']"), b_V: of("W['bv']") },
    },
    loss: { kind: 'target', T: of('targets') },
  });

  test('add up to those of the biases too', () => {
    const { result } = held(sourceOf('perSample'), config);
    expect(result.first).toBeNull();
    expect(result.verdict).toBe('match');
  });

  test('but not where each replaces the one before', () => {
    const wrong = sourceOf('perSample').replace('total[name] += g', 'total[name] = g');
    expect(held(wrong, config).result.verdict).toBe('diverges');
  });
});

describe.skipIf(!hasTorch)('what is asked of autograd', () => {
  const weights = (of: (name: string) => Tensor): HeadConfig['weights'] => ({
    ...{ W_Q: of('wq'), W_K: of('wk'), W_V: of('wv') },
  });
  const single = { head: 'qkv', heads: 1, kvHeads: 1, axes: 'query-first' } as const;

  test('is no gradient of data that is no parameter', () => {
    const { result } = held(sourceOf('plainData'), (of) => ({
      ...{ ...single, head: 'multihead', mask: 'causal', x: of('x') },
      weights: { ...weights(of), sinks: of('sinks') },
      loss: { kind: 'target', T: of('target') },
    }));
    expect(result.first).toBeNull();
    expect(result.verdict).toBe('match');
  });

  test('by a gradient check is another gradient for each output', () => {
    const config = (of: (name: string) => Tensor): HeadConfig => ({
      ...{ ...single, mask: 'none', x: of('x'), weights: weights(of) },
      loss: { kind: 'upstream', G: of('G') },
    });
    const right = sourceOf('checked');
    expect(held(right, config).result.first).toBeNull();
    const wrong = right.replace('x.T @ dk,', 'x.T @ dq,');
    const { first } = held(wrong, config).result;
    expect(first).toMatchObject({ line: lineOf(wrong, 'g_wq, g_wk, g_wv') });
  });
});

describe.skipIf(!hasNumpy)('a program of which little is recognised', () => {
  const source = `
import numpy as np

rng = np.random.default_rng(5)
x, G = rng.normal(size=(4, 3)), rng.normal(size=(4, 3))
wq, wk, wv = (rng.normal(size=(3, 3)) for _ in range(3))
s = (x @ wq) @ (x @ wk).T / np.sqrt(3)
`;

  test('is not called right', () => {
    const { result } = held(source, (of) => ({
      ...{ ...plain, head: 'qkv', heads: 1, kvHeads: 1 },
      x: of('x'),
      weights: { W_Q: of('wq'), W_K: of('wk'), W_V: of('wv') },
      loss: { kind: 'upstream', G: of('G') },
    }));
    expect(result.verdict).toBe('unaligned');
    expect(result.notes[0]).toMatch(/only .*Z.* recognised/);
  });
});

describe.skipIf(!hasNumpy)('distances of tokens, by which keys are chosen', () => {
  const config = (of: (name: string) => Tensor): HeadConfig => ({
    ...{ head: 'kq', heads: 1, kvHeads: 1, axes: 'query-first' },
    x: of('x'),
    weights: { W_K: of('wk'), W_Q: of('wq') },
    mask: { tensor: of('seen'), meaning: 'attend' },
    loss: { kind: 'target', T: of('goal') },
  });
  const right = sourceOf('near');

  test('are no gradient', () => {
    const { result } = held(right, config);
    expect([result.verdict, result.first]).toEqual(['match', null]);
  });

  test('hide no mistake after them', () => {
    const wrong = right.replace('(dp - weights[j] @ dp)', '(dp - dp.mean())');
    const { result } = held(wrong, config);
    expect(result.first).toMatchObject({ line: lineOf(wrong, 'dp.mean()') });
  });
});

/** (batch, heads, tokens, width) as (batch, tokens, heads * width). */
function merged({ shape: [batch, heads, tokens, width], data }: Tensor): Tensor {
  const row = heads * width;
  const at = (n: number): number => {
    const [b, t, h] = [Math.floor(n / (tokens * row)), Math.floor(n / row) % tokens, n % row];
    return ((b * heads + Math.floor(h / width)) * tokens + t) * width + (h % width);
  };
  return { shape: [batch, tokens, row], data: data.map((_, n) => data[at(n)]) };
}

describe.skipIf(!hasNumpy)('what the program computes beyond the setup', () => {
  const right = sourceOf('beyond');
  const setup = (): HeadConfig => {
    const of = (name: string): Tensor => named(recorded(right).recording, name);
    const [Q, K, V] = ['turned_q', 'keys', 'values'].map((name) => merged(of(name)));
    return {
      ...{ ...plain, head: 'multihead', heads: 4, kvHeads: 4, weights: {} },
      ...{ start: { Q, K, V }, loss: { kind: 'upstream', G: of('dz') } },
    };
  };

  test('is no mistake: heads that are added up, a rotation back, a norm after it', () => {
    const { result } = held(right, setup);
    expect([result.verdict, result.first]).toEqual(['match', null]);
  });

  test.each([
    ['turned(k, cos, sin)', 'turned(k, cos, -sin)', 'turned_k ='],
    ['dz = dr + dnorm', 'dz = dnorm', 'dz = dnorm'],
  ])('goes wrong where %s is %s', (from, to, at) => {
    const wrong = right.replace(from, to);
    expect(wrong).not.toBe(right);
    expect(held(wrong, setup).result.first).toMatchObject({ line: lineOf(wrong, at) });
  });
});

describe.skipIf(!hasNumpy)('a gradient that nothing of the program is', () => {
  test('is said, and the program not called right', () => {
    const wrong = sourceOf('residual').replace(
      'dwo = np.einsum("btc,bto->co", z, dr)',
      'dwo = np.full_like(wo, 2.0)',
    );
    const { result } = held(wrong, (of) => ({
      ...{ ...plain, head: 'multihead', heads: 2, kvHeads: 2, block: { residual: true } },
      x: of('x'),
      weights: { W_Q: of('wq'), W_K: of('wk'), W_V: of('wv'), W_O: of('wo') },
      loss: { kind: 'upstream', G: of('dr') },
    }));
    expect(result.verdict).toBe('unaligned');
    expect(result.notes[0]).toMatch(/dW_O \(dwo, /);
  });
});

describe.skipIf(!hasNumpy)(
  'a right program that ends with an error between the terms of a sum',
  () => {
    const source = `
import numpy as np

rng = np.random.default_rng(3)
q, k, v, do = (rng.normal(size=(5, 4)) for _ in range(4))
s = q @ k.T / 2
e = np.exp(s - s.max(axis=1, keepdims=True))
p = e / e.sum(axis=1, keepdims=True)
o = p @ v


def backward():
    dv, dk = np.zeros_like(v), np.zeros_like(k)
    for j in range(5):
        dv += np.outer(p[j], do[j])
        dp = v @ do[j]
        dk += np.outer(p[j] * (dp - dp @ p[[j]]), q[j]) / 2
    return dv, dk


backward()
`;

    test('is not accused of the terms that were still to come', () => {
      const { result } = held(
        source,
        (of) => ({
          ...{ ...plain, head: 'qkv', heads: 1, kvHeads: 1, weights: {} },
          start: { Q: of('q'), K: of('k'), V: of('v') },
          loss: { kind: 'upstream', G: of('do') },
        }),
        'badly',
      );
      expect(result.verdict).not.toBe('match');
      expect(result.first?.line ?? 17).toBe(17);
    });
  },
);
