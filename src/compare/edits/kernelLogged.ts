// P as a kernel's backward pass has it, wrongly recomputed, while its output comes of the weights of its forward pass.
import { nodeOf, type OperationNode } from '../../engine/graph.ts';
import { map, type Tensor } from '../../engine/tensor.ts';
import { einsum } from '../einsum.ts';
import { onOperand, softmaxOver } from '../operations.ts';
import { type State, withContribution } from '../program.ts';
import { type Edit, type Family, roles } from './edit.ts';
import { beforeMask, FIX, MASK_FIX, ofDenominators, recomputed } from './kernelWeights.ts';
import { makeEdit } from './make.ts';

export const kernelLogged: Family = (site) => {
  if (site.kind !== 'value' || site.node.id !== 'P' || !site.target || site.config.dropout)
    return [];
  const { graph, node } = site;
  const { logits, output, weights } = roles(graph);
  const right = softmaxOver(node.axes, ['i'], graph.extents);
  const out = nodeOf(graph, output) as OperationNode;
  const D = (state: State): Tensor =>
    einsum(
      { tensor: state.value(output), axes: out.axes },
      { tensor: state.gradient(output), axes: out.axes },
      node.axes,
      graph.extents,
    );
  return [...recomputed(site), ...ofDenominators(site)].map(
    ({ id, title, wrong, of, isMask }): Edit =>
      makeEdit(
        site,
        'P',
        'value',
        {
          id: `kernel-recomputed-${id}`,
          title: `P is what the backward pass recomputes, wrongly: ${title}`,
          why: 'A kernel keeps no weights but each row’s L = m + log(Σ exp(M − m)), and recomputes P = exp(M − L) for the backward pass.',
          wrong,
          ...(isMask ? MASK_FIX : FIX),
          cost: 1.35,
        },
        (program) => {
          const own = program.forward.get('P')!;
          const mix = program.forward.get(output)!;
          const slot = mix.inputs.indexOf(weights);
          const forward = new Map(program.forward)
            .set('P', {
              inputs: [logits, beforeMask(site)],
              operation: { ...own.operation, forward: ([a, b]) => of(a, b) },
            })
            .set(output, {
              inputs: mix.inputs.map((input, n) => (n === slot ? logits : input)),
              operation: onOperand(mix.operation, slot, right),
            });
          return withContribution({ ...program, forward }, 'P', 0, (_, state) => {
            const dP = state.gradient('P').data;
            const sums = D(state).data;
            return map(state.value('P'), (p, at) => (p === 0 ? 0 : p * (dP[at] - sums[at])));
          });
        },
      ),
  );
};
