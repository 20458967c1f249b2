// The softmax as loops: a sum that is not reset, overwritten, or used before it is complete; sums over other axes.
import { map, sizeOf, type Tensor, zeros } from '../../engine/tensor.ts';
import { exponentials, fibres, NO_DERIVATIVE, softmaxOver, weigh } from '../operations.ts';
import { type Edit, type Family, longLetters, roles, type Site } from './edit.ts';
import { SMALL } from './kernelForward.ts';
import { contributionEdit, stepEdit } from './make.ts';
import { letterNames, subsets } from './softmaxForward.ts';

export const softmaxLoops: Family = (site) => {
  const { node, kind, graph, target } = site;
  if (!target && sizeOf(node.shape) > SMALL) return [];
  if (kind === 'value') return node.id === 'P' ? [...sums(site), ...otherAxes(site)] : [];
  return node.id === roles(graph).logits ? rowSums(site) : [];
};

/** For each entry what stands in place of its row's sum. */
interface Summing {
  readonly id: string;
  readonly title: string;
  readonly symbol: string;
  readonly of: (input: Tensor) => Tensor;
}

/** What a loop over queries, keys inside, may make of its running sum. */
function summings({ graph, node }: Site, sum: string): Summing[] {
  const { axes } = node;
  const { extents } = graph;
  const rows = fibres(axes, ['i'], extents);
  const each =
    (of: (row: Float64Array, out: Float64Array) => void) =>
    (input: Tensor): Tensor => {
      const out = zeros(input.shape);
      const [row, own] = [0, 1].map(() => new Float64Array(rows.steps.length));
      for (const start of rows.starts) {
        rows.steps.forEach((step, n) => (row[n] = input.data[start + step]));
        of(row, own);
        rows.steps.forEach((step, n) => (out.data[start + step] = own[n]));
      }
      return out;
    };
  /** Goes on from query to query, and from head to head unless it `resets`. */
  const running =
    (resets: boolean) =>
    (input: Tensor): Tensor => {
      const out = zeros(input.shape);
      const { starts } = fibres(axes, ['i', 'j'], extents);
      const { steps: queries } = fibres(axes, ['j'], extents);
      let total = 0;
      for (const start of starts) {
        if (resets) total = 0;
        for (const query of queries) {
          for (const step of rows.steps) total += input.data[start + query + step];
          for (const step of rows.steps) out.data[start + query + step] = total;
        }
      }
      return out;
    };
  const summing: Summing[] = [
    {
      id: 'sum-overwritten',
      title: `${sum} is overwritten by each key (= for +=): only the last one counts`,
      symbol: `${sum} = … for ${sum} += …`,
      of: each((row, out) => out.fill(row[row.length - 1])),
    },
    {
      id: 'sum-overwritten',
      title: `${sum} is overwritten by each key (= for +=): only the last one that is seen counts`,
      symbol: `${sum} = … for ${sum} += …`,
      of: each((row, out) => out.fill(row.findLast((value) => value !== 0) ?? 0)),
    },
    {
      id: 'sum-used-too-early',
      title: `${sum} is used in the loop that sums it: each key has the sum up to itself`,
      symbol: `${sum} of the keys up to i`,
      of: each((row, out) => {
        let total = 0;
        row.forEach((value, n) => (out[n] = total += value));
      }),
    },
  ];
  const queries = `${sum} is not reset: it goes on from query to query`;
  if (extents['j'] > 1)
    summing.push({
      id: 'sum-not-reset',
      title: queries,
      symbol: `${sum} set to 0 outside of the loop over the queries`,
      of: running(true),
    });
  if (sizeOf(node.shape) > extents['j'] * extents['i'])
    summing.push({
      id: 'sum-not-reset',
      title: `${queries}, and from head to head`,
      symbol: `${sum} set to 0 outside of all loops`,
      of: running(false),
    });
  return summing;
}

/** The denominators of the weights. */
function sums(site: Site): Edit[] {
  const { logits } = roles(site.graph);
  const rows = fibres(site.node.axes, ['i'], site.graph.extents);
  return [true, false].flatMap((shift) => {
    const e = shift ? `exp(${logits} − max)` : `exp(${logits})`;
    return summings(site, 'the denominator').map(({ id, title, symbol, of }) => {
      const say = {
        id: `softmax-${id}`,
        title: `softmax: ${title}`,
        why: `Each row of ${e} is divided by its own whole sum.`,
        wrong: `P = ${e} / denominator, ${symbol}`,
        cost: shift ? 1.25 : 1.3,
      };
      return stepEdit(site, 'P', say, () => ({
        name: 'softmax',
        forward: ([input]) => {
          const weights = exponentials(input, rows, shift);
          const divisors = of(weights).data;
          return map(weights, (value, at) => (value === 0 ? 0 : value / divisors[at]));
        },
        vjp: NO_DERIVATIVE,
      }));
    });
  });
}

/** The maximum over the keys, the sum over another axis: only with one axis for both the maximum cancels. */
function otherAxes(site: Site): Edit[] {
  const { node, graph } = site;
  const { logits } = roles(graph);
  const rows = fibres(node.axes, ['i'], graph.extents);
  return subsets(longLetters(node, graph))
    .filter((set) => set.join() !== 'i')
    .map((set) => {
      const over = letterNames(set);
      const say = {
        id: 'softmax-denominator-of-other-axis',
        title: `softmax: the maximum is taken over the keys, but the denominator sums over the ${over} axis`,
        why: `P sums to 1 over ${over}, not over the keys; the maximum of each row does not cancel.`,
        wrong: `P = exp(${logits} − max_i) / Σ_${set.join('')}`,
        cost: 1.15 + 0.05 * set.length,
      };
      const divide = softmaxOver(node.axes, set, graph.extents);
      return stepEdit(site, 'P', say, () => ({
        name: 'softmax',
        forward: ([input]) => divide.forward([map(exponentials(input, rows), Math.log)]),
        vjp: NO_DERIVATIVE,
      }));
    });
}

/** D = Σ P ∘ dP of the backward pass. */
function rowSums(site: Site): Edit[] {
  const { logits } = roles(site.graph);
  return summings(site, 'the row sum D').map(({ id, title, symbol, of }) =>
    contributionEdit(
      site,
      'P',
      0,
      {
        id: `softmax-backward-${id}`,
        title: `softmax backward: ${title}`,
        why: 'D = Σ P ∘ dP of a query is the whole sum over its keys.',
        wrong: `d${logits} = P ∘ (dP − D), ${symbol}`,
        cost: 1.25,
      },
      (_, state) => {
        const P = state.value('P');
        const dP = state.gradient('P').data;
        const D = of(weigh(P, state.gradient('P'))).data;
        return map(P, (p, at) => (p === 0 ? 0 : p * (dP[at] - D[at])));
      },
    ),
  );
}
