// Sums of the backward pass over what a query sees (or what sees a key) that lose some of it: only the last, without the own place.
import { hasNode, nodeOf } from '../../engine/graph.ts';
import { map, sizeOf, type Tensor, zeros } from '../../engine/tensor.ts';
import { fibres, weigh } from '../operations.ts';
import type { State } from '../program.ts';
import { type Edit, type Family, roles, type Site } from './edit.ts';
import { SMALL } from '../mistakes/names/kernels.ts';
import { contributionEdit, contributionsTo, type Say, passedBack } from './make.ts';

export const seenSums: Family = (site) => {
  const { node, kind, graph, target } = site;
  if (kind !== 'gradient' || !hasNode(graph, 'M')) return [];
  if (!target && sizeOf(node.shape) > SMALL) return [];
  if (node.id === roles(graph).logits) return rowSums(site);
  return contributionsTo(site, node.id).flatMap(({ from, slot }) =>
    from.operation.name === 'contraction' && /^(S|O|y)$/.test(from.id)
      ? products(site, from.id, slot)
      : [],
  );
};

/** Which of the seen entries of a row (or column) are kept. */
interface Kept {
  readonly id: string;
  readonly words: (what: string) => string;
  readonly keeps: (n: number, count: number) => boolean;
  readonly cost: number;
}

const KEPT: readonly Kept[] = [
  {
    id: 'only-last-seen',
    words: (what) => `only the last ${what}: each overwrites the one before (= for +=)`,
    keeps: (n, count) => n === count - 1,
    cost: 1.12,
  },
  {
    id: 'only-first-seen',
    words: (what) => `only the first ${what}`,
    keeps: (n) => n === 0,
    cost: 1.2,
  },
  {
    id: 'last-seen-skipped',
    words: (what) => `all but the last ${what}: the loop ends one too early`,
    keeps: (n, count) => n < count - 1,
    cost: 1.16,
  },
  {
    id: 'first-seen-skipped',
    words: (what) => `all but the first ${what}: the loop begins one too late`,
    keeps: (n) => n > 0,
    cost: 1.2,
  },
];

/** 1 where a weight is kept, of those that are not 0, along `letter`. */
function keptAlong({ graph }: Site, state: State, letter: 'i' | 'j', { keeps }: Kept): Tensor {
  const weights = state.value('P');
  const out = zeros(weights.shape);
  const { starts, steps } = fibres(nodeOf(graph, 'P').axes, [letter], graph.extents);
  for (const start of starts) {
    const seen = steps.filter((step) => weights.data[start + step] !== 0);
    seen.forEach((step, n) => (out.data[start + step] = Number(keeps(n, seen.length))));
  }
  return out;
}

/** Of a product with the scores' gradients, or the weights, only some tokens. */
function products(site: Site, from: string, slot: number): Edit[] {
  const { node, graph } = site;
  const letter = (['i', 'j'] as const).find((each) => !node.axes.flat().includes(each));
  const { weights } = roles(graph);
  const step = site.state.program.backward.get(from)!;
  const at = step.inputs.indexOf(weights);
  if (letter === undefined || (from !== 'S' && (at < 0 || at === slot))) return [];
  const what = letter === 'i' ? 'key that a query sees' : 'query that sees a key';
  return KEPT.map((kept) =>
    contributionEdit(
      site,
      from,
      slot,
      {
        id: `backward-${kept.id}-${letter === 'i' ? 'key' : 'query'}`,
        title: `d${node.id} has ${kept.words(what)}`,
        why: `d${node.id} is a sum over the ${letter === 'i' ? 'keys that a query sees' : 'queries that see a key'}; here it has ${kept.words(what)}.`,
        wrong: `d${node.id} over ${kept.id.replaceAll('-', ' ')} ${letter === 'i' ? 'keys' : 'queries'}`,
        cost: kept.cost,
      },
      (_, state) => {
        const mask = keptAlong(site, state, letter, kept);
        const part = (tensor: Tensor): Tensor =>
          map(tensor, (value, n) => (mask.data[n] === 0 ? 0 : value));
        return from === 'S'
          ? passedBack(state, from, slot, { upstream: part(state.gradient(from)) })
          : passedBack(state, from, slot, {
              inputs: step.inputs.map((id, n) =>
                n === at ? part(state.value(id)) : state.value(id),
              ),
            });
      },
    ),
  );
}

/** dM = P ∘ (dP − D) with a loop over the keys that ends before the last one a query sees: its own, if causal. */
function rowSums(site: Site): Edit[] {
  const { graph, config } = site;
  const { logits } = roles(graph);
  const isCausal = config.mask === 'causal' || config.mask === 'causal-bottom-right';
  const axes = nodeOf(graph, 'P').axes;
  const { starts, steps } = fibres(axes, ['i'], graph.extents);
  const ends = KEPT.filter(({ id }) => id.endsWith('skipped'));
  return ends.flatMap((kept) => {
    const isLast = kept.id.startsWith('last');
    const key = !isLast
      ? 'the first key that a query sees'
      : isCausal
        ? 'the diagonal key (a query’s own place, the last that it sees)'
        : 'the last key that a query sees';
    const loop = isLast ? 'the loop ends one too early' : 'the loop begins one too late';
    const use = (
      say: Pick<Say, 'title' | 'wrong'>,
      of: (weighted: number, weight: number, D: number, part: number, is: boolean) => number,
      cost: number,
    ): Edit =>
      contributionEdit(
        site,
        'P',
        0,
        {
          ...say,
          id: `softmax-backward-${isLast ? 'last' : 'first'}-key-skipped`,
          why: `Σ P ∘ dP runs over all keys that a query sees; ${loop}.`,
          cost: kept.cost + cost,
        },
        (_, state) => {
          const P = state.value('P');
          const weighted = weigh(P, state.gradient('P'));
          const mask = keptAlong(site, state, 'i', kept);
          const out = zeros(P.shape);
          for (const start of starts) {
            let [D, part] = [0, 0];
            for (const step of steps) {
              D += weighted.data[start + step];
              if (mask.data[start + step] === 1) part += weighted.data[start + step];
            }
            for (const step of steps) {
              const at = start + step;
              if (P.data[at] === 0) continue;
              out.data[at] = of(weighted.data[at], P.data[at], D, part, mask.data[at] === 1);
            }
          }
          return out;
        },
      );
    return [
      use(
        {
          title: `softmax backward: ${key} is left out of the row sum Σ P ∘ dP`,
          wrong: `d${logits} = P ∘ (dP − Σ P ∘ dP without it)`,
        },
        (weighted, weight, _, part) => weighted - weight * part,
        0,
      ),
      use(
        {
          title: `softmax backward: ${key} is left out of the sum over the keys of the Jacobian`,
          wrong: `d${logits}[i] = Σ over l P[l] (δ[l,i] − P[i]) dP[l], without l = it`,
        },
        (weighted, weight, _, part, is) => (is ? weighted : 0) - weight * part,
        0.01,
      ),
      use(
        {
          title: `softmax backward: no gradient arrives at ${key}`,
          wrong: `d${logits} = P ∘ (dP − Σ P ∘ dP), 0 there`,
        },
        (weighted, weight, D, _, is) => (is ? weighted - weight * D : 0),
        0.02,
      ),
    ];
  });
}
