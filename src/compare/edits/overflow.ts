// NaN and infinity in the softmax: the maximum not subtracted, or taken over more than the row; rows without a key.
import { blindStarts, fibres } from '../program/operations.ts';
import type { StepOperation } from '../program/program.ts';
import { type Edit, type Family, longLetters, roles, type Site } from './edit.ts';
import { type Say, stepEdit } from './make.ts';
import { letterNames, subsets } from '../mistakes/names/softmaxBackward.ts';

/** Softmax in the person's number type, with the maximum over those letters subtracted. */
function softmaxOf({ node, graph, type }: Site, over: readonly string[]): StepOperation {
  const rows = fibres(node.axes, ['i'], graph.extents);
  return {
    name: 'softmax',
    forward: ([input]) => {
      const data = input.data.slice();
      const blocks = over.length > 0 ? fibres(node.axes, over, graph.extents) : null;
      for (const start of blocks?.starts ?? []) {
        let max = -Infinity;
        for (const step of blocks!.steps) max = Math.max(max, input.data[start + step]);
        for (const step of blocks!.steps) data[start + step] -= max;
      }
      for (const start of rows.starts) {
        let sum = 0;
        for (const step of rows.steps) {
          data[start + step] = type.round(Math.exp(data[start + step]));
          sum = type.round(sum + data[start + step]);
        }
        for (const step of rows.steps) data[start + step] /= sum;
      }
      return { shape: input.shape, data };
    },
    vjp({ output }, upstream) {
      const data = upstream.data.slice();
      for (const start of rows.starts) {
        let dot = 0;
        for (const step of rows.steps)
          dot += output.data[start + step] * upstream.data[start + step];
        for (const step of rows.steps)
          data[start + step] = output.data[start + step] * (upstream.data[start + step] - dot);
      }
      return [{ shape: upstream.shape, data }];
    },
  };
}

export const overflow: Family = (site) => {
  const { node, kind, graph, type, state, goal } = site;
  if (kind !== 'value' || node.id !== 'P') return [];
  // With a sink, the plain softmax of finite numbers is one that lacks it.
  const isPlain = node.kind === 'operation' && node.operation.name === 'softmax';
  if (!isPlain && goal.user.data.every(Number.isFinite)) return [];
  const { logits } = roles(graph);
  const edit = (over: readonly string[], say: Say): Edit =>
    stepEdit(site, 'P', say, () => softmaxOf(site, over));
  const missing = edit([], {
    id: 'softmax-overflow',
    title: `exp overflows in ${type.name}: the maximum is not subtracted`,
    why: `The exponentials of large scores are infinite in ${type.name}, and infinity over infinity is NaN. Subtracting the row's maximum changes nothing else.`,
    wrong: `P = exp(${logits}) / Σ exp(${logits})`,
  });
  const wider = subsets(longLetters(node, graph))
    .filter((set) => set.join() !== 'i')
    .map((set) =>
      edit(set, {
        id: 'softmax-max-wrong-axis',
        title: `the maximum is taken over the ${letterNames(set)} instead of the row`,
        why: 'Rows far below that maximum underflow to 0, and 0/0 is NaN.',
        wrong: `P = exp(${logits} − max_${set.join('')}) / Σ_i ...`,
        cost: 1.1,
      }),
    );
  const rows = fibres(node.axes, ['i'], graph.extents);
  if (blindStarts(rows, state.value(logits)).length === 0) return [missing, ...wider];
  const blind = edit(['i'], {
    id: 'fully-masked-row',
    title: 'a query that sees no key gives NaN',
    why: 'The softmax of a row of −∞ is 0/0 = NaN, which then poisons every gradient it reaches. Give such rows zeros.',
    wrong: `P = softmax(${logits}) with a row of −∞`,
    numpy: 'P = np.where(hidden.all(-1, keepdims=True), 0, P)',
    pytorch: 'P = torch.nan_to_num(P)  # or mask such rows before the softmax',
    cost: 0.9,
  });
  return [missing, ...wider, blind];
};
