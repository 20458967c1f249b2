// One head in blocks of queries: its tiles are those of the whole run, bit by bit.
import { describe, expect, test } from 'vitest';
import type { HeadConfig } from '../../src/engine/config.ts';
import { buildGraph } from '../../src/engine/heads/build.ts';
import { run } from '../../src/engine/run.ts';
import { Streamed } from '../../src/engine/streamed.ts';
import type { Tensor } from '../../src/engine/tensor.ts';
import { randomTensor } from '../support/random.ts';

const [n, c, a] = [70, 12, 9];
const base: HeadConfig = {
  ...{ head: 'qkv', heads: 1, kvHeads: 1, mask: 'causal', axes: 'query-first' },
  x: randomTensor([n, c], 1),
  weights: {
    ...{ W_K: randomTensor([c, a], 2), W_Q: randomTensor([c, a], 3), W_V: randomTensor([c, 5], 4) },
    ...{ b_K: randomTensor([a], 5), b_V: randomTensor([5], 6) },
  },
  loss: { kind: 'upstream', G: randomTensor([n, 5], 7) },
};
const { b_K: _, ...others } = base.weights;
const cases: [string, HeadConfig][] = [
  ['causal, with biases', base],
  ['without a mask', { ...base, mask: 'none' }],
  ['the loss of the exercise', { ...base, loss: { kind: 'half-squared-norm' } }],
  [
    'other tokens ask, a scale',
    {
      ...{ ...base, xPrime: randomTensor([33, 7], 8), scale: 0.4, mask: 'none' },
      weights: { ...others, W_Q: randomTensor([7, a], 9) },
      loss: { kind: 'upstream', G: randomTensor([33, 5], 10) },
    },
  ],
];

const near = (own: Tensor, right: Tensor): void => {
  expect(own.shape).toEqual(right.shape);
  // The gradient of b_K is 0 but for rounding.
  const size = right.data.reduce((most, value) => Math.max(most, Math.abs(value)), 1);
  right.data.forEach((value, at) =>
    expect(Math.abs(own.data[at] - value)).toBeLessThanOrEqual(1e-13 * size),
  );
};

describe.each(cases)('%s', (_name, config) => {
  const whole = run(buildGraph(config));
  // So little that a block holds a few queries.
  const streamed = new Streamed(config, { blockBytes: 80 * n * 12 });
  const { queries, keys } = streamed;

  test('tiles', () => {
    for (const id of ['S', 'Z', 'M', 'P'] as const) {
      if (id === 'M' && config.mask === 'none') continue;
      for (const kind of ['value', 'gradient'] as const) {
        const all = (kind === 'value' ? whole.values : whole.gradients).get(id)!.data;
        for (const rows of [
          [0, queries],
          [5, 21],
          [queries - 1, queries],
        ] as const) {
          for (const cols of [
            [0, keys],
            [17, 40],
          ] as const) {
            const tile = streamed.tile(id, kind, rows, cols);
            const width = cols[1] - cols[0];
            const right = tile.data.map(
              (_value, at) =>
                all[(rows[0] + Math.floor(at / width)) * keys + cols[0] + (at % width)],
            );
            expect(tile.data, `${id} ${kind}`).toEqual(right);
          }
        }
      }
    }
  });

  test('what is kept', () => {
    for (const id of ['K', 'Q', 'V', 'y'])
      expect(streamed.value(id).data, id).toEqual(whole.values.get(id)!.data);
    for (const id of ['y', 'Q', 'W_Q'])
      expect(streamed.gradient(id).data, id).toEqual(whole.gradients.get(id)!.data);
    for (const [id, gradient] of streamed.gradients) near(gradient, whole.gradients.get(id)!);
    near(streamed.value('f'), whole.values.get('f')!);
    expect(Object.keys(config.weights).every((id) => streamed.gradients.has(id))).toBe(true);
  });

  test('no whole matrix, and why', () => {
    const bytes = `${Math.ceil((8 * queries * keys) / 1e6)} MB`;
    expect(() => streamed.value('P')).toThrow(`P as a whole would take ${bytes}`);
    expect(() => streamed.tile('P', 'value', [0, queries + 1], [0, 1])).toThrow(RangeError);
  });
});

test('what it cannot compute is refused', () => {
  const heads: HeadConfig = { ...base, head: 'multihead', heads: 3 };
  expect(() => new Streamed(heads)).toThrow('head: found multihead, expected qkv');
  expect(() => new Streamed({ ...base, softcap: 3 })).toThrow('softcap');
});
