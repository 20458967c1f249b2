// Weights as models keep them made (in, out): transposed, one block for q, k and v, an axis for the heads.
import { type WeightId } from '../engine/config.ts';
import { formatShape, type Tensor } from '../engine/tensor.ts';

export type WeightKey = WeightId | 'W_QKV' | 'b_QKV';

/** As they stand in the setup. */
export type GivenWeights = Readonly<Partial<Record<WeightKey, Tensor>>>;

export interface WeightContext {
  readonly heads: number;
  readonly kvHeads: number;
  /** Whether keys and queries have two parts for each head. */
  readonly isPaired?: boolean;
  /** Features of what each is made from, where they are known. */
  readonly features: Readonly<Record<'K' | 'Q' | 'V', number | undefined>>;
  /** What the setup says of all matrices; left out, the shape tells where only one way fits. */
  readonly layout?: 'in-out' | 'out-in';
  /** How W_QKV holds its parts: one after the other, or side by side for each head (or group of heads). */
  readonly fused?: 'blocks' | 'per-head';
}

type Report = (severity: 'error' | 'warning', key: WeightKey, message: string) => void;

/** Axes in another order: `order[n]` is the old axis that becomes the n-th. */
function reordered({ shape, data }: Tensor, order: readonly number[]): Tensor {
  const steps = shape.map((_, axis) => shape.slice(axis + 1).reduce((a, b) => a * b, 1));
  const to = order.map((axis) => shape[axis]);
  const out = new Float64Array(data.length);
  const index = to.map(() => 0);
  for (let at = 0; at < out.length; at++) {
    out[at] = data[index.reduce((sum, own, n) => sum + own * steps[order[n]], 0)];
    for (let axis = index.length - 1; axis >= 0 && ++index[axis] === to[axis]; axis--)
      index[axis] = 0;
  }
  return { shape: to, data: out };
}

const reshaped = ({ data }: Tensor, ...shape: number[]): Tensor => ({ shape, data });
const transposed = (own: Tensor): Tensor => reordered(own, [1, 0]);

/** The columns [from, to) of a matrix, or the entries of a vector. */
function columns({ shape, data }: Tensor, ranges: readonly (readonly [number, number])[]): Tensor {
  const width = shape[shape.length - 1];
  const rows = data.length / width;
  const length = ranges.reduce((sum, [from, to]) => sum + to - from, 0);
  const out = new Float64Array(rows * length);
  let at = 0;
  for (let row = 0; row < rows; row++)
    for (const [from, to] of ranges)
      for (let column = from; column < to; column++) out[at++] = data[row * width + column];
  return { shape: [...shape.slice(0, -1), length], data: out };
}

/** Matrices of what keys, queries or values are made from, and of how many heads. */
const SOURCES: Readonly<Partial<Record<WeightKey, 'K' | 'Q' | 'V'>>> = {
  ...{ W_K: 'K', W_Q: 'Q', W_V: 'V', W_QKV: 'Q' },
};
const QUERY_HEADS = new Set<WeightKey>(['W_Q', 'W_O', 'b_Q', 'W_gate', 'b_gate']);

class Settler {
  readonly #own: WeightContext;
  readonly #report: Report;

  constructor(own: WeightContext, report: Report) {
    this.#own = own;
    this.#report = report;
  }

  #headsOf(key: WeightKey): number {
    const { heads, kvHeads, isPaired } = this.#own;
    return (QUERY_HEADS.has(key) ? heads : kvHeads) * (isPaired && /^W_[KQ]$/.test(key) ? 2 : 1);
  }

  /** (in, out) of a tensor of two or three axes; `inputs` is the length of `in` where it is known. */
  matrix(key: WeightKey, own: Tensor, inputs: number | undefined): Tensor {
    const { shape } = own;
    if (shape.length === 3 && key !== 'W_QKV') return this.#withHeads(key, own, inputs);
    if (shape.length !== 2) return own;
    const { layout } = this.#own;
    if (layout !== undefined) return layout === 'out-in' ? transposed(own) : own;
    if (inputs === undefined || shape[0] === inputs || shape[1] !== inputs) return own;
    const taken = `found shape ${formatShape(shape)} for ${inputs} inputs, took it as (out, in)`;
    this.#report('warning', key, `${taken}; "weightLayout": "out-in" says so`);
    return transposed(own);
  }

  /** W_O is (heads, width, out) or (out, heads, width); others (in, heads, width), (heads, in, width), (heads, width, in). */
  #withHeads(key: WeightKey, own: Tensor, inputs: number | undefined): Tensor {
    const { layout } = this.#own;
    const heads = this.#headsOf(key);
    const [a, b, c] = own.shape;
    if (key === 'W_O') {
      const isIn = a === heads && (inputs === undefined || a * b === inputs);
      if (layout !== 'out-in' && (isIn || b !== heads)) return reshaped(own, a * b, c);
      return transposed(reshaped(own, a, b * c));
    }
    const isInput = (length: number): boolean => inputs === undefined || length === inputs;
    if (layout !== 'out-in') {
      if (isInput(a) && b === heads) return reshaped(own, a, b * c);
      if (a === heads && isInput(b)) return reshaped(reordered(own, [1, 0, 2]), b, a * c);
    }
    if (layout !== 'in-out' && a === heads && isInput(c))
      return transposed(reshaped(own, a * b, c));
    const expected = `(${inputs ?? 'in'}, ${heads} heads, width)`;
    this.#report('error', key, `found shape ${formatShape(own.shape)}, expected ${expected}`);
    return own;
  }

  bias(own: Tensor): Tensor {
    return own.shape.length === 2 ? reshaped(own, own.data.length) : own;
  }

  /** W_Q, W_K and W_V, or their biases, of one tensor; null after reporting why it is none. */
  parts(key: 'W_QKV' | 'b_QKV', own: Tensor): Record<'Q' | 'K' | 'V', Tensor> | null {
    const { heads, kvHeads, fused = 'blocks' } = this.#own;
    const total = own.shape[own.shape.length - 1] ?? 0;
    const width = total / (heads + 2 * kvHeads);
    if (!Number.isInteger(width)) {
      const parts = `${heads} heads of queries, ${kvHeads} of keys and ${kvHeads} of values`;
      const found = `found ${total} outputs in shape ${formatShape(own.shape)}`;
      this.#report(
        'error',
        key,
        `${found}, expected a multiple of ${heads + 2 * kvHeads}: ${parts}`,
      );
      return null;
    }
    if (fused === 'blocks') {
      const [q, k] = [heads * width, (heads + kvHeads) * width];
      const ranges = { Q: [0, q], K: [q, k], V: [k, total] } as const;
      return {
        Q: columns(own, [ranges.Q]),
        K: columns(own, [ranges.K]),
        V: columns(own, [ranges.V]),
      };
    }
    // Of each KV head the queries of its group, its key, its value.
    const group = heads / kvHeads;
    const step = (group + 2) * width;
    const each = (from: number, to: number): (readonly [number, number])[] =>
      Array.from({ length: kvHeads }, (_, r) => [r * step + from * width, r * step + to * width]);
    return {
      Q: columns(own, each(0, group)),
      K: columns(own, each(group, group + 1)),
      V: columns(own, each(group + 1, group + 2)),
    };
  }
}

/** The weights as the engine takes them: matrices (in, out), vectors (out). */
export function settleWeights(
  given: GivenWeights,
  context: WeightContext,
  report: Report,
): Partial<Record<WeightId, Tensor>> {
  const settler = new Settler(context, report);
  const { W_QKV, b_QKV, ...plain } = given;
  const out: Partial<Record<WeightId, Tensor>> = {};
  if (W_QKV) {
    const parts = settler.parts('W_QKV', settler.matrix('W_QKV', W_QKV, context.features.Q));
    if (parts) Object.assign(out, { W_K: parts.K, W_Q: parts.Q, W_V: parts.V });
  }
  if (b_QKV) {
    const parts = settler.parts('b_QKV', b_QKV);
    if (parts) Object.assign(out, { b_K: parts.K, b_Q: parts.Q, b_V: parts.V });
  }
  for (const [id, tensor] of Object.entries(plain) as [WeightId, Tensor][]) {
    const source = SOURCES[id];
    if (id === 'W_O') continue;
    if (id.startsWith('W_'))
      out[id] = settler.matrix(id, tensor, source && context.features[source]);
    else out[id] = id === 'B' ? tensor : settler.bias(tensor);
  }
  const { W_O } = plain;
  if (W_O) {
    const values = out.W_V?.shape.at(-1);
    const merged = values === undefined ? undefined : (values / context.kvHeads) * context.heads;
    out.W_O = settler.matrix('W_O', W_O, merged);
  }
  return out;
}
