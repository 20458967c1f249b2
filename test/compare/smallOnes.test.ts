// Inputs in a narrower type, a small eps, positions, a fitted base: each told as it is.
import { describe, expect, it } from 'vitest';
import { check, type CheckInput } from '../../src/compare/check.ts';
import { causalOrder } from '../../src/compare/judge/causalOrder.ts';
import { BFLOAT16 } from '../../src/compare/reference/dtypes.ts';
import {
  DoesNotFit,
  isMisfit,
  type Key,
  referenceProgram,
  State,
} from '../../src/compare/program/program.ts';
import type { Report } from '../../src/compare/report.ts';
import type { HeadConfig } from '../../src/engine/config.ts';
import { buildGraph } from '../../src/engine/heads/build.ts';
import { map, type Tensor } from '../../src/engine/tensor.ts';
import { openSetup } from '../../src/formats/openSetup.ts';
import { resolveName } from '../../src/formats/nodeNames.ts';

const random = (seed: number, ...shape: number[]): object => ({ random: 'normal', shape, seed });
const base = {
  ...{ head: 'multihead', heads: 2, mask: 'causal', x: random(1, 7, 8) },
  weights: {
    ...{ W_K: random(3, 8, 8), W_Q: random(4, 8, 8) },
    ...{ W_V: random(5, 8, 8), W_O: random(6, 8, 8) },
  },
  loss: { upstream: random(7, 7, 8) },
};

async function open(setup: object): Promise<Pick<CheckInput, 'config' | 'graph'>> {
  const { config, graph } = await openSetup(JSON.stringify(setup), () =>
    Promise.reject(new Error('no files')),
  );
  return { config: config!, graph: graph! };
}

type Keep = (key: Key) => boolean;
const LEAVES: Keep = (key) => /^(v:y|g:(x|W_.))$/.test(key);
const MID: Keep = (key) => LEAVES(key) || key === 'v:P';
const NO_INPUTS: Keep = (key) => !/^v:(x|W_.)$/.test(key);

/** What a program of `theirs` is told, held against `ours`. */
function told(
  ours: Pick<CheckInput, 'config' | 'graph'>,
  theirs: HeadConfig,
  keep: Keep,
  change: (tensor: Tensor, key: Key) => Tensor = (tensor) => tensor,
): Report {
  const graph = buildGraph(theirs);
  const state = new State(referenceProgram(graph));
  const trace = causalOrder(graph)
    .filter(keep)
    .map((key) => ({
      name: key.startsWith('v:') ? key.slice(2) : `d${key.slice(2)}`,
      dtype: 'float64' as const,
      tensor: change(state.predict(key), key),
    }));
  return check({ ...ours, trace, names: {}, resolve: resolveName });
}

describe('inputs kept in bfloat16', async () => {
  const opened = await open(base);
  const { config } = opened;
  const round = (tensor: Tensor): Tensor => map(tensor, (value) => BFLOAT16.round(value));
  const weights = Object.fromEntries(
    Object.entries(config.weights).map(([id, tensor]) => [id, round(tensor)]),
  );
  const x = round(config.x!);
  it.each<[string, Partial<HeadConfig>]>([
    ['x is kept in bfloat16', { x }],
    ['all weights are kept in bfloat16', { weights }],
    ['all inputs and weights are kept in bfloat16', { x, weights }],
  ])('%s', (title, own) => {
    for (const keep of [LEAVES, MID, NO_INPUTS]) {
      const { causes } = told(opened, { ...config, ...own }, keep);
      expect(causes[0]?.id).toBe('low-precision');
      if (keep !== NO_INPUTS) expect(causes[0].title).toBe(title);
    }
  });

  it('is told of x as logged', () => {
    const { first, causes } = told(opened, { ...config, x }, () => true);
    expect(first).toEqual({ node: 'x', kind: 'value' });
    expect(causes.map(({ title }) => title)).toEqual(['x is kept in bfloat16']);
  });
});

describe('a small eps in the denominator of the softmax', async () => {
  const opened = await open(base);
  const { config } = opened;
  it.each([1e-6, 1e-7, 1e-8, 1e-10])('%s', (eps) => {
    // P = e / (sum e + eps), written out for what follows from P alone.
    const M = new State(referenceProgram(opened.graph)).value('M');
    const scaled = (tensor: Tensor): Tensor => {
      const width = tensor.shape[tensor.shape.length - 1];
      return map(tensor, (value, at) => {
        const row = M.data.subarray(at - (at % width), at - (at % width) + width);
        const most = Math.max(...row);
        const sum = row.reduce((total, each) => total + Math.exp(each - most), 0);
        return (value * sum) / (sum + eps);
      });
    };
    const found = told(
      opened,
      config,
      (key) => key === 'v:P',
      (tensor) => scaled(tensor),
    );
    expect(found.causes[0]?.id).toBe('softmax-denominator-eps');
    expect(found.causes[0].title).toContain(String(eps === 1e-6 ? '0.000001' : eps));
  });
});

describe('rotary embeddings', async () => {
  const rope = { base: 10000, pairing: 'half' as const };
  const opened = await open({ ...base, rope });
  it('a fitted base is told exactly', () => {
    const theirs = { ...opened.config, rope: { ...rope, base: 123457 } };
    for (const keep of [NO_INPUTS, MID, LEAVES])
      expect(told(opened, theirs, keep).causes[0]?.title).toContain('123457');
  });

  it('positions are counted from the earlier tokens', async () => {
    const past = { K: random(8, 2, 6, 4), V: random(9, 2, 6, 4) };
    const later = await open({ ...base, rope, past });
    const { graph } = later;
    const state = new State(referenceProgram(graph));
    // The rotation of the last tokens of a longer past is one position further.
    const longer = await open({
      ...base,
      rope,
      past: { K: random(8, 2, 7, 4), V: random(9, 2, 7, 4) },
    });
    const other = new State(referenceProgram(longer.graph));
    const trace = [{ name: 'Qh', dtype: 'float64' as const, tensor: other.value('Qh') }];
    expect(state.value('Qh').shape).toEqual(trace[0].tensor.shape);
    const { causes } = check({ ...later, trace, names: {}, resolve: resolveName });
    expect(causes[0]?.why).toBe('Positions start at 7 instead of 6.');
  });
});

it('what does not fit is said so; any other error is a bug', () => {
  expect(isMisfit(new DoesNotFit('no step'))).toBe(true);
  expect(isMisfit(new TypeError('x is undefined'))).toBe(false);
});

describe('what a program leaves out is told from its output and the gradients of its inputs', () => {
  const rms = { kind: 'rms', eps: 0.01 };
  const gains = { gamma_K: random(8, 4), gamma_Q: random(9, 4) };
  it.each<[string, object, object, readonly string[]]>([
    ['head-scale-missing', { headScale: random(8, 2) }, {}, ['headScale']],
    ['temperature-missing', {}, { temperature: { logN: 2 } }, []],
    ['null-key-missing', { null_K: random(8, 8), null_V: random(9, 8) }, {}, ['null_K', 'null_V']],
    ['norm-gain-left-out', gains, { qkNorm: rms }, ['gamma_K', 'gamma_Q']],
    ['residual-missing', {}, { block: { residual: true } }, []],
  ])('%s', async (id, weights, options, left) => {
    const ours = await open({ ...base, ...options, weights: { ...base.weights, ...weights } });
    const own = Object.entries(ours.config.weights).filter(([name]) => !left.includes(name));
    const without = { temperature: undefined, block: undefined, weights: Object.fromEntries(own) };
    const { causes } = told(ours, { ...ours.config, ...without }, LEAVES);
    expect(causes[0]?.id).toBe(id);
  });
});
