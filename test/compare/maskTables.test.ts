// The tables of masks: each row is one that a setup has, and hides what its words say, computed otherwise.
import { expect, test } from 'vitest';
import { FLOAT64 } from '../../src/compare/reference/dtypes.ts';
import type { Site } from '../../src/compare/edits/edit.ts';
import { mask, maskBias, WAYS } from '../../src/compare/mistakes/names/masking.ts';
import { DISTANCES, SLOPES } from '../../src/compare/mistakes/names/alibi.ts';
import { MASKS, maskVariants } from '../../src/compare/mistakes/names/masks.ts';
import { LOOKUPS, positionBias } from '../../src/compare/mistakes/names/positionBias.ts';
import { keyOf, type Kind, referenceProgram, State } from '../../src/compare/program/program.ts';
import { withWords } from '../../src/compare/mistakes/table.ts';
import { openSetup } from '../../src/formats/openSetup.ts';
import { alibiSlopes } from '../../src/engine/heads/mask.ts';
import { nodeOf } from '../../src/engine/graph.ts';
import type { Tensor } from '../../src/engine/tensor.ts';

const random = (seed: number, ...shape: number[]): object => ({ random: 'normal', shape, seed });

/** Four queries and seven keys, three of them earlier tokens: (b, h, j, i) of the scores is (2, 3, 4, 7). */
async function open(more: object) {
  const setup = {
    ...{ head: 'multihead', heads: 3, x: random(1, 2, 4, 6) },
    weights: { W_K: random(3, 6, 12), W_Q: random(4, 6, 12), W_V: random(5, 6, 12) },
    past: { K: random(7, 2, 3, 3, 4), V: random(8, 2, 3, 3, 4) },
    ...more,
  };
  const { config, graph, problems } = await openSetup(JSON.stringify(setup), () =>
    Promise.reject(new Error('no files')),
  );
  if (!config || !graph) throw new Error(problems.map(({ message }) => message).join());
  return { config, graph, type: FLOAT64, state: new State(referenceProgram(graph)) };
}

type Opened = Awaited<ReturnType<typeof open>>;

function siteAt(context: Opened, id: string, kind: Kind = 'value'): Site {
  const user = context.state.predict(keyOf(id, kind));
  const goal = { key: keyOf(id, kind), user, look: (each: Tensor) => each };
  const node = nodeOf(context.graph, id);
  return { ...context, node, kind, ratio: null, deviation: 1, precision: 1e-12, goal };
}

/** What a mask adds at query j and key i, d places behind it, for head h of three. */
const [QUERIES, KEYS, PAST, WINDOW] = [4, 7, 3, 3];
const entry = ({ data }: Tensor, j: number, i: number, h = 0): number =>
  data[(h * QUERIES + j) * KEYS + i];

/** By a word of the title, what is hidden. */
const HIDDEN: readonly [title: string, hides: (d: number, j: number, i: number) => boolean][] = [
  ['the mask is missing', () => false],
  ['the causal mask is missing', (d) => Math.abs(d) >= WINDOW],
  ['hides the diagonal too', (d) => d <= 0 || d >= WINDOW],
  ['lets one future key through', (d) => d < -1 || d >= WINDOW],
  ['the mask is inverted', (d) => d >= 0 || d <= -WINDOW],
  ['is transposed', (d) => d > 0 || d <= -WINDOW],
  ['forgets the earlier tokens', (d, j, i) => i > j || Math.abs(d) >= WINDOW],
  ['has the wrong sign', (d, j, i) => i > j - PAST || Math.abs(d) >= WINDOW],
  ['one too wide', (d) => d < 0 || d >= WINDOW + 1],
  ['one too narrow', (d) => d < 0 || d >= WINDOW - 1],
  ['the window is missing', (d) => d < 0],
  ['where both must hold', (d) => d <= -WINDOW],
  ['limits the left side', (d) => d < 0 || d >= WINDOW],
  ['limits the right side', (d) => d < 0],
];

test.each(HIDDEN)('%s', async (words, hides) => {
  const context = await open({ mask: 'causal', window: WINDOW });
  const own = maskVariants(context, nodeOf(context.graph, 'M')).filter(({ title }) =>
    title.includes(words),
  );
  expect(own.length).toBeGreaterThan(0);
  for (let j = 0; j < QUERIES; j++)
    for (let i = 0; i < KEYS; i++)
      expect(entry(own[0].mask, j, i) === -Infinity, `${j}, ${i}`).toBe(hides(PAST + j - i, j, i));
});

test('a block of queries that does not visit the keys on its diagonal', async () => {
  const context = await open({ mask: 'causal' });
  const words = 'not visited (queries in blocks of 2, keys of 2)';
  const own = maskVariants(context, nodeOf(context.graph, 'M')).find(({ title }) =>
    title.includes(words),
  );
  // Queries 0 and 1 stand at 3 and 4: the whole blocks of keys before 3 are those of 0 and 1.
  const seen = (j: number): number => (j < 2 ? 2 : 4);
  for (let j = 0; j < QUERIES; j++)
    for (let i = 0; i < KEYS; i++)
      expect(entry(own!.mask, j, i) === -Infinity, `${j}, ${i}`).toBe(i >= seen(j));
});

const given = (meaning: string): object => ({
  mask: Array.from({ length: 4 }, (_, j) =>
    Array.from({ length: 7 }, (_each, i) => Number((i + j) % 3 > 0)),
  ),
  maskMeaning: meaning,
});

test('every row of the table is one of some setup', async () => {
  const setups = [
    { mask: 'causal', window: 3, alibi: true },
    { mask: 'causal-bottom-right', past: undefined, xPrime: random(9, 2, 7, 6) },
    { mask: 'none' },
    ...['attend', 'ignore'].map(given),
  ];
  const told = new Set<string>();
  for (const setup of setups) {
    const context = await open(setup);
    for (const variant of maskVariants(context, nodeOf(context.graph, 'P'))) {
      expect(variant.mask.data.some(Number.isNaN), variant.title).toBe(false);
      told.add(variant.id + variant.why.replaceAll(/\d+/g, '#'));
    }
  }
  for (const row of MASKS) {
    const words = Object.fromEntries(
      [...row.why!.matchAll(/\{(\w+)\}/g)].map(([, name]) => [name, '#']),
    );
    const [{ id, why }] = withWords([{ ...row, needs: [] }], words);
    expect(told, row.title).toContain(id + why!.replaceAll(/\d+/g, '#'));
  }
});

test('other slopes and distances of ALiBi, one by one and two together', async () => {
  const context = await open({ mask: 'causal', alibi: true });
  const all = maskVariants(context, nodeOf(context.graph, 'M'));
  const slopes = alibiSlopes(3);
  const of = (title: string): Tensor => all.find((each) => each.title === title)!.mask;
  for (const { title } of [...SLOPES, ...DISTANCES]) expect(() => of(title)).not.toThrow();
  const [reversed, squared] = [
    'the ALiBi slopes are in the reverse order of the heads',
    'the ALiBi distance is squared',
  ];
  for (let h = 0; h < 3; h++) {
    expect(entry(of(reversed), 2, 1, h)).toBeCloseTo(-slopes[2 - h] * 4, 12);
    expect(entry(of(squared), 2, 1, h)).toBeCloseTo(-slopes[h] * 16, 12);
    expect(entry(of(`${reversed}; ${squared}`), 2, 1, h)).toBeCloseTo(-slopes[2 - h] * 16, 12);
  }
});

test('each way to apply a mask, and each factor of its bias, is there and tells', async () => {
  const context = await open({ mask: 'causal', alibi: true });
  const site = siteAt(context, 'M');
  const edits = [...mask(site), ...maskBias(site)];
  const right = context.state.value('M');
  for (const { id } of WAYS)
    expect(
      edits.some((edit) => edit.id === id),
      id,
    ).toBe(true);
  for (const edit of edits.filter(({ id }) =>
    /^mask-(added|sub|mul|fill|pen|sign|bias-[^a])/.test(id),
  )) {
    const made = context.state.under(edit.apply(context.state.program)).predict('v:M');
    expect(
      made.data.some((value, at) => value !== right.data[at]),
      edit.title,
    ).toBe(true);
  }
  const filled = edits.find(
    ({ title }) => title === 'hidden scores are filled with -10 instead of −∞',
  );
  const made = context.state.under(filled!.apply(context.state.program)).predict('v:M');
  right.data.forEach((value, at) => expect(made.data[at]).toBe(value === -Infinity ? -10 : value));
});

test('each row of a position bias is there', async () => {
  const more = { positionBias: { kind: 't5', bidirectional: true } };
  const weights = { W_K: random(3, 6, 12), W_Q: random(4, 6, 12), W_V: random(5, 6, 12) };
  const context = await open({ ...more, weights: { ...weights, B: random(6, 8, 3) } });
  const ids = positionBias(siteAt(context, 'Zb')).map(({ id }) => id);
  expect(ids).toEqual(expect.arrayContaining(LOOKUPS.map(({ id }) => id)));
});
