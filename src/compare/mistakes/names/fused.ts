// A fused projection whose columns are taken apart in another order: (heads, 3, width) for (3, heads, width).
import type { Formula } from '../../../engine/formula.ts';
import { nodeOf } from '../../../engine/graph.ts';
import { sameShape } from '../../../engine/tensor.ts';
import { renamed } from '../../../engine/where.ts';
import { longLetters, type Site } from '../../edits/edit.ts';
import { rightFormula } from '../forms.ts';
import { familyOf, type Row } from '../table.ts';

const PARTS = ['Q', 'K', 'V'] as const;

/** Of column c of part p, the column of all three that stands there: C in each, in heads of w. */
const ORDERS = [
  ['k, v, q', 'q, k, v', '(p + 1) % 3 * C + c'],
  ['v, q, k', 'q, k, v', '(p + 2) % 3 * C + c'],
  ['(heads, 3, width)', '(3, heads, width)', '(floor(c / w) * 3 + p) * w + c % w'],
  [
    ...(['(3, heads, width)', '(heads, 3, width)'] as const),
    '(p * H + floor(c / w)) % 3 * C + floor((p * H + floor(c / w)) / 3) * w + c % w',
  ],
] as const;

export const fused = familyOf((site): Row[] => {
  const { graph, config } = site;
  if (graph.head !== 'multihead' || !graph.selfAttention || config.heads < 2 || config.start)
    return [];
  const nodes = PARTS.map((id) => nodeOf(graph, id));
  const { shape } = nodes[0];
  if (nodes.some((node) => node.kind === 'input' || !sameShape(node.shape, shape))) return [];
  const C = shape[shape.length - 1];
  const w = C / config.heads;
  return ORDERS.map(([wrong, right, source]): Row => {
    const lines = PARTS.map((id, p) => {
      const [h, f] = headAndFeature(site, id);
      const part = (n: number): string =>
        `not(which - ${n}) * at(${h}′, floor(column / w), at(${f}′, column % w, ${PARTS[n]}${id}))`;
      return `${id}: p = ${p}; c = ${h} * w + ${f}; s = ${source}; which = floor(s / C); column = s % C; ${[0, 1, 2].map(part).join(' + ')}`;
    });
    return {
      ...{ on: 'K', id: 'fused-projection-order', formula: lines.join('\n'), cost: 1.2 },
      title: `the fused projection is taken apart as ${wrong}, but its columns are ${right}`,
      why: 'Queries, keys and values of different heads change places: Q, K and V come out exactly so.',
      wrong: `qkv taken apart as ${wrong}`,
      right: `qkv taken apart as ${right}`,
      numpy: `Q, K, V = np.split(x @ W_qkv, 3, axis=-1)  # columns in the order ${right}`,
      pytorch: `q, k, v = (x @ W_qkv).chunk(3, dim=-1)  # columns in the order ${right}`,
      numbers: { C, w, H: config.heads },
      terms: projections(site),
    };
  });
});

const headAndFeature = ({ graph }: Site, id: string): string[] =>
  longLetters(nodeOf(graph, id), graph).slice(-2);

/** "QK": Q in the letters of K, but for head and feature, which may be put anywhere. */
function projections(site: Site): Record<string, Formula> {
  const { graph } = site;
  const lettersOf = (id: string, isOpen: boolean): string[] => {
    const last = headAndFeature(site, id);
    return nodeOf(graph, id)
      .axes.flat()
      .map((letter) => (isOpen && last.includes(letter) ? `${letter}′` : letter));
  };
  const pairs = PARTS.flatMap((of) =>
    PARTS.map((as): [string, Formula] => {
      const names = new Map(lettersOf(of, false).map((own, n) => [own, lettersOf(as, true)[n]]));
      return [`${of}${as}`, renamed(rightFormula(graph, of, 'value')!, names)];
    }),
  );
  return Object.fromEntries(pairs);
}
