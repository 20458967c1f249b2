// The weights that a backward kernel recomputes from the scores and the rows' log-sum-exp, with something wrong.
import { hasNode, nodeOf, type NodeId, type OperationNode } from '../../engine/graph.ts';
import { scaleFactor } from '../../engine/heads/weights.ts';
import { map, sizeOf, type Tensor, zeros } from '../../engine/tensor.ts';
import { fibres } from '../operations.ts';
import type { StepOperation } from '../program.ts';
import { groupsOf, indexName, reindexed } from '../transforms/indices.ts';
import { type Site, roles } from './edit.ts';
import { blocksOf, blockSizes, DENOMINATORS } from './kernelForward.ts';
import { maskVariants } from './masks.ts';

/** Entries beyond which only the commonest masks are tried. */
const LARGE = 100_000;
const STRANGEST = 1.45;

/** In every row that of the query `by` further. */
export const ofOtherQuery = ({ graph }: Site, by: number): StepOperation => {
  const { axes, shape } = nodeOf(graph, 'P');
  return reindexed(axes, shape, ['j'], graph.extents, (j, count) => (j + by + count) % count);
};

/** Of each row's maximum m and sum l of exp(logits − m) what `of` makes; infinite where all is hidden. */
function logSumExp(
  { graph }: Site,
  logits: Tensor,
  of = (m: number, l: number): number => m + Math.log(l),
): Tensor {
  const out = zeros(logits.shape);
  const { starts, steps } = fibres(nodeOf(graph, 'P').axes, ['i'], graph.extents);
  for (const start of starts) {
    let m = -Infinity;
    let l = 0;
    for (const step of steps) m = Math.max(m, logits.data[start + step]);
    for (const step of steps) l += Math.exp(logits.data[start + step] - m);
    const L = m === -Infinity ? Infinity : of(m, l);
    for (const step of steps) out.data[start + step] = L;
  }
  return out;
}

/** Rows that stand for all: of the first head, batch entry or query, of the first block of queries in every block. */
export function staleRows({ graph }: Site): [words: string, operation: StepOperation][] {
  const { axes, shape } = nodeOf(graph, 'P');
  const first = groupsOf(axes, graph.extents)
    .filter((group) => !group.includes('i'))
    .map((group): [string, StepOperation] => [
      `the first ${indexName(group)} for all`,
      reindexed(axes, shape, group, graph.extents, () => 0),
    ]);
  const blocks = blockSizes(graph.extents['j'])
    .filter((size) => size > 1)
    .map((size): [string, StepOperation] => [
      `the first ${size} queries for every ${size} (a pointer is not advanced)`,
      reindexed(axes, shape, ['j'], graph.extents, (j) => j % size),
    ]);
  return [...first, ...blocks];
}

/** Weights recomputed from the logits, and from those before the mask. */
type Weights = (own: Tensor, unmasked: Tensor) => Tensor;

export interface Recomputed {
  readonly id: string;
  readonly title: string;
  readonly wrong: string;
  readonly of: Weights;
  /** Whether only the mask is another one. */
  readonly isMask?: boolean;
}

/** Where the logits before the mask are; the logits themselves if there is none. */
export const beforeMask = ({ graph }: Site): NodeId =>
  hasNode(graph, 'M') ? (nodeOf(graph, 'M') as OperationNode).inputs[0] : roles(graph).logits;

/** The weights that a backward pass recomputes with another mask than the forward pass has, its L being right. */
function maskedAnew(site: Site): Recomputed[] {
  const { graph } = site;
  if (!hasNode(graph, 'M')) return [];
  const M = nodeOf(graph, 'M');
  const isLarge = sizeOf(M.shape) > LARGE;
  return maskVariants(site, M)
    .filter(({ id, cost }) => id !== 'mask-missing' && cost <= (isLarge ? 1 : STRANGEST))
    .map((variant) => ({
      id: variant.id,
      title: `it masks otherwise than the forward pass: ${variant.title}`,
      wrong: `P' = exp(${beforeMask(site)} + mask' − L), ${variant.wrong}`,
      isMask: true,
      of: (own, unmasked) => {
        const { data } = logSumExp(site, own);
        return map(unmasked, (value, at) => Math.exp(value + variant.mask.data[at] - data[at]));
      },
    }));
}

/** exp(scores − L) with something wrong. */
export function recomputed(site: Site): Recomputed[] {
  const { graph, config } = site;
  const exponentials = (scores: Tensor, L: Tensor): Tensor =>
    map(scores, (value, at) => Math.exp(value - L.data[at]));
  const withL =
    (of: (m: number, l: number) => number): Weights =>
    (own) =>
      exponentials(own, logSumExp(site, own, of));
  const withScores =
    (of: Weights): Weights =>
    (own, unmasked) =>
      exponentials(of(own, unmasked), logSumExp(site, own));
  const moved =
    (by: StepOperation): Weights =>
    (own) =>
      exponentials(own, by.forward([logSumExp(site, own)]));
  const scale = scaleFactor(config, graph.extents['a']) ?? 1;
  const make = (id: string, title: string, wrong: string, of: Weights): Recomputed => ({
    ...{ id, title, wrong, of },
  });
  const unmasked = make(
    'unmasked',
    'the weights are recomputed without the mask',
    `P' = exp(${beforeMask(site)} − L)`,
    withScores((_, before) => before),
  );
  const scaled = [
    make(
      'unscaled',
      'the weights are recomputed without the scale',
      "P' = exp(S − L)",
      withScores((own) => map(own, (value) => value / scale)),
    ),
    make(
      'scaled-twice',
      'the weights are recomputed with the scale applied twice',
      "P' = exp(scale · Z − L)",
      withScores((own) => map(own, (value) => value * scale)),
    ),
  ];
  return [
    make(
      'lse-of-base-2',
      'the log-sum-exp is m + log2(l) instead of m + log(l)',
      "P' = exp(M − m − log2(l))",
      withL((m, l) => m + Math.log2(l)),
    ),
    make('lse-missing', 'the log-sum-exp is not subtracted', "P' = exp(M)", (own) =>
      map(own, Math.exp),
    ),
    make(
      'lse-without-sum',
      'the log-sum-exp is only the row’s maximum: log(l) is missing',
      "P' = exp(M − m)",
      withL((m) => m),
    ),
    make(
      'lse-without-maximum',
      'the log-sum-exp is only log(l): the row’s maximum is missing',
      "P' = exp(M − log(l))",
      withL((_, l) => Math.log(l)),
    ),
    make(
      'lse-not-logarithm',
      'm + l stands where m + log(l) belongs',
      "P' = exp(M − m − l)",
      withL((m, l) => m + l),
    ),
    make(
      'lse-sign',
      'm − log(l) stands where m + log(l) belongs',
      "P' = exp(M − m + log(l))",
      withL((m, l) => m - Math.log(l)),
    ),
    make(
      'lse-is-denominator',
      'the denominator l stands where the log-sum-exp belongs',
      "P' = exp(M − l)",
      withL((_, l) => l),
    ),
    ...staleRows(site).map(([words, by]) =>
      make(
        'lse-of-other-row',
        `the log-sum-exp of ${words}`,
        "P' = exp(M − L), L of another row",
        moved(by),
      ),
    ),
    make(
      'lse-of-other-query',
      'the log-sum-exp of the query before is used',
      "P' = exp(M − L[j − 1])",
      moved(ofOtherQuery(site, -1)),
    ),
    make(
      'lse-of-other-query',
      'the log-sum-exp of the query behind is used',
      "P' = exp(M − L[j + 1])",
      moved(ofOtherQuery(site, 1)),
    ),
    ...(hasNode(graph, 'M') ? [unmasked] : []),
    ...maskedAnew(site),
    ...(scale === 1 ? [] : scaled),
    make(
      'of-base-2',
      'the weights are recomputed with powers of 2',
      "P' = 2^(M − L)",
      (own, before) =>
        map(withScores((each) => each)(own, before), (p) => (p === 0 ? 0 : 2 ** Math.log(p))),
    ),
  ];
}

/** exp(M − L) where L has a denominator that a kernel got wrong between its blocks. */
export function ofDenominators({ graph }: Site): Recomputed[] {
  const rows = fibres(nodeOf(graph, 'P').axes, ['i'], graph.extents);
  return DENOMINATORS.flatMap(({ id, title, of }) =>
    blockSizes(rows.steps.length).map((size) => ({
      id,
      title: `${title} (keys in blocks of ${size})`,
      wrong: "P' = exp(M − m − log(l)), l as in that loop",
      of: (own) => {
        const out = zeros(own.shape);
        for (const start of rows.starts) {
          const scores = Float64Array.from(rows.steps, (step) => own.data[start + step]);
          const most = Math.max(...scores);
          const l = most === -Infinity ? 1 : of(scores, blocksOf(scores, size));
          rows.steps.forEach(
            (step, n) =>
              (out.data[start + step] =
                scores[n] === -Infinity ? 0 : Math.exp(scores[n] - most) / l),
          );
        }
        return out;
      },
    })),
  );
}

export const FIX = {
  numpy:
    'P = np.exp(M - L[..., None])  # L = m + np.log(l) of the forward pass, M scaled and masked',
  pytorch: 'P = torch.exp(M - L[..., None])  # L = torch.logsumexp(M, -1)',
};

/** The line of a backward pass that masks as the forward pass does. */
export const MASK_FIX = {
  numpy:
    'P = np.where(hidden, 0, np.exp(Z - L[..., None]))  # hidden: the same keys, by the same places of the tokens, as in the forward pass',
  pytorch:
    'P = torch.exp(Z - L[..., None]).masked_fill(hidden, 0)  # hidden: the same keys, by the same places of the tokens, as in the forward pass',
};
