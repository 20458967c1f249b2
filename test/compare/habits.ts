// Ways in which right programs log what they have: all or little, in other layouts, with anything where nothing matters.
import { type Graph, hasNode, nodeOf } from '../../src/engine/graph.ts';
import { indexOf, offsetOf, type Tensor } from '../../src/engine/tensor.ts';
import type { NamedTensor } from '../../src/formats/namedTensor.ts';
import { generator } from '../conformance/draw.mjs';

/** What a habit makes of a trace with an entry for every node; null where there is nothing to change. */
export type Habit = (
  all: readonly NamedTensor[],
  graph: Graph,
  seed: number,
) => readonly NamedTensor[] | null;

const nodeOfName = (graph: Graph, name: string): string =>
  name.startsWith('d') && hasNode(graph, name.slice(1)) ? name.slice(1) : name;

const only =
  (wanted: RegExp): Habit =>
  (all) => {
    const own = all.filter(({ name }) => wanted.test(name));
    return own.length > 0 ? own : null;
  };

/** Every tensor that `change` changes, in its place. */
const each =
  (change: (own: NamedTensor, graph: Graph, all: readonly NamedTensor[]) => NamedTensor): Habit =>
  (all, graph) => {
    const changed = all.map((own) => change(own, graph, all));
    return changed.some((own, n) => own !== all[n]) ? changed : null;
  };

/** Axes in another order. */
function permuted({ shape, data }: Tensor, order: readonly number[]): Tensor {
  const to = order.map((axis) => shape[axis]);
  const out = new Float64Array(data.length);
  for (let at = 0; at < out.length; at++) {
    const index = indexOf(to, at);
    const from = shape.map((_, axis) => index[order.indexOf(axis)]);
    out[at] = data[offsetOf(shape, from)];
  }
  return { shape: to, data: out };
}

const inOrder = (own: NamedTensor, order: readonly number[]): NamedTensor => ({
  ...own,
  tensor: permuted(own.tensor, order),
});

const swapped = (rank: number, a: number, b: number): number[] =>
  Array.from({ length: rank }, (_, n) => (n === a ? b : n === b ? a : n));

const filled = (own: NamedTensor, is: (at: number) => boolean, value: number): NamedTensor => ({
  ...own,
  tensor: { ...own.tensor, data: own.tensor.data.map((each_, at) => (is(at) ? value : each_)) },
});

const weights = (all: readonly NamedTensor[]): Float64Array | undefined =>
  all.find(({ name }) => name === 'P')?.tensor.data;

/** As torch and Hugging Face call them. */
const USUAL: Readonly<Record<string, string>> = {
  ...{ Q: 'query', K: 'key', V: 'value', P: 'attn_weights', y: 'attn_output' },
  ...{ dQ: 'grad_query', dK: 'grad_key', dV: 'grad_value', dP: 'grad_attn_weights' },
};

const SCORES = /^d?(S|Z|M|P|Pd)$/;
const PER_HEAD = /^d?([QKV]h|O)$/;
const BATCHED = /^d?(x|xPrime|K|Q|V|C|y)$/;

/** One or two that are transposed may be a mistake, and small ones tell too little: three or more are a convention. */
const outIn =
  (which: RegExp): Habit =>
  (all, graph, seed) =>
    all.filter(({ name, tensor }) => name.startsWith('dW_') && Math.min(...tensor.shape) > 2)
      .length < 3
      ? null
      : each((own) => (which.test(own.name) ? inOrder(own, [1, 0]) : own))(all, graph, seed);

export const HABITS: Readonly<Record<string, Habit>> = {
  everything: (all) => all,
  'inputs, output and gradients of the inputs': only(/^d?(x|xPrime|[Wb]_.|y)$|^f$/),
  'what a kernel gives': only(/^d?([QKV]h?|O|y)$/),
  'weights and output': only(/^(P|Pd|O|y)$/),
  'gradients alone': only(/^d/),
  'values alone': only(/^(?!d)/),
  'a part of it': (all, _, seed) => {
    const random = generator(seed);
    const own = all.filter(() => random() < 0.4);
    return own.length > 0 ? own : null;
  },
  'gradients of weights (out, in)': outIn(/^dW_/),
  'weights and their gradients (out, in)': outIn(/^d?W_/),
  'tokens before heads': each((own, graph) =>
    PER_HEAD.test(own.name) && nodeOf(graph, nodeOfName(graph, own.name)).shape.length > 2
      ? inOrder(
          own,
          swapped(
            own.tensor.shape.length,
            own.tensor.shape.length - 3,
            own.tensor.shape.length - 2,
          ),
        )
      : own,
  ),
  'tokens before batch entries': (all, graph) =>
    graph.extents['b'] > 1
      ? each((own) =>
          BATCHED.test(own.name) && own.tensor.shape.length === 3 ? inOrder(own, [1, 0, 2]) : own,
        )(all, graph, 0)
      : null,
  'usual names': each((own) => (USUAL[own.name] ? { ...own, name: USUAL[own.name] } : own)),
  'nothing computed where the weight is 0': each((own, graph, all) => {
    const P = weights(all);
    if (!P || !hasNode(graph, 'M') || !/^(S|Z)$|^d(P|Pd|M|Z|S)$/.test(own.name)) return own;
    return P.includes(0) && P.some((weight) => weight !== 0)
      ? filled(own, (at) => P[at] === 0, 0)
      : own;
  }),
  'hidden scores at -1e9': each((own) =>
    own.name === 'M' && own.tensor.data.includes(-Infinity)
      ? filled(own, (at) => own.tensor.data[at] === -Infinity, -1e9)
      : own,
  ),
  'hidden scores at the least number of float16': each((own) =>
    own.name === 'M' && own.tensor.data.includes(-Infinity)
      ? filled(own, (at) => own.tensor.data[at] === -Infinity, -65504)
      : own,
  ),
  'no scores, one batch axis more': (all, graph) =>
    graph.extents['b'] === undefined
      ? each((own) =>
          SCORES.test(own.name) || PER_HEAD.test(own.name) || BATCHED.test(own.name)
            ? { ...own, tensor: { ...own.tensor, shape: [1, ...own.tensor.shape] } }
            : own,
        )(all, graph, 0)
      : null,
};
