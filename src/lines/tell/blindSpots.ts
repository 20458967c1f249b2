// Which mistakes a run cannot show: sizes that coincide, gradients that are alike, parts that are not there.
import type { HeadConfig } from '../../engine/config.ts';
import type { Graph } from '../../engine/graph.ts';
import { type Run, run as runGraph } from '../../engine/run.ts';
import { isZero, type Tensor } from '../../engine/tensor.ts';

/** One reason why a right result says less than it seems to. */
export interface BlindSpot {
  readonly id: string;
  /** What is so in this run: "5 tokens and 5 heads". */
  readonly because: string;
  /** The mistakes that then leave no trace. */
  readonly hides: string;
}

/** The sizes that decide what a mistake can be mistaken for; 1 where an axis is not there. */
interface Sizes {
  readonly batch: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly keys: number;
  readonly queries: number;
  readonly keyWidth: number;
  readonly valueWidth: number;
  readonly inputWidth: number;
}

interface Seen {
  readonly config: HeadConfig;
  readonly sizes: Sizes;
  readonly value: (node: string) => Tensor | undefined;
  readonly gradient: (node: string) => Tensor | undefined;
}

interface Rule {
  readonly id: string;
  /** What is so in this run, or null. */
  readonly when: (seen: Seen) => string | null;
  readonly hides: string;
}

const equal = (one: number, what: string, other: number, than: string): string | null =>
  one === other && one > 1 ? `${one} ${what} and ${other} ${than}` : null;

const RULES: readonly Rule[] = [
  {
    id: 'heads-are-tokens',
    when: ({ sizes: s }) =>
      equal(s.heads, 'heads', s.queries, 'queries') ?? equal(s.heads, 'heads', s.keys, 'keys'),
    hides: 'heads and tokens exchanged, a split or merge of heads without its transpose',
  },
  {
    id: 'batch-is-an-axis',
    when: ({ sizes: s }) =>
      equal(s.batch, 'batch entries', s.queries, 'queries') ??
      equal(s.batch, 'batch entries', s.heads, 'heads'),
    hides: 'the batch taken for tokens or heads, a mask broadcast along the wrong axis',
  },
  {
    id: 'square',
    when: ({ sizes: s }) => equal(s.keys, 'keys', s.queries, 'queries'),
    hides:
      'a transpose of the weights that is missing, a causal mask that is aligned at the other corner',
  },
  {
    id: 'widths',
    when: ({ sizes: s }) => equal(s.keyWidth, 'features of a key', s.valueWidth, 'of a value'),
    hides: 'a width of the values taken for that of the keys, in the scale or in a split',
  },
  {
    id: 'square-weights',
    when: ({ sizes: s }) =>
      equal(s.inputWidth, 'input features', s.keyWidth * s.heads, 'features of all heads'),
    hides: 'a weight used transposed',
  },
  {
    id: 'width-is-length',
    when: ({ sizes: s }) => equal(s.keyWidth, 'features of a key', s.keys, 'keys'),
    hides: 'a scale by the number of keys, a product over the wrong axis',
  },
  {
    id: 'one-batch-entry',
    when: ({ sizes }) => (sizes.batch === 1 ? 'one batch entry' : null),
    hides: 'a sum over the batch that is missing, or a mean in its place',
  },
  {
    id: 'one-head',
    when: ({ config, sizes }) =>
      config.head === 'multihead' && sizes.heads === 1 ? 'one head' : null,
    hides: 'every mistake about heads: how they are split and merged, the width that scales',
  },
  {
    id: 'no-groups',
    when: ({ config, sizes: s }) =>
      config.head === 'multihead' && s.heads > 1 && s.heads === s.kvHeads
        ? 'a key head per query head'
        : null,
    hides: 'the sum over the query heads of a group, the order in which key heads are repeated',
  },
  {
    id: 'no-mask',
    when: ({ config }) =>
      config.mask === 'none' && config.window === undefined ? 'nothing is masked' : null,
    hides: 'a mask that is shifted, inverted, or left out in the backward pass',
  },
  {
    id: 'equal-upstream',
    when: ({ gradient }) => {
      const upstream = gradient('y');
      if (!upstream || upstream.data.length < 2) return null;
      const [first] = upstream.data;
      return upstream.data.every((each) => each === first) ? `df/dy is ${first} everywhere` : null;
    },
    hides: 'dy transposed or of another token, a sum in place of a product with dy',
  },
  {
    id: 'equal-weights',
    when: ({ value, sizes }) => {
      const scores = value('Z') ?? value('S');
      if (!scores) return null;
      const largest = scores.data.reduce((most, each) => Math.max(most, Math.abs(each)), 0);
      return largest < 0.05 && sizes.keys > 1
        ? 'the scores are nearly 0, the weights nearly equal'
        : null;
    },
    hides: 'a wrong scale, a softmax over another axis of the same length, most of the Jacobian',
  },
  {
    id: 'zero-bias',
    when: ({ config }) => {
      const biases = [
        config.weights.b_K,
        config.weights.b_Q,
        config.weights.b_V,
        config.weights.b_O,
      ];
      const given = biases.filter((each) => each !== undefined);
      return given.length > 0 && given.every(isZero) ? 'every bias is 0' : null;
    },
    hides: 'a bias that is left out or added twice',
  },
  {
    id: 'aligned-corner',
    when: ({ config, sizes: s }) =>
      config.mask === 'causal' && s.keys === s.queries && !config.past
        ? 'as many keys as queries under a causal mask'
        : null,
    hides: 'an offset of the mask for keys that came earlier',
  },
];

/** Shapes as the head's nodes have them; `run` is of the graph of `config`. */
export function blindSpots(config: HeadConfig, run: Run): BlindSpot[] {
  const seen: Seen = {
    config,
    sizes: sizesOf(config, run),
    value: (node) => run.values.get(node),
    gradient: (node) => run.gradients.get(node),
  };
  return RULES.flatMap(({ id, when, hides }) => {
    const because = when(seen);
    return because === null ? [] : [{ id, because, hides }];
  });
}

/** What a right result does not show, as it is told: of the run that `graph` computes. */
export const notShown = (config: HeadConfig, graph: Graph): Omit<BlindSpot, 'id'>[] =>
  blindSpots(config, runGraph(graph)).map(({ because, hides }) => ({ because, hides }));

function sizesOf(config: HeadConfig, { values }: Run): Sizes {
  const last = (node: string, back: number): number => values.get(node)?.shape.at(-back) ?? 1;
  const multihead = config.head === 'multihead';
  const keys = multihead ? 'Kh' : 'K';
  const output = values.get('y')!;
  const weights = values.get('P')!;
  const [rows, columns] = [weights.shape.at(-2)!, weights.shape.at(-1)!];
  const queryFirst = config.axes === 'query-first';
  return {
    batch: output.shape.length === 3 ? output.shape[0] : 1,
    heads: multihead ? config.heads : 1,
    kvHeads: multihead ? config.kvHeads : 1,
    keys: queryFirst ? columns : rows,
    queries: queryFirst ? rows : columns,
    keyWidth: last(keys, 1),
    valueWidth: config.head === 'kq' ? last('x', 1) : last(multihead ? 'Vh' : 'V', 1),
    inputWidth: last('x', 1),
  };
}
