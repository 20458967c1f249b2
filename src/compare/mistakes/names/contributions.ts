// What one step passes back to an operand, with another tensor, index or part of a sum in the place of the right one.
import { axisName } from '../../../engine/axes.ts';
import { hasNode, nodeOf, type NodeId, type OperationNode } from '../../../engine/graph.ts';
import { sameShape, sizeOf } from '../../../engine/tensor.ts';
import { type Family, longLetters, operationAt, roles, type Site } from '../../edits/edit.ts';
import { contributionsTo } from '../../edits/make.ts';
import { groupsOf, indexName, plural } from '../../program/transforms/indices.ts';
import { familyOf, type Row } from '../table.ts';
import { blockSizes, SMALL } from './kernels.ts';
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
/** The token letter that a product sums to make the gradient. */
const summedToken = ({ site }: Passed): 'i' | 'j' | undefined =>
  (['i', 'j'] as const).find((letter) => !site.node.axes.flat().includes(letter));

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
        const names = letters.map((letter) => axisName([letter])).join(' and ');
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

/** A sum over keys or queries that has only its last tokens, or lacks them: blocks overwrite each other. */
export const partsOfSums = ifSmall(
  familyOf(
    contributions((passed) => {
      const { site, own, from } = passed;
      const letter = summedToken(passed);
      if (!isBetweenTokens(passed) || letter === undefined || site.config.dropout) return [];
      if (!from.axes.flat().includes(letter)) return [];
      const what = letter === 'i' ? 'keys' : 'queries';
      const length = site.graph.extents[letter];
      const why = `${own} is a sum over all ${what}: each block adds to what the blocks before it gave (+=).`;
      return blockSizes(length).flatMap((size) => {
        const first = Math.floor((length - 1) / size) * size;
        const only = `has only the last block of ${what} (blocks of ${size}): = for +=`;
        const skipped = `lacks the last block of ${what} (blocks of ${size})`;
        const begun = `has only the first block of ${what} (blocks of ${size}): the loop ends after it`;
        const named = { why, cost: 1.3 };
        const last = Math.floor((length - 1) / size);
        const scaled = `(blocks of ${size} ${what}): what the blocks before gave is scaled again with each`;
        return [
          row(
            passed,
            {
              ...{ id: 'kernel-backward-scaled-in-loop', cost: 1.4 },
              title: `${own} is multiplied by the scale inside the loop ${scaled}`,
              why: 'The scale belongs to each block’s part, or behind the loop, once.',
            },
            `d${from.id}`,
            `d${from.id} * scale^(${last} - floor(${letter} / ${size}))`,
          ),
          row(
            passed,
            { ...named, id: 'kernel-backward-only-last-block', title: `${own} ${only}` },
            `d${from.id}`,
            `(${first} <= ${letter}) * d${from.id}`,
          ),
          // Of two, the last is skipped.
          ...(2 * size < length
            ? [
                row(
                  passed,
                  { ...named, id: 'kernel-backward-only-first-block', title: `${own} ${begun}` },
                  `d${from.id}`,
                  `(${letter} < ${size}) * d${from.id}`,
                ),
              ]
            : []),
          row(
            passed,
            { ...named, id: 'kernel-backward-last-block-skipped', title: `${own} ${skipped}` },
            `d${from.id}`,
            `(${letter} < ${first}) * d${from.id}`,
          ),
        ];
      });
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

/** One index for all: P of the last head, of the first batch entry; a buffer that is used again. */
export const staleOperands = ifSmall(
  familyOf(
    contributions((passed) => {
      const { site, own, from, slot } = passed;
      const { graph } = site;
      const inputs = isProduct(passed)
        ? from.inputs.filter((_, n) => n !== slot && n < 2).map((id) => [id, id] as const)
        : [];
      const isSoftmax = from.operation.name === 'softmax';
      const output = isSoftmax ? [[from.id, from.id] as const] : [];
      return [...inputs, ...output, [`d${from.id}`, from.id] as const].flatMap(([name, id]) => {
        const groups = groupsOf(nodeOf(graph, id).axes, graph.extents).filter((group) =>
          group.every((letter) => /^[bhrgij]$/.test(letter)),
        );
        const what =
          isSoftmax && name === from.id ? 'the softmax backward uses' : `${own} is computed with`;
        return groups.flatMap((group) =>
          (['last', 'first'] as const).map((which) => {
            const one = indexName(group);
            const by = group.reduce(
              (inner, letter) =>
                `at(${letter}, ${which === 'last' ? graph.extents[letter] - 1 : 0}, ${inner})`,
              name,
            );
            const named = {
              id: `backward-${which}-for-all`,
              title: `${what} ${name} of the ${which} ${one} for all ${plural(one)}`,
              why: `${own} comes out exactly if ${name} is read at the ${which} ${one} everywhere: a buffer of one ${one} is used again, or its pointer is not moved on.`,
              cost: 1.2 + (which === 'first' ? 0.02 : 0),
            };
            return row(passed, named, name, by);
          }),
        );
      });
    }),
  ),
);

/** Which of the seen entries of a row (or column) are kept, `c` being how many up to there and `t` all. */
const KEPT = [
  {
    id: 'only-last-seen',
    words: (what: string) => `only the last ${what}: each overwrites the one before (= for +=)`,
    ...{ formula: '(t <= c)', cost: 1.12 },
  },
  {
    id: 'only-first-seen',
    words: (what: string) => `only the first ${what}`,
    ...{ formula: '(c <= 1)', cost: 1.2 },
  },
  {
    id: 'last-seen-skipped',
    words: (what: string) => `all but the last ${what}: the loop ends one too early`,
    ...{ formula: '(c < t)', cost: 1.16 },
  },
  {
    id: 'first-seen-skipped',
    words: (what: string) => `all but the first ${what}: the loop begins one too late`,
    ...{ formula: '(1 < c)', cost: 1.2 },
  },
];

/** A mean over what sees it: the sum divided by how many there are. */
const AVERAGED = {
  id: 'averaged-over-seen',
  words: (what: string) => `the mean, not the sum, over each ${what}`,
  ...{ formula: '(1 / t)', cost: 1.2 },
};

const counted = (letter: string): string =>
  `seen = not(not(P)); c = running_${letter}(seen); t = sum_${letter}(seen)`;

/** Of a product with the scores' gradients, or the weights, only some tokens. */
function seenTokens(passed: Passed): Row[] {
  const { site, own, from, slot } = passed;
  const letter = summedToken(passed);
  const { weights } = roles(site.graph);
  const at = from.inputs.indexOf(weights);
  if (!isBetweenTokens(passed) || letter === undefined) return [];
  if (from.id !== 'S' && (at < 0 || at === slot)) return [];
  const what = letter === 'i' ? 'key that a query sees' : 'query that sees a key';
  const name = from.id === 'S' ? 'dS' : weights;
  return [...KEPT, AVERAGED].map(({ id, words, formula, cost }) => ({
    ...{ on: own, cost, id: `backward-${id}-${letter === 'i' ? 'key' : 'query'}` },
    title: `${own} has ${words(what)}`,
    why: `${own} is a sum over the ${letter === 'i' ? 'keys that a query sees' : 'queries that see a key'}; here it has ${words(what)}.`,
    wrong: `${own} over ${id.replaceAll('-', ' ')} ${letter === 'i' ? 'keys' : 'queries'}`,
    formula: `${counted(letter)}; ${name} := seen * ${formula} * ${name}`,
  }));
}

/** dM = P ∘ (dP − D) with a loop over the keys that ends before the last one a query sees: its own, if causal. */
function seenRows({ config, graph }: Site): Row[] {
  const isCausal = config.mask === 'causal' || config.mask === 'causal-bottom-right';
  return KEPT.slice(2).flatMap(({ id, formula, cost }) => {
    const isLast = id.startsWith('last');
    const diagonal = 'the diagonal key (a query’s own place, the last that it sees)';
    const last = isCausal ? diagonal : 'the last key that a query sees';
    const key = isLast ? last : 'the first key that a query sees';
    const loop = isLast ? 'the loop ends one too early' : 'the loop begins one too late';
    const before = `${counted('i')}; kept = seen * ${formula}; part = sum_i(kept * P * dP)`;
    const ways = [
      {
        title: `${key} is left out of the row sum Σ P ∘ dP`,
        ...{ text: 'P * (dP - part)', wrong: 'P ∘ (dP − Σ P ∘ dP without it)' },
      },
      {
        title: `${key} is left out of the sum over the keys of the Jacobian`,
        text: 'P * (kept * dP - part)',
        wrong: 'Σ over l P[l] (δ[l,i] − P[i]) dP[l], without l = it',
      },
      {
        title: `no gradient arrives at ${key}`,
        ...{ text: 'kept * P * (dP - sum_i(P * dP))', wrong: 'P ∘ (dP − Σ P ∘ dP), 0 there' },
      },
    ];
    return ways.map(({ title, text, wrong }, n): Row => ({
      wrong: `d${roles(graph).logits} = ${wrong}`,
      ...{ on: `d${roles(graph).logits}`, cost: cost + n / 100 },
      id: `softmax-backward-${isLast ? 'last' : 'first'}-key-skipped`,
      title: `softmax backward: ${title}`,
      why: `Σ P ∘ dP runs over all keys that a query sees; ${loop}.`,
      formula: `${before}; ${text}`,
    }));
  });
}

/** Sums over what a query sees (or what sees a key) that lose some of it. */
export const seenSums = ifSmall(
  familyOf((site) => {
    const { node, kind, graph } = site;
    if (kind !== 'gradient' || !hasNode(graph, 'M')) return [];
    return node.id === roles(graph).logits ? seenRows(site) : contributions(seenTokens)(site);
  }),
);
