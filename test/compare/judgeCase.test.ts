// The scoreboard's judge: a formula counts as the name does, and only where it is the mistake's.
import { expect, test } from 'vitest';
import type { CheckInput } from '../../src/compare/check.ts';
import type { Context } from '../../src/compare/edits/edit.ts';
import { rightOf } from '../../src/compare/mistakes/forms.ts';
import { withParts } from '../../src/compare/mistakes/place.ts';
import { parsed } from '../../src/compare/mistakes/text.ts';
import { vocabularyOf } from '../../src/compare/mistakes/vocabulary.ts';
import { NOTHING_GIVEN, referenceProgram, State } from '../../src/compare/program/program.ts';
import { FLOAT64 } from '../../src/compare/reference/dtypes.ts';
import type { Cause, Report } from '../../src/compare/report.ts';
import type { HeadConfig } from '../../src/engine/config.ts';
import { equals, type Formula, symbol } from '../../src/engine/formula.ts';
import { nodeOf, tensorName } from '../../src/engine/graph.ts';
import { buildGraph } from '../../src/engine/heads/build.ts';
import { resolveName } from '../../src/formats/nodeNames.ts';
import { randomTensor } from '../support/random.ts';
import { holdsElsewhere, judgeCase } from './judgeCase.ts';

const configOf = (seed: number): HeadConfig => ({
  ...{ head: 'qkv', heads: 1, kvHeads: 1, mask: 'causal', axes: 'query-first' },
  loss: { kind: 'half-squared-norm' },
  x: randomTensor([5, 3], seed),
  weights: {
    ...{ W_K: randomTensor([3, 2], seed + 1), W_Q: randomTensor([3, 2], seed + 2) },
    W_V: randomTensor([3, 4], seed + 3),
  },
});

const contextOf = (seed: number): Context => {
  const config = configOf(seed);
  const graph = buildGraph(config);
  return { config, graph, type: FLOAT64, state: new State(referenceProgram(graph)) };
};

const formulaOf = (context: Context, text: string): Formula => parsed(text, vocabularyOf(context))!;

/** What a program logs that computes the gradient of the masked scores so, on numbers of its own. */
function logged(text: string): CheckInput {
  const context = contextOf(40);
  const { config, graph } = context;
  const part = { node: 'M', kind: 'gradient' as const, formula: formulaOf(context, text) };
  const program = withParts(context, referenceProgram(graph), [part]);
  const state = new State(program, NOTHING_GIVEN);
  const trace = graph.nodes.flatMap(({ id }) =>
    (['value', 'gradient'] as const).map((kind) => ({
      ...{ name: tensorName(id, kind), dtype: 'float64' as const },
      tensor: kind === 'value' ? state.value(id) : state.gradient(id),
    })),
  );
  return { config, graph, trace, names: {}, resolve: resolveName };
}

/** A cause of another name that tells such a formula. */
function causeOf(text: string): Cause {
  const context = contextOf(7);
  const node = nodeOf(context.graph, 'M');
  const left = symbol('dM', node.axes);
  const [wrong, right] = [
    formulaOf(context, text),
    rightOf({ graph: context.graph, node, kind: 'gradient' }),
  ].map((formula) => equals(left, formula));
  const texts = { title: '', why: '', wrong: '', right: '', fix: '', numpy: '', pytorch: '' };
  const formulas = { wrong, right };
  return {
    ...{ ...texts, id: 'another-name', node: 'M', kind: 'gradient', formulas },
    ...{ residual: 0, runnerUp: null },
  };
}

const judged = (told: string, expected = '^the-name$'): boolean => {
  const { graph } = contextOf(7);
  const report = { verdict: 'diverges', first: { node: 'M', kind: 'gradient' } };
  const own = { ...report, causes: [causeOf(told)] } as unknown as Report;
  const other = logged('P * dP');
  const entry = { stem: '0', expect: [expected], changed: ['dM', 'dZ'] };
  return judgeCase(entry, own, graph, (cause) => holdsElsewhere(cause, own.first, other)).named;
};

test('the name alone is enough', () => {
  expect(judged('P', 'another')).toBe(true);
});

test('the formula is right by any name, however it is written', () => {
  expect(judged('P * dP')).toBe(true);
  expect(judged('(P * dP + dP * P) / 2')).toBe(true);
});

test.each(['P', 'dP', '2 * P * dP', 'P * (dP - sum_i(P * dP))', 'P * dP + (j < 1) * P'])(
  'another formula is not: %s',
  (told) => {
    expect(judged(told)).toBe(false);
  },
);
