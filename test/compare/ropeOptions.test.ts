// A program that leaves an option of RoPE out, or takes another, is told which one.
import { expect, test } from 'vitest';
import { check } from '../../src/compare/check.ts';
import { referenceProgram, State } from '../../src/compare/program/program.ts';
import { resolveName } from '../../src/formats/nodeNames.ts';
import { openSetup } from '../../src/formats/openSetup.ts';

const random = (seed: number, ...shape: number[]): object => ({ random: 'normal', shape, seed });

const base = {
  ...{ head: 'multihead', heads: 2, x: random(1, 2, 5, 8) },
  weights: { W_K: random(3, 8, 16), W_Q: random(4, 8, 16), W_V: random(5, 8, 8) },
};

async function open(rope: object | undefined) {
  const { config, graph, problems } = await openSetup(JSON.stringify({ ...base, rope }), () =>
    Promise.reject(new Error('no files')),
  );
  if (!config || !graph) throw new Error(problems.map(({ message }) => message).join());
  return { config, graph };
}

const yarn = { kind: 'yarn', factor: 4, originalLength: 64 };
const llama3 = { kind: 'llama3', factor: 8, originalLength: 32 };
const positions = [
  [0, 0, 0, 1, 2],
  [0, 1, 0, 1, 2],
];

test.each<[string, object, object | undefined]>([
  ['rope-missing', { features: 4 }, undefined],
  ['rope-partial', { features: 4 }, {}],
  ['rope-scaling-missing', { scaling: llama3 }, {}],
  ['rope-scaling-missing', { scaling: yarn }, {}],
  ['rope-scaling-missing', { scaling: { kind: 'ntk', factor: 4 } }, {}],
  ['rope-scaling-kind', { scaling: llama3 }, { scaling: { kind: 'linear', factor: 8 } }],
  ['rope-magnitude-missing', { scaling: yarn }, { scaling: { ...yarn, magnitude: 1 } }],
  ['rope-frequencies', { invFreq: [1, 0.5, 0.3, 0.2] }, {}],
  ['rope-positions-missing', { positions }, {}],
  ['rope-position', { positions }, { positions: positions.map((row) => row.map((at) => at + 1)) }],
  ['rope-pairing', { positions }, { positions, pairing: 'interleaved' }],
  [
    'rope-sections',
    { positions: [positions[0], positions[1]], sections: [2, 2] },
    { positions: [positions[0], positions[1]], sections: [2, 2], sectionFrequencies: 'own' },
  ],
])('%s', async (cause, ours, theirs) => {
  const own = await open({ pairing: 'half', ...ours });
  const { graph } = await open(theirs && { pairing: 'half', ...theirs });
  const state = new State(referenceProgram(graph));
  const trace = ['Q', 'K', 'Qh', 'Kh', 'S', 'P', 'y'].map((name) => ({
    ...{ name, dtype: 'float64' as const, tensor: state.value(name) },
  }));
  const { verdict, causes } = check({ ...own, trace, names: {}, resolve: resolveName });
  expect(verdict).toBe('diverges');
  expect(causes[0].id).toBe(cause);
});

test('the gradient of queries that is not turned back by their own positions', async () => {
  const own = await open({ pairing: 'half', positions });
  const state = new State(referenceProgram(own.graph));
  const plain = new State(referenceProgram((await open({ pairing: 'half' })).graph), {
    values: new Map([['Q', state.value('Q')]]),
    gradients: new Map([['Qh', state.gradient('Qh')]]),
  });
  const trace = ['Q', 'Qh'].map((name) => ({
    name,
    dtype: 'float64' as const,
    tensor: state.value(name),
  }));
  trace.push({ name: 'dQh', dtype: 'float64', tensor: state.gradient('Qh') });
  trace.push({ name: 'dQ', dtype: 'float64', tensor: plain.gradient('Q') });
  const { first, causes } = check({ ...own, trace, names: {}, resolve: resolveName });
  expect(first).toEqual({ node: 'Q', kind: 'gradient' });
  expect(causes[0].id).toBe('backward-rope-positions-missing');
});
