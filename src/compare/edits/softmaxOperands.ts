// The softmax's gradient A ∘ (dP − Σ B ∘ dP) where another tensor of that shape stands for the weights: a buffer used twice.
import { hasNode } from '../../engine/graph.ts';
import { map, type Tensor } from '../../engine/tensor.ts';
import { spreadSum, weigh } from '../operations.ts';
import { type State, withContribution } from '../program.ts';
import { type Edit, type Family, roles } from './edit.ts';
import { makeEdit } from './make.ts';

export const softmaxOperands: Family = (site) => {
  const { node, kind, graph } = site;
  const { logits } = roles(graph);
  if (kind !== 'gradient' || node.id !== logits) return [];
  const dP = (state: State): Tensor => state.gradient('P');
  const P = (state: State): Tensor => state.value('P');
  const { axes } = node;
  const forms = [
    ['dP ∘ (dP − Σ dP ∘ dP)', dP, dP],
    ['dP ∘ (dP − Σ P ∘ dP)', dP, P],
    ['P ∘ (dP − Σ dP ∘ dP)', P, dP],
  ] as const;
  // Where dP multiplies, hidden entries are not 0 unless the mask is applied once more.
  const stops = hasNode(graph, 'M') ? [true, false] : [true];
  return forms.flatMap(([formula, outer, inner]) =>
    stops.map((isStopped): Edit => {
      const made = (state: State): Tensor => {
        const [A, B, own, weights] = [outer(state), inner(state), dP(state), P(state)];
        const D = spreadSum(weigh(B, own), axes, ['i'], graph.extents);
        return map(A, (value, at) =>
          isStopped && weights.data[at] === 0 ? 0 : value * (own.data[at] - D.data[at]),
        );
      };
      return makeEdit(
        site,
        node.id,
        'gradient',
        {
          id: 'softmax-backward-upstream-for-weights',
          title: `softmax backward: dP multiplies where the weights P belong: d${logits} = ${formula}`,
          why: `d${logits} is P ∘ (dP − Σ P ∘ dP); here dP stands for P, as where P is overwritten by dP (the output’s buffer aliases it) before it is used.`,
          wrong: `d${logits} = ${formula}`,
          cost: 1.2,
        },
        (program) => {
          const own = withContribution(program, 'P', 0, (_, state) => made(state));
          return isStopped ? own : withContribution(own, 'M', 0, (_, state) => state.gradient('M'));
        },
      );
    }),
  );
};
