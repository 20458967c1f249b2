// Any transform at any place: of a step's result or operand, of a gradient or of what it is computed from.
import { type GraphNode, hasNode, nodeOf, type OperationNode } from '../../engine/graph.ts';
import { after, onOperand } from '../program/operations.ts';
import { DoesNotFit, withStep } from '../program/program.ts';
import { FUNCTIONS } from '../program/transforms/functions.ts';
import type { Tensor } from '../../engine/tensor.ts';
import { groupsOf, indexTransforms } from '../program/transforms/indices.ts';
import { normTransforms } from '../program/transforms/norms.ts';
import type { Transform } from '../program/transforms/transform.ts';
import { type Context, type Edit, type Family, operationAt, type Site } from './edit.ts';
import {
  contributionEdit,
  contributionsTo,
  gradientEdit,
  makeEdit,
  passedBack,
  type Say,
  stepEdit,
} from './make.ts';

/** All transforms that fit a node's axes, or only those that a gradient can go through as well. */
function transformsOf({ axes }: GraphNode, { graph }: Context, linear: boolean): Transform[] {
  const { extents } = graph;
  const groups = groupsOf(axes, extents);
  const moves = groups.flatMap((group) => indexTransforms(axes, group, extents));
  if (linear) return moves;
  return [
    ...moves,
    ...FUNCTIONS,
    ...groups.flatMap((group) => normTransforms(axes, group, extents)),
  ];
}

const say = (
  transform: Transform,
  role: string,
  name: string,
  own: string,
  wrong: string,
  cost = 0,
): Say => ({
  id: `${role}${transform.id}`,
  title: transform.title(name),
  why: `${own} comes out exactly if ${transform.title(name)}.`,
  wrong,
  cost: transform.cost + cost,
});

export const transformed: Family = (site) => {
  if (site.kind === 'value') return values(site);
  return site.node.shape.length === 0 ? [] : gradients(site);
};

function values(site: Site): Edit[] {
  const own = operationAt(site);
  if (!own) return site.target ? ofInput(site, site.target.predicted) : [];
  const { node, graph, target } = site;
  const results = node.shape.length === 0 ? [] : transformsOf(node, site, false);
  const edits = results.map((each) =>
    stepEdit(
      site,
      node.id,
      say(each, '', node.id, node.id, `${node.id} = ${each.formula(`right ${node.id}`)}`),
      ({ operation }) => after(operation, each.operation),
    ),
  );
  own.inputs.forEach((input, slot) => {
    const operand = nodeOf(graph, input);
    // A hidden operand that is transformed is its own place.
    const isGiven = operand.kind === 'input' || site.state.given.values.has(input);
    if (!target && !isGiven) return;
    for (const each of transformsOf(operand, site, false)) {
      const text = say(
        each,
        'operand-',
        `${input} in ${node.id}`,
        node.id,
        `${node.id} with ${each.formula(input)} for ${input}`,
        operand.kind === 'input' ? 0.02 : 0.1,
      );
      edits.push(
        stepEdit(site, node.id, text, (step) => onOperand(step.operation, slot, each.operation)),
      );
    }
  });
  return [...edits, ...together(site), ...bothOperands(site, own)];
}

/** An input that is not the setup's as it is: normalised before, or in another order. */
function ofInput(site: Site, right: Tensor): Edit[] {
  const { node } = site;
  if (node.shape.length === 0) return [];
  return transformsOf(node, site, false).map((each) => {
    const wrong = `${node.id} = ${each.formula(`the setup's ${node.id}`)}`;
    return makeEdit(
      site,
      node.id,
      'value',
      say(each, 'input-', `${node.id}, an input,`, node.id, wrong),
      (program) => {
        const fixed = {
          name: 'given',
          forward: () => each.operation.forward([right]),
          vjp: () => [],
        };
        const forward = new Map(program.forward).set(node.id, { operation: fixed, inputs: [] });
        return { ...program, forward };
      },
    );
  });
}

/** One transform of both operands of a product: unit vectors in place of queries and keys. */
function bothOperands(site: Site, { id, inputs }: OperationNode): Edit[] {
  if (!site.target || inputs.length !== 2) return [];
  const [first, second] = inputs.map((input) =>
    transformsOf(nodeOf(site.graph, input), site, false),
  );
  return first.flatMap((each) => {
    const twin = second.find((other) => other.id === each.id && other.title('') === each.title(''));
    if (!twin) return [];
    const text = say(
      each,
      'operands-',
      `each of ${inputs.join(' and ')}`,
      id,
      `${id} with ${each.formula('each operand')}`,
      0.12,
    );
    return [
      stepEdit(site, id, text, ({ operation }) =>
        onOperand(onOperand(operation, 0, each.operation), 1, twin.operation),
      ),
    ];
  });
}

/** Queries and keys both (normalised before the product), or keys and values both (heads taken in another order). */
function together(site: Site): Edit[] {
  const { node, graph } = site;
  const pair =
    graph.head === 'multihead'
      ? ({ Qh: 'Kh', Kh: 'Qh', Q: 'K', K: 'Q' } as const)[node.id]
      : ({ Q: 'K', K: 'Q' } as const)[node.id];
  const edits: Edit[] = [];
  const both = (other: string): void => {
    const [mine, others] = [
      transformsOf(node, site, false),
      transformsOf(nodeOf(graph, other), site, false),
    ];
    for (const each of mine) {
      const twin = others.find(({ id, title }) => id === each.id && title('') === each.title(''));
      if (!twin) continue;
      const name = `${node.id} and ${other} each`;
      edits.push(
        makeEdit(
          site,
          node.id,
          'value',
          say(each, '', name, node.id, `${node.id} and ${other}: ${each.formula('each')}`, 0.05),
          (program) =>
            (
              [
                [node.id, each.operation],
                [other, twin.operation],
              ] as const
            ).reduce((changed, [id, operation]) => {
              const step = changed.forward.get(id);
              // One of the two may be where the setup starts.
              if (!step) throw new DoesNotFit(`${id} has no step`);
              return withStep(changed, id, {
                ...step,
                operation: after(step.operation, operation),
              });
            }, program),
        ),
      );
    }
  };
  if (pair !== undefined && hasNode(graph, pair)) both(pair);
  if (node.id === 'Kh') both('Vh');
  return edits;
}

function gradients(site: Site): Edit[] {
  const { node, target, graph } = site;
  const own = `d${node.id}`;
  const edits = transformsOf(node, site, !target).map((each) =>
    gradientEdit(
      site,
      node.id,
      say(each, 'gradient-', own, own, `${own} = ${each.formula(`right ${own}`)}`, 0.05),
      (value) => each.operation.forward([value()]),
    ),
  );
  for (const { from, slot } of contributionsTo(site, node.id)) {
    if (from.shape.length === 0) continue;
    for (const each of transformsOf(from, site, true)) {
      const text = say(
        each,
        'backward-',
        `d${from.id} in ${own}`,
        own,
        `${own} with ${each.formula(`d${from.id}`)}`,
        0.1,
      );
      edits.push(
        contributionEdit(site, from.id, slot, text, (_, state) =>
          passedBack(state, from.id, slot, {
            upstream: each.operation.forward([state.gradient(from.id)]),
          }),
        ),
      );
    }
    if (from.operation.name !== 'contraction') continue;
    from.inputs.forEach((input, n) => {
      if (n === slot) return;
      for (const each of transformsOf(nodeOf(graph, input), site, true)) {
        const text = say(
          each,
          'backward-',
          `${input} in ${own}`,
          own,
          `${own} with ${each.formula(input)} for ${input}`,
          0.08,
        );
        edits.push(
          contributionEdit(site, from.id, slot, text, (_, state) =>
            passedBack(state, from.id, slot, {
              inputs: from.inputs.map((id, at) =>
                at === n ? each.operation.forward([state.value(id)]) : state.value(id),
              ),
            }),
          ),
        );
      }
    });
  }
  return edits;
}
