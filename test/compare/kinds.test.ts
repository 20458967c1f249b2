// Kinds of mistakes that real programs have, each made by a program written by hand, with much and with little logged.
import { describe, expect, it, test } from 'vitest';
import { check } from '../../src/compare/check.ts';
import type { Report } from '../../src/compare/report.ts';
import type { Tensor } from '../../src/engine/tensor.ts';
import { resolveName } from '../../src/formats/nodeNames.ts';
import { openSetup } from '../../src/formats/openSetup.ts';
import {
  inputsOf,
  mapped,
  program,
  type Sizes,
  type Slips,
  softmaxBack,
  times,
  turned,
} from '../support/handWritten.ts';

const ALL = ['P', 'O', 'dO', 'dP', 'dM', 'dS', 'dQh', 'dKh', 'dVh'];
/** What a fused kernel gives. */
const KERNEL = ['O', 'dO', 'dQh', 'dKh', 'dVh'];

function nested({ shape, data }: Tensor): unknown {
  let rows: unknown[] = [...data];
  for (const length of shape.slice(1).reverse())
    rows = Array.from({ length: rows.length / length }, (_, n) =>
      rows.slice(n * length, (n + 1) * length),
    );
  return rows;
}

/** The report on tensors of a program, against a setup of its sizes. */
async function reportOf(
  sizes: Sizes,
  setup: object,
  tensors: readonly (readonly [name: string, tensor: Tensor])[],
): Promise<Report> {
  const { Q, K, V, G } = inputsOf(sizes);
  const document = {
    ...{ head: 'multihead', heads: sizes.H, weights: {} },
    start: { Q: nested(Q), K: nested(K), V: nested(V) },
    loss: { upstream: nested(G) },
    ...setup,
  };
  const { config, graph, problems } = await openSetup(JSON.stringify(document), () =>
    Promise.reject(new Error('no files')),
  );
  if (!config || !graph) throw new Error(problems.map(({ message }) => message).join());
  const trace = tensors.map(([name, tensor]) => ({ name, dtype: 'float64' as const, tensor }));
  return check({ config, graph, trace, names: {}, resolve: resolveName });
}

/** On what a hand-written program with slips logs. */
const reportOn = (
  sizes: Sizes,
  slips: Slips,
  setup: object,
  logged: readonly string[] = ALL,
): Promise<Report> =>
  reportOf(
    sizes,
    setup,
    [...program(sizes, slips)].filter(([name]) => logged.includes(name)),
  );

const firstOf = ({ first }: Report): string =>
  first ? `${first.kind === 'gradient' ? 'd' : ''}${first.node}` : '';

const sizes: Sizes = { B: 2, H: 2, m: 5, n: 5, d: 4 };
const causal = { mask: 'causal' };
const future = (j: number, i: number): boolean => i > j;

test('the program without a slip is right', async () => {
  for (const logged of [ALL, KERNEL]) {
    const report = await reportOn(sizes, { hides: future }, causal, logged);
    expect([report.verdict, report.causes]).toEqual(['match', []]);
  }
});

describe('masks of the backward pass, the log-sum-exp being right', () => {
  const longer: Sizes = { B: 2, H: 2, m: 4, n: 7, d: 3 };
  const corner = { mask: 'causal-bottom-right' };
  const behind = (j: number, i: number): boolean => i > j + 3;
  const short = [4, 3];
  const padded = Array.from({ length: 2 }, (_, b) => [
    [Array.from({ length: 5 }, (_item, i) => i < short[b])],
  ]);
  const pads = (_: number, i: number, b: number): boolean => i >= short[b];
  const kinds: [string, Sizes, object, Slips, RegExp][] = [
    [
      'no offset for keys longer than queries',
      longer,
      corner,
      { hides: behind, backwardHides: (j, i) => i > j },
      /top left/,
    ],
    [
      'an offset of the wrong sign',
      longer,
      corner,
      { hides: behind, backwardHides: (j, i) => i > j - 3 },
      /wrong sign/,
    ],
    [
      'wider by one',
      sizes,
      causal,
      { hides: future, backwardHides: (j, i) => i > j + 1 },
      /one future key/,
    ],
    [
      'indices inside the tiles',
      { B: 1, H: 2, m: 8, n: 8, d: 3 },
      causal,
      {
        hides: future,
        backwardHides: (j, i) => Math.floor(i / 4) > Math.floor(j / 4) || i % 4 > j % 4,
      },
      /inside the blocks/,
    ],
    [
      'none at all',
      sizes,
      causal,
      { hides: future, backwardHides: () => false },
      /without the mask|the mask is missing/,
    ],
    [
      'one padded key less',
      sizes,
      { mask: padded },
      { hides: pads, backwardHides: (_, i, b) => i > short[b] },
      /one key less than it should: keys 4, 3 are seen/,
    ],
  ];
  it.each(kinds)('%s', async (_, own, setup, slips, words) => {
    for (const logged of [KERNEL, ALL]) {
      const report = await reportOn(own, slips, setup, logged);
      expect(firstOf(report)).toBe('dVh');
      expect(report.causes[0]?.title).toMatch(words);
      expect(report.causes[0].title).toMatch(/backward pass/);
    }
  });
});

describe('sums of the backward pass', () => {
  const skipsDiagonal = (P: number[][], dP: number[][]): number[][] =>
    mapped(P, (p, j, i) => {
      const D = P[j].reduce((sum, w, l) => sum + (l === j ? 0 : w * dP[j][l]), 0);
      return p * (dP[j][i] - D);
    });
  const kinds: [string, Slips, string, RegExp][] = [
    [
      'the softmax backward of every head uses P of the last head',
      { dM: ({ dP }, _, all) => softmaxBack(all[all.length - 1].P, dP) },
      'dM',
      /the weights of the last head are used for all heads/,
    ],
    [
      'the diagonal key is left out of the row sum',
      { dM: ({ P, dP }) => skipsDiagonal(P, dP) },
      'dM',
      /the sum ends before the query’s own key|own key is left out/,
    ],
    [
      '= for += over the keys',
      { dQ: ({ dS, K }) => dS.map((row, j) => K[j].map((value) => row[j] * value)) },
      'dQh',
      /only the last visible key counts/,
    ],
    [
      'dP stands for P',
      {
        dM: ({ P, dP }) =>
          softmaxBack(P, dP).map((row, j) => row.map((v, i) => (v / (P[j][i] || 1)) * dP[j][i])),
      },
      'dM',
      /dP multiplies where the weights P belong/,
    ],
    [
      'the row term is another row’s',
      {
        dM: ({ P, dP, D }) => mapped(P, (p, j, i) => p * (dP[j][i] - D[(j * 3 + 1) % D.length][0])),
      },
      'dM',
      /only the row term D .* another row/,
    ],
    [
      'the row term is any number',
      {
        dM: ({ P, dP }) => mapped(P, (p, j, i) => p * (dP[j][i] - Math.sin(7 * j + 1))),
      },
      'dM',
      /only the row term D = Σ P ∘ dP is wrong, in/,
    ],
    [
      'the scale is in dQ alone',
      { dM: undefined, dK: ({ dS, Q }) => mapped(times(turned(dS), Q), (v) => v * 2) },
      'dKh',
      /scale 0\.5 of the scores is missing/,
    ],
  ];
  it.each(kinds)('%s', async (_, slips, first, words) => {
    const report = await reportOn(sizes, { hides: future, ...slips }, causal);
    expect(firstOf(report)).toBe(first);
    expect(report.causes[0]?.title).toMatch(words);
  });

  it('accumulators of keys and values are not reset for the next tile', async () => {
    const own: Sizes = { B: 1, H: 2, m: 8, n: 8, d: 3 };
    const running = (rows: number[][]): number[][] => {
      const out = rows.map((row) => [...row]);
      for (let i = 4; i < out.length; i++) out[i] = out[i].map((value, k) => value + out[i - 4][k]);
      return out;
    };
    const report = await reportOn(own, { hides: future, after: running }, causal, KERNEL);
    expect(firstOf(report)).toBe('dVh');
    expect(report.causes.map(({ title }) => title)).toEqual([
      expect.stringMatching(/dVh and dKh are running sums.*next tile of 4 keys/),
    ]);
  });

  it('the upstream gradient is ignored', async () => {
    const ones = (rows: number[][]): number[][] => mapped(rows, () => 1);
    const report = await reportOn(sizes, { hides: future, dO: ones }, causal, [
      'O',
      'dQh',
      'dKh',
      'dVh',
    ]);
    expect(report.causes.map(({ title }) => title)).toEqual([expect.stringMatching(/ones/)]);
  });
});

describe('what no list of mistakes had', () => {
  const sumOf = (row: readonly number[]): number => row.reduce((sum, value) => sum + value, 0);
  const seen = (rows: readonly unknown[]): number[] => rows.map((_, i) => rows.length - i);
  const padded = [5, 3];
  const pads = (_: number, i: number, b: number): boolean => i >= padded[b];
  const mask = padded.map((length) => [[Array.from({ length: 5 }, (_, i) => i < length)]]);
  const uncapped = (z: number): number => 0.7 * Math.atanh(z / 0.7);
  /** Of the scores of a query, the logarithm of the sum, in powers of 2. */
  const inBase2 = (Z: number[][], P: number[][]): number[][] =>
    mapped(Z, (z, j) => z - (Z[j][0] - Math.log(P[j][0])) / Math.LN2).map((row) =>
      row.map(Math.exp),
    );
  const kinds: [string, Slips, object, string, RegExp][] = [
    [
      'the scale inside the loop over tiles of keys',
      {
        dQ: ({ dS, K }) =>
          times(
            mapped(dS, (value, _, i) => value * 0.5 ** (2 - Math.floor(i / 2))),
            K,
          ),
      },
      causal,
      'dQh',
      /multiplied by the scale inside the loop \(blocks of 2 keys\)/,
    ],
    [
      'the first tile of keys alone',
      {
        dQ: ({ dS, K }) =>
          times(
            mapped(dS, (value, _, i) => (i < 2 ? value : 0)),
            K,
          ),
      },
      {},
      'dQh',
      /only the first block of keys \(blocks of 2\)/,
    ],
    [
      'divided by ln 2 instead of multiplied',
      { dQ: ({ dS, K }) => mapped(times(dS, K), (value) => value / Math.LN2 ** 2) },
      {},
      'dQh',
      /divided by ln 2 instead of multiplied/,
    ],
    [
      'the log-sum-exp stands for the row term',
      {
        dM: ({ Z, P, dP }) => mapped(P, (p, j, i) => p * (dP[j][i] - Z[j][0] + Math.log(P[j][0]))),
      },
      causal,
      'dM',
      /D is the log-sum-exp of the scores/,
    ],
    [
      'the row term goes on from head to head',
      {
        dM: ({ P, dP }, h, all) =>
          mapped(
            P,
            (p, j, i) => p * (dP[j][i] - sumOf(all.slice(0, h + 1).map(({ D }) => D[j][0]))),
          ),
      },
      {},
      'dM',
      /not reset: it goes on from head to head$/,
    ],
    [
      'no gradient on the diagonal',
      { dM: ({ P, dP }) => mapped(softmaxBack(P, dP), (value, j, i) => (i === j ? 0 : value)) },
      causal,
      'dM',
      /diagonal/,
    ],
    [
      'the row term of the first head alone',
      {
        dM: ({ P, dP, D }, h) => mapped(P, (p, j, i) => p * (dP[j][i] - (h === 0 ? D[j][0] : 0))),
      },
      {},
      'dM',
      /0 but in the first h$/,
    ],
    [
      'keys have the mean over the queries that see them',
      {
        dK: ({ dS, Q }) => mapped(times(turned(dS), Q), (value, i) => value / seen(dS)[i]),
      },
      causal,
      'dKh',
      /the mean, not the sum, over each query that sees a key/,
    ],
    [
      'the gradient of the scores is masked by the transposed mask',
      { dM: ({ P, dP }) => mapped(softmaxBack(P, dP), (value, j, i) => (i < j ? 0 : value)) },
      causal,
      'dM',
      /masked with the mask transposed/,
    ],
    [
      'the last tile of keys is never visited in the backward pass',
      { hides: future, backwardHides: (j, i) => future(j, i) || i > 3 },
      causal,
      'dVh',
      /the last block of keys is left out/,
    ],
    [
      'the mask in the first head alone',
      { hides: (j, i, _, h) => h === 0 && future(j, i) },
      causal,
      'P',
      /applied in only the first head|missing in head 1/,
    ],
    [
      'no query sees itself',
      { hides: (j, i) => future(j, i) || (i === j && j > 0) },
      causal,
      'P',
      /hides the diagonal too, but for the first query/,
    ],
    [
      'a log-sum-exp in powers of 2',
      { dV: ({ Z, P, dO }) => times(turned(inBase2(Z, P)), dO) },
      {},
      'dVh',
      /the log-sum-exp is kept in powers of 2/,
    ],
    [
      'a log-sum-exp of the scores before they are scaled',
      {
        dV: ({ Z, dO }) =>
          times(
            turned(mapped(Z, (z, j) => Math.exp(z) / sumOf(Z[j].map((s) => Math.exp(2 * s))))),
            dO,
          ),
      },
      {},
      'dVh',
      /the log-sum-exp is that of the scores before they are scaled/,
    ],
    [
      'weights recomputed without the softcap',
      {
        ...{ softcap: 0.7 },
        dV: ({ Z, P, dO }) =>
          times(
            turned(mapped(Z, (z, j, i) => (P[j][i] / Math.exp(z)) * Math.exp(uncapped(z)))),
            dO,
          ),
      },
      { softcap: 0.7 },
      'dVh',
      /the weights are recomputed without the softcap/,
    ],
    [
      'a log-sum-exp of the scores before the softcap',
      {
        ...{ softcap: 0.7 },
        dV: ({ Z, dO }) =>
          times(
            turned(
              mapped(Z, (z, j) => Math.exp(z) / sumOf(Z[j].map((s) => Math.exp(uncapped(s))))),
            ),
            dO,
          ),
      },
      { softcap: 0.7 },
      'dVh',
      /the log-sum-exp is that of the scores before the softcap/,
    ],
    [
      'a log-sum-exp without the last tile of keys',
      {
        dV: ({ P, dO }) =>
          times(turned(mapped(P, (p, j) => p / (P[j][0] + P[j][1] + P[j][2]))), dO),
      },
      {},
      'dVh',
      /the log-sum-exp lacks the last block of keys \(blocks of 3\)/,
    ],
    [
      'squared weights',
      { dV: ({ P, dO }) => times(turned(mapped(P, (p) => p * p)), dO) },
      {},
      'dVh',
      /for dV alone: the weights are squared/,
    ],
    [
      'weights that are normalised over the queries too',
      {
        dV: ({ P, dO }) => {
          const sums = turned(P).map(sumOf);
          return times(turned(mapped(P, (p, _, i) => p / sums[i])), dO);
        },
      },
      {},
      'dVh',
      /normalised once more, over the queries/,
    ],
    [
      'weights smoothed towards equal ones',
      { dM: ({ P, dP }) => mapped(softmaxBack(P, dP), (value) => 0.9 * value + 0.02) },
      {},
      'dM',
      /dZ is mixed with something else: 0\.9 · \(right dZ\) \+ 0\.02/,
    ],
  ];
  it.each(kinds)('%s', async (_, slips, setup, first, words) => {
    const isCausal = 'mask' in setup;
    for (const logged of first === 'dM' ? [ALL] : [KERNEL, ALL]) {
      const report = await reportOn(
        sizes,
        { ...(isCausal && { hides: future }), ...slips },
        setup,
        logged,
      );
      if (logged === ALL)
        expect(firstOf(report)).toBe(isCausal ? first : first.replace('dM', 'dZ'));
      expect(report.causes.map(({ title }) => title)).toEqual([expect.stringMatching(words)]);
    }
  });

  it('a scale of d ** -1 / 2', async () => {
    const own = { ...sizes, d: 3 };
    const report = await reportOn(own, { scale: 3 ** -1 / 2 }, {}, ['P', 'O']);
    expect(report.causes.map(({ title }) => title)).toEqual([
      expect.stringMatching(/divided by 2 · 3: d \*\* -1 \/ 2/),
    ]);
  });

  it('weights that are smoothed, and a gradient that holds something else beside', async () => {
    const tensors = [...program(sizes)];
    const changed = (of: string, change: (value: number) => number) =>
      tensors
        .filter(([name]) => name === of)
        .map(([name, own]) => [name, { ...own, data: own.data.map(change) }] as const);
    const { causes } = await reportOf(sizes, {}, [
      ...tensors.filter(([name]) => name === 'O'),
      ...changed('P', (value) => 0.9 * value + 0.02),
    ]);
    expect(causes[0]).toMatchObject({
      id: 'mixed-with-another',
      title: expect.stringMatching(/0\.9 · \(right P\) \+ 0\.02 · a constant/),
    });
  });

  it('the output of padded queries is set to 0', async () => {
    const tensors = [...program(sizes, { hides: pads })].map(([name, own]) => {
      const isPadded = (at: number): boolean => {
        const query = Math.floor(at / sizes.d) % sizes.m;
        return query >= padded[Math.floor(at / (own.data.length / sizes.B))];
      };
      const data = own.data.map((value, at) => (isPadded(at) ? 0 : value));
      return [name, name === 'O' ? { ...own, data } : own] as const;
    });
    const report = await reportOf(
      sizes,
      { mask },
      tensors.filter(([name]) => name === 'P' || name === 'O'),
    );
    expect(report.causes.map(({ id }) => id)).toEqual(['padded-queries-zeroed']);
  });
});

describe('masks of joined rules', () => {
  const pads = (i: number, b: number): boolean => i < (b === 0 ? 0 : 2);
  const joined = Array.from({ length: 2 }, (_, b) => [
    Array.from({ length: 5 }, (_row, j) =>
      Array.from({ length: 5 }, (_item, i) => i === j || (i <= j && !pads(i, b))),
    ),
  ]);
  const chunks = Array.from({ length: 9 }, (_, j) =>
    Array.from({ length: 9 }, (_item, i) => i <= j && Math.floor(i / 3) === Math.floor(j / 3)),
  );
  const perBatch = [[[[true, true, true, false, false]]], [[[true, true, true, true, false]]]];
  const prefixed = Array.from({ length: 6 }, (_, j) =>
    Array.from({ length: 6 }, (_item, i) => i <= j || i < 3),
  );
  const even: Sizes = { B: 1, H: 2, m: 6, n: 6, d: 4 };
  const kinds: [string, Sizes, object, Slips, RegExp][] = [
    [
      'a prefix one too long',
      even,
      { mask: prefixed },
      { hides: (j, i) => i > j && i >= 4 },
      /prefix .* one key too long/,
    ],
    ['padding lost', sizes, { mask: joined }, { hides: future }, /padding part .* missing/],
    [
      'causal lost',
      sizes,
      { mask: joined },
      { hides: (j, i, b) => i !== j && pads(i, b) },
      /causal part .* missing/,
    ],
    [
      'a window for chunks',
      { B: 1, H: 2, m: 9, n: 9, d: 4 },
      { mask: chunks },
      { hides: (j, i) => i > j || j - i >= 3 },
      /window of 3 where the setup’s is chunks/,
    ],
    [
      'repeated in the wrong order',
      sizes,
      { mask: perBatch },
      { hides: (_, i, b, h) => !perBatch[(b * 2 + h) % 2][0][0][i] },
      /repeated over batch × heads in the wrong order/,
    ],
  ];
  it.each(kinds)('%s', async (_, own, setup, slips, words) => {
    for (const logged of [ALL, ['O', 'dVh']]) {
      const report = await reportOn(own, slips, setup, logged);
      expect(report.causes[0]?.title).toMatch(words);
    }
  });

  it('says both mistakes that give the same numbers, the commoner first', async () => {
    const report = await reportOn(sizes, { hides: future }, { mask: joined });
    expect(report.causes[0].title).toMatch(/padding/);
    expect(report.causes[0].why).toMatch(
      /same numbers would come of.*first batch entry is used for all/,
    );
  });
});

describe('numbers that the setup does not have', () => {
  it('a bias by the distance of query and key, in the weights alone', async () => {
    const bias = (j: number, i: number, _: number, h: number): number => Math.sin(3 * (i - j) + h);
    const report = await reportOn(sizes, { bias }, {}, ['P', 'O']);
    expect(report.causes[0]?.title).toMatch(/bias is added .* head and the distance/);
  });

  it('no bias is read off weights that no rule makes', async () => {
    const bias = (j: number, i: number, b: number, h: number): number =>
      Math.sin(13 * i + 7 * j * j + 5 * b + 3 * h * j);
    const report = await reportOn(sizes, { bias }, {}, ['P', 'O']);
    expect(report.causes).toEqual([]);
  });

  it('the scale on the weights, behind the softmax', async () => {
    const own = program(sizes, { scale: 1 });
    const halved = (name: string): Tensor => {
      const { shape, data } = own.get(name)!;
      return { shape, data: data.map((value) => value / 2) };
    };
    const report = await reportOf(sizes, {}, [
      ['P', halved('P')],
      ['O', halved('O')],
    ]);
    expect(report.causes.map(({ title }) => title)).toEqual([
      expect.stringMatching(/the scale multiplies the weights after the softmax/),
    ]);
  });

  it('the default scale where the setup says another', async () => {
    const report = await reportOn(sizes, {}, { scale: 0.7 });
    expect(report.causes[0].title).toMatch(/default 1\/√d = 1\/√4 = 0\.5, where .* is 0\.7/);
    expect(report.causes[0].numpy).toContain('* 0.7');
  });
});

describe('an unknown mistake', () => {
  const odd = (value: number, j: number, i: number): number =>
    value * (1 + 0.3 * Math.sin(7 * j * j + 3 * i));
  const noteOn = async (slips: Slips, logged = ALL): Promise<string> => {
    const report = await reportOn(sizes, { hides: future, ...slips }, causal, logged);
    expect(report.causes).toEqual([]);
    const { first } = report;
    return report.nodes.find(({ node, kind }) => node === first?.node && kind === first.kind)!.note;
  };

  it('is said to be in one step where all before it is right', async () => {
    const note = await noteOn({ dM: ({ P, dP }) => mapped(softmaxBack(P, dP), odd) });
    expect(note).toContain('P and dP, from which dM is computed, are right');
    expect(note).toContain('the mistake is in the step that makes dM and nowhere before it');
  });

  it('has what is ruled out, and what to log next, where less is logged', async () => {
    const note = await noteOn({ dM: ({ P, dP }) => mapped(softmaxBack(P, dP), odd) }, KERNEL);
    expect(note).toMatch(/O and dVh are right too, which rules out Vh and P and what comes before/);
    expect(note).toMatch(/in dP, dM, dZ, dS or dKh: log dM next/);
  });

  it('is said to sit on the diagonal, or behind a tile', async () => {
    const diagonal = await noteOn({
      dM: ({ P, dP }) => mapped(softmaxBack(P, dP), (v, j, i) => (i === j ? Math.sin(9 * v) : v)),
    });
    expect(diagonal).toContain('all wrong entries are on the diagonal');
    const tile = await noteOn({
      dQ: ({ dS, K }) => mapped(times(dS, K), (v, j, i) => (j < 3 ? v : Math.sin(9 * v + i))),
    });
    expect(tile).toContain('the first 3 queries are right and all behind wrong');
  });

  it('has the pattern of zeros of P, also where it shows what it should hide', async () => {
    const bias = (j: number, i: number): number => Math.sin(i * j * j);
    const note = await noteOn({ hides: (j, i) => i > j + 2 || (i === 2 && j > 3), bias }, [
      'P',
      'O',
    ]);
    expect(note).toMatch(/zeros are not those of the setup’s mask.*hides .* and shows/);
  });
});

test('a backward pass that need not mask has no second mistake for it', async () => {
  const outside = ({ P, dP, D }: Readonly<Record<string, number[][]>>): number[][] =>
    mapped(P, (p, j, i) => p * dP[j][i] - D[j][0]);
  const tensors = [...program(sizes, { hides: future, dM: outside })]
    .filter(([name]) => ALL.includes(name))
    .map(([name, own]) => [name === 'dM' ? 'dZ' : name, own] as const);
  const { causes } = await reportOf(sizes, causal, tensors);
  expect(causes.map(({ id }) => id)).toEqual(['softmax-backward-sum-unweighted']);
});

test('a denominator that is not reset goes on from head to head, query by query', async () => {
  const { Q, K } = inputsOf(sizes);
  const { B, H, m, n, d } = sizes;
  const at = ({ data }: Tensor, b: number, t: number, h: number, k: number): number =>
    data[((b * m + t) * H + h) * d + k];
  const P = new Float64Array(B * H * m * n);
  for (let b = 0; b < B; b++)
    for (let j = 0; j < m; j++) {
      let total = 0;
      for (let h = 0; h < H; h++) {
        const place = ((b * H + h) * m + j) * n;
        for (let i = 0; i <= j; i++) {
          let score = 0;
          for (let k = 0; k < d; k++) score += at(Q, b, j, h, k) * at(K, b, i, h, k);
          total += P[place + i] = Math.exp(score / Math.sqrt(d));
        }
        for (let i = 0; i <= j; i++) P[place + i] /= total;
      }
    }
  const { causes } = await reportOf(sizes, causal, [['P', { shape: [B, H, m, n], data: P }]]);
  expect(causes.map(({ title }) => title)).toEqual([
    'softmax: the denominator is not reset: it goes on from head to head',
  ]);
});

test('a second mistake is said to be one after the first is repaired', async () => {
  const report = await reportOn(
    sizes,
    {
      scale: 0.25,
      dQ: ({ dS, K }) => dS.map((row, j) => K[j].map((value) => row[j] * value)),
      hides: future,
    },
    causal,
    [...ALL, 'Z'],
  );
  expect(report.causes.map(({ why }) => why.startsWith('After repairing the above'))).toEqual([
    false,
    true,
  ]);
});
