// A program that looks a position bias up otherwise, or not at all, is told how.
import { expect, test } from 'vitest';
import { check } from '../../src/compare/check.ts';
import { referenceProgram, State } from '../../src/compare/program/program.ts';
import { map } from '../../src/engine/tensor.ts';
import { resolveName } from '../../src/formats/nodeNames.ts';
import { openSetup } from '../../src/formats/openSetup.ts';

const random = (seed: number, ...shape: number[]): object => ({ random: 'normal', shape, seed });

async function open(positionBias: object | undefined, B: object, tokens = 6) {
  const setup = {
    ...{ head: 'multihead', heads: 2, x: random(1, 2, tokens, 8) },
    weights: {
      ...{ W_K: random(3, 8, 8), W_Q: random(4, 8, 8), W_V: random(5, 8, 8) },
      ...(positionBias && { B }),
    },
    ...(positionBias && { positionBias }),
  };
  const { config, graph, problems } = await openSetup(JSON.stringify(setup), () =>
    Promise.reject(new Error('no files')),
  );
  if (!config || !graph) throw new Error(problems.map(({ message }) => message).join());
  return { config, graph };
}

const t5 = { kind: 't5' };

test.each<[string, object, object | undefined]>([
  ['position-bias-direction', t5, { kind: 't5', bidirectional: false }],
  ['position-bias-distance', { kind: 't5', maxDistance: 9 }, { kind: 't5', maxDistance: 128 }],
])('%s', async (cause, ours, theirs) => {
  const table = random(7, 8, 2);
  const own = await open(ours, table, 9);
  const state = new State(referenceProgram((await open(theirs, table, 9)).graph));
  const trace = ['Z', 'Zb', 'P', 'y'].map((name) => ({
    ...{ name, dtype: 'float64' as const, tensor: state.value(name) },
  }));
  const { first, causes } = check({ ...own, trace, names: {}, resolve: resolveName });
  expect(first).toEqual({ node: 'Zb', kind: 'value' });
  expect(causes[0].id).toBe(cause);
});

test.each<[string, object, object]>([
  ['learned', { kind: 'learned' }, random(7, 2, 6, 6)],
  ['t5', t5, random(7, 8, 2)],
  ['swin', { kind: 'swin', window: [2, 3] }, random(7, 15, 2)],
])('%s: left out, and seen in P alone', async (_, ours, table) => {
  const own = await open(ours, table);
  const state = new State(referenceProgram((await open(undefined, table)).graph));
  const trace = ['P', 'y'].map((name) => ({
    name,
    dtype: 'float64' as const,
    tensor: state.value(name),
  }));
  const { causes } = check({ ...own, trace, names: {}, resolve: resolveName });
  expect(causes[0].id).toBe('position-bias-missing');
});

test('the difference of places with the other sign', async () => {
  const own = await open({ kind: 'swin', window: [2, 3] }, random(7, 15, 2));
  const state = new State(referenceProgram(own.graph));
  const [Z, right] = [state.value('Z'), state.value('Zb')];
  const bias = map(right, (value, at) => value - Z.data[at]);
  // (b, h, j, i): the bias of j, i is that of i, j.
  const mirrored = map(Z, (value, at) => {
    const [rest, j, i] = [Math.floor(at / 36), Math.floor(at / 6) % 6, at % 6];
    return value + bias.data[rest * 36 + i * 6 + j];
  });
  const trace = [
    { name: 'Z', dtype: 'float64' as const, tensor: Z },
    { name: 'Zb', dtype: 'float64' as const, tensor: mirrored },
  ];
  const { causes } = check({ ...own, trace, names: {}, resolve: resolveName });
  expect(causes.map(({ id }) => id)).toContain('position-bias-sign');
});

test('a gradient of the table that is not summed over the batch', async () => {
  const own = await open(t5, random(7, 8, 2));
  const state = new State(referenceProgram(own.graph));
  const trace = ['Z', 'Zb', 'P', 'y'].map((name) => ({
    ...{ name, dtype: 'float64' as const, tensor: state.value(name) },
  }));
  trace.push({ name: 'dZb', dtype: 'float64', tensor: state.gradient('Zb') });
  trace.push({
    name: 'dB',
    dtype: 'float64',
    tensor: map(state.gradient('B'), (value) => value / 2),
  });
  const { first, causes } = check({ ...own, trace, names: {}, resolve: resolveName });
  expect(first).toEqual({ node: 'B', kind: 'gradient' });
  expect(causes[0].title).toMatch(/averaged|halved|batch|0\.5/);
});
