// A program that leaves a part of a listed mask out is told which one.
import { expect, test } from 'vitest';
import { check } from '../../src/compare/check.ts';
import type { Report } from '../../src/compare/report.ts';
import { headSlice } from '../../src/compare/search/slice.ts';
import { FLOAT64 } from '../../src/compare/reference/dtypes.ts';
import { referenceProgram, State } from '../../src/compare/program/program.ts';
import { resolveName } from '../../src/formats/nodeNames.ts';
import { openSetup } from '../../src/formats/openSetup.ts';

const random = (seed: number, ...shape: number[]): object => ({ random: 'normal', shape, seed });

const base = {
  ...{ head: 'multihead', heads: 2, x: random(1, 2, 6, 8) },
  weights: { W_K: random(3, 8, 8), W_Q: random(4, 8, 8), W_V: random(5, 8, 8) },
};

const PARTS = [
  { kind: 'padding', lengths: [6, 4] },
  { kind: 'window', left: 1, right: 1 },
  { kind: 'prefix', length: [2, 3] },
  { kind: 'chunked', size: 4 },
  {
    kind: 'documents',
    ids: [
      [0, 0, 0, 0, 1, 1],
      [0, 0, 1, 1, 1, 1],
    ],
  },
];

async function open(mask: unknown) {
  const { config, graph, problems } = await openSetup(JSON.stringify({ ...base, mask }), () =>
    Promise.reject(new Error('no files')),
  );
  if (!config || !graph) throw new Error(problems.map(({ message }) => message).join());
  return { config, graph };
}

async function compared(
  ours: unknown,
  theirs: unknown,
  names: readonly string[] = ['S', 'M', 'P', 'y'],
): Promise<Report> {
  const own = await open(ours);
  const { graph } = await open(theirs);
  const state = new State(referenceProgram(graph));
  const trace = names.map((name) => ({
    name,
    dtype: 'float64' as const,
    tensor: state.value(name),
  }));
  return check({ ...own, trace, names: {}, resolve: resolveName });
}

test.each(PARTS.map((part, n) => [part.kind, n] as const))('%s', async (kind, n) => {
  const others = PARTS.filter((_, at) => at !== n);
  const { verdict, first, causes } = await compared(['causal', ...PARTS], ['causal', ...others]);
  expect({ verdict, node: first?.node, cause: causes[0]?.id }).toEqual({
    verdict: 'diverges',
    node: 'M',
    cause: `mask-${kind}-missing`,
  });
});

test('the same masks match, in any order', async () => {
  const { verdict } = await compared(['causal', ...PARTS], [...[...PARTS].reverse(), 'causal']);
  expect(verdict).toBe('match');
});

test('the slice of one head and one batch entry has its masks', async () => {
  const { config, graph } = await open(['causal', ...PARTS]);
  const state = new State(referenceProgram(graph));
  const slice = headSlice({ config, graph, state, type: FLOAT64 })!;
  const own = slice.context.state.value('M');
  expect([...own.data]).toEqual([...state.value('M').data.subarray(0, own.data.length)]);
});

/** As many keys of each batch entry as that, for all queries. */
const padding = (lengths: readonly number[]): boolean[][][][] =>
  lengths.map((length) => [[Array.from({ length: 6 }, (_, key) => key < length)]]);

test.each([
  [[5, 4], 'keys 4, 3 are hidden'],
  [[6, 4], 'keys 5, 3 are hidden'],
])('padding of a mask that hides one key more, of the lengths %j', async (lengths, words) => {
  const shorter = lengths.map((length) => length - 1);
  const { causes } = await compared(padding(lengths), padding(shorter));
  expect(causes.map(({ id }) => id)).toEqual(['mask-padding-length']);
  expect(causes[0].title).toContain(words);
});

test('says where the entries are that a mask hides without a rule', async () => {
  const mask = padding([6, 6]).map((entry) => [Array.from({ length: 6 }, () => [...entry[0][0]])]);
  mask[1][0][3][2] = false;
  mask[1][0][4][1] = false;
  const { causes } = await compared(padding([6, 6]), mask);
  expect(causes[0].title).toContain('(batch entry 1; queries 3, 4; keys 1, 2)');
});

test.each([
  ['padding', { kind: 'padding', lengths: [6, 4] }, { kind: 'padding', lengths: [6, 5] }, 'length'],
  ['prefix', { kind: 'prefix', length: [2, 3] }, { kind: 'prefix', length: [3, 4] }, 'length'],
  ['chunked', { kind: 'chunked', size: 3 }, { kind: 'chunked', size: 2 }, 'length'],
  ['chunked', { kind: 'chunked', size: 3 }, { kind: 'window', left: 2, right: 2 }, 'for-window'],
])(
  'a part that is otherwise is told from the output alone: %s',
  async (kind, ours, theirs, end) => {
    const { causes } = await compared(['causal', ours], ['causal', theirs], ['y']);
    expect(causes.map(({ id }) => id)).toEqual([`mask-${kind}-${end}`]);
  },
);
