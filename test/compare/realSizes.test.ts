// Real sizes, a smoke: rounding and the commonest mistakes; realSizes.mjs has all of them, computed by PyTorch.
import { describe, expect, it } from 'vitest';
import { check, type CheckInput } from '../../src/compare/check.ts';
import { causalOrder } from '../../src/compare/judge/causalOrder.ts';
import { BFLOAT16, FLOAT32, FLOAT64, type NumberType } from '../../src/compare/reference/dtypes.ts';
import { rounding } from '../../src/compare/reference/noise.ts';
import {
  isMisfit,
  type Key,
  NOTHING_GIVEN,
  type Program,
  referenceProgram,
  State,
  type StepOperation,
} from '../../src/compare/program/program.ts';
import type { Report } from '../../src/compare/report.ts';
import { PLAIN_VIEW } from '../../src/compare/judge/view.ts';
import { search } from '../../src/compare/search/search.ts';
import { map } from '../../src/engine/tensor.ts';
import { openSetup } from '../../src/formats/openSetup.ts';
import { resolveName } from '../../src/formats/nodeNames.ts';
import { drawSetup, generator } from '../conformance/draw.mjs';
import { allEdits, inject } from './inject.ts';

const random = (seed: number, ...shape: number[]): object => ({ random: 'normal', shape, seed });

async function open(setup: object): Promise<Pick<CheckInput, 'config' | 'graph'>> {
  const { config, graph } = await openSetup(JSON.stringify(setup), () =>
    Promise.reject(new Error('no files')),
  );
  return { config: config!, graph: graph! };
}

const setupOf = (tokens: number, more: object = {}): object => ({
  ...{ head: 'multihead', heads: 2, x: random(1, tokens, 16), xPrime: random(2, tokens, 16) },
  weights: {
    ...{ W_K: { ...random(3, 16, 16), std: 0.3 }, W_Q: { ...random(4, 16, 16), std: 0.3 } },
    ...{ W_V: random(5, 16, 16), W_O: random(6, 16, 16) },
  },
  loss: { upstream: random(7, tokens, 16) },
  ...more,
});

const nameOf = (key: Key): string => (key.startsWith('v:') ? key.slice(2) : `d${key.slice(2)}`);
const MID = /^(v:(P|y)|g:(x|xPrime|[Wb]_.))$/;

/** The softmax's backward pass without its sum. */
function withoutSum(program: Program): Program {
  const step = program.backward.get('P')!;
  const operation: StepOperation = {
    ...step.operation,
    vjp: ({ output }, upstream) => [map(upstream, (value, at) => value * output.data[at])],
  };
  const backward = new Map(program.backward).set('P', { ...step, operation });
  return { ...program, backward };
}

/** The report on what a program gives that computes in `type`. */
function reportOn(
  { config, graph }: Pick<CheckInput, 'config' | 'graph'>,
  own: State,
  dtype: 'float32' | 'float64',
  keys: readonly Key[],
): Report {
  const trace = keys.map((key) => ({ name: nameOf(key), dtype, tensor: own.predict(key) }));
  return check({ config, graph, trace, names: {}, resolve: resolveName });
}

describe.each<[string, NumberType, number]>([
  ['float32', FLOAT32, 256],
  ['bfloat16', BFLOAT16, 160],
  ['float64', FLOAT64, 256],
])('in %s', (name, type, tokens) => {
  const leak = {
    mask: Array.from({ length: tokens }, (_, j) =>
      Array.from({ length: tokens }, (__, i) => Number(i <= j + 1)),
    ),
    maskMeaning: 'attend',
  };
  const causal = { mask: 'causal' };
  it.each<[string, RegExp, object, object, (program: Program) => Program]>([
    ['a scale that is missing', /^scale-missing$/, {}, { scale: 1 }, (program) => program],
    ['a mask that leaks', /^mask-causal-leak$/, causal, leak, (program) => program],
    ['a sum that is missing', /^softmax-backward-no-sum$/, causal, causal, withoutSum],
  ])(
    '%s is named, of some and of all tensors',
    async (_, cause, ours, theirs, change) => {
      const opened = await open(setupOf(tokens, ours));
      const { graph } = await open(setupOf(tokens, theirs));
      const own = new State(change(referenceProgram(graph)), NOTHING_GIVEN, rounding(type, 77));
      const keys = causalOrder(graph);
      for (const some of [keys.filter((key) => MID.test(key)), keys]) {
        const report = reportOn(opened, own, name === 'float64' ? 'float64' : 'float32', some);
        expect(report.dtype).toBe(name);
        expect(report.causes[0]?.id).toMatch(cause);
      }
    },
    300_000,
  );
});

it('angles rounded to float32 turn right keys', async () => {
  const rope = { base: 10000, pairing: 'half' };
  const opened = await open(setupOf(300, { rope }));
  const state = new State(referenceProgram(opened.graph));
  const width = 8;
  const { shape, data } = state.value('Kh');
  const K = state.value('K').data;
  // Written out, as programs in float32 do it.
  const rotated = data.map((_, at) => {
    const [feature, token, head] = [at % 8, Math.floor(at / 8) % 300, Math.floor(at / 2400)];
    const pair = feature % 4;
    const frequency = Math.fround(1 / Math.fround(10000 ** ((2 * pair) / width)));
    const angle = Math.fround(token * frequency);
    const [cos, sin] = [Math.fround(Math.cos(angle)), Math.fround(Math.sin(angle))];
    const start = token * 16 + head * 8;
    const [u, w] = [K[start + pair], K[start + pair + 4]].map(Math.fround);
    return Math.fround(feature < 4 ? u * cos - w * sin : w * cos + u * sin);
  });
  const trace = [{ name: 'Kh', dtype: 'float32' as const, tensor: { shape, data: rotated } }];
  const report = check({ ...opened, trace, names: {}, resolve: resolveName });
  expect(report.dtype).toBe('float32');
  expect(report.verdict).toBe('match');
});

it('right tensors more leave a right answer as it is', async () => {
  const drawn = generator(12);
  let [answers, kept] = [0, 0];
  for (let n = 0; n < 40; n++) {
    const { config, graph } = await open(drawSetup(drawn).setup);
    const edits = allEdits(config, graph).filter(({ cost }) => cost <= 1);
    const edit = edits[Math.floor(drawn() * edits.length)];
    const some = new Set(causalOrder(graph).filter(() => drawn() < 0.4));
    let few: ReturnType<typeof inject>;
    let changed: ReadonlySet<Key>;
    try {
      few = inject(config, graph, edit, (key) => some.has(key));
      changed = new Set(inject(config, graph, edit, () => true).changed);
    } catch (error) {
      // Some edits do not fit some programs.
      if (isMisfit(error)) continue;
      throw error;
    }
    if (few.first === undefined) continue;
    const before = check(few.input);
    const isRight = before.causes[0]?.id === edit.id;
    if (!isRight) continue;
    answers++;
    const more = inject(config, graph, edit, (key) => some.has(key) || !changed.has(key));
    const after = check(more.input);
    expect(after.first, `${edit.title} at ${edit.node}`).toEqual(before.first);
    if (after.causes[0]?.title === before.causes[0].title) kept++;
    else
      expect(
        after.causes.map(({ id }) => id),
        `${edit.title} at ${edit.node}`,
      ).toContain(edit.id);
  }
  expect(answers).toBeGreaterThan(15);
  expect(kept).toBeGreaterThan(0.95 * answers);
}, 300_000);

/** As few tries as a long sequence allows. */
const FEW_TRIES = 1e-4;

it('looks among what mixes queries first, where the first queries have shown that it is no other', async () => {
  const { config, graph } = await open(setupOf(12));
  const all = new State(referenceProgram(graph));
  const values = new Map(graph.nodes.map(({ id }) => [id, all.value(id)]));
  const given = { values, gradients: new Map([['P', all.gradient('P')]]) };
  const [P, dP] = [all.value('P'), all.gradient('P')];
  // The row sum taken down the columns: (head, query, key).
  const user = map(P, (weight, at) => {
    const [head, key] = [Math.floor(at / 144), at % 12];
    let sum = 0;
    for (let query = 0; query < 12; query++) {
      const other = head * 144 + query * 12 + key;
      sum += P.data[other] * dP.data[other];
    }
    return weight * (dP.data[at] - sum);
  });
  const found = (isOfQueries: boolean): string | undefined => {
    const state = new State(referenceProgram(graph), given);
    const own = { key: 'g:Z', user, predicted: state.predict('g:Z') };
    const target = { ...own, settled: new Set<Key>(), precision: 1e-9, view: PLAIN_VIEW };
    const judge = () => ({ gain: 1, spoilt: 0, left: () => 0 });
    const mixing = isOfQueries ? { mixing: new Set(['j']) } : {};
    const effort = { budget: FEW_TRIES, ...mixing, isBrief: true };
    return search({ config, graph, type: FLOAT64, state }, target, judge, effort)?.edits[0].id;
  };
  expect(found(true)).toBe('softmax-backward-axis');
  expect(found(false)).toBeUndefined();
});
