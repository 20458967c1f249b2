// Right programs are not accused, whatever their habit of logging: a few here; npm run right does a thousand by PyTorch.
import { describe, expect, it } from 'vitest';
import { check } from '../../src/compare/check.ts';
import { tensorName } from '../../src/engine/graph.ts';
import { run } from '../../src/engine/run.ts';
import type { NamedTensor } from '../../src/formats/namedTensor.ts';
import { resolveName } from '../../src/formats/nodeNames.ts';
import { openSetup } from '../../src/formats/openSetup.ts';
import { drawSetup, generator } from '../conformance/draw.mjs';
import { HABITS } from './habits.ts';

/** What is said of a right program with that habit; null where the habit changes nothing of the setup. */
async function said(
  setup: unknown,
  habit: string,
  seed: number,
  change = (own: NamedTensor): NamedTensor => own,
): Promise<unknown> {
  const { config, graph } = await openSetup(JSON.stringify(setup), () =>
    Promise.reject(new Error('no files')),
  );
  if (!config || !graph) throw new Error('the setup cannot be opened');
  const { values, gradients } = run(graph);
  const named = (kind: 'value' | 'gradient', all: typeof values): NamedTensor[] =>
    [...all].map(([node, tensor]) => ({
      name: tensorName(node, kind),
      dtype: 'float64' as const,
      tensor,
    }));
  const all = [...named('value', values), ...named('gradient', gradients)].map(change);
  const trace = HABITS[habit](all, graph, seed);
  if (!trace) return null;
  const { verdict, causes } = check({ config, graph, trace, names: {}, resolve: resolveName });
  return [verdict, causes];
}

describe.each(Array.from({ length: 12 }, (_, seed) => seed))('setup %i', (seed) => {
  it.each(Object.keys(HABITS))('%s', async (habit) => {
    const { setup } = drawSetup(generator(100 + seed));
    expect((await said(setup, habit, seed)) ?? ['match', []]).toEqual(['match', []]);
  });
});

/** As many heads as tokens and features: no shape tells an order of axes; and the output is 0, and tells none either. */
function allDropped(): unknown {
  const random = generator(5);
  const numbers = (rows: number, columns: number): number[][] =>
    Array.from({ length: rows }, () => Array.from({ length: columns }, () => random() - 0.5));
  const nothing = Array.from({ length: 3 }, () => Array.from({ length: 3 }, () => [0, 0, 0]));
  return {
    ...{ head: 'multihead', heads: 3, x: numbers(3, 4), axes: 'query-first', mask: 'causal' },
    weights: { W_Q: numbers(4, 9), W_K: numbers(4, 9), W_V: numbers(4, 9) },
    dropout: { p: 0.5, keep: nothing },
    loss: { upstream: numbers(3, 9) },
  };
}

describe('a setup of which everything is dropped', () => {
  it.each(['everything', 'tokens before heads', 'nothing computed where the weight is 0'])(
    '%s',
    async (habit) => {
      expect(await said(allDropped(), habit, 0)).toEqual(['match', []]);
    },
  );
});

it('takes a loss of its own for no word on the order of axes', async () => {
  const random = generator(6);
  const numbers = (rows: number, columns: number): number[][] =>
    Array.from({ length: rows }, () => Array.from({ length: columns }, () => random() - 0.5));
  // As many queries as heads, so that the shape of Qh tells nothing; of keys more.
  const setup = {
    ...{
      head: 'multihead',
      heads: 3,
      x: numbers(5, 4),
      xPrime: numbers(3, 4),
      axes: 'query-first',
    },
    weights: { W_Q: numbers(4, 9), W_K: numbers(4, 9), W_V: numbers(4, 9) },
    loss: { upstream: numbers(3, 9) },
  };
  const ownLoss = (own: NamedTensor): NamedTensor =>
    own.name === 'f' ? { ...own, tensor: { shape: [], data: Float64Array.of(7) } } : own;
  expect(await said(setup, 'tokens before heads', 0, ownLoss)).toEqual(['match', []]);
});
