// The softmax's gradient with its row sum taken elsewhere (D = Σ O ∘ dO, as FlashAttention does), or of other weights.
import { hasNode, nodeOf, type NodeId } from '../../engine/graph.ts';
import { map, sameShape, type Tensor, zeros } from '../../engine/tensor.ts';
import {
  exponentials,
  fibres,
  gather,
  permutationTable,
  softmaxOver,
  spreadSum,
  weigh,
} from '../operations.ts';
import { sumTo } from '../einsum.ts';
import type { State } from '../program.ts';
import { type Edit, type Site, roles } from './edit.ts';
import { beforeMask, staleRows } from './kernelWeights.ts';
import { contributionEdit } from './make.ts';

type Read = (state: State) => Tensor;

export function softmaxBackwardSums(site: Site): Edit[] {
  const { graph, config } = site;
  const { logits, output } = roles(graph);
  const { axes } = site.node;
  const { extents } = graph;
  const P: Read = (state) => state.value('P');
  const rows = fibres(axes, ['i'], extents);
  const add = (
    id: string,
    title: string,
    wrong: string,
    why: string,
    formula: Read,
    cost = 1.2,
  ): Edit =>
    contributionEdit(
      site,
      'P',
      0,
      {
        id: `softmax-backward-${id}`,
        title: `softmax backward: ${title}`,
        why,
        wrong: `d${logits} = ${wrong}`,
        cost,
      },
      (_, state) => formula(state),
    );
  /** W ∘ (dP − D) */
  const minus = (state: State, weights: Tensor, D: Tensor, dP = state.gradient('P')): Tensor =>
    map(weights, (w, at) => (w === 0 ? 0 : w * (dP.data[at] - D.data[at])));
  /** One number for each row, spread over it. */
  const perRow = (input: Tensor, of: (row: Float64Array) => number): Tensor => {
    const out = zeros(input.shape);
    const row = new Float64Array(rows.steps.length);
    for (const start of rows.starts) {
      for (let n = 0; n < row.length; n++) row[n] = input.data[start + rows.steps[n]];
      const value = of(row);
      for (const step of rows.steps) out.data[start + step] = value;
    }
    return out;
  };
  const rowSums = (input: Tensor): Tensor => spreadSum(input, axes, ['i'], extents);
  const weighted: Read = (state) => weigh(P(state), state.gradient('P'));
  const sum = (row: Float64Array): number => row.reduce((total, value) => total + value, 0);
  const right: Read = (state) => rowSums(weighted(state));
  /** Σ a ∘ da over the letters that scores do not have, and over `more`, times a factor. */
  const products =
    (id: NodeId, more: string, factor: number): Read =>
    (state) => {
      const own = nodeOf(graph, id).axes;
      const { data } = state.gradient(id);
      const product = map(state.value(id), (value, at) => factor * value * data[at]);
      return sumTo({ tensor: product, axes: own }, axes, extents, more);
    };
  const why =
    'The row sum Σ P ∘ dP equals Σ O ∘ dO of one head and one query; here another sum is taken.';
  const width = extents[graph.head === 'kq' ? 'c' : 'v'];
  const edits: Edit[] = [
    add(
      'sum-is-mean',
      `D = mean(${output} ∘ d${output}), a mean over the features instead of their sum`,
      `P ∘ (dP − mean(${output} ∘ d${output}))`,
      why,
      (state) => minus(state, P(state), products(output, '', 1 / width)(state)),
    ),
    ...otherProducts(),
    ...wrongIndices(),
    add(
      'maximum',
      'the maximum of dP is subtracted instead of the row sum Σ P ∘ dP',
      'P ∘ (dP − max dP)',
      'The largest entry is no mean.',
      (state) =>
        minus(
          state,
          P(state),
          perRow(state.gradient('P'), (row) => Math.max(...row)),
        ),
    ),
    add(
      'maximum',
      'the maximum of P ∘ dP is subtracted instead of its row sum',
      'P ∘ (dP − max P ∘ dP)',
      'The largest entry is no sum.',
      (state) =>
        minus(
          state,
          P(state),
          perRow(weighted(state), (row) => Math.max(...row)),
        ),
      1.3,
    ),
    ...[0.5, 2].map((factor) =>
      add(
        'sum-factor',
        `the sum term has a factor ${factor}`,
        `P ∘ (dP − ${factor} · Σ P ∘ dP)`,
        'The sum term is subtracted once.',
        (state) =>
          minus(
            state,
            P(state),
            map(right(state), (value) => factor * value),
          ),
        1.5,
      ),
    ),
    ...(
      [
        ['last', (row: Float64Array) => row.slice(0, -1)],
        ['first', (row: Float64Array) => row.slice(1)],
      ] as const
    ).map(([words, part]) =>
      add(
        'sum-skips-a-key',
        `the row sum skips the ${words} key`,
        `P ∘ (dP − Σ P ∘ dP without the ${words} key)`,
        'The loop of the row sum has the wrong bounds.',
        (state) =>
          minus(
            state,
            P(state),
            perRow(weighted(state), (row) => sum(part(row))),
          ),
        1.3,
      ),
    ),
  ];
  if (graph.head === 'multihead') {
    edits.push(
      add(
        'sum-over-all-heads',
        `D = Σ ${output} ∘ d${output} over all heads together (or of the merged tensors)`,
        `P ∘ (dP − Σ over heads and features of ${output} ∘ d${output})`,
        why,
        (state) => minus(state, P(state), products(output, 'hrg', 1)(state)),
      ),
    );
    if (hasNode(graph, 'C'))
      edits.push(
        add(
          'sum-of-output',
          'D = Σ y ∘ dy, after the projection W_O',
          'P ∘ (dP − Σ y ∘ dy)',
          why,
          (state) => minus(state, P(state), products('y', '', 1)(state)),
        ),
      );
  }
  if (config.dropout) {
    const dPd = (state: State): Tensor => state.gradient('Pd');
    edits.push(
      ...([true, false] as const).map((everywhere) =>
        add(
          'gradient-after-dropout',
          `dPd stands where dP belongs${everywhere ? '' : ', outside the sum'}`,
          everywhere ? 'P ∘ (dPd − Σ P ∘ dPd)' : 'P ∘ (dPd − Σ P ∘ dP)',
          'The softmax is before the dropout: its gradient is dP.',
          (state) => {
            const D = everywhere ? rowSums(weigh(P(state), dPd(state))) : right(state);
            return minus(state, P(state), D, dPd(state));
          },
        ),
      ),
      add(
        'sum-without-dropout',
        'D = Σ O ∘ dO with the output before dropout',
        'P ∘ (dP − Σ P ∘ dPd)',
        why,
        (state) => minus(state, P(state), rowSums(weigh(P(state), dPd(state)))),
      ),
    );
  }
  /** Scores stand for weights: a hidden one, where it is not left at -inf, counts for nothing. */
  const scores = ['M', 'Z', 'S'].filter((id) => hasNode(graph, id));
  const others: [string, string, Read][] = [
    ['P²', 'squared weights', (state) => map(P(state), (p) => p * p)],
    [
      'P ∘ (1 − P)',
      'the derivatives P (1 − P) of a sigmoid',
      (state) => map(P(state), (p) => p * (1 - p)),
    ],
    ...scores.map((id): [string, string, Read] => [
      id,
      'scores',
      (state) => map(state.value(id), (value) => (value === -Infinity ? 0 : value)),
    ]),
    [
      'exp(M − max)',
      'exponentials that are not normalised',
      (state) => exponentials(state.value(logits), rows),
    ],
    [
      'exp(M)',
      'exponentials that are not normalised',
      (state) => exponentials(state.value(logits), rows, false),
    ],
    ...(hasNode(graph, 'Z') && logits !== 'S'
      ? [
          [
            'softmax(S)',
            'weights recomputed without the scale',
            (state) => softmaxOver(axes, ['i'], extents).forward([state.value('S')]),
          ] as [string, string, Read],
        ]
      : []),
    ...(hasNode(graph, 'M')
      ? [
          [
            `softmax(${beforeMask(site)})`,
            'weights recomputed without the mask',
            (state) => softmaxOver(axes, ['i'], extents).forward([state.value(beforeMask(site))]),
          ] as [string, string, Read],
        ]
      : []),
    ...staleRows(site).map(([words, of]): [string, string, Read] => [
      'P of other rows',
      `P of ${words}`,
      (state) => of.forward([P(state)]),
    ]),
    [
      'softmax over the queries',
      'weights normalised over the queries',
      (state) => softmaxOver(axes, ['j'], extents).forward([state.value(logits)]),
    ],
  ];
  if (extents['i'] === extents['j']) {
    const swap = (letter: string): string => (letter === 'i' ? 'j' : letter === 'j' ? 'i' : letter);
    const turn = gather(permutationTable(axes, axes.flat().map(swap), extents), site.node.shape);
    others.push(['P^T', 'weights transposed', (state) => turn.forward([P(state)])]);
  }
  for (const [symbol, words, weights] of others) {
    const text = `${words} stand where the weights P belong (${symbol})`;
    const reason = `The weights P are needed, not ${symbol}.`;
    edits.push(
      add('wrong-weights', text, `W ∘ (dP − Σ W ∘ dP), W = ${symbol}`, reason, (state) => {
        const W = weights(state);
        return minus(state, W, rowSums(weigh(W, state.gradient('P'))));
      }),
      add(
        'wrong-weights',
        `${text}, outside the sum`,
        `W ∘ (dP − Σ P ∘ dP), W = ${symbol}`,
        reason,
        (state) => minus(state, weights(state), right(state)),
        1.25,
      ),
      add(
        'wrong-weights',
        `${text}, in the sum`,
        `P ∘ (dP − Σ W ∘ dP), W = ${symbol}`,
        reason,
        (state) => minus(state, P(state), rowSums(weigh(weights(state), state.gradient('P')))),
        1.3,
      ),
    );
  }
  return edits;

  /** An index of the Jacobian P_l (δ_li − P_i) that is another. */
  function wrongIndices(): Edit[] {
    const squares: Read = (state) => weigh(P(state), weighted(state));
    return [
      add(
        'jacobian-index',
        'P of the summed key stands where P of the own key belongs',
        'P ∘ dP − Σ P² ∘ dP',
        'The Jacobian is P[l] (δ[l,i] − P[i]); here it is P[l] (δ[l,i] − P[l]).',
        (state) => {
          const sums = rowSums(squares(state));
          return map(weighted(state), (value, at) => value - sums.data[at]);
        },
      ),
      add(
        'diagonal-twice',
        'the diagonal of the Jacobian is subtracted twice',
        'P ∘ (1 − P) ∘ dP − P ∘ Σ P ∘ dP',
        'P (1 − P) on the diagonal has the − P² already that the sum over all keys has too.',
        (state) => {
          const own = minus(state, P(state), right(state));
          const twice = squares(state);
          return map(own, (value, at) => value - twice.data[at]);
        },
      ),
      add(
        'sum-of-squares-of-weights',
        'D = Σ P ∘ P instead of Σ P ∘ dP',
        'P ∘ (dP − Σ P ∘ P)',
        'The weights are multiplied by themselves, not by their gradients.',
        (state) => minus(state, P(state), rowSums(weigh(P(state), P(state)))),
      ),
    ];
  }

  /** D = Σ a ∘ da with another factor of the same shape. */
  function otherProducts(): Edit[] {
    const { values, queries, keys } = roles(graph);
    const own = nodeOf(graph, output);
    const { T } = config.loss.kind === 'target' ? config.loss : {};
    const like = [values, queries, keys].filter((id) =>
      sameShape(nodeOf(graph, id).shape, own.shape),
    );
    const withUpstream =
      (of: Read): Read =>
      (state) =>
        weigh(state.gradient(output), of(state));
    const list: [string, Read][] = [
      [`d${output} ∘ d${output}`, withUpstream((state) => state.gradient(output))],
      [`${output} ∘ ${output}`, (state) => weigh(state.value(output), state.value(output))],
      ...like.map((id): [string, Read] => [
        `${id} ∘ d${output}`,
        withUpstream((state) => state.value(id)),
      ]),
    ];
    if (T && sameShape(T.shape, own.shape))
      list.push([`target ∘ d${output}`, withUpstream(() => T)]);
    return list.map(([words, of]) =>
      add(
        'sum-of-other-product',
        `D = Σ ${words} instead of Σ ${output} ∘ d${output}`,
        `P ∘ (dP − Σ ${words})`,
        why,
        (state) =>
          minus(state, P(state), sumTo({ tensor: of(state), axes: own.axes }, axes, extents)),
      ),
    );
  }
}
