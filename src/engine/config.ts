// What the engine is asked to compute: one attention block, its tensors at hand. Made by formats/setup.
import type { Tensor } from './tensor.ts';

export type Head = 'kq' | 'qkv' | 'multihead';
/** All that is learned, in the order of the graph's inputs. */
export const WEIGHT_IDS = [
  ...(['W_K', 'W_Q', 'W_V', 'W_O', 'b_K', 'b_Q', 'b_V', 'b_O'] as const),
  ...(['gamma_K', 'gamma_Q', 'beta_K', 'beta_Q', 'sinks', 'null_K', 'null_V', 'B'] as const),
  ...(['headScale', 'W_gate', 'b_gate'] as const),
  ...(['W_DKV', 'gamma_DKV', 'W_DQ', 'gamma_DQ', 'W_KR', 'W_QR'] as const),
  ...(['lambda_q1', 'lambda_k1', 'lambda_q2', 'lambda_k2', 'lambda_share'] as const),
  ...(['gamma_O'] as const),
  ...(['gamma_pre', 'beta_pre', 'gamma_out', 'beta_out', 'gamma_post', 'beta_post'] as const),
] as const;
export type WeightId = (typeof WEIGHT_IDS)[number];
/** Order of the last two axes of S, Z, M, P, Pd: (i, j) as in the equations or (j, i) as in code. */
export type AxisOrder = 'key-first' | 'query-first';
export type MaskMeaning = 'attend' | 'ignore' | 'add';

export type Mask =
  | 'none'
  /** Query j sees the keys up to position (past keys + j). */
  | 'causal'
  /** The last query sees all keys; the diagonal ends in the bottom right corner. */
  | 'causal-bottom-right'
  /** Two to four dimensions, broadcast against (batch, heads, then the setup's axes); heads only in multihead. */
  | { readonly tensor: Tensor; readonly meaning: MaskMeaning };

/**
 * What else hides keys beside `mask`. A query stands at its `mask`'s position among the keys; tensors of one number per
 * token or per sequence may have a batch axis in front.
 */
export type MaskPart = {
  /** Its place in the setup's list. */
  readonly at?: number;
} &
  /** Another mask as a tensor. */
  (
    | { readonly kind: 'given'; readonly tensor: Tensor; readonly meaning: MaskMeaning }
    /** Hides the keys from `lengths` on, (batch). */
    | { readonly kind: 'padding'; readonly lengths: Tensor }
    /** Hides the keys where `keep` is 0, (batch, keys). */
    | { readonly kind: 'padding'; readonly keep: Tensor }
    /** Hides keys more than `left` before and more than `right` after the query's place. */
    | { readonly kind: 'window'; readonly left?: number; readonly right?: number }
    /** Keys before `length`, (batch), are seen by all queries in spite of a causal mask. */
    | { readonly kind: 'prefix'; readonly length: Tensor }
    /** A query sees the keys of its own chunk of `size` tokens. */
    | { readonly kind: 'chunked'; readonly size: number }
    /** A query sees the keys of its own document: (batch, keys) and (batch, queries), those of the last keys if left out. */
    | { readonly kind: 'documents'; readonly ids: Tensor; readonly queryIds?: Tensor }
  );

/** Stretches the context that a model was trained with: `factor` as long. */
export type RopeScaling =
  /** Positions divided by the factor (Chen et al. 2023). */
  | { readonly kind: 'linear'; readonly factor: number }
  /** The base times factor^(r / (r − 2)), r features turning. */
  | { readonly kind: 'ntk'; readonly factor: number }
  /** Fast pairs as they are, slow ones divided, between them a blend (Llama 3.1). */
  | {
      readonly kind: 'llama3';
      readonly factor: number;
      readonly lowFreqFactor: number;
      readonly highFreqFactor: number;
      readonly originalLength: number;
    }
  /** The same by a ramp over the pairs, and a magnitude (Peng et al. 2023). */
  | {
      readonly kind: 'yarn';
      readonly factor: number;
      readonly originalLength: number;
      readonly betaFast: number;
      readonly betaSlow: number;
      /** Whether the ends of the ramp are whole pairs. */
      readonly truncate: boolean;
      /** Of the turned features; left out, 0.1 ln(factor) + 1. */
      readonly magnitude?: number;
    };

export interface Rope {
  readonly base: number;
  readonly pairing: 'half' | 'interleaved';
  /** The first so many features of a head turn; left out, all. */
  readonly features?: number;
  readonly scaling?: RopeScaling;
  /** One frequency for each pair, in place of base and scaling. */
  readonly invFreq?: Tensor;
  /** Of the new tokens: (tokens) or (batch, tokens), with `sections` an axis for these in front. */
  readonly positions?: Tensor;
  /** The same for queries that are not from x. */
  readonly queryPositions?: Tensor;
  /** How many pairs turn by each of the sets of positions: an image's rows and columns, time. */
  readonly sections?: readonly number[];
  /** `own`: each section begins with the highest frequency again. */
  readonly sectionFrequencies?: 'shared' | 'own';
}

/** Rotations that base and pairing tell. */
export const isPlainRope = (rope: Rope): boolean =>
  Object.entries(rope).every(([key, value]) => /^(base|pairing)$/.test(key) || value === undefined);

/** Types in which a person's program may compute; `tf32` in the products of matrices alone. */
export const NUMBER_TYPES = [
  ...(['float64', 'float32', 'tf32', 'bfloat16', 'float16'] as const),
  ...(['float8_e4m3fn', 'float8_e5m2'] as const),
] as const;
export type NumberTypeName = (typeof NUMBER_TYPES)[number];

/** A learned bias of the scores, the weight B. */
export type PositionBias =
  /** One for each head, query and key: (H, m, n), the last two in the setup's order of axes. */
  | { readonly kind: 'learned' }
  /** By buckets of the distance, (buckets, H). */
  | { readonly kind: 't5'; readonly bidirectional: boolean; readonly maxDistance: number }
  /** By the difference of places in a window of an image, ((2h − 1)(2w − 1), H). */
  | { readonly kind: 'swin'; readonly window: readonly [number, number] };

export type Loss =
  /** f = |y|^2 / 2 */
  | { readonly kind: 'half-squared-norm' }
  /** f = sum(G .* y) */
  | { readonly kind: 'upstream'; readonly G: Tensor }
  /** f = |y - T|^2 / 2 */
  | { readonly kind: 'target'; readonly T: Tensor }
  /** A mathjs expression of y and of named constants. */
  | {
      readonly kind: 'expression';
      readonly expression: string;
      readonly constants: Readonly<Record<string, Tensor>>;
    };

/** How a norm divides: `eps` is added to the mean square; with `unitOffset` the gain is 1 + gamma, as in Gemma. */
export interface Norm {
  readonly kind: 'rms' | 'layer';
  readonly eps: number;
  readonly unitOffset?: boolean;
}

/** For positions p = 0, 1, ...: max(1, log(p + 1) / log(logN)), or 1 + scale log(1 + floor((p + 1) / floor)) as in Llama 4. */
export type Temperature =
  { readonly logN: number } | { readonly floor: number; readonly scale: number };

/** What stands around the attention in a layer; gains and biases are gamma_pre, beta_pre, gamma_out, ... */
export interface Block {
  /** y = x' + attention. */
  readonly residual?: boolean;
  /** Of the queries' input, before anything is projected from it. */
  readonly preNorm?: Norm;
  /** Of what the attention gives, before it is added (OLMo 2, Gemma 3). */
  readonly outputNorm?: Norm;
  /** Of the sum (the Transformer of 2017, BERT). */
  readonly postNorm?: Norm;
}

/** The norm of queries and keys before they meet. */
export interface QkNorm extends Norm {
  /** The mean is over the features of each head (Qwen3, Gemma 3, SD3) or over those of all heads (OLMo 2). */
  readonly over: 'head' | 'all';
  readonly place: 'before-rope' | 'after-rope';
}

/** Two softmaxes for each head (Ye et al. 2024); W_K and W_Q make twice the heads, whose share is the weight lambda_share or of lambda_q1, ... */
export interface Differential {
  /** λ_init: 0.8 − 0.6 exp(−0.3 l) in layer l = 0, 1, ... of the paper; 0 where there is none. */
  readonly lambdaInit: number;
  /** Of what each head gives, with the gain gamma_O; then 1 − λ_init multiplies it. */
  readonly norm?: Norm;
  /** `adjacent`: the two of a head side by side, the default · `halves`: first those of all heads, then the others. */
  readonly pairs?: 'adjacent' | 'halves';
}

/** Shapes as in the node table: x (n, d), xPrime (m, d'), a leading batch axis on both or on neither. */
export interface HeadConfig {
  readonly head: Head;
  /** Left out only where `start` gives all that x feeds. */
  readonly x?: Tensor;
  /** Left out for self-attention. */
  readonly xPrime?: Tensor;
  /** What values are made from, where that is not x: (n, d''). */
  readonly xValue?: Tensor;
  readonly weights: Readonly<Partial<Record<WeightId, Tensor>>>;
  /** Query heads H; 1 unless `multihead`. */
  readonly heads: number;
  /** Key and value heads; divides `heads`. */
  readonly kvHeads: number;
  /** `blocks`: query head h uses KV head floor(h * kvHeads / heads), the default · `interleaved`: h mod kvHeads. */
  readonly grouping?: 'blocks' | 'interleaved';
  /** d is the width of one key. Undefined: none in `kq`, 1/sqrt(d) in the others. */
  readonly scale?: number | '1/sqrt(d)';
  /** Z = softcap * tanh(scale * S / softcap). */
  readonly softcap?: number;
  readonly mask: Mask;
  /** An entry is hidden where any of these or `mask` hides it. */
  readonly masks?: readonly MaskPart[];
  /** Keeps where `keep` is not 0 and multiplies by 1 / (1 - p); `keep` broadcasts like a mask. */
  readonly dropout?: { readonly p: number; readonly keep: Tensor };
  readonly rope?: Rope;
  /** Sliding window: a query sees keys at a distance below `window`. */
  readonly window?: number;
  readonly positionBias?: PositionBias;
  /** Of the program that is compared; left out, what its numbers tell. The reference is float64 in any case. */
  readonly numberType?: NumberTypeName;
  /** Adds -slope_h * distance; `true` for the paper's slopes (`alibiSlopes`), or a tensor (H). */
  readonly alibi?: true | Tensor;
  /** Keys and values of earlier tokens, per head: (kvHeads, tokens, width), batch first if there is one. */
  readonly past?: { readonly K: Tensor; readonly V: Tensor };
  /** Projections given in place of x and its weights: tokens by (heads * width), batch first if any. */
  readonly start?: { readonly Q?: Tensor; readonly K?: Tensor; readonly V?: Tensor };
  /** Gains and biases are the weights gamma_K, gamma_Q, beta_K and beta_Q: (width), or (heads * width). */
  readonly qkNorm?: QkNorm;
  /** `plus-one`: a 1 in the denominator. A learned logit there is the weight `sinks`, (H). */
  readonly softmax?: 'usual' | 'plus-one';
  /** A key and a value of zeros behind all others, which no mask hides; learned ones are null_K and null_V. */
  readonly zeroKey?: boolean;
  /** A factor on the scores of each query: (m) or (batch, m), or by its position. The weight headScale, (H), is one of each head. */
  readonly temperature?: Tensor | Temperature;
  /** The norm of the latents of multi-head latent attention, whose weights are W_DKV and W_DQ. */
  readonly latentNorm?: Norm;
  readonly block?: Block;
  readonly differential?: Differential;
  readonly loss: Loss;
  readonly axes: AxisOrder;
}

/** Largest node that is computed, in entries: 512 MiB in float64. */
export const MAX_NODE_ENTRIES = 2 ** 26;

/** A shape or value that cannot be computed with. `entry` is where in the setup it stands. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly entry: readonly string[];

  constructor(entry: string, message: string) {
    super(`${entry}: ${message}`);
    this.entry = entry.split('.');
  }
}
