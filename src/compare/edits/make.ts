// Makes an edit: what a family does not say is taken from the formulas and the snippets.
import type { NodeId, OperationNode } from '../../engine/graph.ts';
import type { Tensor } from '../../engine/tensor.ts';
import {
  DoesNotFit,
  type Key,
  type Kind,
  type Program,
  type Rewrite,
  type State,
  type Step,
  type StepOperation,
  withAccumulator,
  withContribution,
  withStep,
} from '../program/program.ts';
import type { Context, Edit } from './edit.ts';
import { rightFormula, snippet } from './snippets.ts';
import { sourcesOf } from '../program/sources.ts';

export interface Say {
  readonly id: string;
  readonly title: string;
  readonly why: string;
  readonly wrong: string;
  readonly right?: string;
  readonly numpy?: string;
  readonly pytorch?: string;
  readonly cost?: number;
  readonly isReadOff?: boolean;
  readonly mixes?: Edit['mixes'];
  readonly formulas?: Edit['formulas'];
}

export function makeEdit(
  context: Context,
  node: NodeId,
  kind: Kind,
  say: Say,
  apply: (program: Program) => Program,
): Edit {
  // Texts are made only where the edit turns out to be the cause.
  return {
    ...{ id: say.id, title: say.title, node, kind, cost: say.cost ?? 1 },
    ...(say.isReadOff && { isReadOff: true }),
    apply,
    get mixes() {
      return say.mixes;
    },
    get why() {
      return say.why;
    },
    get wrong() {
      return say.wrong;
    },
    get formulas() {
      return say.formulas;
    },
    get right() {
      return say.right ?? rightFormula(context, node, kind);
    },
    get numpy() {
      return say.numpy ?? snippet(context, node, kind).numpy;
    },
    get pytorch() {
      return say.pytorch ?? snippet(context, node, kind).pytorch;
    },
  };
}

/** An edit of the forward step of `node`; reverse mode follows it. */
export function stepEdit(
  context: Context,
  node: NodeId,
  say: Say,
  change: (step: Step) => Step | StepOperation,
): Edit {
  return makeEdit(context, node, 'value', say, (program) => {
    const step = program.forward.get(node);
    if (!step) throw new DoesNotFit(`${node} has no step`);
    const changed = change(step);
    return withStep(
      program,
      node,
      'inputs' in changed ? changed : { operation: changed, inputs: step.inputs },
    );
  });
}

/** An edit of what `from` passes to its operand `slot`. */
export function contributionEdit(
  context: Context,
  from: NodeId,
  slot: number,
  say: Say,
  rewrite: Rewrite,
): Edit {
  const node = context.state.program.backward.get(from)!.inputs[slot];
  return makeEdit(context, node, 'gradient', say, (program) =>
    withContribution(program, from, slot, rewrite),
  );
}

/** An edit of a node's whole gradient. */
export function gradientEdit(context: Context, node: NodeId, say: Say, rewrite: Rewrite): Edit {
  return makeEdit(context, node, 'gradient', say, (program) =>
    withAccumulator(program, node, rewrite),
  );
}

/** One contribution computed from other tensors than the right ones. */
export function passedBack(
  state: State,
  from: NodeId,
  slot: number,
  change: { inputs?: readonly Tensor[]; output?: Tensor; upstream?: Tensor },
): Tensor {
  const { operation, inputs } = state.program.backward.get(from)!;
  // What is computed otherwise may read more than the node itself.
  const own = inputs.map((id, n) => change.inputs?.[n] ?? state.value(id));
  const application = { inputs: own, output: change.output ?? state.value(from) };
  return operation.vjp(application, change.upstream ?? state.gradient(from))[slot];
}

/** The contributions that a node's gradient is made of. */
export function contributionsTo(
  context: Context,
  node: NodeId,
): { from: OperationNode; slot: number; key: Key }[] {
  return sourcesOf(context.state.program, node).map(({ from, slot }) => ({
    from: context.graph.nodes.find(({ id }) => id === from) as OperationNode,
    slot,
    key: `c:${from}#${slot}`,
  }));
}
