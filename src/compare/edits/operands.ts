// The wrong tensor in the right place: K for Q, logits for weights, dP for dM, W_K for W_V.
import { nodeOf, type NodeId } from '../../engine/graph.ts';
import { sameShape } from '../../engine/tensor.ts';
import { nodesLike, otherOperands, strangeness } from '../mistakes/names/contributions.ts';
import { withStep } from '../program/program.ts';
import { type Edit, type Family, operationAt } from './edit.ts';
import { gradientEdit, makeEdit, stepEdit } from './make.ts';

export const operands: Family = (site) =>
  site.kind === 'value' ? valueEdits(site) : gradientEdits(site);

function valueEdits(site: Parameters<Family>[0]): Edit[] {
  const own = operationAt(site);
  if (!own) return site.target ? sameAs(site) : [];
  const before = new Set<NodeId>();
  for (const { id } of site.graph.nodes) {
    if (id === own.id) break;
    before.add(id);
  }
  const edits = own.inputs.flatMap((input, slot) =>
    nodesLike(site, input)
      .filter((other) => before.has(other))
      .map((other) =>
        stepEdit(
          site,
          own.id,
          {
            id: 'wrong-operand',
            title: `${own.id} is computed from ${other} instead of ${input}`,
            why: `${own.id} comes out exactly if ${other} stands where ${input} belongs.`,
            wrong: `${own.id} with ${other} for ${input}`,
            cost: strangeness(input, other),
          },
          (step) => ({ ...step, inputs: step.inputs.map((id, n) => (n === slot ? other : id)) }),
        ),
      ),
  );
  if (
    own.inputs.length === 2 &&
    sameShape(nodeOf(site.graph, own.inputs[0]).shape, nodeOf(site.graph, own.inputs[1]).shape)
  ) {
    edits.push(
      stepEdit(
        site,
        own.id,
        {
          id: 'operands-swapped',
          title: `${own.inputs.join(' and ')} are swapped in ${own.id}`,
          why: `${own.id} comes out exactly if its two operands change places: it is the transpose of the right one.`,
          wrong: `${own.id} with ${own.inputs[0]} and ${own.inputs[1]} exchanged`,
        },
        (step) => ({ ...step, inputs: [...step.inputs].reverse() }),
      ),
    );
  }
  return [...edits, ...sameAs(site), ...exchanged(site)];
}

/** Two projections made with each other's weights. */
function exchanged(site: Parameters<Family>[0]): Edit[] {
  const { node, graph } = site;
  if (!/^[KQV]$/.test(node.id)) return [];
  return ['K', 'Q', 'V'].flatMap((other) => {
    const [a, b] = [`W_${node.id}`, `W_${other}`];
    const has = (id: NodeId): boolean => graph.nodes.some((each) => each.id === id);
    if (
      other === node.id ||
      !has(a) ||
      !has(b) ||
      !sameShape(nodeOf(graph, a).shape, nodeOf(graph, b).shape)
    )
      return [];
    const swap = (id: NodeId): NodeId => (id === a ? b : id === b ? a : id);
    const say = {
      ...{
        id: 'nodes-swapped',
        title: `${node.id} and ${other} are swapped: made with each other's weights`,
      },
      ...{
        why: 'A fused projection is split in the wrong order, or two weights are exchanged.',
        wrong: `${node.id} = x ${b}, ${other} = x ${a}`,
        cost: 1.12,
      },
    };
    return [
      makeEdit(site, node.id, 'value', say, (program) =>
        [node.id, other].reduce((own, id) => {
          const step = own.forward.get(id)!;
          return withStep(own, id, { ...step, inputs: step.inputs.map(swap) });
        }, program),
      ),
    ];
  });
}

/** The whole node is another one: K and V of a fused projection in the wrong order. */
function sameAs(site: Parameters<Family>[0]): Edit[] {
  const { node } = site;
  return nodesLike(site, node.id)
    .filter(
      (other) =>
        !site.state.region(`v:${other}`).has(`v:${node.id}`) ||
        nodeOf(site.graph, other).kind === 'input',
    )
    .map((other) =>
      makeEdit(
        site,
        node.id,
        'value',
        {
          id: 'nodes-swapped',
          title: `${node.id} holds ${other}`,
          why: `${node.id} is exactly what ${other} should be: the two are swapped, or a fused tensor is split in the wrong order.`,
          wrong: `${node.id} = (right ${other})`,
          cost: strangeness(node.id, other) + 0.05,
        },
        (program) => {
          const step = program.forward.get(other);
          const source = nodeOf(site.graph, other);
          if (step) return withStep(program, node.id, step);
          const value = source.kind === 'input' ? source.value : site.state.value(other);
          const fixed = { name: 'given', forward: () => value, vjp: () => [] };
          return {
            ...program,
            forward: new Map(program.forward).set(node.id, { operation: fixed, inputs: [] }),
          };
        },
      ),
    );
}

function gradientEdits(site: Parameters<Family>[0]): Edit[] {
  const { node } = site;
  const swapped = nodesLike(site, node.id).map((other) =>
    gradientEdit(
      site,
      node.id,
      {
        id: 'gradients-swapped',
        title: `d${node.id} holds d${other}`,
        why: `d${node.id} is exactly what d${other} should be: the two gradients are swapped.`,
        wrong: `d${node.id} = (right d${other})`,
        cost: strangeness(node.id, other),
      },
      // What the program computes, not what the person gives: that may be swapped as well.
      (_, state) => state.predict(`g:${other}`),
    ),
  );
  return [...otherOperands(site), ...swapped];
}
