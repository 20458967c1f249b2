// A product's sum over keys or queries that has only its last tokens, or lacks them: blocks overwrite each other.
import { nodeOf } from '../../engine/graph.ts';
import { sizeOf } from '../../engine/tensor.ts';
import { blockSizes, SMALL } from '../mistakes/names/kernels.ts';
import type { Edit, Family, Site } from './edit.ts';
import { contributionEdit, contributionsTo, passedBack } from './make.ts';
import { partAlong } from './piecewise.ts';

export const partsOfSums: Family = (site) => {
  const { node, kind, config, target } = site;
  if (kind !== 'gradient' || config.dropout) return [];
  return !target && sizeOf(node.shape) > SMALL ? [] : parts(site);
};

/** A product's sum over keys or queries that has only its last tokens, or lacks them: blocks overwrite each other. */
function parts(site: Site): Edit[] {
  const { node, graph } = site;
  return contributionsTo(site, node.id).flatMap(({ from, slot }): Edit[] => {
    if (from.operation.name !== 'contraction' || !/^(S|O|y)$/.test(from.id)) return [];
    const letter = ['i', 'j'].find((each) => !node.axes.flat().includes(each));
    const { axes } = nodeOf(graph, from.id);
    if (letter === undefined || !axes.flat().includes(letter)) return [];
    const what = letter === 'i' ? 'keys' : 'queries';
    const length = graph.extents[letter];
    const use = (first: number, end: number, id: string, title: string): Edit =>
      contributionEdit(
        site,
        from.id,
        slot,
        {
          id: `kernel-backward-${id}`,
          title: `d${node.id} ${title}`,
          why: `d${node.id} is a sum over all ${what}: each block adds to what the blocks before it gave (+=).`,
          wrong: `d${node.id} summed over the ${what} ${first} to ${end - 1} only`,
          cost: 1.3,
        },
        (_, state) =>
          passedBack(state, from.id, slot, {
            upstream: partAlong(state.gradient(from.id), axes, letter, [first, end], graph.extents),
          }),
      );
    return blockSizes(length).flatMap((size) => {
      const tail = length - Math.floor((length - 1) / size) * size;
      return [
        use(
          length - tail,
          length,
          'only-last-block',
          `has only the last block of ${what} (blocks of ${size}): = for +=`,
        ),
        use(
          0,
          length - tail,
          'last-block-skipped',
          `lacks the last block of ${what} (blocks of ${size})`,
        ),
      ];
    });
  });
}
