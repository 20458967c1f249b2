// A backward kernel that recomputes the weights from the scores and the rows' log-sum-exp, and gets one of them wrong.
import { hasNode, nodeOf, type OperationNode } from '../../engine/graph.ts';
import { scaleFactor } from '../../engine/heads/weights.ts';
import { map, sizeOf, type Tensor, zeros } from '../../engine/tensor.ts';
import { fibres } from '../operations.ts';
import { type State, withContribution } from '../program.ts';
import { type Edit, type Family, type Site, roles } from './edit.ts';
import { contributionsTo, contributionEdit, makeEdit, passedBack } from './make.ts';
import { blockSizes, SMALL } from './kernelForward.ts';

type Read = (state: State) => Tensor;

export const kernelBackward: Family = (site) => {
  const { node, kind, graph, config, target } = site;
  const { logits, values } = roles(graph);
  if (kind !== 'gradient' || config.dropout) return [];
  if (!target && sizeOf(node.shape) > SMALL) return [];
  if (node.id !== logits && node.id !== values) return partsOfSums(site);
  return [...wrongWeights(site), ...(node.id === logits ? rowSums(site) : partsOfSums(site))];
};

/** exp(scores − L) with something wrong, in dV and in the softmax's gradient alike. */
function wrongWeights(site: Site): Edit[] {
  const { graph, config } = site;
  const { logits, output, weights } = roles(graph);
  const rows = fibres(nodeOf(graph, 'P').axes, ['i'], graph.extents);
  /** exp(scores − L(m, l)) of each row, m and l being those of the right logits. */
  const exponentials =
    (of: (state: State) => Tensor, sum: (m: number, l: number) => number): Read =>
    (state) => {
      const right = state.value(logits).data;
      const scores = of(state);
      const out = zeros(scores.shape);
      for (const start of rows.starts) {
        let m = -Infinity;
        let l = 0;
        for (const step of rows.steps) m = Math.max(m, right[start + step]);
        if (m === -Infinity) continue;
        for (const step of rows.steps) l += Math.exp(right[start + step] - m);
        const L = sum(m, l);
        for (const step of rows.steps)
          out.data[start + step] = Math.exp(scores.data[start + step] - L);
      }
      return out;
    };
  const own: Read = (state) => state.value(logits);
  const lse = (m: number, l: number): number => m + Math.log(l);
  const M = hasNode(graph, 'M') ? (nodeOf(graph, 'M') as OperationNode) : null;
  const scale = scaleFactor(config, graph.extents['a']) ?? 1;
  const unscaled: Read = (state) => map(state.value(logits), (value) => value / scale);
  const shifted =
    (by: number): Read =>
    (state) =>
      nextRows(site, state, by);
  const list: [id: string, title: string, wrong: string, of: Read][] = [
    [
      'lse-of-base-2',
      'the log-sum-exp is m + log2(l) instead of m + log(l)',
      "P' = exp(M − m − log2(l))",
      exponentials(own, (m, l) => m + Math.log2(l)),
    ],
    [
      'lse-without-sum',
      'the log-sum-exp is only the row’s maximum: log(l) is missing',
      "P' = exp(M − m)",
      exponentials(own, (m) => m),
    ],
    [
      'lse-without-maximum',
      'the log-sum-exp is only log(l): the row’s maximum is missing',
      "P' = exp(M − log(l))",
      exponentials(own, (_, l) => Math.log(l)),
    ],
    [
      'lse-not-logarithm',
      'm + l stands where m + log(l) belongs',
      "P' = exp(M − m − l)",
      exponentials(own, (m, l) => m + l),
    ],
    [
      'lse-is-denominator',
      'the denominator l stands where the log-sum-exp belongs',
      "P' = exp(M − l)",
      exponentials(own, (_, l) => l),
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
            exponentials((state) => state.value(M.inputs[0]), lse),
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
            exponentials(unscaled, lse),
          ] as [string, string, string, Read],
        ]),
    [
      'of-base-2',
      'the weights are recomputed with powers of 2',
      "P' = 2^(M − L)",
      (state) => map(exponentials(own, lse)(state), (p) => (p === 0 ? 0 : 2 ** Math.log(p))),
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
          const W = of(state);
          const P = state.value('P');
          const dP = state.gradient('P');
          const out = zeros(P.shape);
          for (const start of rows.starts) {
            let D = 0;
            for (const step of rows.steps) {
              const p = P.data[start + step];
              if (p !== 0) D += p * dP.data[start + step];
            }
            for (const step of rows.steps) {
              const at = start + step;
              if (W.data[at] !== 0) out.data[at] = W.data[at] * (dP.data[at] - D);
            }
          }
          return out;
        });
      },
    ),
  );
}

/** exp(M − L) with the log-sum-exp of the query `by` further. */
function nextRows({ graph }: Site, state: State, by: number): Tensor {
  const { logits } = roles(graph);
  const { axes } = nodeOf(graph, 'P');
  const rows = fibres(axes, ['i'], graph.extents);
  const queries = fibres(axes, ['j'], graph.extents);
  const { shape, data } = state.value(logits);
  const L = new Float64Array(data.length);
  for (const start of rows.starts) {
    let m = -Infinity;
    for (const step of rows.steps) m = Math.max(m, data[start + step]);
    let l = 0;
    for (const step of rows.steps) l += m === -Infinity ? 0 : Math.exp(data[start + step] - m);
    for (const step of rows.steps) L[start + step] = m + Math.log(l);
  }
  const out = zeros(shape);
  const count = queries.steps.length;
  for (const start of queries.starts)
    queries.steps.forEach((step, j) => {
      const other = start + queries.steps[(j + by + count) % count];
      const value = data[start + step];
      if (value !== -Infinity && L[other] !== -Infinity)
        out.data[start + step] = Math.exp(value - L[other]);
    });
  return out;
}

/** D = Σ P ∘ dP of one block of keys, or of another query. */
function rowSums(site: Site): Edit[] {
  const { graph } = site;
  const { axes } = nodeOf(graph, 'P');
  const rows = fibres(axes, ['i'], graph.extents);
  const queries = fibres(axes, ['j'], graph.extents);
  const use = (
    id: string,
    title: string,
    wrong: string,
    cost: number,
    D: (weighted: Tensor) => Tensor,
  ): Edit =>
    contributionEdit(
      site,
      'P',
      0,
      {
        id: `kernel-backward-${id}`,
        title: `softmax backward: ${title}`,
        why: 'D = Σ P ∘ dP of a query runs over all its keys.',
        wrong,
        cost,
      },
      (_, state) => {
        const dP = state.gradient('P');
        const weighted = map(state.value('P'), (p, at) => (p === 0 ? 0 : p * dP.data[at]));
        const sums = D(weighted);
        return map(weighted, (value, at) => value - state.value('P').data[at] * sums.data[at]);
      },
    );
  const perRow = (weighted: Tensor): Tensor => {
    const out = zeros(weighted.shape);
    for (const start of rows.starts) {
      let sum = 0;
      for (const step of rows.steps) sum += weighted.data[start + step];
      for (const step of rows.steps) out.data[start + step] = sum;
    }
    return out;
  };
  const blocks = blockSizes(rows.steps.length).map((size) =>
    use(
      'sum-of-block',
      `D is summed over each block of ${size} keys alone`,
      `dM = P ∘ (dP − Σ over the key's block of ${size} P ∘ dP)`,
      1.35,
      (weighted) => {
        const out = zeros(weighted.shape);
        for (const start of rows.starts)
          for (let from = 0; from < rows.steps.length; from += size) {
            const part = rows.steps.subarray(from, from + size);
            let sum = 0;
            for (const step of part) sum += weighted.data[start + step];
            for (const step of part) out.data[start + step] = sum;
          }
        return out;
      },
    ),
  );
  const shifts = [
    -1,
    1,
    ...blockSizes(queries.steps.length)
      .filter((size) => size > 1)
      .map((size) => -size),
  ];
  const others = shifts.map((by) =>
    use(
      'sum-of-other-query',
      `D of the query ${Math.abs(by)} ${by < 0 ? 'before' : 'behind'} is used`,
      `dM[j] = P[j] ∘ (dP[j] − D[j ${by < 0 ? '−' : '+'} ${Math.abs(by)}])`,
      1.35,
      (weighted) => {
        const sums = perRow(weighted);
        const out = zeros(weighted.shape);
        const count = queries.steps.length;
        for (const start of queries.starts)
          queries.steps.forEach((step, j) => {
            const from = (j + by + count) % count;
            out.data[start + step] = sums.data[start + queries.steps[from]];
          });
        return out;
      },
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
    const strides = fibres(axes, [letter], graph.extents);
    const part = (upstream: Tensor, first: number, end: number): Tensor => {
      const out = zeros(upstream.shape);
      for (const start of strides.starts)
        for (let n = first; n < end; n++) {
          const at = start + strides.steps[n];
          out.data[at] = upstream.data[at];
        }
      return out;
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
