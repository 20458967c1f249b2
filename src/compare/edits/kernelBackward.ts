// A backward kernel that recomputes the weights from the scores and the rows' log-sum-exp, and gets one of them wrong.
import { nodeOf } from '../../engine/graph.ts';
import { map, sizeOf, type Tensor, zeros } from '../../engine/tensor.ts';
import { fibres, spreadSum, weigh } from '../operations.ts';
import { type State, withContribution } from '../program.ts';
import { type Edit, type Family, type Site, roles } from './edit.ts';
import { contributionsTo, contributionEdit, makeEdit, passedBack } from './make.ts';
import { blockSizes, SMALL } from './kernelForward.ts';
import { beforeMask, FIX, MASK_FIX, ofOtherQuery, recomputed, staleRows } from './kernelWeights.ts';
import { partAlong } from './piecewise.ts';

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
const weighted = (state: State): Tensor => weigh(state.value('P'), state.gradient('P'));

/** Each row's sum, in every entry of it. */
const rowSum = ({ graph }: Site, input: Tensor): Tensor =>
  spreadSum(input, nodeOf(graph, 'P').axes, ['i'], graph.extents);

/** Recomputed weights that are wrong in dV and in the softmax's gradient, or in one of them. */
function wrongWeights(site: Site): Edit[] {
  const { output, weights, logits } = roles(site.graph);
  const before = beforeMask(site);
  return recomputed(site).flatMap(({ id, title, wrong, of, isMask }) =>
    SCOPES.map(({ words, formula, inValues, inScores, cost }) =>
      makeEdit(
        site,
        site.node.id,
        site.kind,
        {
          id: `kernel-backward-${id}`,
          title: `the backward pass recomputes the weights wrongly${words}: ${title}`,
          why: 'A kernel keeps no weights but each row’s L = m + log(Σ exp(M − m)), and recomputes P = exp(M − L); what follows comes out exactly with the weights given here.',
          wrong: `${wrong}; ${formula}`,
          ...(isMask ? MASK_FIX : FIX),
          cost,
        },
        (program) => {
          const recompute: Read = (state) => of(state.value(logits), state.value(before));
          const mix = program.backward.get(output)!;
          const slot = mix.inputs.findIndex((input) => input !== weights);
          const withValues = inValues
            ? withContribution(program, output, slot, (_, state) =>
                passedBack(state, output, slot, {
                  inputs: mix.inputs.map((input, n) =>
                    n === slot ? state.value(input) : recompute(state),
                  ),
                }),
              )
            : program;
          if (!inScores) return withValues;
          return withContribution(withValues, 'P', 0, (_, state) => {
            const dP = state.gradient('P').data;
            const D = rowSum(site, weighted(state)).data;
            return map(recompute(state), (w, at) => (w === 0 ? 0 : w * (dP[at] - D[at])));
          });
        },
      ),
    ),
  );
}

/** Where the recomputed weights are wrong. */
const SCOPES = [
  {
    ...{ words: '', formula: "dV = P'^T dO, dM = P' ∘ (dP − D)" },
    ...{ inValues: true, inScores: true, cost: 1.15 },
  },
  {
    ...{ words: ' for dV alone', formula: "dV = P'^T dO" },
    ...{ inValues: true, inScores: false, cost: 1.25 },
  },
  {
    ...{ words: ' for the scores alone', formula: "dM = P' ∘ (dP − D)" },
    ...{ inValues: false, inScores: true, cost: 1.25 },
  },
] as const;

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
  const stale = staleRows(site).map(([words, of]) =>
    use('sum-of-other-row', `D of ${words}`, 'dM = P ∘ (dP − D), D of another row', (input) =>
      of.forward([rowSum(site, input)]),
    ),
  );
  return [...blocks, ...others, ...stale];
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
          passedBack(state, from.id, slot, {
            upstream: partAlong(state.gradient(from.id), axes, letter, [first, end], graph.extents),
          }),
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
