// Grouped query heads: which KV head a query head uses, and how a group's gradients come together.
import { hasNode } from '../../../engine/graph.ts';
import type { Site } from '../../edits/edit.ts';
import { familyOf, type Row, rowsOf, type Words, withWords } from '../table.ts';

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

/** UP, which should be summed over the heads of a group. */
const SUMS = rowsOf(`
dX backward-gqa-not-summed 1.2: dX takes the first {R} query heads for the KV heads
  sum_j(at(g, r % G, at(r, floor(r / G), UP)))
  : dX = d(per query head)[:kvHeads]
  | The gradients of the query heads are not summed over their groups but cut off.
dX backward-gqa-tile: dX adds up the wrong query heads
  sum_r′(sum_g(not((r′ * G + g) % R - r) * at(r, r′ + 0, sum_j(UP))))
  : dX[r] = Σ over h ≡ r (mod kvHeads)
  | The query heads of a group are neighbours (h // group); dX adds up every {R}th head (h mod kvHeads).
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

/** Gradients of grouped keys and values, of which each query head gives a part. */
const PARTS: readonly Words[] = [
  { X: 'Kh', UP: 'dS * queries' },
  { X: 'Vh', UP: 'weights * doutput' },
];

export const heads = familyOf((site) => {
  const { g: G, r: R } = site.graph.extents;
  if (!(G > 1)) return [];
  const sums = PARTS.flatMap(({ X, UP }) => {
    const put = (text: string): string => text.replaceAll(/\bdX\b/g, `d${X}`);
    return withWords(SUMS, { R }).map((row) => ({
      ...{ ...row, on: put(row.on), title: put(row.title), why: put(row.why!) },
      ...{ wrong: put(row.wrong!), formula: row.formula.replace('UP', String(UP)) },
    }));
  });
  return [...reads(site), ...sums].map((row) => ({ ...row, numbers: { G, R } }));
});
