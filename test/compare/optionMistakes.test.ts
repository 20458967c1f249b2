// The mistakes of optionMistakes.ts: `check` says which tensor is wrong first, and what was done.
import { expect, test } from 'vitest';
import { check, type CheckInput } from '../../src/compare/check.ts';
import { type Graph, tensorName } from '../../src/engine/graph.ts';
import { type Run, run } from '../../src/engine/run.ts';
import { indexOf, map, offsetOf, type Tensor } from '../../src/engine/tensor.ts';
import { isParameter } from '../../src/engine/nodes.ts';
import { resolveName } from '../../src/formats/nodeNames.ts';
import { openSetup } from '../../src/formats/openSetup.ts';
import { type Entry, OPTION_MISTAKES } from './optionMistakes.ts';

async function open(setup: object): Promise<Pick<CheckInput, 'config' | 'graph'> & { own: Run }> {
  const { config, graph, problems } = await openSetup(JSON.stringify(setup), () =>
    Promise.reject(new Error('no files')),
  );
  if (!config || !graph) throw new Error(problems.map(({ message }) => message).join('; '));
  return { config, graph, own: run(graph) };
}

/** All that a program has computed when it comes to a tensor, in the order of the graph. */
function before(graph: Graph, { values, gradients }: Run, name: string): [string, Tensor][] {
  const ids = graph.nodes.map(({ id }) => id);
  const isGradient = !ids.includes(name);
  const at = ids.indexOf(isGradient ? name.slice(1) : name);
  const isInput = (id: string): boolean =>
    graph.nodes.find((node) => node.id === id)?.kind === 'input';
  const forward = ids.filter((id, n) => isGradient || n < at || isInput(id));
  const user = graph.nodes.findIndex(
    (node) => node.kind === 'operation' && node.inputs.includes(ids[at]),
  );
  // Parameters stand first and are reached when the node that uses them is.
  const from = isInput(ids[at]) ? user - 1 : at;
  // What programs log at the end: the gradients of the other parameters, of which none follows from this one.
  const isLeaf = (id: string): boolean => isParameter(id) && isParameter(ids[at]);
  const backward = ids.filter(
    (id, n) => isGradient && n !== at && (isLeaf(id) || (!isInput(id) && n > from)),
  );
  return [
    ...forward.map((id): [string, Tensor] => [id, values.get(id)!]),
    ...backward.map((id): [string, Tensor] => [tensorName(id, 'gradient'), gradients.get(id)!]),
  ];
}

test.each(OPTION_MISTAKES)(
  '$option, $tensor: $mistake',
  { timeout: 240_000 },
  async ({ setup, tensor, wrong, told }) => {
    const { config, graph, own } = await open(setup);
    const find = (name: string): Tensor =>
      own.values.get(name) ?? own.gradients.get(name.slice(1))!;
    const at: Entry = (name, ...index) => {
      const { shape, data } = find(name);
      return data[offsetOf(shape, index)];
    };
    const right = find(tensor);
    const made = map(right, (_, offset) => wrong(at, ...indexOf(right.shape, offset)));
    const given = [...before(graph, own, tensor), [tensor, made] as const];
    const trace = given.map(([name, each]) => ({ name, tensor: each, dtype: 'float64' as const }));
    const { first, causes } = check({ config, graph, trace, names: {}, resolve: resolveName });
    const [node, kind] = own.values.has(tensor)
      ? [tensor, 'value' as const]
      : [tensor.slice(1), 'gradient' as const];
    expect(first).toEqual({ node, kind });
    expect(causes[0]?.id).toBe(told);
    // With the exact formula and what to write instead.
    expect(causes[0].right).toContain(tensor);
    expect(causes[0].numpy).toMatch(new RegExp(`\\b${tensor}\\b`));
  },
);
