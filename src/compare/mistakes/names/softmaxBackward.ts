// The softmax's gradient dM = P ∘ (dP − Σ P ∘ dP) gone wrong.
import { axisLength, axisName, isOfHeads } from '../../../engine/axes.ts';
import { sizeOf } from '../../../engine/tensor.ts';
import { longLetters, roles, type Site } from '../../edits/edit.ts';
import { groupsOf, indexName, indexNames, plural } from '../../program/transforms/indices.ts';
import { familyOf, type Row, rowsOf } from '../table.ts';

const WHOLE = rowsOf(`
dlogits softmax-backward-diagonal 0.98: only the diagonal of the softmax Jacobian
  P * (1 - P) * dP
  | Each weight depends on all scores of its row; p(1 − p) is only the Jacobian's diagonal.
dlogits softmax-backward-no-sum: the sum term of the softmax Jacobian is missing
  P * dP
  | The row sum Σ P ∘ dP is not subtracted, so the gradients of a row do not add to 0.
dlogits softmax-backward-missing: the softmax is left out of the backward pass
  dP
dlogits softmax-backward-square 1.3: the sum term is P² ∘ Σ dP: the Jacobian row is not summed with its gradients
  P * dP - P^2 * sum_i(dP)
dlogits softmax-backward-keepdims [square]: the row sum is broadcast along the wrong axis (keepdims missing)
  P * (dP - at(j, i, sum_i(P * dP)))
  | Without keepdims the sums of the rows line up with the columns; the shapes fit only because the matrix is square.
dlogits softmax-backward-jacobian-index 1.2: softmax backward: P of the summed key stands where P of the own key belongs
  P * dP - sum_i(P^2 * dP)
  | The Jacobian is P[l] (δ[l,i] − P[i]); here it is P[l] (δ[l,i] − P[l]).
dlogits softmax-backward-diagonal-twice 1.2: softmax backward: the diagonal of the Jacobian is subtracted twice
  P * (1 - P) * dP - P * sum_i(P * dP)
  | P (1 − P) on the diagonal has the − P² already that the sum over all keys has too.
dlogits backward-weights-unmasked [M]: the weights are recomputed without the mask in the backward pass
  W = exp(unmasked) / sum_i(exp(unmasked)); W * (dP - sum_i(W * dP))
dlogits softmax-backward-masked-transposed [M square] 1.05: the gradient of the scores is masked with the mask transposed
  P * (dP - sum_i(P * dP)) * not(not(exp(turned(M - unmasked))))
  | What is hidden from a query has no gradient; here rows and columns of the mask are exchanged.
dlogits softmax-backward-denominator-detached 1.25: softmax backward: the denominator is detached, the maximum is not
  P * dP - isMost * sum_i(P * dP)
dlogits softmax-backward-numerator-detached 1.25: softmax backward: the numerator is detached
  -P * sum_i(P * dP)
dlogits softmax-backward-numerator-detached 1.25: softmax backward: the numerator is detached, the maximum is not
  isMost * sum_i(P * dP) - P * sum_i(P * dP)
`).map((row) =>
  row.id.endsWith('detached')
    ? {
        ...row,
        formula: `isMost = not(logits < max_i(logits)); ${row.formula}`,
        why: 'The exponentials and their sum both pass a gradient back. The maximum is no constant of automatic differentiation: only in the whole softmax does it cancel.',
      }
    : row,
);

/** D in P ∘ (dP − D). */
const SUMS = rowsOf(
  `
dlogits softmax-backward-sum-is-mean: D = mean({output} ∘ d{output}), a mean over the features instead of their sum
  mean_feature(output * doutput)
dlogits softmax-backward-sum-of-other-product: D = Σ d{output} ∘ d{output} instead of Σ {output} ∘ d{output}
  sum_feature(doutput^2)
dlogits softmax-backward-sum-of-other-product: D = Σ {output} ∘ {output} instead of Σ {output} ∘ d{output}
  sum_feature(output^2)
dlogits softmax-backward-sum-of-other-product: D = Σ {values} ∘ d{output} instead of Σ {output} ∘ d{output}
  sum_feature(values@output * doutput)
dlogits softmax-backward-sum-of-other-product: D = Σ {queries} ∘ d{output} instead of Σ {output} ∘ d{output}
  sum_feature(queries@output * doutput)
dlogits softmax-backward-sum-of-other-product: D = Σ {keys} ∘ d{output} instead of Σ {output} ∘ d{output}
  sum_feature(keys@output * doutput)
dlogits softmax-backward-sum-of-other-product: D = Σ target ∘ d{output} instead of Σ {output} ∘ d{output}
  sum_feature(target@output * doutput)
dlogits softmax-backward-sum-over-all-heads [multihead]: D = Σ {output} ∘ d{output} over all heads together (or of the merged tensors)
  sum_hrg(sum_feature(output * doutput))
dlogits softmax-backward-sum-of-output [multihead W_O]: D = Σ y ∘ dy, after the projection W_O
  sum_o(y * dy)
dlogits softmax-backward-maximum: the maximum of dP is subtracted instead of the row sum Σ P ∘ dP
  max_i(dP)
  | The largest entry is no mean.
dlogits softmax-backward-maximum 1.3: the maximum of P ∘ dP is subtracted instead of its row sum
  max_i(P * dP)
  | The largest entry is no sum.
dlogits softmax-backward-sum-factor 1.5: the sum term has a factor 0.5
  sum_i(P * dP) / 2
  | The sum term is subtracted once.
dlogits softmax-backward-sum-factor 1.5: the sum term has a factor 2
  2 * sum_i(P * dP)
  | The sum term is subtracted once.
dlogits softmax-backward-sum-skips-a-key 1.3: the row sum skips the last key
  sum_i((i < n - 1) * P * dP)
  | The loop of the row sum has the wrong bounds.
dlogits softmax-backward-sum-skips-a-key 1.3: the row sum skips the first key
  sum_i((1 <= i) * P * dP)
  | The loop of the row sum has the wrong bounds.
dlogits softmax-backward-sum-is-log-sum-exp: D is the log-sum-exp of the scores: the two numbers of each row are exchanged
  log(sum_i(exp(logits)))
dlogits softmax-backward-sum-of-squares-of-weights: D = Σ P ∘ P instead of Σ P ∘ dP
  sum_i(P^2)
  | The weights are multiplied by themselves, not by their gradients.
dlogits softmax-backward-sum-without-dropout [p]: D = Σ O ∘ dO with the output before dropout
  sum_i(P * dPd)
dlogits softmax-backward-sum-overwritten 1.25: the row sum D is overwritten by each key (= for +=): only the last one counts
  last_i(P * dP)
dlogits softmax-backward-sum-overwritten 1.25: the row sum D is overwritten by each key (= for +=): only the last one that is seen counts
  sum_i((sum_i(seen) <= running_i(seen)) * seen * P * dP)
dlogits softmax-backward-sum-used-too-early 1.25: the row sum D is used in the loop that sums it: each key has the sum up to itself
  running_i(P * dP)
`,
  {
    cost: 1.2,
    why: 'The row sum Σ P ∘ dP equals Σ O ∘ dO of one head and one query; here another sum is taken.',
  },
).map((row) => ({
  ...row,
  title: `softmax backward: ${row.title}`,
  formula: `seen = not(not(P)); P * (dP - ${row.formula})`,
}));

/** Loops, the outer first: in the order of the axes, and with the heads inside the queries. */
export function loopsOf({ node, graph }: Site): string[][] {
  const outer = longLetters(node, graph).filter((letter) => letter !== 'i' && letter !== 'j');
  const [batch, heads] = [outer.slice(0, outer[0] === 'b' ? 1 : 0), outer.filter(isOfHeads)];
  const orders = [
    [...outer, 'j'],
    [...batch, 'j', ...heads],
  ];
  const suffixes = orders.flatMap((order) => order.map((_, n) => order.slice(n)));
  return suffixes.filter(
    (each, n) => suffixes.findIndex((other) => other.join() === each.join()) === n,
  );
}

/** The sum of `X` over the keys that no loop of these sets to 0. */
export function runningOn(loops: readonly string[], X: string): string {
  const parts = loops.map((letter, n) => {
    const own = `sum_i${loops.slice(n + 1).join('')}(${X})`;
    return n === loops.length - 1
      ? `running_${letter}(${own})`
      : `running_${letter}(${own}) - ${own}`;
  });
  return `(${parts.join(' + ')})`;
}

/** "from query to query, and from head to head". */
export const onAndOn = (loops: readonly string[]): string =>
  [...loops]
    .reverse()
    .map((letter) => axisName([letter]))
    .map((name) => `from ${name} to ${name}`)
    .join(', and ');

const unreset = (site: Site): Row[] =>
  loopsOf(site).map((loops) => ({
    ...{ on: 'dlogits', id: 'softmax-backward-sum-not-reset', cost: 1.25 },
    title: `softmax backward: the row sum D is not reset: it goes on ${onAndOn(loops)}`,
    formula: `P * (dP - ${runningOn(loops, 'P * dP')})`,
  }));

const DROPPED = rowsOf(
  ['P * keep', 'Pd']
    .map(
      (W) => `
dlogits softmax-backward-dropped-weights [p]: softmax backward: ${W.replace('*', '∘')} stands where the weights P belong (P was changed in place)
  ${W} * (dP - sum_i(P * dP))
dlogits softmax-backward-dropped-weights [p]: softmax backward: ${W.replace('*', '∘')} stands where the weights P belong (P was changed in place)
  P * (dP - sum_i(${W} * dP))
dlogits softmax-backward-dropped-weights [p]: softmax backward: ${W.replace('*', '∘')} stands where the weights P belong (P was changed in place)
  ${W} * (dP - sum_i(${W} * dP))
`,
    )
    .join(''),
  { why: 'The softmax was differentiated with the weights after dropout: P was overwritten.' },
).concat(
  rowsOf(
    `
dlogits softmax-backward-gradient-after-dropout [p]: softmax backward: dPd stands where dP belongs
  P * (dPd - sum_i(P * dPd))
dlogits softmax-backward-gradient-after-dropout [p]: softmax backward: dPd stands where dP belongs, outside the sum
  P * (dPd - sum_i(P * dP))
`,
    { cost: 1.2, why: 'The softmax is before the dropout: its gradient is dP.' },
  ),
);

/** What stands for the weights: its symbol, what it is called, its formula. */
function weightsAt({ node, graph }: Site): [symbol: string, words: string, formula: string][] {
  const first = groupsOf(node.axes, graph.extents)
    .filter((group) => !group.includes('i'))
    .map((group): [string, string, string] => [
      'P of other rows',
      `P of the first ${indexName(group)} for all`,
      group.reduce((inner, letter) => `at(${letter}, 0, ${inner})`, 'P'),
    ]);
  return [
    ['P²', 'squared weights', 'P^2'],
    ['P ∘ (1 − P)', 'the derivatives P (1 − P) of a sigmoid', 'P * (1 - P)'],
    ...['M', 'Z', 'S'].map((id): [string, string, string] => [id, 'scores', `finite(${id})`]),
    ['exp(M − max)', 'exponentials that are not normalised', 'exp(logits - max_i(logits))'],
    ['exp(M)', 'exponentials that are not normalised', 'exp(logits)'],
    ['softmax(S)', 'weights recomputed without the scale', 'exp(S) / sum_i(exp(S))'],
    ['softmax(Z)', 'weights recomputed without the mask', 'exp(unmasked) / sum_i(exp(unmasked))'],
    [
      'softmax over the queries',
      'weights normalised over the queries',
      'exp(logits) / sum_j(exp(logits))',
    ],
    ['P^T', 'weights transposed', 'turned(P)'],
    ...first,
  ];
}

function otherWeights(site: Site): Row[] {
  const on = 'dlogits';
  const id = 'softmax-backward-wrong-weights';
  return weightsAt(site).flatMap(([symbol, words, W]) => {
    const needs = symbol === 'P^T' ? ['square'] : symbol === 'softmax(Z)' ? ['M'] : [];
    const title = `softmax backward: ${words} stand where the weights P belong (${symbol})`;
    const why = `The weights P are needed, not ${symbol}.`;
    const row = { on, id, needs, why };
    return [
      { ...row, title, cost: 1.2, formula: `W = ${W}; W * (dP - sum_i(W * dP))` },
      {
        ...{ ...row, title: `${title}, outside the sum`, cost: 1.25 },
        formula: `W = ${W}; W * (dP - sum_i(P * dP))`,
      },
      {
        ...{ ...row, title: `${title}, in the sum`, cost: 1.3 },
        formula: `P * (dP - sum_i(${W} * dP))`,
      },
    ];
  });
}

/** dP overwrites P; where there is a mask, hidden entries are not 0 then unless it is applied once more. */
const OVERWRITTEN = rowsOf(
  ['dP * (dP - sum_i(dP^2))', 'dP * (dP - sum_i(P * dP))', 'P * (dP - sum_i(dP^2))']
    .map(
      (formula) => `
dlogits softmax-backward-upstream-for-weights: softmax backward: dP multiplies where the weights P belong
  not(not(P)) * ${formula}
dlogits softmax-backward-upstream-for-weights [M]: softmax backward: dP multiplies where the weights P belong
  dlogits: ${formula}
  dunmasked: dlogits
`,
    )
    .join(''),
  {
    cost: 1.2,
    why: 'As where P is overwritten by dP (the output’s buffer aliases it) before it is used.',
  },
);

/** All non-empty sets of letters. */
export const subsets = (letters: readonly string[]): string[][] =>
  letters
    .reduce<string[][]>((all, letter) => [...all, ...all.map((set) => [...set, letter])], [[]])
    .slice(1);

export const letterNames = (letters: readonly string[]): string =>
  indexNames(letters).map(plural).join(' and ') || 'nothing';

/** One slip of L ∘ dP − R ∘ Σ X: its id, and what is said of it. */
type Slip = readonly [id: string, title: string];

const LEFTS = ['P', '1', 'S', 'Z', 'M', 'Pd'];
const INTEGRANDS: readonly (readonly [formula: string, ...slip: Slip | readonly []])[] = [
  ['P * dP'],
  ['dP', 'sum-without-weights', 'Σ dP instead of Σ P ∘ dP'],
  ['P', 'sum-of-weights', 'something else than P ∘ dP is summed'],
  ['dP^2', 'sum-of-squares', 'something else than P ∘ dP is summed'],
  ['P * dPd', 'sum-of-gradients-before-dropout', 'something else than P ∘ dP is summed'],
  ...LEFTS.slice(2).map(
    (id) =>
      [`${id} * dP`, 'sum-with-wrong-weights', 'something else than P ∘ dP is summed'] as const,
  ),
];

const leftSlips = (left: string): Slip[] => {
  if (left === 'P') return [];
  if (left === '1') return [['unweighted', 'dP is not multiplied by P']];
  return [['wrong-weights', `${left} stands where the weights P belong`]];
};

const setSlips = (set: readonly string[]): Slip[] => {
  if (set.join() === 'i') return [];
  if (set.length === 0) return [['no-reduction', 'the product P ∘ dP is not summed over the keys']];
  return [['axis', `the row sum runs over the ${letterNames(set)} instead of the keys`]];
};

const SIGN: Slip = ['sign', 'the sum term is added instead of subtracted'];
const MEAN: Slip = ['mean', 'a mean stands where the sum over the keys belongs'];
const PART_MEAN: Slip = ['mean-over-others', 'the row sums are averaged over the others'];

/** Entries beyond which each takes a tenth of a second. */
const LARGE = 200_000;

/** L ∘ dP − R ∘ Σ X with so many slips. */
function combinations({ node, graph }: Site, count: 1 | 2): Row[] {
  const rows: Row[] = [];
  const add = (left: string, right: string, summed: string, slips: readonly Slip[]): void => {
    if (slips.length !== count) return;
    const sign = slips.includes(SIGN) ? '+' : '-';
    rows.push({
      on: 'dlogits',
      id: `softmax-backward-${slips.map(([id]) => id).join('-')}`,
      title: `softmax backward: ${slips.map(([, title]) => title).join(', and ')}`,
      formula: `${left} * dP ${sign} ${right} * ${summed}`.replaceAll('1 * ', ''),
      cost: count === 1 ? 1 : 1.8,
    });
  };
  for (const set of subsets(longLetters(node, graph)).concat([[]])) {
    const of = (how: string, X: string): string =>
      set.length === 0 ? `(${X})` : `${how}_${set.join('')}(${X})`;
    const length = axisLength(set, graph.extents);
    for (const [X, id, title] of INTEGRANDS) {
      const summed: [string, Slip[]][] = [
        [of('sum', X), []],
        [of('sum', X), [SIGN]],
      ];
      if (length > 1) summed.push([of('mean', X), [MEAN]]);
      if (set.includes('i') && set.length > 1) summed.push([`n * ${of('mean', X)}`, [PART_MEAN]]);
      for (const [text, how] of summed)
        for (const left of LEFTS)
          for (const right of LEFTS.slice(0, 2))
            add(left, right, text, [
              ...[...setSlips(set), ...how, ...(id === undefined ? [] : [[id, title!] as const])],
              ...leftSlips(left),
              ...(right === 'P'
                ? []
                : [['sum-unweighted', 'the sum term is not multiplied by P'] as const]),
            ]);
    }
  }
  return rows;
}

export const softmaxBackward = familyOf((site) => {
  const { node, kind, graph } = site;
  if (kind !== 'gradient' || node.id !== roles(graph).logits) return [];
  const rows = [...WHOLE, ...DROPPED, ...combinations(site, 1), ...SUMS, ...unreset(site)];
  return [...rows, ...OVERWRITTEN, ...otherWeights(site)];
});

/** Two slips at once: tried where one does not tell. */
export const softmaxBackwardTwice = familyOf((site) => {
  const { node, kind, graph } = site;
  if (kind !== 'gradient' || node.id !== roles(graph).logits) return [];
  return sizeOf(node.shape) > LARGE ? [] : combinations(site, 2);
});
