// Causes that only care tells apart: one number of the setup, tensors without a number, zeros; and the fixes that are shown.
import { describe, expect, it } from 'vitest';
import { check, type CheckInput } from '../../src/compare/check.ts';
import { type Key, referenceProgram, State } from '../../src/compare/program/program.ts';
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
  // One head of keys for two of queries.
  expect(await fix('v:S')).toMatch(/^S = .*Kh.*Qh/);
  expect(await fix('g:Kh')).toMatch(/^dKh = .*dS.*Qh/);
});

describe('what tells less than it seems', () => {
  const single = {
    ...{ head: 'qkv', x: random(1, 6, 5) },
    weights: { W_K: random(2, 5, 4), W_Q: random(3, 5, 4), W_V: random(4, 5, 3) },
  };
  const upstream = { ...single, loss: { upstream: random(5, 6, 3) } };

  it('a wrong f is wrong where y is not given, and another loss where y is right', async () => {
    const keys: Key[] = ['v:P', 'v:f', 'g:V'];
    const wrong = (tensor: Tensor, key: Key): Tensor =>
      key === 'v:f' ? map(tensor, (value) => value + 1) : tensor;
    const report = await compared(upstream, upstream, keys, wrong);
    expect([report.verdict, report.first]).toEqual(['diverges', { node: 'f', kind: 'value' }]);
    expect((await compared(upstream, upstream, [...keys, 'v:y'], wrong)).verdict).toBe('match');
  });

  it('a quarter of dy is no scale, though the width is 4', async () => {
    const quarter = (tensor: Tensor, key: Key): Tensor =>
      key.startsWith('g:') ? map(tensor, (value) => value / 4) : tensor;
    const { causes } = await compared(upstream, upstream, ['v:y', 'g:y', 'g:V', 'g:Q'], quarter);
    expect(causes.map(({ id }) => id)).toEqual(['backward-divided-by-count']);
  });

  it('half of the squares forgotten is not a mean over a batch that is not there', async () => {
    const twice = (tensor: Tensor, key: Key): Tensor =>
      key === 'v:f' ? map(tensor, (value) => 2 * value) : tensor;
    const { causes } = await compared(single, single, ['v:y', 'v:f', 'g:y'], twice);
    expect(causes.map(({ id }) => id)).toEqual(['loss-without-half']);
  });

  it('NaN in some entries names no mistake that only leaves NaN', async () => {
    const holes = (tensor: Tensor, key: Key): Tensor =>
      key === 'v:y' ? map(tensor, (value, at) => (at < 6 ? NaN : value)) : tensor;
    const causal = { ...upstream, mask: 'causal' };
    const { first, causes } = await compared(causal, causal, ['v:y'], holes);
    expect(first).toEqual({ node: 'y', kind: 'value' });
    expect(causes.map(({ id }) => id)).toEqual(['not-finite-born']);
  });

  it('no cause spoils gradients that are right', async () => {
    const other = { ...upstream, scale: 1 };
    const { config, graph } = await open(upstream);
    const [right, wrong] = [graph, (await open(other)).graph].map(
      (own) => new State(referenceProgram(own)),
    );
    const trace = (['v:P', 'g:K', 'g:Q'] as const).map((key) => ({
      name: key === 'v:P' ? 'P' : `d${key.slice(2)}`,
      dtype: 'float64' as const,
      tensor: (key === 'g:K' ? wrong : right).predict(key),
    }));
    const report = check({ config, graph, trace, names: {}, resolve: resolveName });
    expect(report.first).toEqual({ node: 'K', kind: 'gradient' });
    for (const { node } of report.causes) expect(node).not.toMatch(/^[SZMP]$/);
  });
});

describe('inputs, earlier tokens and the target', () => {
  it('x that is centred first', async () => {
    const centred = (tensor: Tensor, key: Key): Tensor => {
      if (key !== 'v:x') return tensor;
      const width = tensor.shape[tensor.shape.length - 1];
      const mean = (at: number): number => {
        const from = at - (at % width);
        return tensor.data.slice(from, from + width).reduce((a, b) => a + b, 0) / width;
      };
      return map(tensor, (value, at) => value - mean(at));
    };
    const { first, causes } = await compared(base, base, ['v:x', 'v:y'], centred);
    expect(first).toEqual({ node: 'x', kind: 'value' });
    expect(causes[0].id).toMatch(/^input-centred/);
  });

  it('dQ of the new keys alone', async () => {
    const setup = {
      ...{ head: 'multihead', heads: 2, x: random(1, 3, 8) },
      weights: { ...base.weights },
      past: { K: random(11, 2, 4, 4), V: random(12, 2, 4, 4) },
    };
    const { graph } = await open(setup);
    const state = new State(referenceProgram(graph));
    const [dS, Kh] = [state.predict('g:S'), state.predict('v:Kh')];
    const newOnly = (tensor: Tensor, key: Key): Tensor =>
      key !== 'g:Qh'
        ? tensor
        : map(tensor, (_, at) => {
            const [h, j, a] = [Math.floor(at / 12), Math.floor(at / 4) % 3, at % 4];
            let sum = 0;
            for (let i = 4; i < 7; i++)
              sum += dS.data[(h * 3 + j) * 7 + i] * Kh.data[(h * 7 + i) * 4 + a];
            return sum;
          });
    const { causes } = await compared(setup, setup, ['v:P', 'g:S', 'g:Qh', 'g:Kh'], newOnly);
    expect(causes[0].id).toBe('backward-past-left-out');
  });

  it('dy that is the target alone', async () => {
    const setup = { ...base, loss: { target: random(20, 2, 5, 5) } };
    const { config, graph } = await open(setup);
    const { T } = config.loss as { T: Tensor };
    const alone = (tensor: Tensor, key: Key): Tensor =>
      key === 'g:y' ? map(T, (value) => -value) : tensor;
    expect(graph.extents['b']).toBe(2);
    const { causes } = await compared(setup, setup, ['v:y', 'g:y'], alone);
    expect(causes[0].id).toBe('upstream-is-target');
  });
});

describe('weights and masks, seen in few tensors', () => {
  const single = {
    ...{ head: 'qkv', x: random(1, 6, 5), loss: { upstream: random(5, 6, 3) } },
    weights: { W_K: random(2, 5, 4), W_Q: random(3, 5, 4), W_V: random(4, 5, 3) },
  };

  it('weights cut to 0 and 1, with more than one 1 in a row or none', async () => {
    const cut = (tensor: Tensor, key: Key): Tensor =>
      key === 'v:P' ? map(tensor, (value) => Number(value > 0.2)) : tensor;
    const { causes } = await compared(single, single, ['v:S', 'v:P'], cut);
    expect(causes.map(({ id }) => id)).toEqual(['weights-thresholded']);
  });

  it('a penalty of -10, in y alone', async () => {
    const hidden = Array.from({ length: 6 }, (_, j) =>
      Array.from({ length: 6 }, (_item, i) => (i > j ? -10 : 0)),
    );
    const soft = { ...single, mask: hidden, maskMeaning: 'add' };
    const { causes } = await compared({ ...single, mask: 'causal' }, soft, ['v:y']);
    expect(causes[0].id).toBe('mask-penalty-finite');
    expect(causes[0].title).toContain('10');
  });

  it('scores with the scale on queries, keys and products, in P alone', async () => {
    const { causes } = await compared(single, { ...single, scale: 0.125 }, ['v:P']);
    expect(causes[0].title).toContain('three times');
  });

  it('ALiBi distances that are one too large but for the own place', async () => {
    const slope = 2 ** -8;
    const far = Array.from({ length: 6 }, (_, j) =>
      Array.from({ length: 6 }, (_item, i) => (i === j ? 0 : -slope * (Math.abs(i - j) + 1))),
    );
    const theirs = { ...single, mask: far, maskMeaning: 'add' };
    const { causes } = await compared({ ...single, alibi: true }, theirs, ['v:y']);
    expect(causes[0].title).toContain('one too large, but for the own place');
  });
});
