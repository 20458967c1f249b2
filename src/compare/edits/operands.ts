// The wrong tensor in the right place: K for Q, logits for weights, dP for dM, W_K for W_V; or that before a step left out.
import { hasNode, nodeOf, type NodeId, type OperationNode } from '../../engine/graph.ts';
import { replacedAt } from '../../engine/lists.ts';
import { sameShape, type Tensor } from '../../engine/tensor.ts';
import { nodesLike, otherOperands, strangeness } from '../mistakes/names/contributions.ts';
import { identity } from '../program/operations.ts';
import { type Step, withStep } from '../program/program.ts';
import { type Edit, type Family, operationAt, type Site } from './edit.ts';
import { contributionEdit, contributionsTo, gradientEdit, makeEdit, stepEdit } from './make.ts';
import { inputEdit } from './spots.ts';

export const operands: Family = (site) =>
  site.kind === 'value' ? valueEdits(site) : gradientEdits(site);

function valueEdits(site: Site): Edit[] {
  const own = operationAt(site);
  if (!own) return site.target ? sameAs(site) : [];
  const { graph } = site;
  const { id, inputs } = own;
  const before = new Set(graph.nodes.slice(0, graph.nodes.indexOf(own)).map((node) => node.id));
  const edits = inputs.flatMap((input, slot) =>
    nodesLike(site, input)
      .filter((other) => before.has(other))
      .map((other) => {
        const say = {
          id: 'wrong-operand',
          title: `${skipped(site, input, other)}${id} is computed from ${other} instead of ${input}`,
          why: `${id} comes out exactly if ${other} stands where ${input} belongs.`,
          wrong: `${id} with ${other} for ${input}`,
          cost: strangeness(input, other),
        };
        return stepEdit(site, id, say, (step) => ({
          ...step,
          inputs: replacedAt(step.inputs, slot, other),
        }));
      }),
  );
  const [first, second] = inputs.map((input) => nodeOf(graph, input).shape);
  if (inputs.length === 2 && sameShape(first, second)) {
    const say = {
      id: 'operands-swapped',
      title: `${inputs.join(' and ')} are swapped in ${id}`,
      why: `${id} comes out exactly if its two operands change places: it is the transpose of the right one.`,
      wrong: `${id} with ${inputs[0]} and ${inputs[1]} exchanged`,
    };
    const swap = (step: Step): Step => ({ ...step, inputs: [...step.inputs].reverse() });
    edits.push(stepEdit(site, id, say, swap));
  }
  return [...edits, ...sameAs(site), ...exchanged(site)];
}

const STEPS: Readonly<Record<NodeId, string>> = { M: 'mask', Z: 'scale', Pd: 'dropout' };

/** The step that is left out, where an operand's own stands in its place. */
const skipped = ({ graph }: Site, input: NodeId, other: NodeId): string => {
  const own = nodeOf(graph, input);
  const isOwn = own.kind === 'operation' && own.inputs[0] === other && input in STEPS;
  return isOwn ? `the ${STEPS[input]} is left out: ` : '';
};

/** Two projections made with each other's weights. */
function exchanged(site: Site): Edit[] {
  const { node, graph } = site;
  const { id } = node;
  if (!/^[KQV]$/.test(id) || !hasNode(graph, `W_${id}`)) return [];
  const a = `W_${id}`;
  return nodesLike(site, a).flatMap((b) => {
    const [, other] = /^W_([KQV])$/.exec(b) ?? [];
    if (other === undefined) return [];
    const swap = (input: NodeId): NodeId => (input === a ? b : input === b ? a : input);
    const say = {
      id: 'nodes-swapped',
      title: `${id} and ${other} are swapped: made with each other's weights`,
      why: 'A fused projection is split in the wrong order, or two weights are exchanged.',
      wrong: `${id} = x ${b}, ${other} = x ${a}`,
      cost: 1.12,
    };
    return [
      makeEdit(site, id, 'value', say, (program) =>
        [id, other].reduce((own, each) => {
          const step = own.forward.get(each)!;
          return withStep(own, each, { ...step, inputs: step.inputs.map(swap) });
        }, program),
      ),
    ];
  });
}

/** The whole node is another one: K and V of a fused projection in the wrong order. */
function sameAs(site: Site): Edit[] {
  const { node, graph, state } = site;
  const { id } = node;
  return nodesLike(site, id)
    .map((other) => nodeOf(graph, other))
    .filter(({ id: other, kind }) => kind === 'input' || !state.region(`v:${other}`).has(`v:${id}`))
    .map((source) => {
      const say = {
        id: 'nodes-swapped',
        title: `${id} holds ${source.id}`,
        why: `${id} is exactly what ${source.id} should be: the two are swapped, or a fused tensor is split in the wrong order.`,
        wrong: `${id} = (right ${source.id})`,
        cost: strangeness(id, source.id) + 0.05,
      };
      const given = (): Tensor => (source.kind === 'input' ? source.value : state.value(source.id));
      const fixed = inputEdit(site, say, given);
      return makeEdit(site, id, 'value', say, (program) => {
        const step = program.forward.get(source.id);
        return step ? withStep(program, id, step) : fixed.apply(program);
      });
    });
}

function gradientEdits(site: Site): Edit[] {
  const { id } = site.node;
  const swapped = nodesLike(site, id).map((other) => {
    const say = {
      id: 'gradients-swapped',
      title: `d${id} holds d${other}`,
      why: `d${id} is exactly what d${other} should be: the two gradients are swapped.`,
      wrong: `d${id} = (right d${other})`,
      cost: strangeness(id, other),
    };
    // What the program computes, not what the person gives: that may be swapped as well.
    return gradientEdit(site, id, say, (_, state) => state.predict(`g:${other}`));
  });
  return [...otherOperands(site), ...swapped];
}

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

/** A step left out: the node is its operand as it is, forward or backward. */
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
