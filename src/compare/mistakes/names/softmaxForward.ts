// Other ways to turn logits into weights: over the wrong axis, not normalised, another function than exp, loops that lose something.
import { axisName } from '../../../engine/axes.ts';
import { longLetters, type Site } from '../../edits/edit.ts';
import { ENTRY_FUNCTIONS } from '../../program/transforms/functions.ts';
import { familyOf, type Row, rowsOf } from '../table.ts';
import { letterNames, loopsOf, onAndOn, runningOn, subsets } from './softmaxBackward.ts';

const WEIGHTS = rowsOf(
  `
P weights-one-hot 1.1: each query takes the key of its largest score alone (argmax, hard attention)
  best = seen * not(logits < max_i(logits)); best * (running_i(best) <= 1)
P weights-equal 1.05: all keys that are seen have the same weight: the scores do not enter
  seen / sum_i(seen)
P softmax-axis-of-length-one 1.1: softmax over an axis of length one ({short}): every weight is 1
  0 * finite(logits) + 1
P softmax-not-normalised: the exponentials are not divided by their sum
  exp(logits)
P softmax-not-normalised: the exponentials, of scores less their maximum, are not divided by their sum
  exp(logits - finite(max_i(logits)))
P softmax-sum-of-scores: the exponentials are divided by the sum of the scores, not of the exponentials
  exp(logits) / sum_i(finite(logits))
P softmax-sum-of-scores: the exponentials are divided by the sum of the scores less their maximum, not of the exponentials
  e = logits - finite(max_i(logits)); exp(e) / sum_i(finite(e))
P softmax-of-base-2: powers of 2 instead of exponentials, without the factor log2(e)
  exp(log(2) * logits) / sum_i(exp(log(2) * logits))
P softmax-plus-one 1.19: a 1 is added to the denominator, the sum of the exponentials (softmax + 1)
  exp(logits) / (1 + sum_i(exp(logits)))
P softmax-plus-one 1.19: a 1 is added to the denominator, the sum of the exponentials, after the maximum is subtracted
  e = exp(logits - finite(max_i(logits))); e / (1 + sum_i(e))
P sigmoid: a sigmoid instead of the softmax
  1 / (1 + exp(-logits))
P no-exponential: scores are divided by their sum without the exponential
  logits / sum_i(logits)
P relu: ReLU instead of the exponential
  relu(logits) / sum_i(relu(logits))
P log-softmax: log-softmax instead of softmax
  logits - log(sum_i(exp(logits)))
P softmax-of-negative: softmax of the negative scores
  exp(-logits) / sum_i(exp(-logits))
P softmax-twice: softmax is applied twice
  once = exp(logits) / sum_i(exp(logits)); exp(once) / sum_i(exp(once))
P softmax-twice: softmax is applied twice, with the mask before each
  once = exp(logits) / sum_i(exp(logits)) + hide(not(seen)); exp(once) / sum_i(exp(once))
P softmax-squared 1.4: the exponentials are squared: softmax of 2 times the scores
  exp(2 * logits) / sum_i(exp(2 * logits))
`,
  { cost: 1.2 },
).map((row) => ({ ...row, formula: `seen = not(not(exp(logits))); ${row.formula}` }));

/** What is kept of each row, lined up with the columns. */
const TURNED = rowsOf(
  `
P softmax-max-keepdims [square] 1.15: the row maxima are subtracted along the wrong axis (keepdims missing)
  e = exp(logits - at(j, i, finite(max_i(logits)))); e / sum_i(e)
P softmax-sum-keepdims [square] 1.15: the exponentials are divided by the sums along the wrong axis (keepdims missing)
  e = exp(logits - finite(max_i(logits))); e / at(j, i, sum_i(e))
P softmax-sum-keepdims [square] 1.16: the exponentials are divided by the sums along the wrong axis (keepdims missing)
  exp(logits) / at(j, i, sum_i(exp(logits)))
P softmax-keepdims [square] 1.2: maxima and sums of the rows are taken along the wrong axis (keepdims missing twice)
  e = exp(logits - at(j, i, finite(max_i(logits)))); e / at(j, i, sum_i(e))
`,
  {
    why: 'Without keepdims what is kept of each row lines up with the columns; the shapes fit only because the matrix is square.',
    isForwardOnly: true,
  },
);

/** The denominator as a loop makes it of the exponentials e. */
const LOOPS = rowsOf(`
P softmax-sum-overwritten: the denominator is overwritten by each key (= for +=): only the last one counts
  last_i(e)
P softmax-sum-overwritten: the denominator is overwritten by each key (= for +=): only the last one that is seen counts
  sum_i((sum_i(seen) <= running_i(seen)) * e)
P softmax-sum-used-too-early: the denominator is used in the loop that sums it: each key has the sum up to itself
  running_i(e)
`);

const unreset = (site: Site): Row[] =>
  loopsOf(site).map((each) => ({
    ...{ on: 'P', id: 'softmax-sum-not-reset', formula: runningOn(each, 'e') },
    title: `the denominator is not reset: it goes on ${onAndOn(each)}`,
  }));

/** With the maximum subtracted or not. */
const loops = (site: Site): Row[] =>
  [...LOOPS, ...unreset(site)].flatMap((row) =>
    [' - finite(max_i(logits))', ''].map((shift) => ({
      ...row,
      title: `softmax: ${row.title}`,
      why: 'Each row of the exponentials is divided by its own whole sum.',
      formula: `e = exp(logits${shift}); seen = not(not(e)); e / (${row.formula})`,
      isForwardOnly: true,
      cost: shift === '' ? 1.3 : 1.25,
    })),
  );

/** The sum, or all of the softmax, over other axes than the keys. */
const otherAxes = ({ node, graph }: Site): Row[] =>
  subsets(longLetters(node, graph))
    .filter((set) => set.join() !== 'i')
    .flatMap((set): Row[] => {
      const over = letterNames(set);
      const sum = `sum_${set.join('')}`;
      const whole = set.includes('i') && set.length > 1;
      const row = {
        on: 'P',
        id: whole ? 'softmax-over-several-axes' : 'softmax-wrong-axis',
        title: `softmax over the ${over} instead of the keys`,
        why: `P sums to 1 over the ${over}, not over the keys.`,
        formula: `exp(logits) / ${sum}(exp(logits))`,
        cost: 1 + 0.05 * set.length,
      };
      return [
        row,
        {
          ...row,
          why: `${row.why} Where all of it is hidden, that is 0/0 = NaN.`,
          formula: `L = log(${sum}(exp(logits))); ${row.formula} + (L - L)`,
        },
        {
          ...row,
          id: 'softmax-denominator-of-other-axis',
          title: `softmax: the maximum is taken over the keys, but the denominator sums over the ${over}`,
          why: `P sums to 1 over the ${over}, not over the keys; the maximum of each row does not cancel.`,
          formula: `e = exp(logits - finite(max_i(logits))); e / ${sum}(e)`,
          isForwardOnly: true,
          cost: 1.15 + 0.05 * set.length,
        },
      ];
    });

export const softmaxForward = familyOf((site) => {
  const { kind, node, graph } = site;
  if (kind !== 'value' || node.id !== 'P') return [];
  const short =
    ['b', 'j', 'h', 'r']
      .filter((letter) => graph.extents[letter] === 1)
      .map((letter) => `the ${axisName([letter])}`)
      .join(' or ') || 'one more than there is';
  return [...otherAxes(site), ...WEIGHTS, ...TURNED, ...loops(site)].map((row) => ({
    ...row,
    title: row.title.replace('{short}', short),
  }));
});

/** What is made of the functions w of the scores that are seen. */
const DIVIDED: readonly (readonly [words: string, formula: string, cost: number])[] = [
  ['as they are', 'w', 0.2],
  ['divided by its sum over the keys (normalised again)', 'w / sum_i(w)', 0.1],
  ['divided by its L2 norm over the keys', 'w / sqrt(sum_i(w^2))', 0.1],
  ['divided by its maximum over the keys', 'w / max_i(w)', 0.1],
  ['divided by the number of keys', 'w / n', 0.3],
  ['divided by the root of the number of keys', 'w / sqrt(n)', 0.3],
];

/** Any function of the scores with any way to normalise it, where exp and the sum over the keys belong. */
export const softmaxShapes = familyOf(
  [{ id: 'no-exponential', cost: 1.3, written: '@', formula: 'X' }, ...ENTRY_FUNCTIONS].flatMap(
    ({ id, cost, written, formula }) =>
      DIVIDED.map(([words, by, more]): Row => {
        const own = `${written.replace('@', '{logits}')} ${words}`;
        return {
          ...{ on: 'P', id: id === 'exponential' ? 'softmax-not-normalised-by-sum' : id },
          title: `the weights are ${own}, not exp({logits}) divided by its sum (softmax)`,
          formula: `seen = not(not(exp(logits))); X = finite(logits) + not(seen); w = seen * (${formula}); ${by}`,
          cost: cost + more,
        };
      }),
  ),
);
