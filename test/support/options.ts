// One setup for each option of today's models, small, and the nodes that it adds: for tests of every part.

const random = (seed: number, ...shape: number[]): object => ({ random: 'normal', shape, seed });

/** Grouped queries in self-attention: 5 tokens of 6 features, 4 query and 2 KV heads, keys of 4, values of 3. */
const base = {
  head: 'multihead',
  ...{ heads: 4, kvHeads: 2, mask: 'causal' },
  x: random(1, 5, 6),
  weights: {
    W_K: random(2, 6, 8),
    W_Q: random(3, 6, 16),
    W_V: random(4, 6, 6),
    W_O: random(5, 12, 6),
  },
  loss: { upstream: random(6, 5, 6) },
};

export interface OptionCase {
  readonly name: string;
  readonly setup: object;
  /** Nodes that only this option has. */
  readonly nodes: readonly string[];
}

const rope = { base: 10000, pairing: 'half' };
const changed = (weights: object, own: object, from: object = base): object => ({
  ...from,
  ...own,
  weights: { ...(from as typeof base).weights, ...weights },
});

const lambdas = ['lambda_q1', 'lambda_k1', 'lambda_q2', 'lambda_k2'] as const;
/** Two softmaxes for each head: twice the keys and queries. */
const differential = {
  ...{ W_K: random(12, 6, 16), W_Q: random(13, 6, 32), gamma_O: random(14, 3) },
  ...Object.fromEntries(lambdas.map((id, n) => [id, random(15 + n, 4)])),
};

export const OPTIONS: readonly OptionCase[] = [
  {
    name: 'RMS norm of each head before RoPE',
    setup: changed(
      { gamma_K: random(10, 4), gamma_Q: random(11, 4) },
      { rope, qkNorm: { kind: 'rms', eps: 1e-6 } },
    ),
    nodes: ['Kn', 'Qn', 'gamma_K', 'gamma_Q'],
  },
  {
    name: 'layer norm of all heads after RoPE',
    setup: changed(
      { gamma_K: random(10, 8), beta_K: random(12, 8), gamma_Q: random(11, 16) },
      { rope, qkNorm: { kind: 'layer', over: 'all', place: 'after-rope' } },
    ),
    nodes: ['Ks', 'Qs', 'gamma_K', 'beta_K', 'gamma_Q'],
  },
  {
    name: 'learned sinks',
    setup: changed({ sinks: random(12, 4) }, {}),
    nodes: ['P', 'sinks'],
  },
  { name: 'softmax plus one', setup: changed({}, { softmax: 'plus-one' }), nodes: ['P'] },
  {
    name: 'a learned null key, and one of zeros',
    setup: changed(
      { null_K: random(12, 8), null_V: random(13, 6) },
      { zeroKey: true, rope, past: { K: random(14, 2, 2, 4), V: random(15, 2, 2, 3) } },
    ),
    nodes: ['Ks', 'Vs', 'Kh', 'Vh', 'null_K', 'null_V'],
  },
  {
    name: 'values from another input',
    setup: changed(
      { W_V: random(12, 3, 6) },
      { xPrime: random(13, 4, 6), xValue: random(14, 5, 3), loss: undefined },
    ),
    nodes: ['xValue', 'V'],
  },
  {
    name: 'query heads that share KV heads by h mod kvHeads',
    setup: changed({}, { grouping: 'interleaved', alibi: true }),
    nodes: ['S', 'O', 'Qh'],
  },
  {
    name: 'a gate of each head',
    setup: changed({ W_gate: random(12, 6, 4) }, {}),
    nodes: ['gate', 'Og', 'W_gate'],
  },
  {
    name: 'a gate of each entry, with a bias',
    setup: changed({ W_gate: random(12, 6, 12), b_gate: random(13, 12) }, {}),
    nodes: ['gate', 'Og', 'W_gate', 'b_gate'],
  },
  {
    name: 'a learned scale of each head and a temperature of each query',
    setup: changed({ headScale: random(12, 4) }, { temperature: random(13, 5), softcap: 5 }),
    nodes: ['Z', 'headScale', 'temperature'],
  },
  {
    name: 'log-n scaling',
    setup: changed({}, { temperature: { logN: 3 } }),
    nodes: ['Z', 'temperature'],
  },
  {
    name: 'latent attention with a decoupled rotated part',
    setup: changed(
      {
        ...{ W_DKV: random(12, 6, 3), gamma_DKV: random(13, 3), W_DQ: random(14, 6, 5) },
        ...{ W_K: random(15, 3, 6), W_V: random(16, 3, 6), W_Q: random(17, 5, 12) },
        ...{ W_KR: random(18, 6, 2), W_QR: random(19, 5, 8) },
      },
      { rope },
    ),
    nodes: ['cKV', 'cKVn', 'cQ', 'KR', 'QR', 'KRs', 'QRs', 'Kh', 'W_DKV', 'W_DQ', 'W_KR', 'W_QR'],
  },
  {
    name: 'a layer with norms before and after, and a residual connection',
    setup: changed(
      {
        ...{ gamma_pre: random(12, 6), gamma_out: random(13, 6) },
        ...{ gamma_post: random(14, 6), beta_post: random(15, 6) },
      },
      {
        block: {
          residual: true,
          preNorm: 'rms',
          outputNorm: { kind: 'rms', eps: 0.1 },
          postNorm: 'layer',
        },
      },
    ),
    nodes: ['xn', 'ya', 'yn', 'yr', 'y', 'gamma_pre', 'gamma_out', 'gamma_post', 'beta_post'],
  },
  {
    name: 'a pre-norm layer in cross-attention',
    setup: changed(
      { gamma_pre: random(12, 6), beta_pre: random(13, 6) },
      { xPrime: random(14, 4, 6), loss: undefined, block: { residual: true, preNorm: 'layer' } },
    ),
    nodes: ['xn', 'ya', 'y', 'gamma_pre', 'beta_pre'],
  },
  {
    name: 'latent attention with earlier tokens, null keys and a norm after the rotation',
    setup: changed(
      {
        ...{ W_DKV: random(12, 6, 3), gamma_DKV: random(13, 3), W_K: random(15, 3, 4) },
        ...{ W_V: random(16, 3, 6), W_Q: random(17, 6, 8), W_KR: random(18, 6, 2) },
        ...{ W_QR: random(19, 6, 8), gamma_K: random(20, 4), gamma_Q: random(21, 16) },
        ...{ null_K: random(22, 8), null_V: random(23, 6) },
      },
      {
        ...{ rope, qkNorm: { kind: 'rms', place: 'after-rope' } },
        past: { K: random(24, 2, 2, 4), V: random(25, 2, 2, 3) },
      },
    ),
    nodes: ['Ks', 'Kn', 'Qs', 'Kh', 'Qh', 'Vh', 'KRs', 'gamma_K', 'gamma_Q', 'null_K'],
  },
  {
    name: 'differential attention',
    setup: changed(differential, { rope, differential: { layer: 0 } }),
    nodes: ['Pdiff', 'lambda_full', 'On', 'Os', ...lambdas, 'gamma_O'],
  },
  {
    name: 'differential attention in halves, without a norm, with gates, sinks and norms of queries and keys',
    setup: changed(
      {
        ...{ ...differential, gamma_O: undefined, sinks: random(18, 8), W_gate: random(19, 6, 4) },
        ...{ gamma_K: random(20, 4), gamma_Q: random(21, 4) },
      },
      {
        ...{ differential: { lambdaInit: 0.3, norm: 'none', pairs: 'halves' } },
        ...{ qkNorm: { kind: 'rms' }, alibi: true },
      },
    ),
    nodes: ['Pdiff', 'Os', 'Og', 'lambda_full', ...lambdas],
  },
];
