// The turns of the table of rotary embeddings: each is there, and the right one and those over all heads are as computed otherwise.
import { expect, test } from 'vitest';
import { FLOAT64 } from '../../src/compare/reference/dtypes.ts';
import type { Site } from '../../src/compare/edits/edit.ts';
import { extentsOf, readOf } from '../../src/compare/mistakes/hunt.ts';
import { rope, TURNS } from '../../src/compare/mistakes/names/rope.ts';
import { parsed } from '../../src/compare/mistakes/text.ts';
import { type Turned, turnOf } from '../../src/compare/mistakes/turning.ts';
import { vocabularyOf } from '../../src/compare/mistakes/vocabulary.ts';
import { keyOf, type Kind, referenceProgram, State } from '../../src/compare/program/program.ts';
import { openSetup } from '../../src/formats/openSetup.ts';
import { Evaluator } from '../../src/engine/evaluate.ts';
import { nodeOf } from '../../src/engine/graph.ts';
import type { Tensor } from '../../src/engine/tensor.ts';

const random = (seed: number, ...shape: number[]): object => ({ random: 'normal', shape, seed });

/** Six query heads in groups of three, three earlier tokens, eight features of which pairs turn. */
async function open(more: object) {
  const setup = {
    ...{ head: 'multihead', heads: 6, kvHeads: 2, x: random(1, 2, 4, 8), mask: 'causal' },
    weights: {
      ...{ W_K: random(3, 8, 16), W_Q: random(4, 8, 48), W_V: random(5, 8, 16) },
      ...{ b_K: random(9, 16), b_Q: random(10, 48) },
    },
    ...more,
  };
  const { config, graph, problems } = await openSetup(JSON.stringify(setup), () =>
    Promise.reject(new Error('no files')),
  );
  if (!config || !graph) throw new Error(problems.map(({ message }) => message).join());
  return { config, graph, type: FLOAT64, state: new State(referenceProgram(graph)) };
}

const past = { past: { K: random(7, 2, 2, 3, 8), V: random(8, 2, 2, 3, 8) } };

type Opened = Awaited<ReturnType<typeof open>>;

function computed(context: Opened, id: string, text: string): Tensor {
  const formula = parsed(text, vocabularyOf(context))!;
  const { axes } = nodeOf(context.graph, id);
  return new Evaluator(readOf(context), extentsOf(context)).tensor(formula, axes);
}

function siteAt(context: Opened, id: string, kind: Kind): Site {
  const user = context.state.predict(keyOf(id, kind));
  const goal = { key: keyOf(id, kind), user, look: (each: Tensor) => each };
  const node = nodeOf(context.graph, id);
  return { ...context, node, kind, ratio: null, deviation: 1, precision: 1e-12, goal };
}

const off = (a: Tensor, b: Tensor): number =>
  a.data.reduce((most, value, at) => Math.max(most, Math.abs(value - b.data[at])), 0);

test.each<[Turned, 'half' | 'interleaved', object]>([
  ['Q', 'half', {}],
  ['K', 'interleaved', {}],
  ['K', 'half', past],
  ['Q', 'interleaved', past],
])('the right turn of %s, %s, is the engine’s, there and back', async (id, pairing, more) => {
  const context = await open({ rope: { pairing, base: 100 }, ...more });
  const { state } = context;
  const { forward, backward } = turnOf(context, id);
  expect(off(computed(context, `${id}h`, forward()), state.value(`${id}h`))).toBeLessThan(1e-12);
  expect(off(computed(context, id, backward), state.gradient(id))).toBeLessThan(1e-12);
});

test.each([
  ['Q', 3],
  ['K', 1],
] as const)('%s turned over the features of all heads', async (id, perGroup) => {
  const base = 100;
  const context = await open({ kvHeads: 2, rope: { pairing: 'half', base } });
  const { shape, data } = context.state.value(id);
  const [batches, tokens, width] = shape;
  const made = computed(context, `${id}h`, turnOf(context, id, '', true).forward());
  expect(made.data).toHaveLength(data.length);
  for (let b = 0; b < batches; b++)
    for (let t = 0; t < tokens; t++)
      for (let f = 0; f < width; f++) {
        const row = (b * tokens + t) * width;
        const angle = t * base ** ((-2 * (f % (width / 2))) / width);
        const partner = f < width / 2 ? -data[row + f + width / 2] : data[row + f - width / 2];
        const turned = data[row + f] * Math.cos(angle) + partner * Math.sin(angle);
        const heads = 2 * perGroup;
        const head = Math.floor(f / 8);
        expect(made.data[((b * heads + head) * tokens + t) * 8 + (f % 8)]).toBeCloseTo(turned, 12);
      }
});

test.each(['half', 'interleaved'] as const)(
  'each turn of the table is there: %s',
  async (pairing) => {
    const context = await open({ rope: { pairing, base: 100 }, ...past });
    const edits = rope(siteAt(context, 'Kh', 'value'));
    const right = context.state.value('Kh');
    for (const { id } of TURNS) {
      const own = edits.filter((edit) => edit.id === id);
      expect(own.length, id).toBeGreaterThanOrEqual(
        2 * TURNS.filter((row) => row.id === id).length,
      );
      for (const edit of own) {
        const made = context.state.under(edit.apply(context.state.program)).predict('v:Kh');
        expect(off(made, right), edit.title).toBeGreaterThan(1e-6);
      }
    }
    const back = rope(siteAt(context, 'K', 'gradient')).map(({ id }) => id);
    const turned = TURNS.filter(({ id }) => id !== 'rope-missing').map(
      ({ id }) => `backward-${id}`,
    );
    expect(back).toEqual(expect.arrayContaining([...turned, 'backward-rope-missing']));
  },
);
