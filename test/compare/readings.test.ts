// What a program logs by another convention is never wrong, and hides no mistake.
import { describe, expect, it } from 'vitest';
import { check, type CheckInput } from '../../src/compare/check.ts';
import type { Report } from '../../src/compare/report.ts';
import { map, type Tensor } from '../../src/engine/tensor.ts';
import { resolveName } from '../../src/formats/nodeNames.ts';
import { openSetup } from '../../src/formats/openSetup.ts';
import { allEdits, inject } from './inject.ts';

const random = (seed: number, ...shape: number[]): object => ({ random: 'normal', shape, seed });

const keep = [
  [1, 1, 0, 1, 1],
  [1, 1, 1, 0, 1],
  [0, 1, 1, 1, 1],
  [1, 0, 1, 1, 1],
  [1, 1, 1, 1, 0],
];
const setup = {
  ...{ head: 'multihead', heads: 2, mask: 'causal', x: random(1, 2, 5, 6) },
  weights: {
    ...{ W_K: random(3, 6, 8), W_Q: random(4, 6, 8) },
    ...{ W_V: random(5, 6, 8), W_O: random(6, 8, 3) },
  },
  dropout: { p: 0.25, keep },
  softcap: 4,
  loss: { upstream: random(7, 2, 5, 3) },
};

async function open(own: object): Promise<Pick<CheckInput, 'config' | 'graph'>> {
  const { config, graph } = await openSetup(JSON.stringify(own), () =>
    Promise.reject(new Error('no files')),
  );
  return { config: config!, graph: graph! };
}

type Logged = (name: string, tensor: Tensor, all: (name: string) => Tensor) => Tensor;

/** Rows are along the last axis. */
function perRow(tensor: Tensor, change: (row: Float64Array) => ArrayLike<number>): Tensor {
  const width = tensor.shape[tensor.shape.length - 1];
  const data = tensor.data.slice();
  for (let at = 0; at < data.length; at += width)
    data.set(change(tensor.data.subarray(at, at + width)), at);
  return { shape: tensor.shape, data };
}

const whereHidden =
  (names: RegExp, value: (at: number) => number): Logged =>
  (name, tensor, all) =>
    names.test(name)
      ? map(tensor, (own, at) => (all('P').data[at] === 0 ? value(at) : own))
      : tensor;
const lessMaximum =
  (names: RegExp): Logged =>
  (name, tensor) =>
    names.test(name)
      ? perRow(tensor, (row) => row.map((value) => value - Math.max(...row)))
      : tensor;

const WAYS: Record<string, Logged> = {
  'scores 0 where masked': whereHidden(/^[SZ]$/, () => 0),
  'scores -inf where masked': whereHidden(/^[SZ]$/, () => -Infinity),
  'scores anything where masked': whereHidden(/^[SZ]$/, (at) => 100 * Math.sin(at)),
  'scores NaN where masked': whereHidden(/^[SZ]$/, () => NaN),
  'masked scores 0 where masked': whereHidden(/^M$/, () => 0),
  'gradients of the weights 0 where masked': whereHidden(/^dPd?$/, () => 0),
  'gradients of the weights anything where masked': whereHidden(/^dPd?$/, (at) => Math.cos(at)),
  'all of them 0 where masked': whereHidden(/^(S|Z|M|dPd?|dM|dZ|dS)$/, () => 0),
  '0 where dropped': (name, tensor, all) =>
    name === 'dPd' ? map(tensor, (own, at) => (all('Pd').data[at] === 0 ? 0 : own)) : tensor,
  'M less the maximum': lessMaximum(/^M$/),
  'Z less the maximum': lessMaximum(/^Z$/),
  'S less the maximum': lessMaximum(/^S$/),
  'Z before the softcap': (name, tensor) =>
    name === 'Z' ? map(tensor, (value) => 4 * Math.atanh(value / 4)) : tensor,
};

/** What a program with an edit logs in one of the ways. */
function logged(input: CheckInput, change: Logged): CheckInput {
  const all = (name: string): Tensor => input.trace.find((each) => each.name === name)!.tensor;
  const trace = input.trace.map((each) => ({
    ...each,
    tensor: change(each.name, each.tensor, all),
  }));
  return { ...input, trace };
}

/** The first wrong and the causes, in words. */
const answerOf = ({ first, causes }: Report): string =>
  `${first?.kind} ${first?.node}: ${causes.map(({ id, node }) => `${id} at ${node}`).join(', ')}`;

const { config, graph } = await open(setup);
const nothing = { apply: <T>(program: T): T => program } as never;
const edits = allEdits(config, graph);
const MISTAKES: [id: string, node: string][] = [
  ['scale-missing', 'Z'],
  ['softmax-wrong-axis', 'P'],
  ['softmax-backward-no-sum', 'M'],
  ['dropout-unscaled', 'Pd'],
  ['backward-value-feature-reversed', 'Pd'],
  ['backward-head-reversed', 'Pd'],
  ['backward-dropout-unscaled', 'P'],
  ['backward-softcap-missing', 'S'],
  ['path-dropped', 'x'],
];

describe.each(Object.entries(WAYS))('%s', (_, change) => {
  it('is right in a right program', () => {
    const { input } = inject(config, graph, nothing, () => true);
    const report = check(logged(input, change));
    expect(report.nodes.filter(({ status }) => /diverges|consequence/.test(status))).toEqual([]);
    expect(report.verdict).toBe('match');
  });

  it.each(MISTAKES)('hides no %s at %s', (id, node) => {
    const edit = edits.find((each) => each.id === id && each.node === node)!;
    expect(edit, `${id} at ${node}`).toBeDefined();
    const { input } = inject(config, graph, edit, () => true);
    expect(answerOf(check(logged(input, change)))).toBe(answerOf(check(input)));
  });
});

/** Tensors of the right program under names of their own, each as its node or as something made of it. */
type Renamed = Record<string, [of: string, change?: (value: number) => number]>;
const uncapped = (value: number): number => 4 * Math.atanh(value / 4);
const RENAMED: Record<string, Renamed> = {
  'bent scores with the gradient of the raw ones': { scores: ['Z'], dS: ['dS'] },
  'scores before the softcap with the gradient of the raw ones': {
    scores: ['Z', uncapped],
    dS: ['dS'],
  },
  'scores before the softcap, and nothing that comes of them': { scores: ['Z', uncapped] },
  'raw scores in the variable that holds the weights later': { att: ['S'], datt: ['dS'] },
  'masked scores in that variable': { att: ['M'], probs: ['P'] },
};

it.each(Object.entries(RENAMED))('%s are right', (_, renamed) => {
  const { input } = inject(config, graph, nothing, () => true);
  const trace = Object.entries(renamed).map(([name, [of, change = (value: number) => value]]) => {
    const own = input.trace.find((each) => each.name === of)!;
    return { ...own, name, tensor: map(own.tensor, change) };
  });
  const report = check({ ...input, trace, resolve: resolveName });
  expect(report.nodes.filter(({ status }) => /diverges|consequence/.test(status))).toEqual([]);
  expect(report.verdict).toBe('match');
});

it('takes weights that hold the scores for a softmax left out, where their name says weights', () => {
  const { input } = inject(config, graph, nothing, () => true);
  const scores = input.trace.find(({ name }) => name === 'M')!;
  const trace = [{ ...scores, name: 'attn_weights' }];
  expect(check({ ...input, trace, resolve: resolveName }).first?.node).toBe('P');
});
