// Kernels that walk the keys in blocks (online softmax, as FlashAttention), and recompute the weights in the backward pass.
import { sizeOf } from '../../../engine/tensor.ts';
import { type Edit, roles, type Site } from '../../edits/edit.ts';
import { madeLate } from '../maskWords.ts';
import { maskVariants } from './masks.ts';
import { groupsOf, indexName } from '../../program/transforms/indices.ts';
import { familyOf, type Row, rowsOf } from '../table.ts';
import { hasNode, nodeOf } from '../../../engine/graph.ts';

/** Entries up to which all is tried where the tensor itself is not given. */
export const SMALL = 20_000;

/** Sizes that a block may have: all that a small problem leaves, those in use in a large one. */
export function blockSizes(length: number): number[] {
  if (length <= 24) return Array.from({ length: length - 1 }, (_, n) => n + 1);
  return [16, 32, 64, 128, 256].filter((size) => size < length);
}

const inBlocks = (rows: readonly Row[], length: number): Row[] =>
  blockSizes(length).flatMap((B) => rows.map((row) => ({ ...row, numbers: { B } })));

/**
 * The recurrence over blocks of B keys, for every key: `running` is the maximum after its block, `own` its exponential
 * by that, `right` by the maximum of all, `inverted` what a rescaling by the inverse makes of it, `sums` the denominator
 * after its block.
 */
const RECURRENCE = [
  // Its own backward pass is written by hand.
  'scores = held(logits)',
  'end = i - i % B + B - 1',
  'ends = end - relu(end - n + 1)',
  'running = finite(at(i, ends, peak_i(scores)))',
  'most = finite(max_i(scores))',
  'own = exp(scores - running)',
  'right = exp(scores - most)',
  'inverted = own * exp(most - running)',
  'isLast = (n - 1 - (n - 1) % B <= i)',
  'isFirst = (i < B)',
  'sums = at(i, ends, running_i(right)) * exp(most - running)',
  'begun = (i % B < 1) * log(sums)',
  'divided = right * exp(running_i(begun) - sum_i(begun) - log(sums))',
].join('; ');

const RESCALED =
  'When a later block has a larger score, what was gathered before must be multiplied by exp(m_old − m_new).';
const LOOP_FIX =
  'm2 = max(m, Z_block.max()); a = exp(m - m2); p = exp(Z_block - m2); l = a * l + p.sum(); acc = a * acc + p @ V_block; m = m2; after the loop: O = acc / l';

/** What a key is weighted by in the output. */
const LOOPS = rowsOf(
  `
output kernel-accumulator-not-rescaled: the accumulator is not rescaled when the running maximum changes
  own / sum_i(right)
  : acc = acc + P_block V_block, where acc · exp(m_old − m_new) + P_block V_block belongs
output kernel-denominator-not-rescaled: the denominator is not rescaled when the running maximum changes
  right / sum_i(own)
  : l = l + Σ P_block, where l · exp(m_old − m_new) + Σ P_block belongs
output kernel-accumulator-and-denominator-not-rescaled: nothing is rescaled when the running maximum changes
  own / sum_i(own)
  : acc and l without exp(m_old − m_new)
output kernel-rescaled-with-wrong-sign: the rescaling has the wrong sign: exp(m_new − m_old)
  inverted / sum_i(inverted)
  : acc · exp(m_new − m_old), l · exp(m_new − m_old)
output kernel-accumulator-rescaled-with-wrong-sign: the accumulator is rescaled with the wrong sign: exp(m_new − m_old)
  inverted / sum_i(right)
  : acc · exp(m_new − m_old)
output kernel-denominator-of-last-block: the denominator is that of the last block alone
  right / sum_i(isLast * right)
  : l = Σ P_block (= for +=)
  | The sum of the exponentials runs over all blocks.
output kernel-normalised-in-each-block: the accumulator is divided by the denominator in each block, not once at the end
  divided
  : acc = (acc · exp(m_old − m_new) + P_block V_block) / l in each block
  | What was divided in one block is divided again in the next.
output kernel-only-last-block: only the last block of keys is left: the running maximum or the accumulator is not kept
  isLast * right / sum_i(isLast * right)
  : acc = P_block V_block, l = Σ P_block
  | The accumulator is started anew in each block.
output kernel-last-block-skipped: the last block of keys is left out of the loop
  not(isLast) * right / sum_i(not(isLast) * right)
  : for block in range(n // B)
  | The number of blocks is rounded down, or the loop ends one block too early.
output kernel-first-block-skipped: the first block of keys is left out of the loop
  not(isFirst) * right / sum_i(not(isFirst) * right)
  : for block in range(1, ...)
  | The loop begins one block too late.
output kernel-normalised-in-each-block-and-at-the-end: the accumulator is divided by the denominator in each block and again at the end
  divided / sum_i(right)
  : acc = (acc · exp(m_old − m_new) + P_block V_block) / l in each block; O = acc / l
  | What was divided in one block is divided again in the next.
output kernel-last-accumulator-not-divided: the output is not divided by the denominator
  right
  : O = acc
  | After the last block the accumulator is divided by l, the sum of the exponentials.
output kernel-divided-by-logarithm: the output is divided by log l instead of l
  right / log(sum_i(right))
  : O = acc / log(l)
  | The logarithm of the denominator belongs in the log-sum-exp, not in the output.
`,
  { why: RESCALED, cost: 1.4, numpy: LOOP_FIX, pytorch: LOOP_FIX },
).map((row) => ({
  ...row,
  title: `${row.title} (keys in blocks of {B})`,
  needs: ['!p'],
  formula: `${RECURRENCE}; weights := ${row.formula}`,
}));

export const kernelForward = familyOf(({ kind, node, graph }) =>
  kind === 'value' && node.id === roles(graph).output ? inBlocks(LOOPS, graph.extents['i']) : [],
);

const LSE_FIX = {
  numpy:
    'P = np.exp(M - L[..., None])  # L = m + np.log(l) of the forward pass, M scaled and masked',
  pytorch: 'P = torch.exp(M - L[..., None])  # L = torch.logsumexp(M, -1)',
};
/** The line of a backward pass that masks as the forward pass does. */
const MASK_FIX = {
  numpy:
    'P = np.where(hidden, 0, np.exp(Z - L[..., None]))  # hidden: the same keys, by the same places of the tokens, as in the forward pass',
  pytorch:
    'P = torch.exp(Z - L[..., None]).masked_fill(hidden, 0)  # hidden: the same keys, by the same places of the tokens, as in the forward pass',
};

/** The weights W that a backward pass makes of the scores and each row's L = most + log(total); `some`: keys are seen. */
const RECOMPUTED = rowsOf(`
W lse-of-base-2: the log-sum-exp is m + log2(l) instead of m + log(l)
  exp(logits - most - log(total) / log(2))
  : P' = exp(M − m − log2(l))
W lse-missing: the log-sum-exp is not subtracted
  exp(logits)
  : P' = exp(M)
W lse-without-sum: exp(M − row maximum) stands for P, not divided by its sum (a log-sum-exp without log(l))
  exp(logits - most)
  : P' = exp(M − m)
W lse-without-maximum: the log-sum-exp is only log(l): the row’s maximum is missing
  exp(logits - log(total))
  : P' = exp(M − log(l))
W lse-not-logarithm: m + l stands where m + log(l) belongs
  exp(logits - most - total)
  : P' = exp(M − m − l)
W lse-sign: m − log(l) stands where m + log(l) belongs
  exp(logits - most + log(total))
  : P' = exp(M − m + log(l))
W lse-is-denominator: the denominator l stands where the log-sum-exp belongs
  exp(logits - total)
  : P' = exp(M − l)
W lse-of-other-query: the log-sum-exp of the query before is used
  exp(logits - at(j, (j + m - 1) % m, L))
  : P' = exp(M − L[j − 1])
W lse-of-other-query: the log-sum-exp of the query behind is used
  exp(logits - at(j, (j + 1) % m, L))
  : P' = exp(M − L[j + 1])
W unmasked [M]: the weights are recomputed without the mask
  exp(unmasked - L)
  : P' = exp(Z − L)
W unscaled [scaled]: the weights are recomputed without the scale
  exp(logits / scale - L)
  : P' = exp(S − L)
W scaled-twice [scaled]: the weights are recomputed with the scale applied twice
  exp(logits * scale - L)
  : P' = exp(scale · Z − L)
W of-base-2: the weights are recomputed with powers of 2
  exp(log(2) * (logits - L))
  : P' = 2^(M − L)
W lse-in-base-2: the log-sum-exp is kept in powers of 2, and used as one of exponentials
  exp(logits - L / log(2))
  : P' = exp(M − L / log(2))
W lse-unscaled [scaled !softcap]: the log-sum-exp is that of the scores before they are scaled
  exp(logits - log(sum_i(exp(logits / scale))))
  : P' = exp(M − log(Σ exp(M / scale)))
W uncapped [softcap]: the weights are recomputed without the softcap
  not(not(exp(logits))) * exp(scale * S - L)
  : P' = exp(scale · S − L), 0 where it is hidden
W lse-uncapped [softcap]: the log-sum-exp is that of the scores before the softcap
  exp(logits - log(sum_i(not(not(exp(logits))) * exp(scale * S))))
  : P' = exp(M − log(Σ exp(scale · S)))
W squared: the weights are squared
  exp(2 * (logits - L))
  : P' = P²
W normalised-over-queries: the weights are normalised once more, over the queries
  exp(logits - L) / sum_j(exp(logits - L))
  : P' = P / Σ_j P
`);

const DENOMINATORS = rowsOf(`
W denominator-not-rescaled: the denominator is not rescaled when the running maximum changes (keys in blocks of {B})
  right / sum_i(own)
W denominator-rescaled-with-wrong-sign: the denominator is rescaled with the wrong sign: exp(m_new − m_old) (keys in blocks of {B})
  right / sum_i(inverted)
W denominator-of-last-block: the denominator is that of the last block alone (keys in blocks of {B})
  right / sum_i(isLast * right)
W denominator-without-last-block: the denominator lacks the last block (keys in blocks of {B})
  right / sum_i(not(isLast) * right)
W denominator-without-first-block: the denominator lacks the first block (keys in blocks of {B})
  right / sum_i(not(isFirst) * right)
`).map((row) => ({
  ...row,
  wrong: "P' = exp(M − m − log(l)), l as in that loop",
  formula: `${RECURRENCE}; W = ${row.formula}`,
}));

const SCORES_OF_ROW =
  'most = finite(max_i(logits)); total = sum_i(exp(logits - most)); L = most + log(total); some = not(not(total))';

/** Rows that stand for all: of the first head, batch entry or query, of the first block of queries in every block. */
function staleRows({ graph }: Site): [words: string, of: (rows: string) => string][] {
  const first = groupsOf(nodeOf(graph, 'P').axes, graph.extents)
    .filter((group) => !group.includes('i'))
    .map((group): [string, (rows: string) => string] => [
      `the first ${indexName(group)} for all`,
      (rows) => group.reduce((inner, letter) => `at(${letter}, 0, ${inner})`, rows),
    ]);
  const blocks = blockSizes(graph.extents['j'])
    .filter((size) => size > 1)
    .map((size): [string, (rows: string) => string] => [
      `the first ${size} queries for every ${size} (a pointer is not advanced)`,
      (rows) => `at(j, j % ${size}, ${rows})`,
    ]);
  return [...first, ...blocks];
}

/** A log-sum-exp that is kept before the last block of keys is added to it. */
const shortSums = ({ graph: { extents } }: Site): Row[] =>
  blockSizes(extents['i']).map((size) => {
    const last = Math.floor((extents['i'] - 1) / size) * size;
    return {
      ...{ on: 'W', id: 'lse-without-last-block' },
      title: `the log-sum-exp lacks the last block of keys (blocks of ${size})`,
      wrong: "P' = exp(M − L), L of the blocks before the last",
      formula: `exp(logits - log(sum_i((i < ${last}) * exp(logits))))`,
    };
  });

/** Blocks of tokens that the loop of the backward pass never comes to. */
const skippedBlocks = ({ graph }: Site): Row[] =>
  (['i', 'j'] as const).flatMap((letter) => {
    const length = graph.extents[letter];
    const what = letter === 'i' ? 'keys' : 'queries';
    return blockSizes(length).map((size): Row => {
      const last = Math.floor((length - 1) / size) * size;
      return {
        ...{ on: 'W', id: 'last-block-skipped' },
        title: `the last block of ${what} is left out (blocks of ${size})`,
        wrong: `P' = P, 0 in the last block of ${what}`,
        formula: `(${letter} < ${last}) * exp(logits - L)`,
      };
    });
  });

/** Entries beyond which only the commonest masks are tried. */
const LARGE = 100_000;
const STRANGEST = 1.45;

/** Another mask than the forward pass has, its L being right. */
function maskedAnew(site: Site): Row[] {
  const { graph } = site;
  if (!hasNode(graph, 'M')) return [];
  const M = nodeOf(graph, 'M');
  const isLarge = sizeOf(M.shape) > LARGE;
  return maskVariants(site, M)
    .filter(({ id, cost }) => id !== 'mask-missing' && cost <= (isLarge ? 1 : STRANGEST))
    .map((variant) => ({
      ...{ on: 'W', id: variant.id, formula: 'exp(unmasked + mask′ - L)', ...MASK_FIX },
      wrong: `P' = exp(Z + mask' − L), ${variant.wrong}`,
      title: `it masks otherwise than the forward pass: ${variant.title}`,
      given: { 'mask′': madeLate(M.axes, () => variant.mask) },
    }));
}

/** Definitions that end with those of W. */
const recomputed = (site: Site, hasSkips = true): Row[] =>
  [
    ...RECOMPUTED,
    ...(hasSkips ? [...skippedBlocks(site), ...shortSums(site)] : []),
    ...staleRows(site).map(([words, of]) => ({
      ...{ on: 'W', id: 'lse-of-other-row', title: `the log-sum-exp of ${words}` },
      wrong: "P' = exp(M − L), L of another row",
      formula: `exp(logits - ${of('L')})`,
    })),
    ...maskedAnew(site),
  ].map((row) => ({
    ...{ ...LSE_FIX, ...row },
    formula: `${SCORES_OF_ROW}; W = some * ${row.formula}`,
    why: 'A kernel keeps no weights but each row’s L = m + log(Σ exp(M − m)), and recomputes P = exp(M − L) for the backward pass; what follows comes out exactly with the weights given here.',
  }));

/** In dV and in the softmax's gradient, or in one of them. */
const SCOPES = [
  { words: '', as: "dV = P'^T dO, dM = P' ∘ (dP − D)", where: ['dvalues', 'dlogits'], cost: 1.15 },
  { words: ' for dV alone', as: "dV = P'^T dO", where: ['dvalues'], cost: 1.25 },
  { words: ' for the scores alone', as: "dM = P' ∘ (dP − D)", where: ['dlogits'], cost: 1.25 },
  {
    words: '',
    as: "dV = P'^T dO, dM = P' ∘ (dP − Σ P' ∘ dP)",
    where: ['dvalues', 'dlogits of W'],
    cost: 1.17,
  },
];
const OF_W: Readonly<Record<string, string>> = {
  dvalues: 'weights := W',
  dlogits: 'W * (dP - sum_i(P * dP))',
  'dlogits of W': 'W * (dP - sum_i(W * dP))',
};

function wrongWeights(site: Site): Row[] {
  return recomputed(site).flatMap((row) =>
    SCOPES.map(({ words, as, where, cost }) => ({
      ...{
        ...row,
        wrong: `${row.wrong}; ${as}`,
        on: 'dvalues,dlogits',
        cost,
        needs: [...(row.needs ?? []), '!p'],
      },
      id: `kernel-backward-${row.id}`,
      title: `the backward pass has wrong weights${words}: ${row.title}`,
      formula: where
        .map((each) => `${each.split(' ')[0]}: ${row.formula}; ${OF_W[each]}`)
        .join('\n'),
    })),
  );
}

const D_WHY = 'D = Σ P ∘ dP of a query runs over all its keys.';

/** D = Σ P ∘ dP of one block of keys, or of another query. */
const rowSums = (site: Site): Row[] => {
  const { extents } = site.graph;
  const queries = extents['j'];
  const use = (id: string, title: string, D: string): Row => ({
    ...{ on: 'dlogits', id: `kernel-backward-${id}`, title: `softmax backward: ${title}` },
    ...{ why: D_WHY, cost: 1.35, needs: ['!p'] },
    formula: `rows = sum_i(P * dP); P * (dP - ${D})`,
  });
  const sizes = blockSizes(queries).filter((size) => size > 1);
  return [
    ...blockSizes(extents['i']).map((size) =>
      use(
        'sum-of-block',
        `D is summed over each block of ${size} keys alone`,
        `sum_l(not(floor(l / ${size}) - floor(i / ${size})) * at(i, l, P * dP))`,
      ),
    ),
    ...[-1, 1, ...sizes.map((size) => -size)].map((by) =>
      use(
        'sum-of-other-query',
        `D of the query ${Math.abs(by)} ${by < 0 ? 'before' : 'behind'} is used`,
        `at(j, (j + ${(by + queries) % queries}) % m, rows)`,
      ),
    ),
    ...staleRows(site).map(([words, of]) => use('sum-of-other-row', `D of ${words}`, of('rows'))),
  ];
};

export const kernelBackward = familyOf((site) => {
  const { node, kind, graph } = site;
  const { logits, values } = roles(graph);
  if (kind !== 'gradient' || (node.id !== logits && node.id !== values)) return [];
  return [...wrongWeights(site), ...rowSums(site)];
});

/** P as the backward pass has it, while the output comes of the weights of the forward pass. */
const LOGGED = familyOf((site) => {
  if (site.kind !== 'value' || site.node.id !== 'P') return [];
  const ofLoops = inBlocks(DENOMINATORS, site.graph.extents['i']);
  return [...recomputed(site, false), ...ofLoops].map((row) => ({
    ...{ ...LSE_FIX, ...row, on: 'P', cost: 1.35, isForwardOnly: true },
    needs: [...(row.needs ?? []), '!p'],
    id: `kernel-recomputed-${row.id}`,
    title: `P is not softmax({logits}): ${row.title}`,
    formula: [
      `P: ${row.formula}; W`,
      'output: weights := exp(logits) / sum_i(exp(logits))',
      'dlogits: P * (dP - sum_feature(output * doutput))',
    ].join('\n'),
  }));
});

export const kernelLogged = (site: Site): readonly Edit[] => (site.target ? LOGGED(site) : []);
