// Weights as models keep them: what is read is the same as the usual (in, out).
import { describe, expect, test } from 'vitest';
import type { HeadConfig } from '../../src/engine/config.ts';
import { openSetup } from '../../src/formats/openSetup.ts';

type Matrix = number[][];
const matrix = (rows: number, columns: number, from: number): Matrix =>
  Array.from({ length: rows }, (_, r) =>
    Array.from({ length: columns }, (_each, c) => from + r * columns + c),
  );
const turned = (own: Matrix): Matrix => own[0].map((_, c) => own.map((row) => row[c]));
const beside = (...all: Matrix[]): Matrix => all[0].map((_, r) => all.flatMap((own) => own[r]));
const cut = (own: Matrix, from: number, to: number): Matrix =>
  own.map((row) => row.slice(from, to));
/** (in, heads, width) of (in, heads * width). */
const split = (own: Matrix, width: number): number[][][] =>
  own.map((row) =>
    Array.from({ length: row.length / width }, (_, h) => row.slice(h * width, (h + 1) * width)),
  );
const headsFirst = (own: number[][][]): number[][][] =>
  own[0].map((_, h) => own.map((row) => row[h]));

/** Four query heads of two on two KV heads; five features. */
const W_Q = matrix(5, 8, 0);
const W_K = matrix(5, 4, 100);
const W_V = matrix(5, 4, 200);
const W_O = matrix(8, 3, 300);
const base = { head: 'multihead', heads: 4, kvHeads: 2, x: matrix(3, 5, 0) };

async function open(
  weights: object,
  own: object = {},
): Promise<{ config: HeadConfig | null; messages: string[] }> {
  const setup = JSON.stringify({ ...base, ...own, weights });
  const { config, problems } = await openSetup(setup, () => Promise.reject(new Error('no files')));
  return { config, messages: problems.map(({ message }) => message) };
}

const usual = (await open({ W_Q, W_K, W_V, W_O })).config!.weights;

describe('the same as (in, out)', () => {
  const outIn = {
    ...{ W_Q: turned(W_Q), W_K: turned(W_K), W_V: turned(W_V), W_O: turned(W_O) },
  };
  const blocks = beside(W_Q, W_K, W_V);
  const perHead = beside(
    ...[0, 1].flatMap((r) => [
      cut(W_Q, 4 * r, 4 * r + 4),
      cut(W_K, 2 * r, 2 * r + 2),
      cut(W_V, 2 * r, 2 * r + 2),
    ]),
  );
  const apart = { W_Q: split(W_Q, 2), W_K: split(W_K, 2), W_V: split(W_V, 2) };
  const W_O3 = Array.from({ length: 4 }, (_, h) => W_O.slice(2 * h, 2 * h + 2));
  const said = { weightLayout: 'out-in' };
  const cases: [string, object, object?][] = [
    ['(out, in), as said', outIn, said],
    ['q, k and v in one', { W_QKV: blocks, W_O }],
    ['q, k and v in one, (out, in)', { W_QKV: turned(blocks), W_O: turned(W_O) }, said],
    ['q, k and v by head', { W_QKV: perHead, W_O }, { fused: 'per-head' }],
    ['(in, heads, width)', { ...apart, W_O: W_O3 }],
    [
      '(heads, in, width)',
      {
        ...{ W_Q: headsFirst(apart.W_Q), W_K: headsFirst(apart.W_K), W_V: headsFirst(apart.W_V) },
        W_O: W_O3,
      },
    ],
    [
      '(heads, width, in)',
      {
        W_Q: headsFirst(apart.W_Q).map(turned),
        W_K: headsFirst(apart.W_K).map(turned),
        W_V: headsFirst(apart.W_V).map(turned),
        W_O: turned(W_O),
      },
      said,
    ],
  ];
  test.each(cases)('%s', async (_, weights, own) => {
    const { config, messages } = await open(weights, own);
    expect(messages).toEqual([]);
    expect(config?.weights).toEqual(usual);
  });

  test('(out, in) by shape, with a warning for each', async () => {
    const { config, messages } = await open(outIn);
    expect(config?.weights).toEqual(usual);
    expect(messages).toHaveLength(4);
    expect(messages[0]).toBe(
      'weights.W_Q: found shape (8, 5) for 5 inputs, took it as (out, in); "weightLayout": "out-in" says so',
    );
  });

  test('biases by head, or of q, k and v in one', async () => {
    const { config } = await open({
      W_Q,
      W_K,
      W_V,
      b_K: [
        [1, 2],
        [3, 4],
      ],
    });
    expect([...config!.weights.b_K!.data]).toEqual([1, 2, 3, 4]);
    const fused = Array.from({ length: 16 }, (_, n) => n);
    const { weights } = (await open({ W_QKV: blocks, b_QKV: fused })).config!;
    expect([...weights.b_Q!.data, ...weights.b_K!.data, ...weights.b_V!.data]).toEqual(fused);
  });
});

test.each([
  [
    { W_QKV: matrix(5, 9, 0) },
    'weights.W_QKV: found 9 outputs in shape (5, 9), expected a multiple of 8: 4 heads of queries, 2 of keys and 2 of values',
  ],
  [
    { W_Q: split(matrix(5, 9, 0), 3), W_K, W_V },
    'weights.W_Q: found shape (5, 3, 3), expected (5, 4 heads, width)',
  ],
  [
    { W_Q: matrix(6, 8, 0), W_K, W_V },
    'weights.W_Q: found shape (6, 8), expected (c = 5, (r g a) = 8): 5 comes from x shape (3, 5)',
  ],
  [
    { W_QKV: beside(W_Q, W_K, W_V), W_K },
    'weights.W_K: found beside W_QKV, expected one of the two',
  ],
])('what does not fit is told: %#', async (weights, message) => {
  const { config, messages } = await open(weights);
  expect(messages).toEqual([message]);
  if (!message.includes('comes from')) expect(config).toBeNull();
});
