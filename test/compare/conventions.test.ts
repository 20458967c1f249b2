// Right programs of other conventions: nothing is wrong with them.
import { describe, expect, it } from 'vitest';
import { blindConventions } from '../../src/compare/reference/blindQueries.ts';
import { check, type CheckInput } from '../../src/compare/check.ts';
import { causalOrder } from '../../src/compare/judge/causalOrder.ts';
import { BFLOAT16, FLOAT32 } from '../../src/compare/reference/dtypes.ts';
import { rounding } from '../../src/compare/reference/noise.ts';
import {
  type Key,
  NOTHING_GIVEN,
  referenceProgram,
  State,
} from '../../src/compare/program/program.ts';
import { permutationTable } from '../../src/compare/program/operations.ts';
import { pick } from '../../src/compare/align/layouts.ts';
import { type Graph, nodeOf } from '../../src/engine/graph.ts';
import { map, type Tensor } from '../../src/engine/tensor.ts';
import { openSetup } from '../../src/formats/openSetup.ts';
import { resolveName } from '../../src/formats/nodeNames.ts';

const random = (seed: number, ...shape: number[]): object => ({ random: 'normal', shape, seed });

async function open(setup: object): Promise<Pick<CheckInput, 'config' | 'graph'>> {
  const { config, graph } = await openSetup(JSON.stringify(setup), () =>
    Promise.reject(new Error('no files')),
  );
  return { config: config!, graph: graph! };
}

/** The report on what a program of `graph` gives for the keys. */
function reportOn(
  { config, graph }: Pick<CheckInput, 'config' | 'graph'>,
  keys: readonly Key[],
  own: (key: Key) => Tensor,
  dtype: 'float32' | 'float64' = 'float64',
): ReturnType<typeof check> {
  const trace = keys.map((key) => ({
    name: key.startsWith('v:') ? key.slice(2) : `d${key.slice(2)}`,
    dtype,
    tensor: own(key),
  }));
  return check({ config, graph, trace, names: {}, resolve: resolveName });
}

const width = { W_K: random(3, 6, 6), W_Q: random(4, 6, 6), W_V: random(5, 6, 6) };

describe('queries that see no key', async () => {
  const setup = {
    ...{ head: 'multihead', heads: 2, x: random(1, 2, 4, 6), xPrime: random(2, 2, 3, 6) },
    weights: { ...width, W_O: random(6, 6, 5) },
    maskMeaning: 'attend',
    mask: [
      [1, 0, 1, 1],
      [0, 0, 0, 0],
      [1, 1, 0, 1],
    ],
  };
  const opened = await open(setup);
  const logits = new State(referenceProgram(opened.graph)).value('M');
  const conventions = blindConventions(opened.graph, logits);
  const ends: Key[] = ['v:y', 'g:x', 'g:xPrime', 'g:W_K', 'g:W_Q', 'g:W_V'];

  it.each(conventions.map(({ note, graph }): [string, Graph] => [note, graph]))(
    '%s',
    (_, graph) => {
      const state = new State(referenceProgram(graph));
      for (const keys of [ends, ['v:y'], ['g:x'], ['g:V', 'g:W_V']] as Key[][]) {
        const report = reportOn(opened, keys, (key) => state.predict(key));
        expect(report.verdict, keys.join()).toBe('match');
        // Of two conventions that give the same, the first is told.
        const notes = report.nodes.map((each) => each.note);
        expect(notes.some((each) => each.includes('queries that see no key'))).toBe(true);
      }
    },
  );

  it('do not hide a mistake', () => {
    const state = new State(referenceProgram(conventions[0].graph));
    const report = reportOn(opened, ends, (key) => {
      const { shape, data } = state.predict(key);
      return { shape, data: key === 'g:W_K' ? data.map((value) => 2 * value) : data };
    });
    expect(report.first).toEqual({ node: 'W_K', kind: 'gradient' });
  });
});

it('tokens before as many batch entries, in all tensors', async () => {
  const setup = {
    ...{ head: 'multihead', heads: 2, x: random(1, 3, 3, 6) },
    weights: { ...width, W_O: random(6, 6, 5) },
  };
  const opened = await open(setup);
  const { graph } = opened;
  const state = new State(referenceProgram(graph));
  const keys: Key[] = ['v:K', 'v:Q', 'v:V', 'v:y', 'g:V', 'g:Q', 'g:K', 'g:x'];
  const report = reportOn(opened, keys, (key) => {
    const { axes } = nodeOf(graph, key.slice(2));
    const letters = axes.flat();
    const order = [letters[1], letters[0], ...letters.slice(2)];
    const { shape, data } = state.predict(key);
    return { shape, data: pick(data, permutationTable(axes, order, graph.extents)) };
  });
  expect(report.verdict).toBe('match');
  expect(report.nodes.find(({ node, kind }) => node === 'x' && kind === 'gradient')?.status).toBe(
    'layout',
  );
});

it('a large run in float32, with a gradient of b_K that is rounding alone', async () => {
  const setup = {
    ...{ head: 'multihead', heads: 4, mask: 'causal', x: random(1, 260, 16) },
    weights: {
      ...{ W_K: random(3, 16, 16), W_Q: random(4, 16, 16), W_V: random(5, 16, 16) },
      ...{ W_O: random(6, 16, 8), b_K: random(7, 16), b_Q: random(8, 16) },
    },
  };
  const opened = await open(setup);
  const rounded = new State(
    referenceProgram(opened.graph),
    NOTHING_GIVEN,
    rounding(FLOAT32, 12345),
  );
  const keys = causalOrder(opened.graph).filter((key) => /^(v:y|g:(x|[Wb]_.))$/.test(key));
  const report = reportOn(opened, keys, (key) => rounded.predict(key), 'float32');
  expect(report.nodes.filter(({ status }) => status === 'diverges')).toEqual([]);
  expect(report.verdict).toBe('match');
}, 120_000);

describe('few entries in float32 that fit a half type', async () => {
  const setup = {
    ...{ head: 'qkv', x: random(1, 3, 6), xPrime: random(2, 1, 6) },
    weights: width,
    mask: 'causal',
    // So large that their halves are whole numbers and a few fractions of two.
    loss: { upstream: { ...random(9, 1, 6), std: 30 } },
  };
  const opened = await open(setup);
  const state = new State(referenceProgram(opened.graph));
  const keys: Key[] = ['g:Q', 'g:K', 'g:V'];
  const report = (change: (value: number) => number): ReturnType<typeof check> =>
    reportOn(opened, keys, (key) => map(state.predict(key), change), 'float32');

  it('are right as such', () => {
    const found = report((value) => BFLOAT16.round(value));
    expect(found).toMatchObject({ verdict: 'match', dtype: 'bfloat16' });
  });

  it('are wrong where that does not make them right', () => {
    const found = report((value) => BFLOAT16.round(1.25 * value));
    expect(found).toMatchObject({ verdict: 'diverges', first: { node: 'V', kind: 'gradient' } });
  });
});
