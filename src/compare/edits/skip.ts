// A step left out: the node is its operand as it is, forward or backward.
import { sameShape, type Tensor } from '../../engine/tensor.ts';
import { nodeOf } from '../../engine/graph.ts';
import { identity } from '../operations.ts';
import { type Family, operationAt } from './edit.ts';
import { contributionEdit, contributionsTo, stepEdit } from './make.ts';

export const skip: Family = (site) => {
  const { node, kind, graph } = site;
  const own = operationAt(site);
  if (kind === 'value') {
    if (own?.inputs.length !== 1 || !sameShape(nodeOf(graph, own.inputs[0]).shape, node.shape))
      return [];
    const [input] = own.inputs;
    const step = own.operation.name;
    return [
      stepEdit(
        site,
        node.id,
        {
          id: `${step.replaceAll(/[^a-z]+/g, '-')}-missing`,
          title: `no ${step}: ${node.id} is ${input}`,
          why: `${node.id} equals ${input}: the step between them (${step}) is not done.`,
          wrong: `${node.id} = ${input}`,
        },
        () => identity,
      ),
    ];
  }
  return contributionsTo(site, node.id).flatMap(({ from, slot }) => {
    if (from.inputs.length !== 1 || !sameShape(from.shape, node.shape)) return [];
    const step = from.operation.name;
    return [
      contributionEdit(
        site,
        from.id,
        slot,
        {
          id: `backward-${step.replaceAll(/[^a-z]+/g, '-')}-missing`,
          title: `the backward pass leaves out the ${step}: d${node.id} is d${from.id}`,
          why: `d${node.id} equals d${from.id}: the derivative of the ${step} between them is not applied.`,
          wrong: `d${node.id} = d${from.id}`,
        },
        (_, state): Tensor => state.gradient(from.id),
      ),
    ];
  });
};
