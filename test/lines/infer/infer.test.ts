// What is inferred of recorded programs, right and wrong, written down step by step.
import { describe, expect, test } from 'vitest';
import { buildGraph } from '../../../src/engine/heads/build.ts';
import { run } from '../../../src/engine/run.ts';
import type { Tensor } from '../../../src/engine/tensor.ts';
import { openSetup } from '../../../src/formats/openSetup.ts';
import { infer, type Inference } from '../../../src/lines/infer/infer.ts';
import { rebind } from '../../../src/lines/infer/rebind.ts';
import { repeatedEvents } from '../../../src/lines/recorded/repeats.ts';
import { savedSetup } from '../../../src/lines/infer/save.ts';
import type { Recording } from '../../../src/lines/recorded/recording.ts';
import {
  columns,
  mapped,
  matmul,
  normal,
  recordingOf,
  softmax,
  type Step,
  transpose,
} from './program.ts';

interface Choices {
  readonly seed?: number;
  readonly tokens?: number;
  readonly width?: number;
  readonly scale?: number;
  /** Keys that a query j may see. */
  readonly visible?: (j: number, i: number) => boolean;
  /** Whether the weights are normalised over the queries. */
  readonly overQueries?: boolean;
  readonly bias?: boolean;
  readonly target?: boolean;
  readonly gradient?: number;
}

/** One head, its weights and a loss. */
function oneHead(choices: Choices = {}): Step[] {
  const { seed = 1, tokens = 5, width = 4, visible, overQueries, target = true } = choices;
  const { scale = 1 / Math.sqrt(width), gradient = 1 } = choices;
  const x = normal([tokens, 6], seed);
  const [wq, wk, wv] = [1, 2, 3].map((n) => normal([6, width], seed + 100 * n));
  const bv = normal([width], seed + 9);
  const [q, k] = [matmul(x, wq), matmul(x, wk)];
  const plain = matmul(x, wv);
  const v = choices.bias ? mapped(plain, (value, n) => value + bv.data[n % width]) : plain;
  const s = mapped(matmul(q, transpose(k)), (value) => value * scale);
  const m = visible
    ? mapped(s, (value, n) => (visible(Math.floor(n / tokens), n % tokens) ? value : -Infinity))
    : s;
  const p = overQueries ? transpose(softmax(transpose(m))) : softmax(m);
  const y = matmul(p, v);
  const t = normal(y.shape, seed + 77);
  const dy = mapped(y, (value, n) => gradient * (value - t.data[n]));
  return [
    { text: 'x = rng.normal(size=(n, d))', name: 'x', value: x },
    { text: 'wq = rng.normal(size=(d, a))', name: 'wq', value: wq },
    { text: 'wk = rng.normal(size=(d, a))', name: 'wk', value: wk },
    { text: 'wv = rng.normal(size=(d, a))', name: 'wv', value: wv },
    ...(choices.bias ? [{ text: 'bv = rng.normal(size=a)', name: 'bv', value: bv }] : []),
    { text: 't = rng.normal(size=(n, a))', name: target ? 't' : 'dout', value: t },
    { text: 'q = x @ wq', name: 'q', value: q, reads: ['x', 'wq'] },
    { text: 'k = x @ wk', name: 'k', value: k, reads: ['x', 'wk'] },
    {
      ...{ text: 'v = x @ wv', name: 'v', value: v },
      reads: ['x', 'wv', ...(choices.bias ? ['bv'] : [])],
    },
    { text: 's = q @ k.T * scale', name: 's', value: s, reads: ['q', 'k'] },
    ...(visible ? [{ text: 's = np.where(ok, s, -inf)', name: 's', value: m, reads: ['s'] }] : []),
    { text: 'p = softmax(s)', name: 'p', value: p, reads: ['s'] },
    { text: 'y = p @ v', name: 'y', value: y, reads: ['p', 'v'] },
    ...(target
      ? [{ text: 'dy = y - t', name: 'dy', value: dy, reads: ['y', 't'] }]
      : [
          {
            text: 'dv = p.T @ dout',
            name: 'dv',
            value: matmul(transpose(p), t),
            reads: ['p', 'dout'],
          },
        ]),
  ];
}

const tril = (size: number): Tensor => ({
  shape: [size, size],
  data: Float64Array.from({ length: size * size }, (_, n) => (n % size <= n / size ? 1 : 0)),
});

function inferred(steps: readonly Step[]): Inference {
  const found = infer(recordingOf(steps));
  if (!found) throw new Error('nothing was inferred');
  return found;
}

const output = (found: Pick<Inference, 'config'>): Tensor =>
  run(buildGraph(found.config)).values.get('y') as Tensor;

const valueOf = (steps: readonly Step[], name: string): Tensor =>
  steps.findLast((step) => step.name === name)?.value as Tensor;

function expectNear(actual: Tensor, expected: Tensor): void {
  expect(actual.data.length).toBe(expected.data.length);
  actual.data.forEach((value, n) => expect(value).toBeCloseTo(expected.data[n], 9));
}

const entry = (found: Inference, name: string): Inference['inferred'][number] | undefined =>
  found.inferred.find((each) => each.entry === name);

/** The same steps, with other lines in the place of what stands in the first ones. */
function replaced(
  steps: readonly Step[],
  changes: Readonly<Record<string, readonly Step[]>>,
): Step[] {
  return steps.flatMap((step) => changes[step.name] ?? [step]);
}

describe('a loss', () => {
  test('of a target that is a part of what the inputs are a part of too', () => {
    const steps = oneHead();
    const [x, t] = [valueOf(steps, 'x'), valueOf(steps, 't')];
    const data = normal([40, 6], 3);
    const found = inferred(
      replaced(steps, {
        x: [
          { text: 'data = rng.normal(size=(m, d))', name: 'data', value: data },
          { text: 'x = data[:n]', name: 'x', value: x, reads: ['data'] },
        ],
        t: [{ text: 't = data[n:, :a]', name: 't', value: t, reads: ['data'] }],
      }),
    );
    expect(found.config.loss).toMatchObject({ kind: 'target', T: t });
    expect(found.questions).toEqual([]);
  });

  test('of some tokens only, as where the others are padding', () => {
    const steps = oneHead();
    const [y, t] = [valueOf(steps, 'y'), valueOf(steps, 't')];
    const dy = mapped(y, (value, n) => (n < 12 ? (value - t.data[n]) / 6 : 0));
    const text = 'dy = 2 * (y - t) * w / w.sum()';
    const found = inferred(
      replaced(steps, { dy: [{ text, name: 'dy', value: dy, reads: ['y', 't'] }] }),
    );
    expect(found.questions).toEqual([]);
    const { gradients } = run(buildGraph(found.config));
    expectNear(gradients.get('y') as Tensor, dy);
  });
});

describe('calls that repeat a forward pass with entries moved a little', () => {
  test('count for nothing', () => {
    const steps = oneHead();
    const own = recordingOf(steps);
    const calls = 20;
    const texts = new Set(['q', 'k', 'v', 's', 'p', 'y']);
    const forward = own.events.filter(({ name }) => texts.has(name));
    const again = Array.from({ length: calls }, (_, call) =>
      forward.map((event) => ({ ...event, call })),
    ).flat();
    const { length } = own.events;
    const events = [
      ...own.events.map((event) => ({ ...event, frame: texts.has(event.name) ? 1 : 0 })),
      ...again.map(({ call, ...event }, n) => ({ ...event, id: length + n, frame: call + 2 })),
    ];
    const functions = [
      ...own.functions,
      { ...own.functions[0], name: 'forward', calls: calls + 1 },
    ];
    const statements = own.statements.map((statement, n) =>
      forward.some((event) => event.statement === n) ? { ...statement, function: 1 } : statement,
    );
    const tensor = (id: number): Tensor | null => {
      if (id < length) return own.tensor(id);
      const { call, id: first } = { ...again[id - length] };
      const found = own.tensor(first) as Tensor;
      return mapped(found, (value, n) => (n === call ? value + 1e-5 : value));
    };
    const recording = { ...own, events, functions, statements, tensor };
    expect(repeatedEvents(recording)).toEqual(new Set(events.slice(length).map(({ id }) => id)));
  });
});

describe('a right program', () => {
  test('gives its y, with nothing to ask, each entry with its line', () => {
    const steps = oneHead();
    const found = inferred(steps);
    expect(found.questions).toEqual([]);
    expect(found.inferred.every(({ sure }) => sure)).toBe(true);
    expect(found.config.head).toBe('qkv');
    expectNear(output(found), valueOf(steps, 'y'));
    expect(entry(found, 'weights.W_K')?.from).toEqual({ file: 'own.py', line: 3 });
    expect(entry(found, 'loss.target')?.from.line).toBe(5);
  });

  test('with a bias', () => {
    const steps = oneHead({ bias: true });
    const found = inferred(steps);
    expectNear(found.config.weights.b_V as Tensor, valueOf(steps, 'bv'));
    expectNear(output(found), valueOf(steps, 'y'));
  });

  test.each<[string, (j: number, i: number) => boolean, object]>([
    ['causal', (j, i) => i <= j, { mask: 'causal' }],
    ['causal with a window', (j, i) => i <= j && j - i < 2, { mask: 'causal', window: 2 }],
    ['a window', (j, i) => Math.abs(i - j) < 3, { mask: 'none', window: 3 }],
  ])('%s', (_, visible, expected) => {
    const found = inferred(oneHead({ visible }));
    expect(found.config).toMatchObject(expected);
    expect(found.questions).toEqual([]);
  });

  test('with an upstream gradient', () => {
    const steps = oneHead({ target: false });
    const { loss } = inferred(steps).config;
    expect(loss.kind).toBe('upstream');
    if (loss.kind === 'upstream') expectNear(loss.G, valueOf(steps, 'dout'));
  });

  test('a mean of squares', () => {
    const { loss } = inferred(oneHead({ gradient: 2 / 20 })).config;
    expect(loss).toMatchObject({ kind: 'expression', expression: 'sum((y - T) .^ 2) / 20' });
  });
});

describe('a wrong program', () => {
  test('memory as it was found is no mask', () => {
    const found = tril(5);
    const text = 'p, buf = np.empty((n, n)), np.empty((n, n))';
    const { config } = inferred([{ text, name: 'p', value: found }, ...oneHead()]);
    expect(config.mask).toBe('none');
  });

  test('a temperature beside the usual scale is meant', () => {
    for (const scale of [1 / (0.7 * 2), 0.7 / 2]) {
      const steps = [{ text: 'tau = 0.7', name: 'tau', value: 0.7 }, ...oneHead({ scale })];
      const found = inferred(steps);
      expect(found.config.scale).toBeCloseTo(scale, 12);
      expect(found.questions).toEqual([]);
    }
  });

  test('scaled by the width of x: the usual scale, and a question', () => {
    const found = inferred(oneHead({ scale: 1 / Math.sqrt(6) }));
    expect(found.config.scale).toBeUndefined();
    expect(entry(found, 'scale')).toMatchObject({
      sure: false,
      note: '1/sqrt(4) assumed; the program has 1/sqrt(6)',
    });
    expect(found.questions.map((each) => each.entry)).toEqual(['scale']);
  });

  test.each<[string, (j: number, i: number) => boolean]>([
    ['one diagonal more', (j, i) => i <= j + 1],
    ['the later keys', (j, i) => i >= j],
  ])('%s: causal, and a question', (_, visible) => {
    const found = inferred(oneHead({ visible }));
    expect(found.config.mask).toBe('causal');
    expect(found.questions.map((each) => each.entry)).toEqual(['mask']);
  });

  test('normalised over the queries: its keys are still the keys', () => {
    const steps = oneHead({ overQueries: true });
    const found = inferred(steps);
    expectNear(found.config.weights.W_K as Tensor, valueOf(steps, 'wk'));
    expectNear(found.config.weights.W_Q as Tensor, valueOf(steps, 'wq'));
    const right = oneHead();
    expectNear(output(found), valueOf(right, 'y'));
  });
});

/** Two heads in a loop, their queries, keys and values columns of one fused projection. */
function fused(order: readonly number[]): Step[] {
  const x = normal([5, 6], 3);
  const w = normal([6, 12], 4);
  const wo = normal([4, 6], 5);
  const qkv = matmul(x, w);
  const heads = [0, 1].flatMap((h): Step[] => {
    const part = (n: number): Tensor =>
      columns(qkv, order[n] * 4 + h * 2, order[n] * 4 + h * 2 + 2);
    const [q, k, v] = [part(0), part(1), part(2)];
    const p = softmax(mapped(matmul(q, transpose(k)), (value) => value / Math.SQRT2));
    const loops = [h];
    return [
      { text: 'q, k, v = parts[h]', name: 'q', value: q, reads: ['qkv'], loops },
      { text: 'q, k, v = parts[h]', name: 'k', value: k, reads: ['qkv'], loops },
      { text: 'q, k, v = parts[h]', name: 'v', value: v, reads: ['qkv'], loops },
      { text: 'p = softmax(q @ k.T / 2 ** 0.5)', name: 'p', value: p, reads: ['q', 'k'], loops },
      { text: 'out[h] = p @ v', name: `out[${h}]`, value: matmul(p, v), reads: ['p', 'v'], loops },
    ];
  });
  const [left, right] = heads
    .filter(({ name }) => name.startsWith('out'))
    .map(({ value }) => value as Tensor);
  const c = new Float64Array(20);
  for (let j = 0; j < 5; j++) {
    c.set(left.data.subarray(2 * j, 2 * j + 2), 4 * j);
    c.set(right.data.subarray(2 * j, 2 * j + 2), 4 * j + 2);
  }
  const merged = { shape: [5, 4], data: c };
  const y = matmul(merged, wo);
  return [
    { text: 'x = rng.normal(size=(5, 6))', name: 'x', value: x },
    { text: 'w_qkv = rng.normal(size=(6, 12))', name: 'w_qkv', value: w },
    { text: 'w_o = rng.normal(size=(4, 6))', name: 'w_o', value: wo },
    { text: 'qkv = x @ w_qkv', name: 'qkv', value: qkv, reads: ['x', 'w_qkv'] },
    ...heads,
    { text: 'c = np.concatenate(out, 1)', name: 'c', value: merged, reads: ['out[0]', 'out[1]'] },
    { text: 'y = c @ w_o', name: 'y', value: y, reads: ['c', 'w_o'] },
    { text: 'dy = y', name: 'dy', value: y, reads: ['y'] },
  ];
}

describe('heads in a loop', () => {
  test('of one fused weight', () => {
    const steps = fused([0, 1, 2]);
    const found = inferred(steps);
    expect(found.config).toMatchObject({ head: 'multihead', heads: 2, kvHeads: 2 });
    expect(found.questions).toEqual([]);
    expectNear(output(found), valueOf(steps, 'y'));
    expect(found.config.loss.kind).toBe('half-squared-norm');
  });

  test('whose keys come first: as written, and a question', () => {
    const steps = fused([1, 0, 2]);
    const found = inferred(steps);
    expectNear(output(found), valueOf(steps, 'y'));
    expect(found.questions.map((each) => each.entry)).toEqual(['weights']);
  });
});

describe('another run', () => {
  const again = (choices: Choices): [Inference, Recording, readonly Step[]] => {
    const steps = oneHead(choices);
    return [inferred(oneHead({ visible: (j, i) => i <= j })), recordingOf(steps), steps];
  };

  test('with another seed is read by the bindings', () => {
    const [known, recording, steps] = again({ seed: 5, visible: (j, i) => i <= j });
    const config = rebind(known, recording);
    expectNear(output({ config: config as Inference['config'] }), valueOf(steps, 'y'));
  });

  test('that leaks keeps the mask that is known', () => {
    const [known, recording] = again({ seed: 5, tokens: 7, visible: (j, i) => i <= j + 1 });
    expect(rebind(known, recording)?.mask).toBe('causal');
  });

  test('with other sizes', () => {
    const [known, recording, steps] = again({ tokens: 7, width: 3, visible: (j, i) => i <= j });
    const config = rebind(known, recording);
    expectNear(output({ config: config as Inference['config'] }), valueOf(steps, 'y'));
  });
});

test('what is saved opens as the same setup', async () => {
  const found = inferred(oneHead({ visible: (j, i) => i <= j }));
  const source = { file: 'own.py', function: '', args: ['--seed', '1'] };
  const { json, npz } = savedSetup(found.config, source, 'own.npz');
  const opened = await openSetup(json, (path) =>
    path === 'own.npz' ? Promise.resolve(npz) : Promise.reject(new Error(path)),
  );
  expect(opened.problems).toEqual([]);
  expect(opened.setup?.source).toEqual(source);
  expectNear(output({ config: opened.config as Inference['config'] }), output(found));
});

test('a program without attention has none', () => {
  const x = normal([5, 6], 1);
  const w = normal([6, 4], 2);
  const steps: Step[] = [
    { text: 'x = rng.normal(size=(5, 6))', name: 'x', value: x },
    { text: 'w = rng.normal(size=(6, 4))', name: 'w', value: w },
    { text: 'y = x @ w', name: 'y', value: matmul(x, w), reads: ['x', 'w'] },
  ];
  expect(infer(recordingOf(steps))).toBeNull();
});
