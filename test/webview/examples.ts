// Setups for looking at the panel: the exercise with readable numbers, and the shapes that strain the drawing.
import type { HeadConfig } from '../../src/engine/config.ts';
import { fromNested, sizeOf, type Tensor, tensor } from '../../src/engine/tensor.ts';

export interface Example {
  readonly title: string;
  readonly description: string;
  readonly energy: boolean;
  readonly config: HeadConfig;
}

/** Evenly spread numbers in [-size, size], the same each time (a Weyl sequence). */
function spread(seed: number, size: number, ...shape: number[]): Tensor {
  const data = Array.from({ length: sizeOf(shape) }, (_, n) => {
    const t = ((n + 1) * 0.6180339887 + seed * 0.3819660113 + ((n * n) % 7) * 0.137) % 1;
    return Math.round((2 * t - 1) * size * 100) / 100;
  });
  return tensor(shape, data);
}

const x = fromNested([
  [1, 0.5, -0.5],
  [0, 1, 0.5],
  [-1, 0, 1],
  [0.5, -1, 0],
]);
const xPrime = fromNested([
  [1, 0, 0.5],
  [0, -1, 1],
  [0.5, 1, -0.5],
]);
const W_K = fromNested([
  [1, 0],
  [0.5, -0.5],
  [0, 1],
]);
const W_Q = fromNested([
  [0.5, 1],
  [1, 0],
  [-0.5, 0.5],
]);

const kq: HeadConfig = {
  head: 'kq',
  x,
  xPrime,
  weights: { W_K, W_Q },
  heads: 1,
  kvHeads: 1,
  mask: 'none',
  loss: { kind: 'half-squared-norm' },
  axes: 'key-first',
};

const multihead = (tokens: number, width: number, heads: number, kvHeads: number): HeadConfig => ({
  head: 'multihead',
  x: spread(1, 1, tokens, width),
  weights: {
    W_K: spread(2, 0.5, width, (width / heads) * kvHeads),
    W_Q: spread(3, 0.5, width, width),
    W_V: spread(4, 0.5, width, (width / heads) * kvHeads),
    W_O: spread(5, 0.5, width, width),
    b_K: spread(6, 0.2, (width / heads) * kvHeads),
    b_Q: spread(7, 0.2, width),
    b_V: spread(8, 0.2, (width / heads) * kvHeads),
    b_O: spread(9, 0.2, width),
  },
  heads,
  kvHeads,
  mask: 'causal',
  rope: { base: 10000, pairing: 'half' },
  loss: { kind: 'target', T: spread(10, 1, tokens, width) },
  axes: 'query-first',
});

export const examples: Readonly<Record<string, () => Example>> = {
  cross: () => ({
    title: 'Cross-attention by hand',
    description: 'x reaches f as value and through the weights; x′ through the weights alone.',
    energy: false,
    config: kq,
  }),
  exercise: () => ({
    title: 'The exercise',
    description: 'Cross-attention by hand, with a target.',
    energy: false,
    config: { ...kq, loss: { kind: 'target', T: spread(3, 1, 3, 3) } },
  }),
  self: () => ({
    title: 'Self-attention by hand',
    description: 'x′ = x: value, key and query parts meet in one accumulator.',
    energy: false,
    config: { ...kq, xPrime: undefined },
  }),
  forces: () => ({
    title: 'Attention as an energy',
    description: '−df/dx moves the tokens.',
    energy: true,
    config: { ...kq, xPrime: undefined, loss: { kind: 'half-squared-norm' } },
  }),
  scaled: () => ({
    title: 'Scaled and masked',
    description: 'kq with scale, mask and dropout.',
    energy: false,
    config: {
      ...kq,
      scale: '1/sqrt(d)',
      mask: 'causal',
      dropout: {
        p: 0.25,
        keep: fromNested([
          [1, 1, 0],
          [1, 1, 1],
          [1, 0, 1],
          [1, 1, 1],
        ]),
      },
    },
  }),
  causal: () => ({
    title: 'One causal head',
    description: 'Five tokens, projected keys, queries and values; no token sees the future.',
    energy: false,
    config: {
      head: 'qkv',
      x: spread(1, 1, 5, 4),
      weights: { W_K: spread(2, 1, 4, 3), W_Q: spread(3, 1, 4, 3), W_V: spread(4, 1, 4, 4) },
      heads: 1,
      kvHeads: 1,
      mask: 'causal',
      loss: { kind: 'half-squared-norm' },
      axes: 'query-first',
    },
  }),
  multihead: () => ({
    title: 'Eight heads, two KV heads',
    description: 'Grouped-query attention with biases, RoPE and W_O, six tokens of width 32.',
    energy: false,
    config: multihead(6, 32, 8, 2),
  }),
  large: () => ({
    title: 'A layer of 128 tokens',
    description: 'Pictures are averaged where they are larger than what can be seen.',
    energy: false,
    config: { ...multihead(128, 64, 4, 4), dropout: { p: 0.1, keep: tensor([1, 1], [1]) } },
  }),
  gpt2: () => ({
    title: 'Heads of GPT-2’s size',
    description: 'Twelve heads of width 64 on 768 features.',
    energy: false,
    config: multihead(16, 768, 12, 12),
  }),
  layer: () => ({
    title: 'A layer of 512 tokens',
    description: 'Twelve heads of 512 × 512 weights.',
    energy: false,
    config: multihead(512, 768, 12, 12),
  }),
  crossHeads: () => ({
    title: 'Cross-attention with two heads',
    description: 'Queries of another width than the keys.',
    energy: false,
    config: {
      ...multihead(5, 8, 2, 2),
      xPrime: spread(11, 1, 3, 6),
      weights: {
        W_K: spread(2, 0.5, 8, 8),
        W_Q: spread(3, 0.5, 6, 8),
        W_V: spread(4, 0.5, 8, 8),
      },
      rope: undefined,
      mask: 'none',
      loss: { kind: 'half-squared-norm' },
    },
  }),
  differential: () => ({
    title: 'Differential attention',
    description:
      'Two softmaxes for each of two heads, λ by four learned vectors, a norm of each head.',
    energy: false,
    config: {
      ...multihead(5, 8, 2, 2),
      weights: {
        ...{ W_K: spread(2, 0.5, 8, 8), W_Q: spread(3, 0.5, 8, 8), W_V: spread(4, 0.5, 8, 8) },
        ...{ W_O: spread(5, 0.5, 8, 8), gamma_O: spread(6, 1, 4) },
        ...{ lambda_q1: spread(7, 0.5, 2), lambda_k1: spread(8, 0.5, 2) },
        ...{ lambda_q2: spread(9, 0.5, 2), lambda_k2: spread(11, 0.5, 2) },
      },
      differential: { lambdaInit: 0.8, norm: { kind: 'rms', eps: 1e-5 } },
    },
  }),
  latent: () => ({
    title: 'Latent attention',
    description: 'Keys, values and queries of two heads from latents, a part of each that turns.',
    energy: false,
    config: {
      ...multihead(5, 8, 2, 2),
      weights: {
        ...{ W_DKV: spread(2, 0.5, 8, 3), gamma_DKV: spread(3, 1, 3), W_DQ: spread(4, 0.5, 8, 4) },
        ...{ gamma_DQ: spread(5, 1, 4), W_K: spread(6, 0.5, 3, 8), W_V: spread(7, 0.5, 3, 6) },
        ...{ W_Q: spread(8, 0.5, 4, 8), W_KR: spread(9, 0.5, 8, 2), W_QR: spread(11, 0.5, 4, 4) },
        W_O: spread(12, 0.5, 6, 8),
      },
    },
  }),
  around: () => ({
    title: 'A pre-norm layer',
    description: 'The input goes past the attention, which sees it normed.',
    energy: false,
    config: {
      ...multihead(5, 8, 2, 2),
      weights: { ...multihead(5, 8, 2, 2).weights, gamma_pre: spread(11, 1, 8) },
      block: { residual: true, preNorm: { kind: 'rms', eps: 1e-6 } },
    },
  }),
  broken: () => ({
    title: 'A fully masked row and NaN',
    description: 'What is noticed is told.',
    energy: false,
    config: {
      ...kq,
      x: fromNested([
        [1, NaN, 0],
        [0, 1, 0.5],
        [-1, 0, 1],
        [0.5, -1, 0],
      ]),
      mask: {
        tensor: fromNested([
          [0, 1, 1],
          [0, 1, 0],
          [0, 1, 1],
          [0, 0, 1],
        ]),
        meaning: 'attend',
      },
    },
  }),
};
