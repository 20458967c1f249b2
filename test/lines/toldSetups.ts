// Setups of programs in kinds/ of which none is inferred, made of what the right program recorded.
import type { HeadConfig } from '../../src/engine/config.ts';
import type { Tensor } from '../../src/engine/tensor.ts';
import type { Recording } from '../../src/lines/recorded/recording.ts';

/** The last tensor that the program bound to a name. */
function tensorOf(recording: Recording, name: string): Tensor {
  const event = recording.events.findLast((each) => each.name === name && each.how !== 'gradient');
  const tensor = event && recording.tensor(event.id);
  if (!tensor) throw new Error(`${name} was not recorded`);
  return tensor;
}

const stacked = (tensors: readonly Tensor[]): Tensor => ({
  shape: [tensors.length, ...tensors[0].shape],
  data: Float64Array.from(tensors.flatMap(({ data }) => [...data])),
});

/** Heads side by side, (heads, in, width) as (in, heads * width). */
function sideBySide(tensors: readonly Tensor[]): Tensor {
  const [rows, width] = tensors[0].shape;
  const data = Float64Array.from({ length: rows * width * tensors.length }, (_, at) => {
    const row = Math.floor(at / (width * tensors.length));
    const head = Math.floor(at / width) % tensors.length;
    return tensors[head].data[row * width + (at % width)];
  });
  return { shape: [rows, width * tensors.length], data };
}

/** The tensors along the first axis. */
function layersOf({ shape: [count, ...shape], data }: Tensor): Tensor[] {
  const size = data.length / count;
  return Array.from({ length: count }, (_, at) => ({
    shape,
    data: data.slice(at * size, (at + 1) * size),
  }));
}

const MULTI = { head: 'multihead', axes: 'query-first' } as const;

/** Heads whose weights are in a dictionary under q, k, v and o, and the gradient of their output. */
function ofWeights(
  recording: Recording,
  base: string,
  upstream: string,
  heads: number,
): HeadConfig {
  const of = (name: string): Tensor => tensorOf(recording, name);
  const key = (letter: string): Tensor => of(`${base}['${letter}']`);
  return {
    ...{ ...MULTI, x: of('x'), heads, kvHeads: heads, mask: 'none' as const },
    weights: { W_Q: key('q'), W_K: key('k'), W_V: key('v'), W_O: key('o') },
    loss: { kind: 'upstream', G: of(upstream) },
  };
}

/** One head that begins with queries, keys and values. */
function started(
  recording: Recording,
  names: Readonly<Record<'Q' | 'K' | 'V' | 'G', string>>,
): HeadConfig {
  const of = (name: string): Tensor => tensorOf(recording, name);
  return {
    ...{ head: 'qkv', axes: 'query-first', heads: 1, kvHeads: 1, mask: 'causal', weights: {} },
    start: { Q: of(names.Q), K: of(names.K), V: of(names.V) },
    loss: { kind: 'upstream', G: of(names.G) },
  };
}

/** One head with matrices w_q, w_k, w_v, half the squared error to `goal`. */
function single(
  recording: Recording,
  mask: 'none' | 'causal',
  weights?: HeadConfig['weights'],
): HeadConfig {
  const of = (name: string): Tensor => tensorOf(recording, name);
  return {
    ...{ head: 'qkv', axes: 'query-first', heads: 1, kvHeads: 1, mask, x: of('x') },
    weights: weights ?? { W_Q: of('w_q'), W_K: of('w_k'), W_V: of('w_v') },
    loss: { kind: 'target', T: of('goal') },
  };
}

export const configs: Readonly<Record<string, (recording: Recording) => HeadConfig>> = {
  stretched: (recording) => {
    const of = (name: string): Tensor => tensorOf(recording, name);
    const weights = { W_Q: of("w['q']"), W_K: of("w['k']"), W_V: of("w['v']"), W_O: of('w_o') };
    const numbers = { factor: 8, lowFreqFactor: 1, highFreqFactor: 4, originalLength: 64 };
    const rope = {
      ...{ base: 1000, pairing: 'interleaved' as const },
      scaling: { kind: 'llama3' as const, ...numbers },
    };
    const loss = { kind: 'upstream' as const, G: of('dy') };
    return { ...MULTI, x: of('x'), weights, heads: 2, kvHeads: 2, mask: 'causal', rope, loss };
  },
  modern: (recording) => {
    const of = (name: string): Tensor => tensorOf(recording, name);
    const weights = {
      ...{ W_Q: of('w_q'), W_K: of('w_k'), W_V: of('w_v'), W_O: of('w_o') },
      ...{ W_gate: of('w_g'), sinks: of('sinks') },
    };
    const own = { temperature: { logN: 3 }, mask: 'causal' as const };
    const loss = { kind: 'upstream' as const, G: of('dy') };
    return { ...MULTI, x: of('x'), weights, heads: 2, kvHeads: 2, ...own, loss };
  },
  differential: (recording) => {
    const of = (name: string): Tensor => tensorOf(recording, name);
    const weights = {
      ...{ W_Q: of('Wq'), W_K: of('Wk'), W_V: of('Wv'), W_O: of('Wo'), gamma_O: of('gain') },
      ...{ lambda_q1: of('lq1'), lambda_k1: of('lk1'), lambda_q2: of('lq2'), lambda_k2: of('lk2') },
    };
    const norm = { kind: 'rms' as const, eps: 1e-5, unitOffset: false };
    const lambdaInit = 0.8 - 0.6 * Math.exp(-0.6);
    const differential = { lambdaInit, norm, pairs: 'adjacent' as const };
    const loss = { kind: 'upstream' as const, G: of('G') };
    const mask = 'causal' as const;
    return { ...MULTI, x: of('X'), weights, heads: 2, kvHeads: 2, mask, differential, loss };
  },
  stored_blocks: (recording) => ({
    ...started(recording, { Q: 'q', K: 'k', V: 'v', G: 'do' }),
    mask: 'none',
  }),
  two_tilings: (recording) => ({
    ...started(recording, { Q: 'q', K: 'k', V: 'v', G: 'do' }),
    mask: 'none',
  }),
  offsets: (recording) => {
    const [T, C] = [4, 6];
    const { data } = tensorOf(recording, 'inp');
    const part = (n: number): Tensor => ({
      shape: [T, C],
      data: Float64Array.from(
        { length: T * C },
        (_, at) => data[(3 * Math.floor(at / C) + n) * C + (at % C)],
      ),
    });
    const G = { shape: [T, C], data: tensorOf(recording, 'dout').data };
    const start = { Q: part(0), K: part(1), V: part(2) };
    const loss = { kind: 'upstream' as const, G };
    return { ...MULTI, weights: {}, heads: 2, kvHeads: 2, mask: 'causal', start, loss };
  },
  next_tokens: (recording) => ({
    ...single(recording, 'none', {
      W_Q: tensorOf(recording, 'w_q'),
      W_K: tensorOf(recording, 'w_k'),
      W_V: tensorOf(recording, 'w_v'),
    }),
    loss: { kind: 'upstream', G: tensorOf(recording, 'dlogits') },
  }),
  plain_lists: (recording) => single(recording, 'none'),
  softmax_alone: (recording) => single(recording, 'none'),
  by_letters: (recording) => {
    const of = (name: string): Tensor => tensorOf(recording, name);
    const weights = { W_Q: of('Wq'), W_K: of('Wk'), W_V: of('Wv') };
    return { ...single(recording, 'none', weights), softcap: 2 };
  },
  letter_keys: (recording) => {
    const of = (name: string): Tensor => sideBySide(layersOf(tensorOf(recording, name)));
    const { shape, data } = tensorOf(recording, 'w_o');
    const W_O = { shape: [shape[0] * shape[1], shape[2]], data };
    const weights = { W_Q: of("w['q']"), W_K: of("w['k']"), W_V: of("w['v']"), W_O };
    const loss = { kind: 'expression' as const, expression: 'sum(y .^ 2)', constants: {} };
    const x = tensorOf(recording, 'x');
    return { ...MULTI, x, weights, heads: 2, kvHeads: 2, mask: 'causal', loss };
  },
  with_room: (recording) => {
    const heads = (name: string): Tensor => sideBySide(layersOf(tensorOf(recording, name)));
    const given = started(recording, { Q: 'q', K: 'k', V: 'v', G: 'do' });
    const start = { ...given.start!, Q: heads('q') };
    return { ...given, ...MULTI, heads: 2, start, loss: { kind: 'upstream', G: heads('do') } };
  },
  sliced_tiles: (recording) => started(recording, { Q: 'q', K: 'k', V: 'v', G: 'do' }),
  dropped_out: (recording) => {
    const keep = tensorOf(recording, 'keep');
    const { shape, data } = tensorOf(recording, 'dres');
    const G = { shape, data: data.map((value, at) => (value * keep.data[at]) / 0.75) };
    return { ...ofWeights(recording, 'attention.w', 'dres', 1), loss: { kind: 'upstream', G } };
  },
  normed_calls: (recording) => {
    const given = ofWeights(recording, 'w', 'out', 2);
    return { ...given, x: tensorOf(recording, 'h'), mask: 'causal' };
  },
  engine: (recording) => single(recording, 'causal'),
  generated: (recording) => single(recording, 'causal'),
  sized: (recording) => single(recording, 'causal'),
  slices: (recording) => {
    const of = (name: string): Tensor => tensorOf(recording, name);
    const { x: _x, ...rest } = single(recording, 'none');
    return {
      ...rest,
      ...MULTI,
      weights: {},
      start: { Q: of('queries'), K: of('keys'), V: of('values') },
    };
  },
  relative: (recording) => {
    const of = (name: string): Tensor => tensorOf(recording, name);
    const weights = { W_Q: of("w['q']"), W_K: of("w['k']"), W_V: of("w['v']"), W_O: of("w['o']") };
    const mask = { tensor: of('bias'), meaning: 'add' as const };
    const loss = { kind: 'upstream' as const, G: of('dy') };
    return { ...MULTI, x: of('x'), weights, heads: 2, kvHeads: 2, scale: 1, mask, loss };
  },
  lambdas: (recording) => {
    const [N, H] = [5, 3];
    const each = (name: string): Tensor[] =>
      Array.from({ length: H }, (_, h) => tensorOf(recording, `${name}[${h}]`));
    const out = stacked(each('w_o'));
    const weights = {
      W_Q: sideBySide(each('w_q')),
      W_K: sideBySide(each('w_k')),
      W_V: sideBySide(each('w_v')),
      W_O: { shape: [out.shape[0] * out.shape[1], out.shape[2]], data: out.data },
    };
    const data = Float64Array.from({ length: H * N * N }, (_, at) => {
      const [h, i, j] = [Math.floor(at / N / N), Math.floor(at / N) % N, at % N];
      return -(2 ** -(h + 1)) * Math.abs(i - j);
    });
    const mask = { tensor: { shape: [H, N, N], data }, meaning: 'add' as const };
    const loss = { kind: 'upstream' as const, G: tensorOf(recording, 'dy') };
    const x = tensorOf(recording, 'x');
    return { ...MULTI, x, weights, heads: H, kvHeads: H, scale: 0.5, mask, loss };
  },
  picked: (recording) => {
    const of = (name: string): Tensor => tensorOf(recording, name);
    const weights = {
      ...{ W_Q: of("weights['q']"), W_K: of("weights['k']") },
      ...{ W_V: of("weights['v']"), W_O: of("weights['o']") },
    };
    const dropout = { p: 0.3, keep: of('keep') };
    const loss = { kind: 'upstream' as const, G: of('dys') };
    const shape = { ...MULTI, heads: 4, kvHeads: 2, mask: 'none' as const, dropout, loss };
    return { ...shape, x: of('xs'), weights };
  },
  grouped: (recording) => {
    const of = (name: string): Tensor => sideBySide(layersOf(tensorOf(recording, name)));
    const weights = { W_Q: of('wq'), W_K: of('wk'), W_V: of('wv') };
    const loss = { kind: 'upstream' as const, G: of('dy') };
    const x = tensorOf(recording, 'x');
    return { ...MULTI, x, weights, heads: 6, kvHeads: 3, mask: 'none', loss };
  },
  retained: (recording) => single(recording, 'none'),
  scalars: (recording) => single(recording, 'causal'),
  limited: (recording) => ({ ...single(recording, 'causal'), window: 4, softcap: 2.5 }),
  beside: (recording) => ({ ...single(recording, 'none'), softmax: 'plus-one' }),
  samples: (recording) => {
    const of = (name: string): Tensor => tensorOf(recording, name);
    const weights = {
      W_Q: of("layer.params['wq']"),
      W_K: of("layer.params['wk']"),
      W_V: of("layer.params['wv']"),
      W_O: of("layer.params['wo']"),
    };
    const loss = {
      kind: 'expression' as const,
      expression: 'sum((y - T) .^ 2) / 90',
      constants: { T: of('target') },
    };
    return { ...MULTI, x: of('x'), weights, heads: 2, kvHeads: 2, mask: 'none', loss };
  },
};
