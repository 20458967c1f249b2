// P = e / Σ e, e = exp(logits − max), where automatic differentiation misses e or its sum: a detach in a hand-written softmax.
import { map, type Tensor, zeros } from '../../engine/tensor.ts';
import { fibres, spreadSum, weigh } from '../operations.ts';
import type { State } from '../program.ts';
import { type Edit, type Family, roles } from './edit.ts';
import { contributionEdit } from './make.ts';

const THROUGH =
  'The maximum is no constant of automatic differentiation: only in the whole softmax does it cancel.';

export const softmaxDetached: Family = (site) => {
  const { node, kind, graph } = site;
  const { logits } = roles(graph);
  if (kind !== 'gradient' || node.id !== logits) return [];
  const weighted = (state: State): Tensor => weigh(state.value('P'), state.gradient('P'));
  const sums = (state: State): Tensor =>
    spreadSum(weighted(state), node.axes, ['i'], graph.extents);
  /** The row's sum, at its largest score. */
  const atMaximum = (state: State): Tensor => {
    const scores = state.value(logits);
    const out = zeros(scores.shape);
    const D = sums(state).data;
    const { starts, steps } = fibres(node.axes, ['i'], graph.extents);
    for (const start of starts) {
      let best = start + steps[0];
      for (const step of steps)
        if (scores.data[start + step] > scores.data[best]) best = start + step;
      out.data[best] = D[best];
    }
    return out;
  };
  const minusShare = (state: State): Tensor => {
    const D = sums(state).data;
    return map(state.value('P'), (p, at) => -p * D[at]);
  };
  const add = (part: string, words: string, wrong: string, of: (state: State) => Tensor): Edit =>
    contributionEdit(
      site,
      'P',
      0,
      {
        id: `softmax-backward-${part}-detached`,
        title: `softmax backward: the ${part} is detached${words}`,
        why: `The exponentials and their sum both pass a gradient back. ${THROUGH}`,
        wrong: `d${logits} = ${wrong}`,
        cost: 1.25,
      },
      (_, state) => of(state),
    );
  return [
    add(
      'denominator',
      ', the maximum is not',
      'P ∘ dP − Σ P ∘ dP at the largest score',
      (state) => {
        const most = atMaximum(state).data;
        return map(weighted(state), (value, at) => value - most[at]);
      },
    ),
    add('numerator', '', '−P ∘ Σ P ∘ dP', minusShare),
    add(
      'numerator',
      ', the maximum is not',
      'Σ P ∘ dP at the largest score − P ∘ Σ P ∘ dP',
      (state) => {
        const most = atMaximum(state).data;
        return map(minusShare(state), (value, at) => value + most[at]);
      },
    ),
  ];
};
