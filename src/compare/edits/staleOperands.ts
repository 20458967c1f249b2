// A backward step that reads one of its tensors at one index for all: P of the last head, of the first batch entry.
import { nodeOf } from '../../engine/graph.ts';
import { sizeOf, type Tensor } from '../../engine/tensor.ts';
import { groupsOf, indexName, plural, reindexed } from '../transforms/indices.ts';
import type { Edit, Family, Site } from './edit.ts';
import { SMALL } from '../mistakes/names/kernels.ts';
import { contributionEdit, contributionsTo, passedBack } from './make.ts';

export const staleOperands: Family = (site) => {
  const { node, kind, target } = site;
  if (kind !== 'gradient' || (!target && sizeOf(node.shape) > SMALL)) return [];
  return contributionsTo(site, node.id).flatMap(({ from, slot }) =>
    operandsOf(site, from.id, slot).flatMap((operand) => stale(site, from.id, slot, operand)),
  );
};

/** What a step's derivative reads: other operands, its output (the softmax), the gradient that it passes back. */
interface Operand {
  readonly id: string;
  readonly role: 'input' | 'output' | 'upstream';
  readonly at: number;
}

function operandsOf({ state }: Site, from: string, slot: number): Operand[] {
  const step = state.program.backward.get(from)!;
  const isProduct = step.operation.name === 'contraction';
  const inputs = step.inputs.flatMap((id, at): Operand[] =>
    isProduct && at !== slot && at < 2 ? [{ id, role: 'input', at }] : [],
  );
  const output: Operand[] =
    step.operation.name === 'softmax' ? [{ id: from, role: 'output', at: 0 }] : [];
  return [...inputs, ...output, { id: from, role: 'upstream', at: 0 }];
}

function stale(site: Site, from: string, slot: number, { id, role, at }: Operand): Edit[] {
  const { node, graph } = site;
  const { axes, shape } = nodeOf(graph, id);
  const own = `d${node.id}`;
  const read = role === 'upstream' ? `d${id}` : id;
  const groups = groupsOf(axes, graph.extents).filter((group) =>
    group.every((letter) => /^[bhrgij]$/.test(letter)),
  );
  return groups.flatMap((group) =>
    (['last', 'first'] as const).map((which): Edit => {
      const one = indexName(group);
      const move = reindexed(axes, shape, group, graph.extents, (_, length) =>
        which === 'last' ? length - 1 : 0,
      );
      const moved = (tensor: Tensor): Tensor => move.forward([tensor]);
      const what = role === 'output' ? 'the softmax backward uses' : `${own} is computed with`;
      return contributionEdit(
        site,
        from,
        slot,
        {
          id: `backward-${which}-for-all`,
          title: `${what} ${read} of the ${which} ${one} for all ${plural(one)}`,
          why: `${own} comes out exactly if ${read} is read at the ${which} ${one} everywhere: a buffer of one ${one} is used again, or its pointer is not moved on.`,
          wrong: `${own} with ${read}[${one} = ${which}]`,
          cost: 1.2 + (which === 'first' ? 0.02 : 0),
        },
        (_, state) =>
          role === 'input'
            ? passedBack(state, from, slot, {
                inputs: state.program.backward
                  .get(from)!
                  .inputs.map((each, n) =>
                    n === at ? moved(state.value(each)) : state.value(each),
                  ),
              })
            : passedBack(
                state,
                from,
                slot,
                role === 'output'
                  ? { output: moved(state.value(id)) }
                  : { upstream: moved(state.gradient(id)) },
              ),
      );
    }),
  );
}
