// Tensors that are named as nodes and have other shapes: what they are instead is said, and never passed over.
import { describe, expect, it } from 'vitest';
import { check, type CheckInput } from '../../src/compare/check.ts';
import { type Report, summaryOf } from '../../src/compare/report.ts';
import { map, type Tensor, tensor } from '../../src/engine/tensor.ts';
import { run } from '../../src/engine/run.ts';
import type { NamedTensor } from '../../src/formats/namedTensor.ts';
import { resolveName } from '../../src/formats/nodeNames.ts';
import { openSetup } from '../../src/formats/openSetup.ts';
import { drawSetup, generator } from '../conformance/draw.mjs';

const random = (seed: number, ...shape: number[]): object => ({ random: 'normal', shape, seed });

const setup = {
  ...{ head: 'multihead', heads: 2, mask: 'causal', x: random(1, 3, 5, 12) },
  weights: {
    W_K: random(3, 12, 12),
    W_Q: random(4, 12, 12),
    W_V: random(5, 12, 12),
    W_O: random(6, 12, 12),
  },
  loss: { upstream: random(7, 3, 5, 12) },
};

interface Program {
  readonly value: (id: string) => Tensor;
  readonly gradient: (id: string) => Tensor;
  readonly held: (tensors: Readonly<Record<string, Tensor>>) => Report;
}

async function program(): Promise<Program> {
  const { config, graph } = await openSetup(JSON.stringify(setup), () =>
    Promise.reject(new Error('no files')),
  );
  if (!config || !graph) throw new Error('the setup cannot be opened');
  const { values, gradients } = run(graph);
  const held = (tensors: Readonly<Record<string, Tensor>>): Report => {
    const trace = Object.entries(tensors).map(([name, each]): NamedTensor => ({
      name,
      dtype: 'float64',
      tensor: each,
    }));
    const input: CheckInput = { config, graph, trace, names: {}, resolve: resolveName };
    return check(input);
  };
  return { value: (id) => values.get(id)!, gradient: (id) => gradients.get(id)!, held };
}

const noteOf = ({ nodes }: Report, node: string, kind: 'value' | 'gradient'): string => {
  const { status, note } = nodes.find((each) => each.node === node && each.kind === kind)!;
  return `${status}: ${note}`;
};

/** x^T dK of each batch entry: the gradient of W_K before the sum over the batch. */
function perBatchEntry(x: Tensor, dK: Tensor): Tensor {
  const [batch, tokens, width] = x.shape;
  const out = dK.shape[2];
  const data = new Float64Array(batch * width * out);
  for (let b = 0; b < batch; b++)
    for (let t = 0; t < tokens; t++)
      for (let c = 0; c < width; c++)
        for (let a = 0; a < out; a++)
          data[(b * width + c) * out + a] +=
            x.data[(b * tokens + t) * width + c] * dK.data[(b * tokens + t) * out + a];
  return tensor([batch, width, out], data);
}

/** C dy^T of each token of each batch entry: the gradient of W_O before both sums. */
function perToken(dy: Tensor, C: Tensor): Tensor {
  const [batch, tokens, width] = C.shape;
  const out = dy.shape[2];
  const data = new Float64Array(batch * tokens * width * out);
  for (let token = 0; token < batch * tokens; token++)
    for (let c = 0; c < width; c++)
      for (let o = 0; o < out; o++)
        data[(token * width + c) * out + o] = C.data[token * width + c] * dy.data[token * out + o];
  return tensor([batch, tokens, width, out], data);
}

describe('a gradient that lacks its sum', () => {
  it('over the batch is a finding, with its cause, and not silence', async () => {
    const { value, gradient, held } = await program();
    const report = held({
      y: value('y'),
      dK: gradient('K'),
      dW_K: perBatchEntry(value('x'), gradient('K')),
    });
    expect(report).toMatchObject({
      ...{ verdict: 'diverges', first: { node: 'W_K', kind: 'gradient' } },
      ...{ given: 3, compared: 3 },
    });
    expect(noteOf(report, 'W_K', 'gradient')).toContain('one per batch entry');
    expect(report.causes).toMatchObject([
      { id: 'sum-missing', node: 'W_K', numpy: 'dW_K = dW_K.sum(axis=0)' },
    ]);
    expect(report.causes[0].residual).toBeLessThan(1e-12);
  });

  it('is found under its usual name and in another order of the axes', async () => {
    const { value, gradient, held } = await program();
    const own = perBatchEntry(value('x'), gradient('K'));
    const [batch, width, out] = own.shape;
    const turned = tensor(
      [width, out, batch],
      Float64Array.from(own.data, (_, at) => {
        const [c, a, b] = [
          Math.floor(at / (out * batch)),
          Math.floor(at / batch) % out,
          at % batch,
        ];
        return own.data[(b * width + c) * out + a];
      }),
    );
    const report = held({ 'k_proj.weight.grad': turned });
    expect(report.causes).toMatchObject([{ numpy: 'dW_K = dW_K.sum(axis=2)' }]);
  });

  it('over tokens is named so', async () => {
    const { value, gradient, held } = await program();
    const report = held({ dW_O: perToken(gradient('y'), value('C')) });
    expect(report.causes[0].title).toBe(
      'dW_O is one per batch entry and token: the sum over the batch and the tokens is missing',
    );
  });

  it('is told also where the numbers are wrong for another reason', async () => {
    const { value, gradient, held } = await program();
    const wrong = map(perBatchEntry(value('x'), gradient('K')), (each, at) =>
      at % 7 === 0 ? -each : each,
    );
    const report = held({ y: value('y'), dK: gradient('K'), dW_K: wrong });
    expect(report.verdict).toBe('diverges');
    expect(noteOf(report, 'W_K', 'gradient')).toMatch(/one per batch entry/);
  });
});

describe('what has another shape and is right', () => {
  it('the mean of the weights over the heads, as nn.MultiheadAttention returns it', async () => {
    const { value, held } = await program();
    const P = value('P');
    const size = 25;
    const mean = tensor(
      [3, 5, 5],
      Float64Array.from({ length: 3 * size }, (_, at) => {
        const start = Math.floor(at / size) * 2 * size + (at % size);
        return (P.data[start] + P.data[start + size]) / 2;
      }),
    );
    const report = held({ y: value('y'), attn_weights: mean });
    expect(report).toMatchObject({ verdict: 'match', given: 2, compared: 2 });
    expect(noteOf(report, 'P', 'value')).toBe('layout: the mean over the heads, which is right');
  });

  it('one head of one batch entry', async () => {
    const { value, held } = await program();
    const one = tensor([5, 5], value('P').data.slice(25, 50));
    const report = held({ y: value('y'), P: one });
    expect(report.verdict).toBe('match');
    expect(noteOf(report, 'P', 'value')).toContain('only batch entry 0, head 1');
    // The same of other numbers cannot be told to be anything.
    const other = held({ y: value('y'), P: map(one, (each) => 2 * each) });
    expect(other).toMatchObject({ verdict: 'diverges', first: { node: 'P', kind: 'value' } });
  });

  it('keys of zeros behind those of the setup', async () => {
    const { value, held } = await program();
    const K = value('K');
    const padded = tensor([3, 8, 12], new Float64Array(3 * 8 * 12));
    for (let b = 0; b < 3; b++) padded.data.set(K.data.subarray(b * 60, (b + 1) * 60), b * 96);
    const report = held({ y: value('y'), K: padded });
    expect(report.verdict).toBe('match');
    expect(noteOf(report, 'K', 'value')).toContain('padded: 3 keys more than the setup has');
    const used = held({ y: value('y'), K: map(padded, (each) => each || 1) });
    expect(used).toMatchObject({ verdict: 'diverges', given: 2, compared: 1 });
    expect(noteOf(used, 'K', 'value')).toContain(
      '8 keys where the setup has 5; the 3 more are not all 0',
    );
  });

  it('weights repeated for each batch entry', async () => {
    const { value, held } = await program();
    const W = value('W_K');
    const repeated = tensor([3, 12, 12], [...W.data, ...W.data, ...W.data]);
    const report = held({ W_K: repeated });
    expect(report.verdict).toBe('match');
    expect(noteOf(report, 'W_K', 'value')).toContain('the same for each batch entry');
  });
});

describe('what is no mistake under an id', () => {
  it('the loss of each token, before its sum; the mask under the name of the masked scores', async () => {
    const { config, graph } = await openSetup(JSON.stringify({ ...setup, loss: undefined }), () =>
      Promise.reject(new Error('no files')),
    );
    const { values } = run(graph!);
    const y = values.get('y')!;
    const loss = tensor(
      [3, 5],
      Float64Array.from({ length: 15 }, (_, token) =>
        y.data.slice(12 * token, 12 * token + 12).reduce((sum, each) => sum + (each * each) / 2, 0),
      ),
    );
    const mask = tensor(
      [5, 5],
      Float64Array.from({ length: 25 }, (_, at) => (at % 5 > Math.floor(at / 5) ? -Infinity : 0)),
    );
    const trace = Object.entries({ y, f: loss, M: mask }).map(([name, each]): NamedTensor => ({
      name,
      dtype: 'float64',
      tensor: each,
    }));
    const report = check({
      config: config!,
      graph: graph!,
      trace,
      names: {},
      resolve: resolveName,
    });
    expect(report).toMatchObject({ verdict: 'match', given: 3, compared: 2 });
    expect(noteOf(report, 'f', 'value')).toBe('layout: before its sum');
    expect(report.unaligned).toEqual([
      { name: 'M', reason: 'it is a mask; M is the masked scores' },
    ]);
  });
});

describe('what cannot be compared', () => {
  it('is wrong under a name that can mean nothing else, and told under a usual one', async () => {
    const { value, held } = await program();
    const odd = tensor([2, 7], new Float64Array(14).fill(1));
    const sure = held({ y: value('y'), P: odd });
    expect(sure).toMatchObject({ verdict: 'diverges', first: { node: 'P' }, compared: 1 });
    expect(sure.causes).toEqual([]);
    const unsure = held({ y: value('y'), scores: odd });
    expect(unsure).toMatchObject({ verdict: 'match', given: 2, compared: 1 });
    expect(unsure.unaligned).toMatchObject([{ name: 'scores' }]);
    expect(summaryOf(unsure)).toBe(
      '1 of 2 tensors compared, and it is right, to the precision of float64',
    );
  });

  it('is another setup where most does not fit and nothing else is right', async () => {
    const { value, held } = await program();
    const other = (...shape: number[]): Tensor =>
      tensor(shape, new Float64Array(shape.reduce((a, b) => a * b, 1)).fill(0.5));
    const tensors = { K: other(4, 6), Q: other(9, 6), P: other(9, 4), dK: other(4, 6), f: other() };
    const report = held(tensors);
    expect(report).toMatchObject({ verdict: 'unaligned', first: null, causes: [], compared: 0 });
    expect(noteOf(report, 'P', 'value')).toMatch(
      /^diverges: its shape \(9, 4\) does not fit: P is/,
    );
    expect(summaryOf(report)).toMatch(/^This is another setup/);
    // Where something of it is right, it is this one, and what does not fit is wrong.
    expect(held({ ...tensors, y: value('y') })).toMatchObject({
      verdict: 'diverges',
      first: { node: 'K', kind: 'value' },
    });
  });
});

/** The first batch entry, or whatever the first axis is. */
const firstOf = ({ shape, data }: Tensor): Tensor =>
  tensor(shape.slice(1), data.slice(0, data.length / shape[0]));

/** The mean over the axis of the heads, the third from the end. */
function meanOverHeads({ shape, data }: Tensor): Tensor {
  const axis = shape.length - 3;
  const inner = shape[axis + 1] * shape[axis + 2];
  const mean = new Float64Array(data.length / shape[axis]);
  data.forEach((value, at) => {
    mean[Math.floor(at / inner / shape[axis]) * inner + (at % inner)] += value / shape[axis];
  });
  return tensor(
    shape.filter((_, n) => n !== axis),
    mean,
  );
}

it('parts of right tensors are right in any setup', { timeout: 60_000 }, async () => {
  const draw = generator(11);
  let [given, compared] = [0, 0];
  for (let times = 0; times < 40; times++) {
    const { setup: drawn } = drawSetup(draw);
    const { config, graph } = await openSetup(JSON.stringify(drawn), () =>
      Promise.reject(new Error('no files')),
    );
    const { values, gradients } = run(graph!);
    const named = [...values, ...[...gradients].map(([id, each]) => [`d${id}`, each] as const)];
    const trace = named.map(([name, each]): NamedTensor => {
      const { axes } = graph!.nodes.find(({ id }) => name === id || name === `d${id}`)!;
      const isDeep = each.shape.length > 2;
      const chance = draw();
      const part =
        isDeep && chance < 0.2 && axes[0][0] === 'b'
          ? firstOf(each)
          : // As nn.MultiheadAttention averages its weights.
            isDeep && chance > 0.8 && ['i', 'j'].every((letter) => axes.flat().includes(letter))
            ? meanOverHeads(each)
            : each;
      return { name, dtype: 'float64', tensor: part };
    });
    const report = check({
      ...{ config: config!, graph: graph!, trace, names: {} },
      resolve: resolveName,
    });
    expect(report.verdict, JSON.stringify(drawn)).toBe('match');
    given += report.given;
    compared += report.compared;
  }
  // The mean over one head is the node without heads, which may be given itself.
  expect(compared / given).toBeGreaterThan(0.98);
});
