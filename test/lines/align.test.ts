// Parts of what a right program computes are found by their numbers, with every index in its place; others are not.
import { describe, expect, test } from 'vitest';
import type { HeadConfig } from '../../src/engine/config.ts';
import { buildGraph } from '../../src/engine/heads/build.ts';
import { type Tensor, tensor } from '../../src/engine/tensor.ts';
import { BFLOAT16, FLOAT32, FLOAT64, type NumberType } from '../../src/compare/reference/dtypes.ts';
import { Aligner, type Alignment } from '../../src/lines/align/align.ts';
import { buildCatalogue, type Catalogue } from '../../src/lines/align/catalogue.ts';
import { headConfig } from '../support/configs.ts';
import { randomTensor } from '../support/random.ts';

/** Three heads of width 4 over two sequences of 5 tokens. */
const causal: HeadConfig = {
  ...headConfig('multihead'),
  ...{ x: randomTensor([2, 5, 7], 1), heads: 3, kvHeads: 3, mask: 'causal' },
  xPrime: undefined,
  weights: {
    W_Q: randomTensor([7, 12], 2),
    W_K: randomTensor([7, 12], 3),
    W_V: randomTensor([7, 12], 4),
    W_O: randomTensor([12, 7], 5),
  },
};

function open(
  config: HeadConfig,
  type: NumberType = FLOAT64,
): { catalogue: Catalogue; aligner: Aligner } {
  const catalogue = buildCatalogue(config, buildGraph(config), type);
  return { catalogue, aligner: new Aligner(catalogue) };
}

/** fn(i, j, ...) at every index of `shape`. */
function make(shape: readonly number[], fn: (...index: number[]) => number): Tensor {
  const data: number[] = [];
  const walk = (index: number[]): void => {
    if (index.length === shape.length) data.push(fn(...index));
    else for (let n = 0; n < shape[index.length]; n++) walk([...index, n]);
  };
  walk([]);
  return tensor(shape, data);
}

const at = ({ shape, data }: Tensor, ...index: number[]): number =>
  data[index.reduce((offset, n, axis) => offset * shape[axis] + n, 0)];

const titles = (found: readonly Alignment[]): string[] => found.map(({ entry }) => entry.title);

describe('a part of a node', () => {
  const { catalogue, aligner } = open(causal);
  const { state } = catalogue;

  test('in any order of its axes', () => {
    const Q = state.value('Q');
    const split = make([2, 3, 5, 4], (b, h, t, a) => at(Q, b, t, h * 4 + a));
    expect(titles(aligner.align(split))).toContain('Qh');
    const flat = make([10, 12], (row, a) => at(Q, Math.floor(row / 5), row % 5, a));
    expect(aligner.align(flat)[0].axes).toEqual([
      ['b', 'j'],
      ['h', 'a'],
    ]);
    const S = state.value('S');
    const turned = make([2, 3, 5, 5], (b, h, i, j) => at(S, b, h, j, i));
    expect(aligner.align(turned)[0].axes).toEqual([['b'], ['h'], ['i'], ['j']]);
  });

  test('one head, some tokens, a feature in each', () => {
    const K = state.value('Kh');
    const tile = make([2, 4], (t, a) => at(K, 1, 2, 3 + t, a));
    const found = aligner.align(tile).find(({ entry }) => entry.title === 'Kh')!;
    expect(found.ranges.get('h')).toEqual({ start: 2, step: 1, count: 1 });
    expect(found.ranges.get('i')).toEqual({ start: 3, step: 1, count: 2 });
    expect(titles(aligner.align(tensor([], [at(K, 1, 2, 3, 1)])))).toContain('Kh');
    const even = make([2, 3, 5, 2], (b, h, t, a) => at(K, b, h, t, 2 * a));
    expect(aligner.align(even)[0].ranges.get('a')).toEqual({ start: 0, step: 2, count: 2 });
  });

  test('not where the heads are split without moving axes', () => {
    const Q = state.value('Q');
    const wrong = make([2, 3, 5, 4], (b, h, t, a) => Q.data[((b * 3 + h) * 5 + t) * 4 + a]);
    expect(aligner.align(wrong)).toEqual([]);
  });

  test('not where one number is off', () => {
    const dQ = state.gradient('Q');
    expect(titles(aligner.align(dQ))).toContain('dQ');
    const data = [...dQ.data];
    data[100] *= 1 + 1e-6;
    expect(aligner.align(tensor(dQ.shape, data))).toEqual([]);
  });
});

describe('a form beside the nodes', () => {
  const { catalogue, aligner } = open(causal);
  const { state } = catalogue;

  test('steps of the softmax', () => {
    const M = state.value('M');
    const peak = make([2, 3, 5, 1], (b, h, j) => {
      return Math.max(...Array.from({ length: 5 }, (_, i) => at(M, b, h, j, i)));
    });
    expect(titles(aligner.align(peak))).toContain('row maxima of M');
    const exps = make([2, 3, 5, 5], (b, h, j, i) =>
      Math.exp(at(M, b, h, j, i) - at(peak, b, h, j, 0)),
    );
    expect(titles(aligner.align(exps))).toContain('exp(M − row maximum)');
    const wrong = make([2, 3, 5, 5], (b, h, j, i) =>
      Math.exp(at(M, b, h, j, i) - at(peak, b, h, i, 0)),
    );
    expect(aligner.align(wrong)).toEqual([]);
  });

  test('one path to x, and two', () => {
    const through = titles(aligner.align(state.contribution('V', 0)));
    expect(through).toContain('dx through V');
  });

  test('masks of any size below, but not in other places', () => {
    const Z = state.value('Z');
    const masked = (from: number): Tensor =>
      make([2, 3, 5, 5], (b, h, j, i) => (i > j + from ? -1e9 : at(Z, b, h, j, i)));
    expect(titles(aligner.align(masked(0)))).toContain('M');
    expect(aligner.align(masked(1))).toEqual([]);
  });

  test('hidden scores may be anything that is all the same', () => {
    const dP = state.gradient('P');
    const zeroed = make([2, 3, 5, 5], (b, h, j, i) => (i > j ? 0 : at(dP, b, h, j, i)));
    expect(titles(aligner.align(zeroed))).toContain('dP');
    const P = state.value('P');
    const leaking = make([2, 3, 5, 5], (b, h, j, i) => (i > j ? 0.1 : at(P, b, h, j, i)));
    expect(titles(aligner.align(leaking))).not.toContain('P');
  });
});

test('narrower numbers are met within their rounding', () => {
  for (const type of [FLOAT32, BFLOAT16]) {
    const { catalogue, aligner } = open(causal, type);
    for (const id of ['Q', 'S', 'P', 'y']) {
      const { shape, data } = catalogue.state.value(id);
      expect(
        titles(aligner.align({ shape, data: data.map((value) => type.round(value)) })),
      ).toContain(id);
      expect(aligner.align({ shape, data: data.map((value) => type.round(value * 1.3)) })).toEqual(
        [],
      );
    }
  }
});

test('every form of every head is found as itself', () => {
  const rope = { base: 100, pairing: 'half' } as const;
  const configs = [
    headConfig('kq'),
    headConfig('qkv', { mask: 'causal-bottom-right' }),
    headConfig('multihead', { rope, softcap: 1.5, mask: 'causal' }),
    causal,
  ];
  for (const config of configs) {
    const { catalogue, aligner } = open(config);
    for (const entry of catalogue.entries) {
      const { lengths, data, size, tolerance } = entry;
      if (data.filter((value) => !Number.isInteger(value)).length < 3) continue;
      if (!Number.isFinite(size) || size <= 100 * tolerance || new Set(data).size < 3) continue;
      expect(
        aligner.align({ shape: lengths, data }).map(({ entry: { id } }) => id),
        entry.title,
      ).not.toEqual([]);
    }
  }
});
