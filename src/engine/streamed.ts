// One head beyond memory: what has an entry for each query and key is made in tiles when it is looked at, the rest is kept.
import { ConfigError, type HeadConfig } from './config.ts';
import { inWords } from './cost.ts';
import { exponential } from './exponential.ts';
import type { NodeId } from './graph.ts';
import { buildGraph } from './heads/build.ts';
import { scaleFactor } from './heads/weights.ts';
import { contraction } from './ops/contraction.ts';
import { run } from './run.ts';
import { add, formatShape, sizeOf, type Tensor, zeros } from './tensor.ts';

/** Bytes of the block of queries that is computed at a time: some eight tensors of its scores. */
const BLOCK_BYTES = 2 ** 28;
const TENSORS_OF_SCORES = 10;

/** Nodes with an entry for each query and key: values S, Z, M, P, gradients by the same letters. */
export type ScoreNode = 'S' | 'Z' | 'M' | 'P';

/** From and to, the end left out. */
export type Range = readonly [from: number, to: number];

export interface StreamedOptions {
  /** Bytes that the scores of a block of queries may take. */
  readonly blockBytes?: number;
  /** Told after each block: queries done, and of how many. */
  readonly tell?: (done: number, of: number) => void;
}

/** Of each query: the largest logit, the sum of exp(logit - largest), and the sum of P dP. */
interface Rows {
  readonly largest: Float64Array;
  readonly sums: Float64Array;
  readonly dots: Float64Array;
}

const rowsOf = ({ data, shape }: Tensor, [from, to]: Range): Tensor => {
  const width = shape[1];
  return { shape: [to - from, width], data: data.subarray(from * width, to * width) };
};

const sumOfSquares = ({ data }: Tensor): number =>
  data.reduce((sum, value) => sum + value * value, 0);

/** |A B^T|, of A (n, a) and B (m, a), by their Gram matrices (a, a). */
function normOfProduct(left: Tensor, right: Tensor): number {
  const gram = (own: Tensor): Float64Array => {
    const [i, a] = own.shape;
    return contraction('i a, i c -> a c', { i, a, c: a }, '').forward([own, own]).data;
  };
  const [first, second] = [gram(left), gram(right)];
  return Math.sqrt(first.reduce((sum, value, at) => sum + value * second[at], 0));
}

/** Throws ConfigError for what it cannot compute: it has one head, x to K, Q, V, without batch. */
function refuse(config: HeadConfig): void {
  const no = (entry: string, found: string, expected: string): never => {
    throw new ConfigError(entry, `found ${found}, expected ${expected} where tiles are computed`);
  };
  if (config.head !== 'qkv') no('head', config.head, 'qkv');
  if (!config.x || config.x.shape.length !== 2)
    no('x', config.x ? formatShape(config.x.shape) : 'none', '(tokens, features)');
  if (typeof config.mask === 'object' || config.mask === 'causal-bottom-right')
    no('mask', typeof config.mask === 'object' ? 'a tensor' : config.mask, 'none or causal');
  if (config.loss.kind !== 'upstream' && config.loss.kind !== 'half-squared-norm')
    no('loss', config.loss.kind, 'upstream or half-squared-norm');
  const others = [
    ...(['softcap', 'masks', 'dropout', 'window', 'alibi', 'positionBias', 'rope'] as const),
    ...(['past', 'start', 'qkNorm', 'softmax', 'zeroKey', 'temperature', 'xValue'] as const),
    ...(['block', 'latentNorm'] as const),
  ];
  for (const entry of others) if (config[entry] !== undefined) no(entry, 'it', 'none');
  for (const id of Object.keys(config.weights))
    if (!/^[Wb]_[KQV]$/.test(id)) no(`weights.${id}`, 'it', 'only projections');
}

/** Bytes that it keeps, and bytes of one tensor of scores as a whole. */
export function bytesStreamed(config: HeadConfig): {
  readonly kept: number;
  readonly whole: number;
} {
  const keys = config.x?.shape[0] ?? 0;
  const queries = config.xPrime?.shape[0] ?? keys;
  const inputs = [config.x, config.xPrime, ...Object.values(config.weights)];
  const entries = inputs.reduce((sum, each) => sum + (each ? sizeOf(each.shape) : 0), 0);
  const width = config.weights.W_V?.shape[1] ?? 0;
  const rows = (2 * keys + 2 * queries) * Math.max(width, config.weights.W_K?.shape[1] ?? 0);
  return { kept: 8 * (3 * entries + 3 * rows), whole: 8 * keys * queries };
}

/**
 * A run of one head of which no tensor (queries, keys) is kept. Its tiles are, bit for bit, those of `run`; so are the
 * values of the tokens and the gradients of the queries. What is summed over the queries, dK and dV and what comes of
 * them, is summed block by block, and equal up to rounding.
 */
export class Streamed {
  readonly config: HeadConfig;
  /** All that has no axis of queries by one of keys. */
  readonly values = new Map<NodeId, Tensor>();
  readonly gradients = new Map<NodeId, Tensor>();
  readonly queries: number;
  readonly keys: number;
  readonly #factor: number;
  readonly #rows: Rows;
  /** Sums of squares, of P and of dM. */
  readonly #squares = { weights: 0, passed: 0 };

  /** Throws ConfigError for what it cannot compute. */
  constructor(config: HeadConfig, { blockBytes = BLOCK_BYTES, tell }: StreamedOptions = {}) {
    refuse(config);
    const x = config.x!;
    const queriesOf = config.xPrime ?? x;
    this.config = config;
    [this.keys, this.queries] = [x.shape[0], queriesOf.shape[0]];
    const places = [
      ['K', x],
      ['Q', queriesOf],
      ['V', x],
    ] as const;
    for (const [id, source] of places) this.values.set(id, this.#project(id, source));
    this.#factor = scaleFactor(config, this.value('K').shape[1])!;
    const empty = (): Float64Array => new Float64Array(this.queries);
    this.#rows = { largest: empty(), sums: empty(), dots: empty() };
    const { shape: shapeV } = this.value('V');
    const out = (): Tensor => zeros([this.queries, shapeV[1]]);
    this.values.set('y', out()).set('f', zeros([]));
    this.gradients.set('y', out()).set('Q', zeros(this.value('Q').shape));
    this.gradients.set('K', zeros(this.value('K').shape)).set('V', zeros(shapeV));
    const most = Math.floor(blockBytes / (8 * TENSORS_OF_SCORES * this.keys) / 4) * 4;
    const size = Math.max(4, most);
    for (let from = 0; from < this.queries; from += size) {
      const to = Math.min(this.queries, from + size);
      this.#block([from, to]);
      tell?.(to, this.queries);
    }
    this.#passBack();
  }

  /** Throws RangeError where it is not kept: the figures, and what to do. */
  value(id: NodeId): Tensor {
    return this.values.get(id) ?? this.#noWhole(id);
  }

  gradient(id: NodeId): Tensor {
    return this.gradients.get(id) ?? this.#noWhole(`d${id}`);
  }

  /** Entries [queries, keys] of a node's value or gradient. Throws RangeError for what lies outside. */
  tile(id: ScoreNode, kind: 'value' | 'gradient', queries: Range, keys: Range): Tensor {
    for (const [[from, to], length] of [
      [queries, this.queries],
      [keys, this.keys],
    ] as const)
      if (!(from >= 0 && from < to && to <= length))
        throw new RangeError(`found ${from} to ${to}, expected a part of 0 to ${length}`);
    const logits = this.#products(this.value('Q'), queries, this.value('K'), keys);
    if (kind === 'value' && id === 'S') return logits;
    const factor = this.#factor;
    const isHidden = (j: number, i: number): boolean =>
      this.config.mask === 'causal' && keys[0] + i > queries[0] + j;
    const { largest, sums, dots } = this.#rows;
    const upstream =
      kind === 'gradient'
        ? this.#products(this.gradient('y'), queries, this.value('V'), keys)
        : null;
    const columns = keys[1] - keys[0];
    const data = new Float64Array(logits.data.length);
    for (let at = 0; at < data.length; at++) {
      const [j, i] = [Math.floor(at / columns), at % columns];
      const query = queries[0] + j;
      const hidden = isHidden(j, i);
      const scaled = factor * logits.data[at];
      const weight =
        hidden || largest[query] === -Infinity
          ? 0
          : exponential(scaled - largest[query]) / sums[query];
      if (!upstream)
        data[at] = id === 'Z' ? scaled : id === 'P' ? weight : hidden ? -Infinity : scaled;
      else if (id === 'P') data[at] = upstream.data[at];
      else {
        const passed = weight === 0 ? 0 : weight * (upstream.data[at] - dots[query]);
        data[at] = id === 'S' ? factor * passed : passed;
      }
    }
    return { shape: logits.shape, data };
  }

  /**
   * Frobenius norm of a score node's value or gradient. Of a product of the queries and the keys it is that of their
   * Gram matrices: |Q K^T|^2 = tr(Q^T Q K^T K).
   */
  norm(id: ScoreNode, kind: 'value' | 'gradient'): number {
    const hidesSome = this.config.mask === 'causal' && this.keys > 1;
    if (kind === 'value') {
      if (id === 'P') return Math.sqrt(this.#squares.weights);
      if (id === 'M' && hidesSome) return Infinity;
      const scores = normOfProduct(this.value('Q'), this.value('K'));
      return id === 'S' ? scores : Math.abs(this.#factor) * scores;
    }
    if (id === 'P') return normOfProduct(this.gradient('y'), this.value('V'));
    const passed = Math.sqrt(this.#squares.passed);
    return id === 'S' ? Math.abs(this.#factor) * passed : passed;
  }

  #noWhole(name: string): never {
    const { whole } = bytesStreamed(this.config);
    throw new RangeError(
      `${name} as a whole would take ${inWords(whole)}: it is kept only in tiles, which \`tile\` makes`,
    );
  }

  /** Sums over the features, in order. */
  #products(left: Tensor, rows: Range, right: Tensor, cols: Range): Tensor {
    const [a, b] = [rowsOf(left, rows), rowsOf(right, cols)];
    const extents = { i: b.shape[0], j: a.shape[0], a: a.shape[1] };
    return contraction('i a, j a -> j i', extents, '').forward([b, a]);
  }

  #projection(id: 'K' | 'Q' | 'V', source: Tensor): [ReturnType<typeof contraction>, Tensor[]] {
    const weight = this.config.weights[`W_${id}`];
    if (!weight) throw new ConfigError(`weights.W_${id}`, 'not given, and the head qkv needs it');
    const bias = this.config.weights[`b_${id}`];
    const extents = { i: source.shape[0], c: source.shape[1], a: weight.shape[1] };
    const spec = `i c, c a${bias ? ', a' : ''} -> i a`;
    return [contraction(spec, extents, ''), [source, weight, ...(bias ? [bias] : [])]];
  }

  #project(id: 'K' | 'Q' | 'V', source: Tensor): Tensor {
    const [operation, inputs] = this.#projection(id, source);
    return operation.forward(inputs);
  }

  /** Some queries, forward and backward: of their scores only what is said of their rows is kept. */
  #block(range: Range): void {
    const [from, to] = range;
    const { config } = this;
    const isCausal = config.mask === 'causal';
    // Keys beyond the last query are hidden from all of them.
    const seen: Range = [0, isCausal ? Math.min(to, this.keys) : this.keys];
    const first = isCausal && to <= this.keys;
    const { loss } = config;
    const graph = buildGraph({
      ...{ head: 'qkv', heads: 1, kvHeads: 1, weights: {}, axes: 'query-first' },
      ...(config.scale !== undefined && { scale: config.scale }),
      start: {
        K: rowsOf(this.value('K'), first ? seen : [0, this.keys]),
        Q: rowsOf(this.value('Q'), range),
        V: rowsOf(this.value('V'), first ? seen : [0, this.keys]),
      },
      mask: isCausal ? 'causal-bottom-right' : 'none',
      loss: loss.kind === 'upstream' ? { ...loss, G: rowsOf(loss.G, range) } : loss,
    });
    // Its memory is not kept for the next one, which is of another size.
    const { values, gradients } = run(graph);
    const put = (into: Tensor, part: Tensor): void =>
      into.data.set(part.data, from * part.shape[1]);
    put(this.value('y'), values.get('y')!);
    put(this.gradient('y'), gradients.get('y')!);
    put(this.gradient('Q'), gradients.get('Q')!);
    for (const id of ['K', 'V']) {
      const own = this.gradient(id).data;
      gradients.get(id)!.data.forEach((value, at) => void (own[at] += value));
    }
    this.value('f').data[0] += values.get('f')!.data[0];
    const logits = isCausal ? 'M' : 'Z';
    this.#note(range, values.get(logits)!, values.get('P')!, gradients.get('P')!);
    this.#squares.weights += sumOfSquares(values.get('P')!);
    this.#squares.passed += sumOfSquares(gradients.get(logits)!);
  }

  /** The sums of the rows, in the order in which the softmax makes them. */
  #note([from, to]: Range, logits: Tensor, weights: Tensor, upstream: Tensor): void {
    const length = logits.shape[1];
    const { largest, sums, dots } = this.#rows;
    for (let query = from; query < to; query++) {
      const start = (query - from) * length;
      let max = -Infinity;
      for (let at = start; at < start + length; at++)
        if (logits.data[at] > max || Number.isNaN(logits.data[at])) max = logits.data[at];
      let [total, dot] = [0, 0];
      for (let at = start; at < start + length; at++) {
        const weight = weights.data[at];
        if (weight === 0) continue;
        total += exponential(logits.data[at] - max);
        dot += weight * upstream.data[at];
      }
      [largest[query], sums[query], dots[query]] = [max, total, dot];
    }
  }

  /** From the projections on: to the weights, the biases and the tokens, in the order of reverse mode. */
  #passBack(): void {
    const { x, xPrime } = this.config;
    const places = [
      ['V', 'x', x!],
      ['Q', xPrime ? 'xPrime' : 'x', xPrime ?? x!],
      ['K', 'x', x!],
    ] as const;
    for (const [id, from, source] of places) {
      const [operation, inputs] = this.#projection(id, source);
      const parts = operation.vjp({ inputs, output: this.value(id) }, this.gradient(id));
      const before = this.gradients.get(from);
      this.gradients.set(from, before ? add(before, parts[0]) : parts[0]);
      this.gradients.set(`W_${id}`, parts[1]);
      if (parts[2]) this.gradients.set(`b_${id}`, parts[2]);
    }
  }
}
