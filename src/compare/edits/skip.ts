// A step left out: the node is its operand as it is, forward or backward.
import { nodeOf, type OperationNode } from '../../engine/graph.ts';
import { sameShape } from '../../engine/tensor.ts';
import { identity } from '../program/operations.ts';
import { type Edit, type Family, operationAt, type Site } from './edit.ts';
import { contributionEdit, contributionsTo, stepEdit } from './make.ts';

/** Steps that change their first operand by the others. */
const CHANGING = /^(gate|residual|position bias|.* norm)$/;

/** What is left out with a step, as an id and in words; null where nothing is left then. */
function leftOut({
  inputs,
  operation: { name },
}: OperationNode): [id: string, words: string] | null {
  if (name === 'contraction') return ['product', `product with ${inputs[1]}`];
  if (inputs.length > 1 && !CHANGING.test(name)) return null;
  return [name.toLowerCase().replaceAll(/[^a-z]+/g, '-'), name];
}

export const skip: Family = (site) => (site.kind === 'value' ? forward(site) : backward(site));

function forward(site: Site): Edit[] {
  const { node, graph } = site;
  const own = operationAt(site);
  const step = own && leftOut(own);
  if (!step || !sameShape(nodeOf(graph, own.inputs[0]).shape, node.shape)) return [];
  const [[id, words], [input]] = [step, own.inputs];
  const say = {
    id: `${id}-missing`,
    title: `no ${words}: ${node.id} is ${input}`,
    why: `${node.id} equals ${input}: the step between them (${words}) is not done.`,
    wrong: `${node.id} = ${input}`,
    cost: id === 'product' ? 1.1 : 1,
  };
  return [stepEdit(site, node.id, say, () => ({ operation: identity, inputs: [input] }))];
}

const backward = (site: Site): Edit[] =>
  contributionsTo(site, site.node.id).flatMap(({ from, slot }) => {
    const step = leftOut(from);
    const isFirst = slot === 0 || from.inputs.length === 1;
    if (!step || !isFirst || !sameShape(from.shape, site.node.shape)) return [];
    const [id, words] = step;
    const [own, upstream] = [`d${site.node.id}`, `d${from.id}`];
    const say = {
      id: `backward-${id}-missing`,
      title: `the backward pass leaves out the ${words}: ${own} is ${upstream}`,
      why: `${own} equals ${upstream}: the derivative of the ${words} between them is not applied.`,
      wrong: `${own} = ${upstream}`,
    };
    return [contributionEdit(site, from.id, slot, say, (_, state) => state.gradient(from.id))];
  });
