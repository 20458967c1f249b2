// Mistakes that are on no list, each written out in plain loops: told as the exact formula.
import { describe, expect, test } from 'vitest';
import { check } from '../../src/compare/check.ts';
import { keyOf, referenceProgram, State } from '../../src/compare/program/program.ts';
import type { HeadConfig } from '../../src/engine/config.ts';
import { nodeOf } from '../../src/engine/graph.ts';
import { buildGraph } from '../../src/engine/heads/build.ts';
import type { Tensor } from '../../src/engine/tensor.ts';
import { resolveName } from '../../src/formats/nodeNames.ts';
import { headConfig } from '../support/configs.ts';
import { randomTensor } from '../support/random.ts';

/** Query-first matrices: m queries, n keys. */
type Rows = number[][];

const rows = ({ shape: [height, width], data }: Tensor): Rows =>
  Array.from({ length: height }, (_, j) => [...data.slice(j * width, (j + 1) * width)]);

interface Tensors {
  S: Rows;
  Z: Rows;
  P: Rows;
  dP: Rows;
  dZ: Rows;
  dy: Rows;
  Q: Rows;
  dS: Rows;
}

/** What the checker says of a trace whose tensor `name` was made by `make` of the right ones. */
function told(config: HeadConfig, name: string, make: (right: Tensors) => Rows, given?: string[]) {
  const graph = buildGraph(config);
  const state = new State(referenceProgram(graph));
  const ids = graph.nodes.filter(({ shape }) => shape.length === 2).map(({ id }) => id);
  const tensors = Object.fromEntries(
    ids.flatMap((id) => [
      [id, state.value(id)],
      [`d${id}`, state.gradient(id)],
    ]),
  );
  const right = Object.fromEntries(Object.entries(tensors).map(([id, own]) => [id, rows(own)]));
  const own = make(right as unknown as Tensors).flat();
  const kind = name.startsWith('d') ? 'gradient' : 'value';
  const { shape } = nodeOf(graph, kind === 'value' ? name : name.slice(1));
  const wrong = { shape, data: Float64Array.from(own) };
  // What comes before it, and the tensor itself.
  const before = given ?? [
    'x',
    'xPrime',
    'K',
    'Q',
    'V',
    'S',
    'Z',
    'M',
    'P',
    'y',
    'dy',
    'dV',
    'dP',
    'dM',
    'dZ',
    'dS',
  ];
  const at = before.indexOf(name);
  const names = at < 0 ? before : before.slice(0, at);
  const trace = [
    ...names.filter((each) => tensors[each]).map((each) => ({ name: each, tensor: tensors[each] })),
    { name, tensor: wrong },
  ].map((each) => ({ ...each, dtype: 'float64' as const }));
  const report = check({ config, graph, trace, names: {}, resolve: resolveName });
  return { report, cause: report.causes[0], key: keyOf(name.replace(/^d/, ''), kind) };
}

const cap = 1.5;
const scale = 1 / Math.sqrt(2);
const capped = headConfig('qkv', { softcap: cap });
const plain = headConfig('qkv', {
  x: randomTensor([5, 3], 1),
  xPrime: undefined,
  weights: { ...headConfig('qkv').weights, W_Q: randomTensor([3, 2], 4) },
});
const causal: HeadConfig = { ...plain, mask: 'causal' };

const rowSum = (a: number[], b: number[]): number =>
  a.reduce((sum, each, i) => sum + each * b[i], 0);

describe('the formula stands in the answer', () => {
  test.each<[string, HeadConfig, string, (right: Tensors) => Rows, RegExp]>([
    [
      'the slope of the softcap without 1 −',
      capped,
      'dS',
      ({ dZ, Z }) => dZ.map((row, j) => row.map((up, i) => scale * (Z[j][i] / cap) ** 2 * up)),
      /left out|twice/,
    ],
    [
      'the slope of the softcap of what is capped and scaled',
      capped,
      'dS',
      ({ dZ, Z }) =>
        dZ.map((row, j) => row.map((up, i) => scale * (1 - ((scale * Z[j][i]) / cap) ** 2) * up)),
      /the scale/,
    ],
    [
      'the slope of the softcap with the square outside',
      capped,
      'dS',
      ({ dZ, Z }) => dZ.map((row, j) => row.map((up, i) => scale * (1 - Z[j][i] / cap) ** 2 * up)),
      /the square is taken of 1 − tanh/,
    ],
    [
      'tanh divided by the softcap, which is one factor throughout',
      capped,
      'Z',
      ({ S }) => S.map((row) => row.map((score) => Math.tanh((scale * score) / cap) / cap)),
      /^Z: divided by 1\.5 instead of multiplied/,
    ],
    [
      'the weights of the query before',
      plain,
      'dS',
      ({ P, dP }) =>
        P.map((row, j) =>
          row.map((_, i) => scale * (P[j - 1]?.[i] ?? 0) * (dP[j][i] - rowSum(P[j], dP[j]))),
        ),
      /j − 1/,
    ],
    [
      'the row term of the query before',
      plain,
      'dZ',
      ({ P, dP }) =>
        P.map((row, j) =>
          row.map((w, i) => w * (dP[j][i] - (j === 0 ? 0 : rowSum(P[j - 1], dP[j - 1])))),
        ),
      /j − 1/,
    ],
    [
      'the row term of what is squared',
      plain,
      'dZ',
      ({ P, dP }) =>
        P.map((row, j) =>
          row.map(
            (w, i) =>
              w *
              (dP[j][i] -
                rowSum(
                  P[j],
                  dP[j].map((up) => up * up),
                )),
          ),
        ),
      /dP is squared/,
    ],
  ])('%s', (_, config, name, make, words) => {
    const graphNames =
      name === 'dS' && config === plain
        ? ['x', 'K', 'Q', 'V', 'S', 'Z', 'P', 'y', 'dy', 'dV', 'dP']
        : undefined;
    const { cause } = told(config, name, make, graphNames);
    expect(`${cause?.title} ${cause?.why}`).toMatch(words);
    expect(cause.formulas).toBeDefined();
    expect(cause.residual).toBeLessThan(1e-12);
  });

  test('a causal mask that is off by one when P is computed anew, the log-sum-exp being right', () => {
    const { cause } = told(causal, 'dV', ({ Z, dy, P }) => {
      const logSum = Z.map((row, j) =>
        Math.log(row.reduce((sum, z, i) => (i <= j ? sum + Math.exp(z) : sum), 0)),
      );
      return P[0].map((_, i) =>
        dy[0].map((__, v) =>
          dy.reduce(
            (sum, row, j) => (i <= j + 1 ? sum + Math.exp(Z[j][i] - logSum[j]) * row[v] : sum),
            0,
          ),
        ),
      );
    });
    // A known one by now.
    expect(cause?.id).toMatch(/mask/);
  });
});

test('a softcap that is left out is no clipping where no score is beyond it', () => {
  const wide = headConfig('qkv', { softcap: 50 });
  const names = ['x', 'xPrime', 'K', 'Q', 'V', 'S'];
  const weights = ({ S }: Tensors): Rows =>
    S.map((row) => {
      const exponentials = row.map((score) => Math.exp(scale * score));
      const sum = exponentials.reduce((total, each) => total + each, 0);
      return exponentials.map((each) => each / sum);
    });
  const { cause } = told(wide, 'P', weights, names);
  expect(cause.id).toBe('softcap-missing');
});

test('a number that is fitted is told to the last digit', () => {
  const factor = 3 * Math.sqrt(6);
  const { cause } = told(capped, 'dS', ({ dZ, Z }) =>
    dZ.map((row, j) => row.map((up, i) => scale * (1 - factor * (Z[j][i] / cap) ** 2) * up)),
  );
  expect(cause?.title).toMatch(/multiplied by 7\.34847/);
});

test('numbers of no formula are no mistake that is known', () => {
  const noise = randomTensor([5, 5], 77);
  const { cause } = told(plain, 'dZ', () => rows(noise));
  expect(cause).toBeUndefined();
});

test('what a few entries agree in is not told', () => {
  // One query and two keys: a number fitted to them would be chance.
  const small: HeadConfig = {
    ...headConfig('qkv'),
    x: randomTensor([2, 3], 1),
    xPrime: randomTensor([1, 6], 2),
  };
  const { cause } = told(small, 'dZ', () => [[0.731, -0.731]]);
  expect(cause?.id ?? '').not.toMatch(/^formula-/);
});
