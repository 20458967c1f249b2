// The softmax's gradient P ∘ (dP − D) in which only D, one number for each row, is wrong: which number it is, read off.
import { nodeOf } from '../../engine/graph.ts';
import { indexOf, largestMagnitude, map, type Tensor, zeros } from '../../engine/tensor.ts';
import { shortNumber } from '../search/constants.ts';
import { fibres, weigh } from '../program/operations.ts';
import { type State, withAccumulator } from '../program/program.ts';
import { type Edit, type Family, roles, type Site } from './edit.ts';
import { contributionEdit, type Say } from './make.ts';
import { factorsAlong, indexAlong } from './piecewise.ts';

export const rowTerm: Family = (site) => {
  const { node, kind, graph, goal } = site;
  const { logits } = roles(graph);
  if (kind !== 'gradient' || node.id !== logits || !/^g:[MZS]$/.test(goal.key)) return [];
  const read = readOff(site);
  if (!read) return [];
  return [ofRows(site, read)];
};

/** dM = P ∘ (dP − D), D one number for each row, in every entry of it. */
function withRows(site: Site, say: Say, D: (state: State) => Tensor): Edit {
  return contributionEdit(site, 'P', 0, say, (_, state) => {
    const dP = state.gradient('P').data;
    const rows = D(state).data;
    return map(state.value('P'), (w, at) => (w === 0 ? 0 : w * (dP[at] - rows[at])));
  });
}

/** The number of each row that makes the person's gradient nearest to P ∘ (dP − D); null where that is not near. */
function readOff(site: Site): Float64Array | null {
  const { graph, goal, state, precision } = site;
  const P = state.value('P');
  const own = state.predict('g:P');
  // What is between here and the person's tensor (the scale, a softcap) multiplies each entry by a number.
  const { logits } = roles(graph);
  const ones = withAccumulator(state.program, logits, (value) => map(value(), () => 1));
  const slopes = goal.look(state.under(ones).predict(goal.key)).data;
  const slope = (at: number): number => (goal.key === `g:${logits}` ? 1 : slopes[at]);
  const weighted = weigh(P, own);
  const { axes } = nodeOf(graph, 'P');
  const row = indexAlong(
    axes,
    axes.flat().filter((letter) => letter !== 'i'),
    graph.extents,
  );
  const by = map(P, (w, at) => slope(at) * w);
  const off = map(by, (each, at) =>
    each === 0 ? 0 : slope(at) * weighted.data[at] - goal.user.data[at],
  );
  const accepted = (precision * largestMagnitude(goal.user)) / (largestMagnitude(off) || 1);
  const D = factorsAlong(row, off, by, accepted, 1)?.map((each) => (Number.isNaN(each) ? 0 : each));
  // Each row has one number that is free.
  const seen = by.data.filter((each) => each !== 0).length;
  return D && seen >= 2 * D.length ? D : null;
}

/** Whatever the numbers are: that nothing else is wrong, and what stands where. */
function ofRows(site: Site, read: Float64Array): Edit {
  const { graph, state } = site;
  const { logits, output } = roles(graph);
  const P = nodeOf(graph, 'P');
  const { starts, steps } = fibres(P.axes, ['i'], graph.extents);
  const weighted = weigh(state.value('P'), state.predict('g:P'));
  const right = Float64Array.from(starts, (start) =>
    steps.reduce((sum, step) => sum + weighted.data[start + step], 0),
  );
  const size = right.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const isOff = (row: number): boolean => Math.abs(read[row] - right[row]) > 1e-4 * size;
  const wrong = [...read.keys()].filter(isOff);
  const name = (row: number): string =>
    `[${indexOf(P.shape, starts[row]).slice(0, -1).join(', ')}]`;
  const told = wrong
    .slice(0, 3)
    .map((row) => `D${name(row)} = ${shortNumber(read[row])} for ${shortNumber(right[row])}`)
    .join(', ');
  // Of another row, if every one is some row's.
  const source = wrong.map((row) =>
    right.findIndex((value) => Math.abs(value - read[row]) <= 1e-6 * size),
  );
  const moved =
    wrong.length > 1 && !source.includes(-1)
      ? `: each is the one of another row, ${wrong
          .slice(0, 3)
          .map((row, n) => `${name(row)} has that of ${name(source[n])}`)
          .join(', ')}`
      : '';
  const data = zeros(P.shape).data;
  starts.forEach((start, row) => steps.forEach((step) => (data[start + step] = read[row])));
  return withRows(
    site,
    {
      id: 'softmax-backward-row-term',
      title: `softmax backward: only the row term D = Σ P ∘ dP is wrong${moved}, in ${wrong.length} of ${read.length} rows`,
      why: `d${logits} / P − dP is one number for each row, so P and dP are right in it and only D (delta) is not: ${told}. D is Σ P ∘ dP, or Σ ${output} ∘ d${output} of one head; log it to see which of its factors is read wrongly.`,
      wrong: `d${logits} = P ∘ (dP − D), ${told}`,
      isReadOff: true,
      cost: 1.9,
    },
    () => ({ shape: P.shape, data }),
  );
}
