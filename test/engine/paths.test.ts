// By which way a gradient comes back: as value, key, query, through the weights, to a parameter.
import { describe, expect, test } from 'vitest';
import { pathShares } from '../../src/engine/paths.ts';
import { norm } from '../../src/engine/tensor.ts';
import { smallExampleNames, exampleRun } from '../support/setups.ts';

const paths = async (name: string): Promise<string[]> =>
  (await exampleRun(name)).contributions.map(({ from, to, path }) => `${from} > ${to}: ${path}`);

test('self-attention: x receives as value, as query and as key', async () => {
  const all = await paths('self-attention');
  expect(all.filter((each) => each.includes('> x:'))).toEqual([
    'y > x: value',
    'Q > x: query',
    'K > x: key',
  ]);
});

test('the exercise, edge by edge', async () => {
  expect(await paths('exercise')).toEqual([
    ...['f > y: output', 'y > x: value', 'y > P: weights', 'P > S: weights', 'S > K: key'],
    ...[
      'S > Q: query',
      'Q > xPrime: query',
      'Q > W_Q: parameter',
      'K > x: key',
      'K > W_K: parameter',
    ],
  ]);
});

test('multihead, edge by edge', async () => {
  expect(await paths('cross-attention')).toEqual([
    ...['f > y: output', 'y > C: output', 'y > W_O: parameter', 'C > O: output'],
    ...['O > Vh: value', 'O > P: weights', 'P > M: weights', 'M > Z: weights', 'Z > S: weights'],
    ...['S > Kh: key', 'S > Qh: query', 'Vh > V: value', 'Qh > Q: query', 'Kh > K: key'],
    ...['V > x: value', 'V > W_V: parameter', 'Q > xPrime: query', 'Q > W_Q: parameter'],
    ...['Q > b_Q: parameter', 'K > x: key', 'K > W_K: parameter'],
  ]);
});

test('a layer: past the attention and through its norm; there as value, key, query', async () => {
  const all = await paths('gemma3-layer');
  expect(all.filter((each) => /> (x|xn):/.test(each)).sort()).toEqual([
    ...['K > xn: key', 'Q > xn: query', 'V > xn: value', 'xn > x: norm', 'y > x: residual'],
  ]);
});

describe('shares', () => {
  test.each(smallExampleNames)('of %s are the parts’ norms, and sum to 1', async (name) => {
    const own = await exampleRun(name);
    for (const { id } of own.graph.nodes.filter((node) => node.id !== 'f')) {
      const shares = pathShares(own, id);
      const total = shares.reduce((sum, { share }) => sum + share, 0);
      expect(total, id).toBeCloseTo(1, 12);
      const norms = shares.map(({ contribution }) => norm(contribution.value));
      const sum = norms.reduce((a, b) => a + b, 0);
      shares.forEach(({ share }, n) => expect(share).toBeCloseTo(norms[n] / sum, 12));
    }
  });
});
