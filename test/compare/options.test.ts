// Every node that an option of today's models adds is judged: right ones match, a wrong one is where it is said to be.
import { describe, expect, test } from 'vitest';
import { check, type CheckInput } from '../../src/compare/check.ts';
import type { Graph, OperationNode } from '../../src/engine/graph.ts';
import { nodeOf, operationNodes } from '../../src/engine/graph.ts';
import { type Run, run } from '../../src/engine/run.ts';
import { map, type Tensor } from '../../src/engine/tensor.ts';
import { isWeight } from '../../src/engine/nodes.ts';
import type { HeadConfig } from '../../src/engine/config.ts';
import { resolveName } from '../../src/formats/nodeNames.ts';
import { openSetup } from '../../src/formats/openSetup.ts';
import { OPTIONS } from '../support/options.ts';

async function open(setup: object): Promise<{ config: HeadConfig; graph: Graph }> {
  const { config, graph, problems } = await openSetup(JSON.stringify(setup), () =>
    Promise.reject(new Error('no files')),
  );
  if (!config || !graph) throw new Error(problems.map(({ message }) => message).join('; '));
  return { config, graph };
}

/** Everything that a program computed, as it would be saved. */
function judged(config: HeadConfig, graph: Graph, { values, gradients }: Run) {
  const entry = (name: string, tensor: Tensor): CheckInput['trace'][number] => ({
    ...{ name, tensor, dtype: 'float64' },
  });
  const trace = [
    ...[...values].map(([id, tensor]) => entry(id, tensor)),
    ...[...gradients].map(([id, tensor]) => entry(`d${id}`, tensor)),
  ];
  return check({ ...{ config, graph, trace, names: {} }, resolve: resolveName });
}

/** The graph whose step at `id` computes otherwise. */
const withStep = (
  graph: Graph,
  id: string,
  change: Partial<OperationNode['operation']>,
): Graph => ({
  ...graph,
  nodes: graph.nodes.map((node) =>
    node.kind === 'operation' && node.id === id
      ? { ...node, operation: { ...node.operation, ...change } }
      : node,
  ),
});

const bent = (tensor: Tensor): Tensor =>
  map(tensor, (value, at) => value * (1 + 0.02 * Math.sin(3 * at + 1)) + 0.01);

describe.each(OPTIONS)('$name', ({ setup, nodes }) => {
  test('has its nodes', async () => {
    const { graph } = await open(setup);
    expect(graph.nodes.map(({ id }) => id)).toEqual(expect.arrayContaining([...nodes]));
  });

  test('what is right matches', async () => {
    const { config, graph } = await open(setup);
    const report = judged(config, graph, run(graph));
    expect(report.verdict).toBe('match');
    const told = report.nodes.filter(({ status }) => status !== 'match').map(({ node }) => node);
    expect(told).toEqual([]);
  });

  test('a wrong value is found at its node', async () => {
    const { config, graph } = await open(setup);
    for (const { id, operation } of operationNodes(graph)) {
      if (!nodes.includes(id)) continue;
      const own = withStep(graph, id, { forward: (inputs) => bent(operation.forward(inputs)) });
      const { first } = judged(config, graph, run(own));
      expect(first, id).toEqual({ node: id, kind: 'value' });
    }
  });

  test('a wrong gradient is found at the operand that receives it', async () => {
    const { config, graph } = await open(setup);
    for (const { id, operation, inputs } of operationNodes(graph)) {
      for (const [slot, operand] of inputs.entries()) {
        // Looking for causes takes long: of each operation one operand, of parameters all.
        if (!nodes.includes(id) || (slot > 0 && !isWeight(operand))) continue;
        const own = withStep(graph, id, {
          vjp: (...given) =>
            operation.vjp(...given).map((part, n) => (n === slot ? bent(part) : part)),
        });
        const { first } = judged(config, graph, run(own));
        expect(first, `${id} to ${operand}`).toEqual({ node: operand, kind: 'gradient' });
      }
    }
  });

  test('every node is told in words', async () => {
    const { graph } = await open(setup);
    for (const id of nodes) {
      const node = nodeOf(graph, id);
      if (node.kind === 'operation') expect(node.operation.summary).toMatch(/^[A-Z].*\.$/);
    }
  });
});
