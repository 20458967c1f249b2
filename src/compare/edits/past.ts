// Earlier keys and values: behind the new ones, or keys and values exchanged.
import { hasNode, nodeOf } from '../../engine/graph.ts';
import { prepend } from '../../engine/ops/layout.ts';
import { sameShape } from '../../engine/tensor.ts';
import { after, gather } from '../operations.ts';
import type { StepOperation } from '../program.ts';
import { type Edit, type Family, operationAt } from './edit.ts';
import { stepEdit } from './make.ts';

export const past: Family = (site) => {
  const { config, graph, node, kind } = site;
  const own = operationAt(site);
  if (!config.past || !hasNode(graph, 'Kh') || kind !== 'value' || !own || !/^[KV]h$/.test(node.id))
    return [];
  const [tokens, width] = node.shape.slice(-2);
  const earlier = tokens - graph.extents['t'];
  const block = tokens * width;
  const from = (shift: number): StepOperation => {
    const table = Int32Array.from({ length: node.shape.reduce((a, b) => a * b, 1) }, (_, at) => {
      const start = Math.floor(at / block) * block;
      return start + ((at - start + shift * width) % block);
    });
    return gather(table, node.shape);
  };
  const edits: Edit[] = [
    stepEdit(
      site,
      node.id,
      {
        id: 'past-appended',
        title: `the earlier tokens come after the new ones in ${node.id}`,
        why: 'Earlier keys and values belong in front: the mask counts positions from them.',
        wrong: `${node.id} = concat(new, past)`,
      },
      ({ operation }) => after(operation, from(earlier)),
    ),
  ];
  const { K, V } = config.past;
  const other = node.id === 'Kh' ? V : K;
  if (sameShape(K.shape, V.shape)) {
    const axes = node.axes.map((axis) => axis.map((letter) => (letter === 'i' ? 't' : letter)));
    const swap = prepend(node.axes, axes, other);
    const newOnly: StepOperation = {
      name: 'new tokens',
      forward: ([whole]) =>
        swap.forward([
          swap.vjp(
            { inputs: [{ shape: newShape(), data: new Float64Array(0) }], output: whole },
            whole,
          )[0],
        ]),
      vjp: (_, upstream) => [upstream],
    };
    edits.push(
      stepEdit(
        site,
        node.id,
        {
          id: 'past-swapped',
          title: `${node.id} has the earlier ${node.id === 'Kh' ? 'values' : 'keys'} in front`,
          why: 'The cache of keys and that of values are exchanged.',
          wrong: `${node.id} = concat(past ${node.id === 'Kh' ? 'values' : 'keys'}, new)`,
        },
        ({ operation }) => after(operation, newOnly),
      ),
    );
  }
  return edits;

  function newShape(): number[] {
    return [...nodeOf(graph, node.id).shape.slice(0, -2), graph.extents['t'], width];
  }
};
