// Where an operation too many may stand: on what a step makes or reads, on an input, on a gradient or what it is made of.
import { type GraphNode, nodeOf } from '../../engine/graph.ts';
import { replacedAt } from '../../engine/lists.ts';
import type { Tensor } from '../../engine/tensor.ts';
import { after, onOperand } from '../program/operations.ts';
import type { StepOperation } from '../program/program.ts';
import { type Edit, operationAt, type Site } from './edit.ts';
import {
  contributionEdit,
  contributionsTo,
  gradientEdit,
  makeEdit,
  passedBack,
  type Say,
  stepEdit,
} from './make.ts';

type Role = 'result' | 'operand' | 'input' | 'gradient' | 'upstream' | 'backwardOperand';

export interface Spot {
  readonly role: Role;
  /** Whose axes the operation has. */
  readonly node: GraphNode;
  /** What is changed: "K in S". */
  readonly name: string;
  /** What comes out wrong: "S". */
  readonly own: string;
  /** `own`, with `write` of what is changed. */
  readonly wrong: (write: (name: string) => string) => string;
  readonly put: (say: Say, operation: StepOperation) => Edit;
}

/** An operation behind a step's own, or of the whole gradient. */
export const onResult = (site: Site, say: Say, operation: StepOperation): Edit =>
  site.kind === 'gradient'
    ? gradientEdit(site, site.node.id, say, (value) => operation.forward([value()]))
    : stepEdit(site, site.node.id, say, (step) => after(step.operation, operation));

/** An input that the person's program holds otherwise than the setup. */
export const inputEdit = (site: Site, say: Say, forward: () => Tensor): Edit =>
  makeEdit(site, site.node.id, 'value', say, (program) => ({
    ...program,
    forward: new Map(program.forward).set(site.node.id, {
      operation: { name: 'given', forward, vjp: () => [] },
      inputs: [],
    }),
  }));

/** All of a place, the nearest first. */
export const spotsOf = (site: Site): Spot[] =>
  site.kind === 'value' ? ofValue(site) : ofGradient(site);

function ofValue(site: Site): Spot[] {
  const { node, target } = site;
  const step = operationAt(site);
  const { id } = node;
  const here = { node, name: id, own: id };
  if (!step) {
    if (!target) return [];
    return [
      {
        ...{ ...here, role: 'input', wrong: (write) => `${id} = ${write(`the setup's ${id}`)}` },
        put: (say, operation) => inputEdit(site, say, () => operation.forward([target.predicted])),
      },
    ];
  }
  return [
    {
      ...{ ...here, role: 'result', wrong: (write) => `${id} = ${write(`right ${id}`)}` },
      put: (say, operation) => onResult(site, say, operation),
    },
    ...step.inputs.map((input, slot): Spot => ({
      ...{ role: 'operand', node: nodeOf(site.graph, input), name: `${input} in ${id}`, own: id },
      wrong: (write) => `${id} with ${write(input)} for ${input}`,
      put: (say, change) =>
        stepEdit(site, id, say, ({ operation }) => onOperand(operation, slot, change)),
    })),
  ];
}

function ofGradient(site: Site): Spot[] {
  const { node, graph } = site;
  const own = `d${node.id}`;
  const whole: Spot = {
    ...{ role: 'gradient', node, name: own, own },
    wrong: (write) => `${own} = ${write(`right ${own}`)}`,
    put: (say, operation) => onResult(site, say, operation),
  };
  const parts = contributionsTo(site, node.id).flatMap(({ from, slot }): Spot[] => {
    const upstream: Spot = {
      ...{ role: 'upstream', node: from, name: `d${from.id} in ${own}`, own },
      wrong: (write) => `${own} with ${write(`d${from.id}`)}`,
      put: (say, { forward }) =>
        contributionEdit(site, from.id, slot, say, (_, state) =>
          passedBack(state, from.id, slot, { upstream: forward([state.gradient(from.id)]) }),
        ),
    };
    if (from.operation.name !== 'contraction') return [upstream];
    const operands = from.inputs.map((input, n): Spot => ({
      ...{ role: 'backwardOperand', node: nodeOf(graph, input), name: `${input} in ${own}`, own },
      wrong: (write) => `${own} with ${write(input)} for ${input}`,
      put: (say, { forward }) =>
        contributionEdit(site, from.id, slot, say, (_, state) => {
          const inputs = from.inputs.map((id) => state.value(id));
          return passedBack(state, from.id, slot, {
            inputs: replacedAt(inputs, n, forward([inputs[n]])),
          });
        }),
    }));
    return [upstream, ...operands.filter((_, n) => n !== slot)];
  });
  return [whole, ...parts];
}
