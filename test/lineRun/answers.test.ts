// What a person answers about an inferred setup, put into it.
import { expect, test } from 'vitest';
import type { HeadConfig } from '../../src/engine/config.ts';
import { choicesOf, withAnswers } from '../../src/lineRun/answers.ts';

const config = {
  ...{ head: 'multihead', heads: 2, kvHeads: 2, mask: 'causal', axes: 'query-first', scale: 0.5 },
  weights: { W_O: { shape: [1, 1], data: Float64Array.of(1) } },
  ...{ rope: { base: 500, pairing: 'half' }, loss: { kind: 'half-squared-norm' } },
} as unknown as HeadConfig;

test('changes the entry that was asked about, and nothing for what is no answer', () => {
  expect(withAnswers(config, { mask: 'none' })).toEqual({ ...config, mask: 'none' });
  expect(withAnswers(config, { scale: '1/sqrt(d)' }).scale).toBe('1/sqrt(d)');
  expect(withAnswers(config, { 'rope.base': 10000 }).rope?.base).toBe(10000);
  expect(withAnswers(config, { rope: 'none' }).rope).toBeUndefined();
  expect(withAnswers(config, { 'weights.W_O': 'none' }).weights).toEqual({});
  for (const answers of [{ mask: 'as written' }, { scale: null }, { loss: 1 }, { toString: 1 }])
    expect(withAnswers(config, answers)).toEqual(config);
});

test('offers what can be put in', () => {
  const question = {
    entry: 'mask',
    guess: 'causal',
    alternatives: ['as written', 'none'],
    why: '',
  };
  expect(choicesOf(config, question)).toEqual(['none']);
  expect(choicesOf(config, { ...question, entry: 'loss' })).toEqual([]);
});
