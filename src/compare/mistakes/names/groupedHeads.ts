// Grouped query heads: which KV head a query head uses, and how a group's gradients come together.
import { type AxisLetters } from '../../../engine/axes.ts';
import { hasNode, nodeOf, type OperationNode } from '../../../engine/graph.ts';
import { contraction } from '../../../engine/ops/contraction.ts';
import { type Edit, type Family, roles, type Site } from '../../edits/edit.ts';
import { contributionEdit } from '../../edits/make.ts';
import { familyOf, type Row, rowsOf } from '../table.ts';

/** Where the keys or values of a query head, at X, are read. */
const READ = rowsOf(
  `
X gqa-tile: KV heads are tiled instead of repeated
  at(r, (r * G + g) % R, X)
  : query head h with KV head h mod {R}
  | Query head h belongs to KV head floor(h / group) (repeat_interleave); here it uses KV head h mod kvHeads (repeat, tile).
X gqa-first-head 1.1: all query heads use the first KV head
  at(r, 0, X)
  : query head h with KV head 0
  | Every query head is given KV head 0.
X gqa-repeated-on-tokens 1.1: KV heads are repeated along the tokens instead of the heads
  at(i, floor((g * n + i) / G), X)
  : token t of query head h is token (h mod group · tokens + t) / group of its KV head
  | repeat_interleave was given the axis of the tokens: every key stands twice, and each head has only part of them.
`,
  {
    cost: 1,
    numpy: 'K = np.repeat(K, group, axis=-3); V = np.repeat(V, group, axis=-3)  # not np.tile',
    pytorch:
      'K = K.repeat_interleave(group, dim=-3); V = V.repeat_interleave(group, dim=-3)  # not repeat',
  },
);

/** The expanded gradient's first heads, of as many as there are KV heads, in the place of those. */
const CUT = rowsOf(`
dX backward-gqa-not-summed 1.2: dX takes the first {R} query heads for the KV heads
  sum_j(at(g, r % G, at(r, floor(r / G), UP)))
  : dX = d(per query head)[:kvHeads]
  | The gradients of the query heads are not summed over their groups but cut off.
`);

/** In the product of one of them, or of both keys and values. */
function reads({ graph }: Site): Row[] {
  const operand: Readonly<Record<string, string>> = { S: 'keys', O: 'values' };
  const all = hasNode(graph, 'O') ? ['S', 'O'] : ['S'];
  const use = (on: readonly string[], own: string, more: number): Row[] =>
    READ.map((row) => ({
      ...{ ...row, on: own, cost: row.cost! + more },
      wrong: `${own}: ${row.wrong!.replace('{R}', String(graph.extents['r']))}`,
      formula: on
        .map((at) => `${at}: ${operand[at]} := ${row.formula.replace('X', operand[at])}`)
        .join('\n'),
    }));
  return all.flatMap((own) => [...use(all, own, 0), ...use([own], own, 0.01)]);
}

const table = familyOf((site) => {
  const { extents } = site.graph;
  const numbers = { G: extents['g'], R: extents['r'] };
  const cut = [
    ['Kh', 'dS * queries'],
    ['Vh', 'weights * doutput'],
  ].flatMap(([id, upstream]) =>
    CUT.map((row) => ({
      ...{ ...row, on: `d${id}`, wrong: row.wrong!.replace('dX', `d${id}`) },
      title: row.title.replace('dX', `d${id}`),
      formula: row.formula.replace('UP', upstream),
    })),
  );
  return [...reads(site), ...cut].map((row) => ({ ...row, numbers }));
});

/** The gradient that adds up every so manyth query head. */
function tiled(site: Site): Edit[] {
  const { node, graph, kind } = site;
  if (kind === 'value' || (node.id !== 'Kh' && node.id !== 'Vh')) return [];
  const from = nodeOf(graph, node.id === 'Kh' ? 'S' : 'O') as OperationNode;
  const write = (axes: readonly AxisLetters[]): string =>
    axes
      .map((axis) => (axis.length === 1 ? axis[0] : `(${axis.join(' ')})`).replace('r g', 'g r'))
      .join(' ');
  const operands = from.inputs.map((id) => write(nodeOf(graph, id).axes));
  const spec = `${operands.join(', ')} -> ${write(from.axes)}`;
  const say = {
    id: 'backward-gqa-tile',
    title: `d${node.id} adds up the wrong query heads`,
    why: `The query heads of a group are neighbours (h // group); d${node.id} adds up every ${graph.extents['r']}th head (h mod kvHeads).`,
    wrong: `d${node.id}[r] = Σ over h ≡ r (mod kvHeads)`,
  };
  const other = from.id === 'S' ? 'Qh' : roles(graph).weights;
  return [
    contributionEdit(site, from.id, 0, say, (_, state) => {
      const inputs = [node.id, other].map((id) => state.value(id));
      const application = { inputs, output: state.value(from.id) };
      return contraction(spec, graph.extents, '').vjp(application, state.gradient(from.id))[0];
    }),
  ];
}

export const heads: Family = (site) =>
  site.graph.extents['g'] > 1 ? [...table(site), ...tiled(site)] : [];
