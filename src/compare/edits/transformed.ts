// Any transform at any place: of a step's result or operand, of a gradient or of what it is computed from.
import { type GraphNode, hasNode, nodeOf, type NodeId } from '../../engine/graph.ts';
import { after, onOperand } from '../program/operations.ts';
import { DoesNotFit, type Program, type StepOperation, withStep } from '../program/program.ts';
import { FUNCTIONS } from '../program/transforms/functions.ts';
import { groupsOf, indexTransforms } from '../program/transforms/indices.ts';
import { normTransforms } from '../program/transforms/norms.ts';
import type { Transform } from '../program/transforms/transform.ts';
import { type Context, type Edit, type Family, operationAt, type Site } from './edit.ts';
import { makeEdit, type Say, stepEdit } from './make.ts';
import { type Spot, spotsOf } from './spots.ts';

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

/** By role: how an id begins, and what it costs beside the transform itself. */
const ROLES = {
  result: ['', 0],
  operand: ['operand-', 0.1],
  input: ['input-', 0],
  gradient: ['gradient-', 0.05],
  upstream: ['backward-', 0.1],
  backwardOperand: ['backward-', 0.08],
} as const;

export const transformed: Family = (site) => {
  const { node, kind, target, state } = site;
  const isScalar = node.shape.length === 0;
  if (kind === 'gradient' && isScalar) return [];
  const edits = spotsOf(site).flatMap((spot): Edit[] => {
    const { role, node: at } = spot;
    if (at.shape.length === 0 && role !== 'operand') return [];
    // A hidden operand that is transformed is its own place.
    const isHidden = at.kind === 'operation' && !state.given.values.has(at.id);
    if (role === 'operand' && !target && isHidden) return [];
    const isLinear = kind === 'gradient' && (role !== 'gradient' || !target);
    return transformsOf(at, site, isLinear).map((each) =>
      spot.put(sayOf(spot, each), each.operation),
    );
  });
  const own = kind === 'value' ? operationAt(site) : null;
  return own ? [...edits, ...together(site), ...bothOperands(site, own.inputs)] : edits;
};

function sayOf({ role, node, name, own, wrong }: Spot, each: Transform): Say {
  const [prefix, cost] = ROLES[role];
  const isInput = role === 'operand' && node.kind === 'input';
  const what = role === 'input' ? `${name}, an input,` : name;
  return say(each, prefix, what, own, wrong(each.formula), isInput ? 0.02 : cost);
}

/** The transforms that two nodes have alike, each for the one and for the other. */
function twinsOf(site: Site, one: NodeId, other: NodeId): [Transform, Transform][] {
  const [mine, others] = [one, other].map((id) =>
    transformsOf(nodeOf(site.graph, id), site, false),
  );
  return mine.flatMap((each): [Transform, Transform][] => {
    const twin = others.find(({ id, title }) => id === each.id && title('') === each.title(''));
    return twin ? [[each, twin]] : [];
  });
}

/** One transform of both operands of a product: unit vectors in place of queries and keys. */
function bothOperands(site: Site, inputs: readonly NodeId[]): Edit[] {
  const { id } = site.node;
  if (!site.target || inputs.length !== 2) return [];
  return twinsOf(site, inputs[0], inputs[1]).map(([each, twin]) => {
    const wrong = `${id} with ${each.formula('each operand')}`;
    const text = say(each, 'operands-', `each of ${inputs.join(' and ')}`, id, wrong, 0.12);
    return stepEdit(site, id, text, ({ operation }) =>
      onOperand(onOperand(operation, 0, each.operation), 1, twin.operation),
    );
  });
}

/** Queries and keys both (normalised before the product), or keys and values both (heads taken in another order). */
function together(site: Site): Edit[] {
  const { graph } = site;
  const { id } = site.node;
  const pairs: Readonly<Record<string, readonly NodeId[]>> = {
    ...{ Q: ['K'], K: ['Q'] },
    ...(graph.head === 'multihead' && { Qh: ['Kh'], Kh: ['Qh', 'Vh'] }),
  };
  const then = (program: Program, at: NodeId, operation: StepOperation): Program => {
    const step = program.forward.get(at);
    // One of the two may be where the setup starts.
    if (!step) throw new DoesNotFit(`${at} has no step`);
    return withStep(program, at, { ...step, operation: after(step.operation, operation) });
  };
  return (pairs[id] ?? [])
    .filter((other) => hasNode(graph, other))
    .flatMap((other) =>
      twinsOf(site, id, other).map(([each, twin]) => {
        const wrong = `${id} and ${other}: ${each.formula('each')}`;
        const text = say(each, '', `${id} and ${other} each`, id, wrong, 0.05);
        return makeEdit(site, id, 'value', text, (program) =>
          then(then(program, id, each.operation), other, twin.operation),
        );
      }),
    );
}
