// Grouped query heads: which KV head a query head uses, and how a group's gradients come together.
import { perHeadSpec, permutedSpec } from './headSpec.ts';
import { hasNode, nodeOf } from '../../engine/graph.ts';
import { contraction } from '../../engine/ops/contraction.ts';
import { sizeOf, zeros } from '../../engine/tensor.ts';
import { gather, onOperand } from '../program/operations.ts';
import { type Program, type StepOperation, withStep } from '../program/program.ts';
import type { Edit, Family, Site } from './edit.ts';
import { contributionEdit, makeEdit } from './make.ts';

const WHY =
  'Query head h belongs to KV head floor(h / group) (repeat_interleave); here it uses KV head h mod kvHeads (repeat, tile).';

export const heads: Family = (site) => {
  const { node, kind, graph } = site;
  if (!(graph.extents['g'] > 1) || !(graph.extents['r'] >= 1)) return [];
  if (kind === 'value') return node.id === 'S' || node.id === 'O' ? values(site) : [];
  return node.id === 'Kh' || node.id === 'Vh' ? gradients(site) : [];
};

/** The product of heads with the KV heads taken in turn instead of in blocks. */
function tiled({ graph }: Site, id: string): StepOperation {
  return contraction(permutedSpec(graph, id), graph.extents, '');
}

function values(site: Site): Edit[] {
  const { node, graph } = site;
  const edit = (
    ids: readonly string[],
    id: string,
    title: string,
    why: string,
    wrong: string,
    operation: (at: string) => StepOperation,
    cost: number,
  ): Edit =>
    makeEdit(
      site,
      node.id,
      'value',
      {
        ...{ id, title, why, wrong, cost },
        numpy: 'K = np.repeat(K, group, axis=-3); V = np.repeat(V, group, axis=-3)  # not np.tile',
        pytorch:
          'K = K.repeat_interleave(group, dim=-3); V = V.repeat_interleave(group, dim=-3)  # not repeat',
      },
      (program: Program) =>
        ids.reduce(
          (own, at) =>
            withStep(own, at, { operation: operation(at), inputs: own.forward.get(at)!.inputs }),
          program,
        ),
    );
  const firstHead = (at: string): StepOperation => {
    const own = nodeOf(graph, at);
    const kv = nodeOf(graph, at === 'S' ? 'Kh' : 'Vh');
    const [r, inner] = [graph.extents['r'], sizeOf(kv.shape.slice(-2))];
    const table = Int32Array.from(
      { length: sizeOf(kv.shape) },
      (_, n) => Math.floor(n / (r * inner)) * r * inner + (n % inner),
    );
    return onOperand((own as { operation: StepOperation }).operation, 0, gather(table, kv.shape));
  };
  const all = hasNode(graph, 'O') ? ['S', 'O'] : ['S'];
  return [all, [node.id]].flatMap((ids, n) => [
    edit(
      ids,
      'gqa-tile',
      'KV heads are tiled instead of repeated',
      WHY,
      `${node.id}: query head h with KV head h mod ${graph.extents['r']}`,
      (at) => tiled(site, at),
      1 + n / 100,
    ),
    edit(
      ids,
      'gqa-first-head',
      'all query heads use the first KV head',
      'Every query head is given KV head 0.',
      `${node.id}: query head h with KV head 0`,
      firstHead,
      1.1 + n / 100,
    ),
    edit(
      ids,
      'gqa-repeated-on-tokens',
      'KV heads are repeated along the tokens instead of the heads',
      'repeat_interleave was given the axis of the tokens: every key stands twice, and each head has only part of them.',
      `${node.id}: token t of query head h is token (h mod group · tokens + t) / group of its KV head`,
      (at) => repeatedOnTokens(site, at),
      1.1 + n / 100,
    ),
  ]);
}

/** K.repeat_interleave(group, dim=-2), read as if the heads had been repeated. */
function repeatedOnTokens({ graph }: Site, id: string): StepOperation {
  const kv = nodeOf(graph, id === 'S' ? 'Kh' : 'Vh');
  const { extents } = graph;
  const [tokens, width] = kv.shape.slice(-2);
  const members = extents['g'];
  const shape = [...kv.shape.slice(0, -3), kv.shape[kv.shape.length - 3] * members, tokens, width];
  const table = Int32Array.from({ length: sizeOf(shape) }, (_, at) => {
    const feature = at % width;
    const token = Math.floor(at / width) % tokens;
    const head = Math.floor(at / width / tokens);
    const [block, member] = [Math.floor(head / members), head % members];
    const source = Math.floor((member * tokens + token) / members);
    return (block * tokens + source) * width + feature;
  });
  return onOperand(contraction(perHeadSpec(graph, id), extents, ''), 0, gather(table, shape));
}

function gradients(site: Site): Edit[] {
  const { node, graph } = site;
  const from = node.id === 'Kh' ? 'S' : 'O';
  const own = `d${node.id}`;
  const tile = contributionEdit(
    site,
    from,
    0,
    {
      id: 'backward-gqa-tile',
      title: `${own} adds up the wrong query heads`,
      why: `The query heads of a group are neighbours (h // group); ${own} adds up every ${graph.extents['r']}th head (h mod kvHeads).`,
      wrong: `${own}[r] = Σ over h ≡ r (mod kvHeads)`,
    },
    (_, state) => {
      const inputs = [
        node.id,
        from === 'S' ? 'Qh' : state.program.backward.get('O')!.inputs[1],
      ].map((id) => state.value(id));
      return tiled(site, from).vjp({ inputs, output: state.value(from) }, state.gradient(from))[0];
    },
  );
  // The expanded gradient's first kvHeads heads are taken for the KV heads'.
  const cut = contributionEdit(
    site,
    from,
    0,
    {
      id: 'backward-gqa-not-summed',
      title: `${own} takes the first ${graph.extents['r']} query heads for the KV heads`,
      why: 'The gradients of the query heads are not summed over their groups but cut off.',
      wrong: `${own} = d(per query head)[:kvHeads]`,
      cost: 1.2,
    },
    (_, state) => {
      const [r, g] = [graph.extents['r'], graph.extents['g']];
      const total = zeros(node.shape);
      const inner = sizeOf(node.shape.slice(-2));
      const upstream = state.gradient(from);
      const block = sizeOf(upstream.shape.slice(-2));
      for (let head = 0; head < r; head++) {
        const only = {
          shape: upstream.shape,
          data: upstream.data.map((value, at) =>
            Math.floor(at / block) % (r * g) === head ? value : 0,
          ),
        };
        const inputs = state.program.backward.get(from)!.inputs.map((id) => state.value(id));
        const [part] = state.program.backward
          .get(from)!
          .operation.vjp({ inputs, output: state.value(from) }, only);
        const source = Math.floor(head / g);
        for (let at = 0; at < part.data.length; at++) {
          if (Math.floor(at / inner) % r === source)
            total.data[at + (head - source) * inner] += part.data[at];
        }
      }
      return total;
    },
  );
  return [tile, cut];
}
