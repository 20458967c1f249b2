// Causes that only care tells apart: one number of the setup, tensors without a number, zeros; and the fixes that are shown.
import { describe, expect, it } from 'vitest';
import { check, type CheckInput } from '../../src/compare/check.ts';
import { type Key, referenceProgram, State } from '../../src/compare/program.ts';
import { map, type Tensor } from '../../src/engine/tensor.ts';
import { openSetup } from '../../src/formats/openSetup.ts';
import { resolveName } from '../../src/formats/nodeNames.ts';

const random = (seed: number, ...shape: number[]): object => ({ random: 'normal', shape, seed });

async function open(setup: object): Promise<Pick<CheckInput, 'config' | 'graph'>> {
  const { config, graph, problems } = await openSetup(JSON.stringify(setup), () =>
    Promise.reject(new Error('no files')),
  );
  if (!config || !graph) throw new Error(problems.map(({ message }) => message).join());
  return { config, graph };
}

const base = {
  ...{ head: 'multihead', heads: 2, x: random(1, 2, 5, 8) },
  weights: {
    ...{ W_K: random(3, 8, 8), W_Q: random(4, 8, 8), W_V: random(5, 8, 8), W_O: random(6, 8, 5) },
    ...{ b_K: random(7, 8), b_Q: random(8, 8), b_V: random(9, 8), b_O: random(10, 5) },
  },
};

/** What a program of the setup `theirs` gives for the keys, held against `ours`. */
async function compared(
  ours: object,
  theirs: object,
  keys: readonly Key[],
  change: (tensor: Tensor, key: Key) => Tensor = (tensor) => tensor,
): Promise<ReturnType<typeof check>> {
  const { config, graph } = await open(ours);
  const other = await open(theirs);
  const state = new State(referenceProgram(other.graph));
  const trace = keys.map((key) => ({
    name: key.startsWith('v:') ? key.slice(2) : `d${key.slice(2)}`,
    dtype: 'float64' as const,
    tensor: change(state.predict(key), key),
  }));
  return check({ config, graph, trace, names: {}, resolve: resolveName });
}

describe('one number of the setup, seen in y alone', () => {
  const keep = [
    [1, 1, 0, 1, 1],
    [1, 0, 1, 1, 1],
    [1, 1, 1, 1, 0],
    [0, 1, 1, 1, 1],
    [1, 1, 1, 0, 1],
  ];
  it.each([
    ['scale-value', { scale: 0.5 }, { scale: 0.51 }, '0.51 instead of 0.5'],
    ['softcap-value', { softcap: 2 }, { softcap: 2.2 }, '2.2 instead of 2'],
    [
      'rope-base',
      { rope: { base: 10000, pairing: 'half' } },
      { rope: { base: 9000, pairing: 'half' } },
      '9000 instead of 10000',
    ],
    ['alibi-slopes', { alibi: true }, { alibi: [2 ** -3, 2 ** -6] }, '3 instead of 4'],
    [
      'dropout-rate',
      { dropout: { p: 0.2, keep } },
      { dropout: { p: 0.25, keep } },
      '0.25 instead of 0.2',
    ],
  ])('%s', async (id, ours, theirs, words) => {
    const report = await compared({ ...base, ...ours }, { ...base, ...theirs }, ['v:y']);
    expect(report.causes[0]).toMatchObject({ id });
    expect(report.causes[0].title).toContain(words);
  });
});

describe('tensors without a number', () => {
  const ends: Key[] = ['v:y', 'g:x', 'g:W_K', 'g:W_Q', 'g:W_V'];

  it.each([
    ['y', ['v:y']],
    ['y and the gradients', ends],
    ['the gradients', ends.slice(1)],
  ] as const)('only NaN in %s tells of no cause', async (_, keys) => {
    const report = await compared(base, base, keys, (tensor) => map(tensor, () => NaN));
    expect(report.verdict).toBe('diverges');
    expect(report.causes).toEqual([]);
  });

  it('only NaN where all it is computed from is given is born there', async () => {
    const report = await compared(base, base, ['v:P', 'v:Vh', 'v:O'], (tensor, key) =>
      key === 'v:O' ? map(tensor, () => NaN) : tensor,
    );
    expect(report.first).toEqual({ node: 'O', kind: 'value' });
    expect(report.causes[0].id).toBe('not-finite-born');
  });

  it('zeros were never written', async () => {
    const report = await compared(base, base, ['v:y'], (tensor) => map(tensor, () => 0));
    expect(report.causes[0].id).toBe('left-at-zero');
  });
});

describe('weights of 0', () => {
  const masked = { ...base, mask: 'causal' };

  it('of a whole head are no mask', async () => {
    const report = await compared(masked, masked, ['v:M', 'v:P'], (tensor, key) =>
      key === 'v:P' ? map(tensor, (value, at) => (Math.floor(at / 25) % 2 ? 0 : value)) : tensor,
    );
    expect(report.causes[0].id).toBe('head-left-out');
  });

  it('where the scores are right are told as such', async () => {
    const report = await compared(masked, masked, ['v:M', 'v:P'], (tensor, key) =>
      key === 'v:P' ? map(tensor, (value, at) => (at % 7 === 0 ? 0 : value)) : tensor,
    );
    expect(report.causes[0].title).toMatch(/^weights are 0 where M hides nothing/);
  });
});

it('the fix has the loss, the mask, the rotation and the groups of the setup', async () => {
  const setup = {
    ...base,
    kvHeads: 1,
    weights: {
      ...{ W_K: random(3, 8, 4), W_Q: random(4, 8, 8), W_V: random(5, 8, 4) },
    },
    rope: { base: 10000, pairing: 'half' },
    alibi: true,
    mask: 'causal',
    loss: { target: random(12, 2, 5, 8) },
  };
  const fix = async (key: Key): Promise<string> => {
    const report = await compared(setup, setup, [key], (tensor) =>
      map(tensor, (value, at) => (at === 0 ? NaN : value)),
    );
    return report.causes[0].numpy;
  };
  expect(await fix('g:y')).toBe('dy = y - target');
  expect(await fix('v:M')).toContain('np.where(hidden, -np.inf, Z - slopes');
  expect(await fix('v:Kh')).toContain('rotate(K.reshape');
  expect(await fix('g:Q')).toContain('rotate(dQh, cos, -sin)');
  expect(await fix('v:S')).toBe('S = Qh @ np.repeat(Kh, 2, axis=-3).swapaxes(-1, -2)');
  expect(await fix('g:Kh')).toContain('.reshape(*G.shape[:-3], -1, 2, *G.shape[-2:]).sum(axis=-3)');
});
