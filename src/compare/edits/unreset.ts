// Accumulators of a tiled kernel that are not set to 0 for the next tile: running sums over the tiles, heads or batch entries.
import { nodeOf, type NodeId } from '../../engine/graph.ts';
import { sizeOf, type Tensor, zeros } from '../../engine/tensor.ts';
import { fibres } from '../program/operations.ts';
import { withAccumulator } from '../program/program.ts';
import { indexName, plural } from '../program/transforms/indices.ts';
import { type Edit, type Family, longLetters, roles, type Site } from './edit.ts';
import { SMALL } from '../mistakes/names/kernels.ts';
import { makeEdit } from './make.ts';

/** Tiles of more tokens are tried in powers of two. */
const MOST = 16;

export const unreset: Family = (site) => {
  const { node, kind, target, graph } = site;
  if (kind !== 'gradient' || (!target && sizeOf(node.shape) > SMALL)) return [];
  const { keys, values, queries } = roles(graph);
  if (node.id !== keys && node.id !== values && node.id !== queries) return [];
  const together = node.id === queries ? [[queries]] : [[values, keys], [node.id]];
  const letters = longLetters(node, graph).filter((letter) => /^[bhrij]$/.test(letter));
  return letters.flatMap((letter) => {
    const length = graph.extents[letter];
    const isToken = letter === 'i' || letter === 'j';
    const sizes = Array.from({ length: length - 1 }, (_, n) => n + 1).filter(
      (size) => size <= MOST || Number.isInteger(Math.log2(size)),
    );
    return (isToken ? sizes : [1]).flatMap((size) =>
      together.map((ids) => edit(site, ids, letter, size)),
    );
  });
};

function edit(site: Site, ids: readonly NodeId[], letter: string, size: number): Edit {
  const { node } = site;
  const isToken = letter === 'i' || letter === 'j';
  const one = indexName([letter]);
  const names = ids.map((id) => `d${id}`).join(' and ');
  const of = isToken ? `tile of ${size} ${plural(one)}` : one;
  const is = ids.length > 1 ? 'are running sums' : 'is a running sum';
  return makeEdit(
    site,
    node.id,
    'gradient',
    {
      id: 'accumulator-not-reset',
      title: `${names} ${is}: the accumulator is not set to 0 (reset) for the next ${of}`,
      why: `Each ${of} has its own sum and those of all before it: the accumulators are zeroed once, outside the loop, instead of at its beginning.`,
      wrong: `${names} of a ${of} += ${names} of the ${of} before`,
      numpy: `${ids.map((id) => `acc_d${id}[:] = 0`).join('; ')}  # at the beginning of every ${of}`,
      pytorch: `${ids.map((id) => `acc_d${id}.zero_()`).join('; ')}  # at the beginning of every ${of}`,
      cost: 1.2 - 0.02 * ids.length,
    },
    (program) =>
      ids.reduce(
        (changed, id) =>
          withAccumulator(changed, id, (own) => summed(site, id, letter, size, own())),
        program,
      ),
  );
}

/** Each entry with those one, two, ... tiles before it. */
function summed({ graph }: Site, id: NodeId, letter: string, size: number, own: Tensor): Tensor {
  const out = zeros(own.shape);
  const { starts, steps } = fibres(nodeOf(graph, id).axes, [letter], graph.extents);
  for (const start of starts)
    steps.forEach((step, n) => {
      const before = n >= size ? out.data[start + steps[n - size]] : 0;
      out.data[start + step] = own.data[start + step] + before;
    });
  return out;
}
