// How far each edge has got: waiting for its operand, carrying data, or passed by the gradient. Pure.
import type { NodeOutline } from '../../src/stepper/runView.ts';
import type { StepView } from '../../src/stepper/stepView.ts';

export type Flow = 'waiting' | 'data' | 'gradient' | 'current';

export const edgeKey = (user: string, slot: number): string => `${user} ${slot}`;

/** Reverse mode's order: operations from last to first, each one's operands in order. */
function reverseOrder(nodes: readonly NodeOutline[]): string[] {
  const operations = nodes.filter(({ kind }) => kind === 'operation').reverse();
  return operations.flatMap(({ id, inputs }) => inputs.map((_, slot) => edgeKey(id, slot)));
}

export function flows(
  nodes: readonly NodeOutline[],
  step: Pick<StepView, 'nodes' | 'edges'>,
): Map<string, Flow> {
  const received = Object.values(step.nodes).reduce((total, node) => total + node.received, 0);
  const passed = new Set(reverseOrder(nodes).slice(0, received));
  const current = new Set(step.edges.map(({ user, slot }) => edgeKey(user, slot)));
  const entries = nodes.flatMap(({ id, inputs }) =>
    inputs.map((_, slot): [string, Flow] => {
      const key = edgeKey(id, slot);
      if (current.has(key)) return [key, 'current'];
      if (passed.has(key)) return [key, 'gradient'];
      return [key, step.nodes[id].status === 'waiting' ? 'waiting' : 'data'];
    }),
  );
  return new Map(entries);
}

/** Nodes whose accumulator this position adds to. */
export function receivers(step: StepView): Set<string> {
  return new Set(step.phase === 'backward' ? step.edges.map(({ operand }) => operand) : []);
}
