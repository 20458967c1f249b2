// What traces hold beside nodes: dqkv and dW_qkv, a tensor for each head, the log-sum-exp of the scores, delta.
import { describe, expect, test } from 'vitest';
import { check } from '../../src/compare/check.ts';
import type { HeadConfig } from '../../src/engine/config.ts';
import { buildGraph } from '../../src/engine/heads/build.ts';
import { run } from '../../src/engine/run.ts';
import type { Tensor } from '../../src/engine/tensor.ts';
import { resolveName } from '../../src/formats/nodeNames.ts';

let state = 7;
const random = (...shape: number[]): Tensor => ({
  shape,
  data: Float64Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => {
    state = (state * 16807) % 2147483647;
    return state / 2147483647 - 0.5;
  }),
});

const config: HeadConfig = {
  ...{ head: 'multihead', heads: 2, kvHeads: 2, mask: 'causal', axes: 'query-first' },
  x: random(2, 5, 6),
  weights: { W_K: random(6, 6), W_Q: random(6, 6), W_V: random(6, 6), W_O: random(6, 6) },
  loss: { kind: 'half-squared-norm' },
};
const graph = buildGraph(config);
const computed = run(graph);
const value = (id: string): Tensor => computed.values.get(id)!;
const gradient = (id: string): Tensor => computed.gradients.get(id)!;

/** Beside each other along the last axis. */
function beside(...all: Tensor[]): Tensor {
  const width = all[0].shape.at(-1)!;
  const rows = all[0].data.length / width;
  const data = new Float64Array(all.length * rows * width);
  for (let row = 0; row < rows; row++)
    all.forEach(({ data: own }, n) => {
      data.set(own.subarray(row * width, (row + 1) * width), (row * all.length + n) * width);
    });
  return { shape: [...all[0].shape.slice(0, -1), all.length * width], data };
}

function transposed({ shape: [rows, columns], data }: Tensor): Tensor {
  const out = data.map((_, n) => data[(n % rows) * columns + Math.floor(n / rows)]);
  return { shape: [columns, rows], data: out };
}

/** One head of (batch, head, ...). */
function head({ shape: [batch, heads, ...rest], data }: Tensor, n: number): Tensor {
  const size = rest.reduce((a, b) => a * b, 1);
  const out = new Float64Array(batch * size);
  for (let b = 0; b < batch; b++)
    out.set(data.subarray((b * heads + n) * size, (b * heads + n + 1) * size), b * size);
  return { shape: [batch, ...rest], data: out };
}

const rows = (
  of: (weights: Float64Array, other: Float64Array) => number,
  other: Tensor,
): Tensor => {
  const { shape, data } = value('P');
  const length = shape.at(-1)!;
  const all = Float64Array.from({ length: data.length / length }, (_, row) =>
    of(
      data.subarray(row * length, (row + 1) * length),
      other.data.subarray(row * length, (row + 1) * length),
    ),
  );
  return { shape: shape.slice(0, -1), data: all };
};
const lse = rows((_, z) => Math.log(z.reduce((sum, each) => sum + Math.exp(each), 0)), value('M'));
const delta = rows((p, dP) => p.reduce((sum, each, n) => sum + each * dP[n], 0), gradient('P'));

const checked = (trace: Record<string, Tensor>): ReturnType<typeof check> =>
  check({
    ...{ config, graph, names: {}, resolve: resolveName, computed },
    trace: Object.entries(trace).map(([name, tensor]) => ({ name, tensor, dtype: 'float64' })),
  });

const right = (nodes: ReturnType<typeof check>['nodes']): string[] =>
  nodes
    .filter(({ status }) => status === 'match' || status === 'layout')
    .map(({ node, kind }) => (kind === 'gradient' ? `d${node}` : node))
    .sort();

test('a fused gradient is those of queries, keys and values, a fused weight’s in either order of its axes', () => {
  const W = beside(gradient('W_Q'), gradient('W_K'), gradient('W_V'));
  const dqkv = beside(gradient('Q'), gradient('K'), gradient('V'));
  for (const dW_qkv of [W, transposed(W)]) {
    const { verdict, nodes } = checked({ dqkv, dW_qkv });
    expect([verdict, right(nodes)]).toEqual(['match', ['dK', 'dQ', 'dV', 'dW_K', 'dW_Q', 'dW_V']]);
  }
  const wrong = checked({ dqkv: beside(gradient('K'), gradient('Q'), gradient('V')) });
  expect(wrong).toMatchObject({ verdict: 'diverges', first: { node: 'Q', kind: 'gradient' } });
});

test('a tensor for each head is the node, if all are there', () => {
  const dQ = [0, 1].map((n) => head(gradient('Qh'), n));
  expect(right(checked({ dQ0: dQ[0], dQ1: dQ[1] }).nodes)).toEqual(['dQ']);
  expect(checked({ dQ0: dQ[1], dQ1: dQ[0] }).verdict).toBe('diverges');
  expect(checked({ dQ0: dQ[0], y: value('y') }).unaligned).toHaveLength(1);
});

/** Entries of (b, h, j) in another order of the axes, or changed by their place. */
const moved = (of: (b: number, h: number, j: number) => number, shape = [2, 2, 5]): Tensor => {
  const [first, second, third] = shape;
  const data = Float64Array.from({ length: first * second * third }, (_, at) =>
    of(Math.floor(at / second / third), Math.floor(at / third) % second, at % third),
  );
  return { shape: [first, second, third], data };
};
const rowOf = ({ data }: Tensor, b: number, h: number, j: number): number =>
  data[(b * 2 + h) * 5 + j];
const lseOf = (of: (scores: Float64Array) => number, scores = value('M')): Tensor =>
  rows((_, own) => of(own), scores);
const sumOfExp = (scores: Float64Array, shift = 0): number =>
  scores.reduce((sum, each) => sum + Math.exp(each - shift), 0);
const causalPart = (own: Float64Array, row: number): Float64Array =>
  own.map((each, i) => (i <= row % 5 ? each : -Infinity));

describe('the log-sum-exp of the scores and delta', () => {
  test('are right, in base 2 or with their axes in another order too', () => {
    expect(checked({ lse, delta })).toMatchObject({ verdict: 'match', unaligned: [] });
    const inBase2 = { ...lse, data: lse.data.map((each) => each / Math.LN2) };
    expect(checked({ softmax_lse: inBase2 }).conventions[0]).toContain('in base 2');
    const byTokens = moved((b, j, h) => rowOf(lse, b, h, j), [2, 5, 2]);
    expect(checked({ lse: byTokens }).conventions[0]).toContain('axes in the order');
  });

  test('are judged without a run that is there already', () => {
    const trace = [{ name: 'lse', tensor: lse, dtype: 'float64' as const }];
    const report = check({ config, graph, names: {}, resolve: resolveName, trace });
    expect(report).toMatchObject({ verdict: 'match', unaligned: [] });
  });

  test('are right where a query sees no key, whatever stands there, and where L or l is the denominator', () => {
    const blind: HeadConfig = {
      ...config,
      mask: {
        meaning: 'attend',
        tensor: moved((_b, j, i) => Number(j > 0 && i <= j), [1, 5, 5]),
      },
    };
    const own = { graph: buildGraph(blind), config: blind, names: {}, resolve: resolveName };
    const L = lseOf((m) => Math.log(sumOfExp(m)), run(own.graph).values.get('M'));
    for (const unseen of [0, -Infinity, -1e9]) {
      const data = L.data.map((each) => (Number.isFinite(each) ? each : unseen));
      const trace = [{ name: 'lse', dtype: 'float64' as const, tensor: { ...L, data } }];
      expect(check({ ...own, trace }).verdict).toBe('match');
    }
    const most = (scores: Float64Array): number => Math.max(...scores);
    const l = lseOf((m) => sumOfExp(m, most(m)));
    expect(checked({ l }).conventions[0]).toContain('the denominator');
    expect(checked({ L: moved((b, h, j) => b + h - j), y: value('y') }).verdict).toBe('match');
  });

  test('are wrong, and nothing is said of why where nothing makes them', () => {
    const odd = moved((b, h, j) => rowOf(lse, b, h, j) + Math.sin(9 * b + 5 * h + 7 * j));
    const report = checked({ lse: odd, y: value('y') });
    expect(report).toMatchObject({ first: { node: 'P', kind: 'value' }, causes: [] });
  });

  let row = 0;
  const most = (scores: Float64Array): number => Math.max(...scores);
  test.each<[string, string, Tensor, RegExp]>([
    ['the maximum is not added back', 'lse', lseOf((m) => Math.log(sumOfExp(m, most(m)))), /max/],
    ['only the maximum', 'lse', lseOf(most), /log.*left out/],
    ['log2 of the sum', 'lse', lseOf((m) => most(m) + Math.log2(sumOfExp(m, most(m)))), /log2/],
    ['no logarithm', 'lse', lseOf((m) => most(m) + sumOfExp(m, most(m))), /log is left out/],
    [
      'not masked',
      'lse',
      lseOf((z) => Math.log(sumOfExp(z)), value('Z')),
      /Z stands in the place of M/,
    ],
    [
      'not scaled',
      'lse',
      lseOf((s) => Math.log(sumOfExp(causalPart(s, row++))), value('S')),
      /scale|0\.57735/,
    ],
    ['queries in reverse', 'lse', moved((b, h, j) => rowOf(lse, b, h, 4 - j)), /reverse along j/],
    ['the first head for all', 'lse', moved((b, _h, j) => rowOf(lse, b, 0, j)), /h = 0 for all/],
    ['twice', 'delta', moved((b, h, j) => 2 * rowOf(delta, b, h, j)), /multiplied by 2/],
    ['a mean', 'delta', moved((b, h, j) => rowOf(delta, b, h, j) / 5), /averaged|number of keys/],
    ['of the last head', 'delta', moved((b, _h, j) => rowOf(delta, b, 1, j)), /last h for all/],
  ])('%s is told by its formula', (_, name, tensor, words) => {
    const { first, causes } = checked({ [name]: tensor, y: value('y') });
    expect(first?.node).toBe('P');
    expect(causes).toHaveLength(1);
    expect(causes[0].title).toMatch(words);
    expect(causes[0].numpy).toMatch(name === 'lse' ? /np\.log/ : /P \* dP/);
  });
});
