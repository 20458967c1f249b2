// A backward kernel that recomputes the weights from the scores and the rows' log-sum-exp, and gets one of them wrong.
import { hasNode, nodeOf, type OperationNode } from '../../engine/graph.ts';
import { scaleFactor } from '../../engine/heads/weights.ts';
import { map, sizeOf, type Tensor, zeros } from '../../engine/tensor.ts';
import { fibres, spreadSum } from '../operations.ts';
import { type State, type StepOperation, withContribution } from '../program.ts';
import { reindexed } from '../transforms/indices.ts';
import { type Edit, type Family, type Site, roles } from './edit.ts';
import { contributionsTo, contributionEdit, makeEdit, passedBack } from './make.ts';
import { blockSizes, SMALL } from './kernelForward.ts';
import { indexAlong } from './piecewise.ts';

type Read = (state: State) => Tensor;

export const kernelBackward: Family = (site) => {
  const { node, kind, graph, config, target } = site;
  const { logits, values } = roles(graph);
  if (kind !== 'gradient' || config.dropout) return [];
  if (!target && sizeOf(node.shape) > SMALL) return [];
  if (node.id !== logits && node.id !== values) return partsOfSums(site);
  return [...wrongWeights(site), ...(node.id === logits ? rowSums(site) : partsOfSums(site))];
};

/** P ∘ dP, 0 where there is no weight. */
const weighted = (state: State): Tensor => {
  const dP = state.gradient('P').data;
  return map(state.value('P'), (p, at) => (p === 0 ? 0 : p * dP[at]));
};

/** Each row's sum, in every entry of it. */
const rowSum = ({ graph }: Site, input: Tensor): Tensor =>
  spreadSum(input, nodeOf(graph, 'P').axes, ['i'], graph.extents);

/** In every row that of the query `by` further. */
const ofOtherQuery = ({ graph }: Site, by: number): StepOperation => {
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

/** exp(scores − L) with something wrong, in dV and in the softmax's gradient alike. */
function wrongWeights(site: Site): Edit[] {
  const { graph, config } = site;
  const { logits, output, weights } = roles(graph);
  const own: Read = (state) => state.value(logits);
  const exponentials = (scores: Tensor, L: Tensor): Tensor =>
    map(scores, (value, at) => Math.exp(value - L.data[at]));
  const withL =
    (of: (m: number, l: number) => number): Read =>
    (state) =>
      exponentials(own(state), logSumExp(site, own(state), of));
  const withScores =
    (of: Read): Read =>
    (state) =>
      exponentials(of(state), logSumExp(site, own(state)));
  const shifted =
    (by: number): Read =>
    (state) =>
      exponentials(own(state), ofOtherQuery(site, by).forward([logSumExp(site, own(state))]));
  const M = hasNode(graph, 'M') ? (nodeOf(graph, 'M') as OperationNode) : null;
  const scale = scaleFactor(config, graph.extents['a']) ?? 1;
  const list: [id: string, title: string, wrong: string, of: Read][] = [
    [
      'lse-of-base-2',
      'the log-sum-exp is m + log2(l) instead of m + log(l)',
      "P' = exp(M − m − log2(l))",
      withL((m, l) => m + Math.log2(l)),
    ],
    [
      'lse-without-sum',
      'the log-sum-exp is only the row’s maximum: log(l) is missing',
      "P' = exp(M − m)",
      withL((m) => m),
    ],
    [
      'lse-without-maximum',
      'the log-sum-exp is only log(l): the row’s maximum is missing',
      "P' = exp(M − log(l))",
      withL((_, l) => Math.log(l)),
    ],
    [
      'lse-not-logarithm',
      'm + l stands where m + log(l) belongs',
      "P' = exp(M − m − l)",
      withL((m, l) => m + l),
    ],
    [
      'lse-is-denominator',
      'the denominator l stands where the log-sum-exp belongs',
      "P' = exp(M − l)",
      withL((_, l) => l),
    ],
    [
      'lse-of-other-query',
      'the log-sum-exp of the query before is used',
      "P' = exp(M − L[j − 1])",
      shifted(-1),
    ],
    [
      'lse-of-other-query',
      'the log-sum-exp of the query behind is used',
      "P' = exp(M − L[j + 1])",
      shifted(1),
    ],
    ...(M
      ? [
          [
            'unmasked',
            'the weights are recomputed without the mask',
            `P' = exp(${M.inputs[0]} − L)`,
            withScores((state) => state.value(M.inputs[0])),
          ] as [string, string, string, Read],
        ]
      : []),
    ...(scale === 1
      ? []
      : [
          [
            'unscaled',
            'the weights are recomputed without the scale',
            "P' = exp(S − L)",
            withScores((state) => map(own(state), (value) => value / scale)),
          ] as [string, string, string, Read],
        ]),
    [
      'of-base-2',
      'the weights are recomputed with powers of 2',
      "P' = 2^(M − L)",
      (state) => map(withScores(own)(state), (p) => (p === 0 ? 0 : 2 ** Math.log(p))),
    ],
  ];
  return list.map(([id, title, wrong, of]) =>
    makeEdit(
      site,
      site.node.id,
      'gradient',
      {
        id: `kernel-backward-${id}`,
        title: `the backward pass recomputes the weights wrongly: ${title}`,
        why: 'A kernel keeps no weights but each row’s L = m + log(Σ exp(M − m)), and recomputes P = exp(M − L); dV and dM come out exactly with the weights given here.',
        wrong: `${wrong}; dV = P'^T dO, dM = P' ∘ (dP − D)`,
        numpy:
          'P = np.exp(M - L[..., None])  # L = m + np.log(l) of the forward pass, M scaled and masked',
        pytorch: 'P = torch.exp(M - L[..., None])  # L = torch.logsumexp(M, -1)',
        cost: 1.15,
      },
      (program) => {
        const mix = program.backward.get(output)!;
        const slot = mix.inputs.findIndex((input) => input !== weights);
        const withValues = withContribution(program, output, slot, (_, state) =>
          passedBack(state, output, slot, {
            inputs: mix.inputs.map((input, n) => (n === slot ? state.value(input) : of(state))),
          }),
        );
        return withContribution(withValues, 'P', 0, (_, state) => {
          const dP = state.gradient('P').data;
          const D = rowSum(site, weighted(state)).data;
          return map(of(state), (w, at) => (w === 0 ? 0 : w * (dP[at] - D[at])));
        });
      },
    ),
  );
}

/** D = Σ P ∘ dP of one block of keys, or of another query. */
function rowSums(site: Site): Edit[] {
  const { graph } = site;
  const rows = fibres(nodeOf(graph, 'P').axes, ['i'], graph.extents);
  const use = (id: string, title: string, wrong: string, of: (input: Tensor) => Tensor): Edit =>
    contributionEdit(
      site,
      'P',
      0,
      {
        id: `kernel-backward-${id}`,
        title: `softmax backward: ${title}`,
        why: 'D = Σ P ∘ dP of a query runs over all its keys.',
        wrong,
        cost: 1.35,
      },
      (_, state) => {
        const P = state.value('P').data;
        const D = of(weighted(state)).data;
        return map(weighted(state), (value, at) => value - P[at] * D[at]);
      },
    );
  const inBlocks = (input: Tensor, size: number): Tensor => {
    const out = zeros(input.shape);
    for (const start of rows.starts)
      for (let from = 0; from < rows.steps.length; from += size) {
        const block = rows.steps.subarray(from, from + size);
        let sum = 0;
        for (const step of block) sum += input.data[start + step];
        for (const step of block) out.data[start + step] = sum;
      }
    return out;
  };
  const blocks = blockSizes(rows.steps.length).map((size) =>
    use(
      'sum-of-block',
      `D is summed over each block of ${size} keys alone`,
      `dM = P ∘ (dP − Σ over the key's block of ${size} P ∘ dP)`,
      (input) => inBlocks(input, size),
    ),
  );
  const behind = blockSizes(graph.extents['j']).filter((size) => size > 1);
  const others = [-1, 1, ...behind.map((size) => -size)].map((by) =>
    use(
      'sum-of-other-query',
      `D of the query ${Math.abs(by)} ${by < 0 ? 'before' : 'behind'} is used`,
      `dM[j] = P[j] ∘ (dP[j] − D[j ${by < 0 ? '−' : '+'} ${Math.abs(by)}])`,
      (input) => ofOtherQuery(site, by).forward([rowSum(site, input)]),
    ),
  );
  return [...blocks, ...others];
}

/** A product's sum over keys or queries that has only its last tokens, or lacks them: blocks overwrite each other. */
function partsOfSums(site: Site): Edit[] {
  const { node, graph } = site;
  return contributionsTo(site, node.id).flatMap(({ from, slot }): Edit[] => {
    if (from.operation.name !== 'contraction' || !/^(S|O|y)$/.test(from.id)) return [];
    const letter = ['i', 'j'].find((each) => !node.axes.flat().includes(each));
    const { axes } = nodeOf(graph, from.id);
    if (letter === undefined || !axes.flat().includes(letter)) return [];
    const what = letter === 'i' ? 'keys' : 'queries';
    const length = graph.extents[letter];
    const part = (upstream: Tensor, first: number, end: number): Tensor => {
      const index = indexAlong(axes, [letter], graph.extents);
      return map(upstream, (value, at) => (index[at] >= first && index[at] < end ? value : 0));
    };
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
          passedBack(state, from.id, slot, { upstream: part(state.gradient(from.id), first, end) }),
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
