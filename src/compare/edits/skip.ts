// A step left out: the node is its operand as it is, forward or backward.
import { sameShape, type Tensor } from '../../engine/tensor.ts';
import { nodeOf } from '../../engine/graph.ts';
import { identity } from '../program/operations.ts';
import { type Edit, type Family, operationAt } from './edit.ts';
import { contributionEdit, contributionsTo, stepEdit } from './make.ts';

const slug = (step: string): string => step.toLowerCase().replaceAll(/[^a-z]+/g, '-');

/** Steps that change their first operand by the others. */
const CHANGING = /^(gate|residual|position bias|.* norm)$/;

export const skip: Family = (site) => {
  const { node, kind, graph } = site;
  const own = operationAt(site);
  if (kind === 'value') {
    if (own?.operation.name === 'contraction') return products(site, own.inputs);
    const isOne = own?.inputs.length === 1 || CHANGING.test(own?.operation.name ?? '');
    if (!own || !isOne || !sameShape(nodeOf(graph, own.inputs[0]).shape, node.shape)) return [];
    const [input] = own.inputs;
    const step = own.operation.name;
    return [
      stepEdit(
        site,
        node.id,
        {
          id: `${slug(step)}-missing`,
          title: `no ${step}: ${node.id} is ${input}`,
          why: `${node.id} equals ${input}: the step between them (${step}) is not done.`,
          wrong: `${node.id} = ${input}`,
        },
        () => ({ operation: identity, inputs: [input] }),
      ),
    ];
  }
  return contributionsTo(site, node.id).flatMap(({ from, slot }) => {
    if (!sameShape(from.shape, node.shape) || (slot > 0 && from.inputs.length > 1)) return [];
    const isProduct = from.operation.name === 'contraction';
    const isOne = from.inputs.length === 1 || CHANGING.test(from.operation.name);
    if (!isOne && !isProduct) return [];
    const step = isProduct ? `product with ${from.inputs[1]}` : from.operation.name;
    return [
      contributionEdit(
        site,
        from.id,
        slot,
        {
          id: `backward-${isProduct ? 'product' : slug(step)}-missing`,
          title: `the backward pass leaves out the ${step}: d${node.id} is d${from.id}`,
          why: `d${node.id} equals d${from.id}: the derivative of the ${step} between them is not applied.`,
          wrong: `d${node.id} = d${from.id}`,
        },
        (_, state): Tensor => state.gradient(from.id),
      ),
    ];
  });
};

/** y = C for y = C W_O. */
function products(site: Parameters<Family>[0], [input, other]: readonly string[]): Edit[] {
  const { node, graph } = site;
  if (!sameShape(nodeOf(graph, input).shape, node.shape)) return [];
  const say = {
    id: 'product-missing',
    title: `the product with ${other} is left out: ${node.id} is ${input}`,
    why: `${node.id} equals ${input}: it is not multiplied by ${other}.`,
    wrong: `${node.id} = ${input}`,
    cost: 1.1,
  };
  return [stepEdit(site, node.id, say, () => ({ operation: identity, inputs: [input] }))];
}
