// What one step passes back to an operand, with another tensor, index or part of a sum in the place of the right one.
import { axisName } from '../../../engine/axes.ts';
import { nodeOf, type NodeId, type OperationNode } from '../../../engine/graph.ts';
import { sameShape, sizeOf } from '../../../engine/tensor.ts';
import { type Family, longLetters, operationAt, roles, type Site } from '../../edits/edit.ts';
import { contributionsTo } from '../../edits/make.ts';
import { familyOf, type Row, rowsOf, type Words, withWords } from '../table.ts';
import { blockSizes, SMALL } from './kernels.ts';
import { indexNames } from '../../program/transforms/indices.ts';
import { subsets } from './softmaxBackward.ts';

/** A gradient and what is passed to it. */
interface Passed {
  readonly site: Site;
  /** "dQ". */
  readonly own: string;
  readonly from: OperationNode;
  readonly slot: number;
}

/** Rows for each contribution to a gradient. */
const contributions =
  (rows: (passed: Passed) => readonly Row[]): ((site: Site) => Row[]) =>
  (site) =>
    site.kind === 'value'
      ? []
      : contributionsTo(site, site.node.id).flatMap(({ from, slot }) =>
          rows({ site, own: `d${site.node.id}`, from, slot }),
        );

/** Only where the tensor itself is given, or is small. */
const ifSmall =
  (family: Family): Family =>
  (site) =>
    !site.target && sizeOf(site.node.shape) > SMALL ? [] : family(site);

const isProduct = ({ from }: Passed): boolean => from.operation.name === 'contraction';
const isBetweenTokens = (passed: Passed): boolean =>
  isProduct(passed) && /^(S|O|y)$/.test(passed.from.id);

type Named = Pick<Row, 'id' | 'title' | 'why' | 'cost'>;
const row = ({ own }: Passed, named: Named, name: string, by: string): Row => ({
  ...named,
  on: own,
  formula: `${name} := ${by}`,
});

/** Other nodes of the same shape. */
export function nodesLike({ graph }: Site, id: NodeId): NodeId[] {
  const { shape } = nodeOf(graph, id);
  if (shape.length === 0) return [];
  return graph.nodes
    .filter((node) => node.id !== id && sameShape(node.shape, shape))
    .map((node) => node.id);
}

const SCORES = /^(S|Z|M|P|Pd)$/;

/** How likely it is that one is taken for the other. */
export function strangeness(a: NodeId, b: NodeId): number {
  if (SCORES.test(a) && SCORES.test(b)) return 1.1;
  if (/^(gamma|beta|[WbKQV])/.test(a) && a[0] === b[0] && a.length === b.length) return 1.1;
  if (/^[KQV]h?$/.test(a) && /^[KQV]h?$/.test(b)) return 1.1;
  if (a.startsWith('x') && b.startsWith('x')) return 1;
  return 1.6;
}

/** Another tensor of that shape. */
export const otherOperands = familyOf(
  contributions((passed) => {
    const { site, own, from, slot } = passed;
    const put = (id: string, name: string, other: string, title: string, cost: number): Row => {
      const why = `${own} comes out exactly if ${other} stands where ${name} belongs in the backward pass.`;
      return row(
        passed,
        { id, title: `${own} is computed ${title}`, why, cost },
        name,
        `${other}@${name}`,
      );
    };
    const ofInputs = from.inputs.flatMap((id, n) => [
      ...(n === slot ? [] : [id, ...nodesLike(site, id)]).map((other) => {
        const title = `with the gradient d${other} where the value ${id} belongs`;
        return put('backward-gradient-for-operand', id, `d${other}`, title, 1.5);
      }),
      ...nodesLike(site, id).map((other) =>
        put(
          'backward-wrong-operand',
          id,
          other,
          `with ${other} instead of ${id}`,
          strangeness(id, other),
        ),
      ),
    ]);
    const upstream = `d${from.id}`;
    const ofUpstream = [from.id, ...nodesLike(site, from.id)].flatMap((other) => {
      const title = `from the value ${other} instead of the gradient ${upstream}`;
      const cost = other === from.id ? 1.15 : 1.5;
      const value = put('backward-value-for-gradient', upstream, other, title, cost);
      if (other === from.id) return [value];
      const words = `from d${other} instead of ${upstream}`;
      const strange = strangeness(from.id, other) + 0.05;
      const rows = [value, put('backward-wrong-upstream', upstream, `d${other}`, words, strange)];
      if (from.operation.name !== 'softmax') return rows;
      const weights = put('backward-wrong-weights', from.id, other, '', 1);
      const said = `the softmax backward uses ${other} where the weights ${from.id} belong`;
      return [...rows, { ...weights, title: said }];
    });
    return [...ofInputs, ...ofUpstream];
  }),
);

/** Sums that are not sums: only the last (or first) batch entry, token, head or group member. */
export const reduction = familyOf(
  contributions((passed) => {
    if (!isProduct(passed)) return [];
    const { site, own, from } = passed;
    const { extents } = site.graph;
    const summed = longLetters(from, site.graph).filter(
      (letter) => !site.node.axes.flat().includes(letter),
    );
    return subsets(summed).flatMap((letters) =>
      (['last', 'first'] as const).map((which) => {
        const names = indexNames(letters).join(' and ');
        const kept = letters.map((letter) =>
          which === 'last' ? `(${extents[letter] - 1} <= ${letter})` : `(${letter} < 1)`,
        );
        const named = {
          id: `backward-only-${which}-${letters.map((letter) => axisName([letter]).replaceAll(' ', '-')).join('-')}`,
          title: `${own} has only the ${which} ${names}`,
          why: `${own} is a sum over ${names}; here each overwrites the one before (= for +=), or only the ${which} is taken.`,
          cost: 1 + 0.1 * letters.length + (which === 'last' ? 0 : 0.05),
        };
        return row(passed, named, `d${from.id}`, [...kept, `d${from.id}`].join(' * '));
      }),
    );
  }),
);

/** A loop over blocks of {B} tokens {t} of {n} that overwrites what it should add to, or loses some of it. */
const BLOCKS = rowsOf(
  `
{own} kernel-backward-scaled-in-loop 1.4: {own} is multiplied by the scale inside the loop (blocks of {B} {tokens}): what the blocks before gave is scaled again with each
  {up} := {up} * scale^(floor(({n} - 1) / B) - floor({t} / B))
  | The scale belongs to each block’s part, or behind the loop, once.
{own} kernel-backward-only-last-block 1.3: {own} has only the last block of {tokens} (blocks of {B}): = for +=
  {up} := ({n} - 1 - ({n} - 1) % B <= {t}) * {up}
{own} kernel-backward-only-first-block [three] 1.3: {own} has only the first block of {tokens} (blocks of {B}): the loop ends after it
  {up} := ({t} < B) * {up}
{own} kernel-backward-last-block-skipped 1.3: {own} lacks the last block of {tokens} (blocks of {B})
  {up} := ({t} < {n} - 1 - ({n} - 1) % B) * {up}
`,
  { why: 'It is a sum over all tokens: each block adds to what the blocks before it gave (+=).' },
);

/** Of what the sum over the keys, or the queries, is made. */
const LOOPS: readonly Words[] = [
  { of: 'queries', up: 'dS', t: 'i', n: 'n', tokens: 'keys' },
  { of: 'keys', up: 'dS', t: 'j', n: 'm', tokens: 'queries' },
  { of: 'values', up: 'doutput', t: 'j', n: 'm', tokens: 'queries' },
];

export const partsOfSums = ifSmall(
  familyOf(({ graph, config, kind }) =>
    kind === 'value' || config.dropout
      ? []
      : LOOPS.flatMap((words) => {
          const length = graph.extents[String(words['t'])];
          const own = `d${roles(graph)[words['of'] as 'keys']}`;
          return blockSizes(length).flatMap((B) =>
            // Of two, the last is skipped.
            withWords(BLOCKS, { ...words, own, B, three: 2 * B < length }).map((each) => ({
              ...each,
              numbers: { B },
            })),
          );
        }),
  ),
);

const TOKENS = [
  ['j', 'i'],
  ['i', 'j'],
] as const;

/** The readings of an operand of `own` at another token than its own; the lengths of its axes allow it. */
function readings({ graph }: Site, own: string, name: string, letters: readonly string[]): Row[] {
  const { extents } = graph;
  const why = `${own} comes out exactly with that index: a letter of the einsum, or of the loop, is another.`;
  const read = (title: string, by: string, cost: number): Row => ({
    ...{ on: own, id: 'wrong-index', title: `${own}: ${name} is read ${title}`, why, cost },
    formula: `${name} := ${by}`,
  });
  return TOKENS.flatMap(([of, to]) => {
    if (!letters.includes(of) || extents[to] > extents[of]) return [];
    const words = `at the ${axisName([to])} where the ${axisName([of])} belongs`;
    const one = read(words, `at(${of}, ${to}, ${name})`, 1.25);
    const isSquare = of === 'j' && letters.includes(to) && extents[to] === extents[of];
    // A transpose, mostly.
    const turned = read('with its two token indices exchanged', `turned(${name})`, 1.5);
    return isSquare ? [one, turned] : [one];
  });
}

const lettersOf = ({ graph }: Site, id: NodeId): string[] => nodeOf(graph, id).axes.flat();

/** An index that is another: Q[i] for Q[j] in a loop, "ij" for "ji" in an einsum string. */
export const letters = ifSmall(
  familyOf((site) => {
    const { node, kind } = site;
    if (kind === 'value') {
      const own = operationAt(site);
      if (!/^(S|O|y)$/.test(node.id) || own?.operation.name !== 'contraction') return [];
      if (own.inputs.length !== 2) return [];
      // Whoever writes loops writes the backward pass by hand.
      return own.inputs
        .flatMap((id) => readings(site, node.id, id, lettersOf(site, id)))
        .map((each) => ({ ...each, isForwardOnly: true }));
    }
    return contributions((passed) => {
      const { own, from, slot } = passed;
      if (!isBetweenTokens(passed) || from.inputs.length !== 2) return [];
      const other = from.inputs[1 - slot];
      return [
        ...readings(site, own, `d${from.id}`, from.axes.flat()),
        ...readings(site, own, other, lettersOf(site, other)),
      ].map((each) => ({ ...each, id: `backward-${each.id}` }));
    })(site);
  }),
);
