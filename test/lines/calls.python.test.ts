// Programs that call their attention several times: a batch in parts, sums that go on, a function or a call that is chosen.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { answer, type Answer, type AnswerOptions } from '../../src/lineRun/answer.ts';
import { hasNumpy, hasTorch, recorded } from '../support/recorded.ts';

vi.setConfig({ testTimeout: 120_000 });

const sourceOf = (name: string): string =>
  readFileSync(join(import.meta.dirname, 'kinds', `${name}.py`), 'utf8');

const batches = sourceOf('batches');

function asked(source: string, options: Partial<AnswerOptions> = {}): Answer {
  const { recording } = recorded(source);
  const found = answer(recording, { file: 'program.py', args: [], ...options });
  if (!found) throw new Error('found no attention');
  return found;
}

function edited(source: string, from: string, to: string): string {
  expect(source.split(from), from).toHaveLength(2);
  return source.replace(from, to);
}

const lineOf = (source: string, text: string): number =>
  source.slice(0, source.indexOf(text)).split('\n').length;

describe.skipIf(!hasNumpy)('a batch in several calls', () => {
  test('is judged as a whole where its gradients add up', () => {
    const { config, result, judged } = asked(batches);
    expect(result).toMatchObject({ verdict: 'match', notes: [] });
    expect(config.x?.shape).toEqual([6, 4, 5]);
    expect(judged.localised.covered).toContain('g:W_Q');
  });

  test.each([
    ['a gradient of the last call alone', 'dw["v"] +=', 'dw["v"] ='],
    ['a mean over each call', '2 * (y - goal) / B, kept', '2 * (y - goal) / size, kept'],
  ])('%s', (_, from, to) => {
    const wrong = edited(batches, from, to);
    const { result } = asked(wrong);
    expect(result.verdict).toBe('diverges');
    expect(result.first?.line).toBe(lineOf(wrong, to));
  });

  test('of other lengths: the first alone is judged, and that is said', () => {
    const { result } = asked(edited(batches, 'SIZES = (3, 3)', 'SIZES = (2, 1, 3)'));
    expect(result.verdict).toBe('match');
    expect(result.notes).toEqual([
      expect.stringMatching(/^the first call alone .* 2 more calls add/),
    ]);
  });
});

describe.skipIf(!hasNumpy)('queries in several calls', () => {
  const right = sourceOf('recomputed_parts');

  test('are judged as a whole', () => {
    const { result, judged } = asked(right);
    expect(result).toMatchObject({ verdict: 'match', notes: [] });
    expect(judged.localised.covered).toContain('g:K');
  });

  test('are so too where only those of the first are right', () => {
    const wrong = edited(right, 'q[rows], k, v, at)', 'q[rows], k, v, 0)');
    const { result } = asked(wrong);
    expect(result.verdict).toBe('diverges');
    expect(result.first?.line).toBe(lineOf(wrong, 'q[rows], k, v, 0)'));
  });
});

describe.skipIf(!hasTorch)('heads in several calls', () => {
  const right = sourceOf('accumulated');

  test('are judged as a whole', () => {
    const { config, result, judged } = asked(right);
    expect(result).toMatchObject({ verdict: 'match', notes: [] });
    expect(config.x?.shape).toEqual([4, 5, 6]);
    expect(judged.localised.covered).toContain('g:W_O');
  });

  test('of which one gradient is that of the last call alone', () => {
    const wrong = edited(right, 'grads["k"] +=', 'grads["k"] =');
    const { result } = asked(wrong);
    expect(result.first?.line).toBe(lineOf(wrong, 'grads["k"] ='));
  });

  test('each by its number', () => {
    expect(asked(right, { layer: 2 }).config.x?.shape).toEqual([2, 5, 6]);
  });
});

const TWO = `
import numpy as np

rng = np.random.default_rng(2)
x, other = rng.normal(size=(5, 4)), rng.normal(size=(6, 4))
w = [rng.normal(size=(4, 3)) for _ in range(3)]


def softmax(s):
    e = np.exp(s - s.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def first(x):
    q, k, v = (x @ each for each in w)
    return softmax(q @ k.T / np.sqrt(3)) @ v


def second(x):
    q, k, v = (x @ each for each in w)
    return softmax(q @ k.T / np.sqrt(4)) @ v


y = first(x)
z = second(other)
again = first(rng.normal(size=(7, 4)))
`;

describe.skipIf(!hasNumpy)('two functions in three calls', () => {
  test.each([
    [{}, 'first', 'match'],
    [{ function: 'first' }, 'first', 'match'],
    [{ function: 'second' }, 'second', 'diverges'],
    [{ layer: 2 }, 'second', 'diverges'],
    [{ layer: 3 }, 'first', 'match'],
    [{ function: 'first', layer: 2 }, 'first', 'match'],
  ])('%j is %s, which is %s', (options, name, verdict) => {
    const { source, result, config } = asked(TWO, options);
    expect(source.function).toBe(name);
    const call = 'layer' in options ? (options.layer ?? 1) : 1;
    const tokens = name === 'second' ? 6 : call === 1 ? 5 : 7;
    expect(config.x?.shape).toEqual([tokens, 4]);
    expect(result.verdict).toBe(verdict);
    if (verdict === 'diverges') expect(result.first?.line).toBe(lineOf(TWO, 'np.sqrt(4)'));
  });

  test('have no fourth call', () => {
    expect(() => asked(TWO, { layer: 4 })).toThrow('found no attention');
  });
});
