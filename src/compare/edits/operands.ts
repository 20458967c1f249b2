// The wrong tensor in the right place: K for Q, logits for weights, dP for dM, W_K for W_V.
import type { NodeId } from '../../engine/graph.ts';
import { nodeOf } from '../../engine/graph.ts';
import { sameShape } from '../../engine/tensor.ts';
import { type Context, type Edit, type Family, operationAt } from './edit.ts';
import {
  contributionEdit,
  contributionsTo,
  gradientEdit,
  makeEdit,
  passedBack,
  stepEdit,
} from './make.ts';
import { withStep } from '../program.ts';

/** Other nodes of the same shape. */
function like({ graph }: Context, id: NodeId): NodeId[] {
  const { shape } = nodeOf(graph, id);
  if (shape.length === 0) return [];
  return graph.nodes
    .filter((node) => node.id !== id && sameShape(node.shape, shape))
    .map((node) => node.id);
}

const SCORES = /^(S|Z|M|P|Pd)$/;

/** How likely it is that one is taken for the other. */
function strangeness(a: NodeId, b: NodeId): number {
  if (SCORES.test(a) && SCORES.test(b)) return 1.1;
  if (/^(gamma|beta|[WbKQV])/.test(a) && a[0] === b[0] && a.length === b.length) return 1.1;
  if (/^[KQV]h?$/.test(a) && /^[KQV]h?$/.test(b)) return 1.1;
  if (a.startsWith('x') && b.startsWith('x')) return 1;
  return 1.6;
}

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
    like(site, input)
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
  return like(site, node.id)
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
  const { node, graph } = site;
  const edits: Edit[] = contributionsTo(site, node.id).flatMap(({ from, slot }) => {
    const own = `d${node.id}`;
    const result: Edit[] = [];
    const used = from.inputs.map((id, n) => [id, n] as const);
    for (const [id, n] of used) {
      if (n !== slot) {
        for (const other of [id, ...like(site, id)]) {
          const say = {
            id: 'backward-gradient-for-operand',
            title: `${own} is computed with the gradient d${other} where the value ${id} belongs`,
            why: `${own} comes out exactly if d${other} stands where ${id} belongs in the backward pass.`,
            wrong: `${own} with d${other} for ${id}`,
            cost: 1.5,
          };
          result.push(
            contributionEdit(site, from.id, slot, say, (_, state) =>
              passedBack(state, from.id, slot, {
                inputs: from.inputs.map((each, at) =>
                  at === n ? state.gradient(other) : state.value(each),
                ),
              }),
            ),
          );
        }
      }
      for (const other of like(site, id)) {
        result.push(
          contributionEdit(
            site,
            from.id,
            slot,
            {
              id: 'backward-wrong-operand',
              title: `${own} is computed with ${other} instead of ${id}`,
              why: `${own} comes out exactly if ${other} stands where ${id} belongs in the backward pass.`,
              wrong: `${own} with ${other} for ${id}`,
              cost: strangeness(id, other),
            },
            (_, state) =>
              passedBack(state, from.id, slot, {
                inputs: from.inputs.map((each, at) => state.value(at === n ? other : each)),
              }),
          ),
        );
      }
    }
    for (const other of [from.id, ...like(site, from.id)]) {
      result.push(
        contributionEdit(
          site,
          from.id,
          slot,
          {
            id: 'backward-value-for-gradient',
            title: `${own} is computed from the value ${other} instead of the gradient d${from.id}`,
            why: `${own} comes out exactly if ${other} itself is passed back where d${from.id} belongs.`,
            wrong: `${own} with ${other} for d${from.id}`,
            cost: other === from.id ? 1.15 : 1.5,
          },
          (_, state) => passedBack(state, from.id, slot, { upstream: state.value(other) }),
        ),
      );
    }
    for (const other of like(site, from.id)) {
      result.push(
        contributionEdit(
          site,
          from.id,
          slot,
          {
            id: 'backward-wrong-upstream',
            title: `${own} is computed from d${other} instead of d${from.id}`,
            why: `${own} comes out exactly if the gradient of ${other} is passed on where that of ${from.id} belongs.`,
            wrong: `${own} with d${other} for d${from.id}`,
            cost: strangeness(from.id, other) + 0.05,
          },
          (_, state) => passedBack(state, from.id, slot, { upstream: state.gradient(other) }),
        ),
        ...(from.operation.name === 'softmax'
          ? [
              contributionEdit(
                site,
                from.id,
                slot,
                {
                  id: 'backward-wrong-weights',
                  title: `the softmax backward uses ${other} where the weights ${from.id} belong`,
                  why: `${own} comes out exactly if ${other} stands for ${from.id} in P ∘ (dP − Σ P ∘ dP).`,
                  wrong: `${own} = ${other} ∘ (dP − Σ ${other} ∘ dP)`,
                },
                (_, state) => passedBack(state, from.id, slot, { output: state.value(other) }),
              ),
            ]
          : []),
      );
    }
    return result;
  });
  for (const other of like(site, node.id)) {
    if (graph.nodes.find(({ id }) => id === other)) {
      edits.push(
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
    }
  }
  return edits;
}
