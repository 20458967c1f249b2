// Scores that are no products, keys of zeros, dropout before the softmax, a backward pass that ignores its upstream gradient.
import { nodeOf, type OperationNode } from '../../../engine/graph.ts';
import { sizeOf } from '../../../engine/tensor.ts';
import { roles, type Site } from '../../edits/edit.ts';
import { familyOf, type Row, rowsOf } from '../table.ts';

/** `d`: the squared distance of a query and a key. */
export const similarity = familyOf(
  rowsOf(
    `
S scores-are-distances: the scores are negative squared distances of queries and keys, not dot products
  -d
S scores-are-distances: the scores are squared distances of queries and keys, not dot products
  d
S scores-are-distances: the scores are half the negative squared distances of queries and keys, not dot products
  -d / 2
S scores-are-distances: the scores are negative distances (norms of the difference) of queries and keys, not dot products
  -sqrt(relu(d))
`,
    { cost: 1.3 },
  ).map((row) => ({
    ...row,
    formula: `d = sum_a(keys^2) + sum_a(queries^2) - 2 * sum_a(keys * queries); ${row.formula}`,
  })),
);

/** A sum over what is seen, divided by how much that is. */
export const averaged = familyOf(
  rowsOf(
    `
dkeys backward-averaged-over-seen-query [M]: d{keys} has the mean, not the sum, over each query that sees a key
  dS := dS / sum_j(not(not(P)))
dvalues backward-averaged-over-seen-query [M]: d{values} has the mean, not the sum, over each query that sees a key
  weights := weights / sum_j(not(not(P)))
dqueries backward-averaged-over-seen-key [M]: d{queries} has the mean, not the sum, over each key that a query sees
  dS := dS / sum_i(not(not(P)))
`,
    { cost: 1.2 },
  ),
);

/** The keep-mask on the scores, and none on the weights or that too. */
export const dropoutOnScores = familyOf(
  [
    ['times keep', 'keep * logits'],
    ['times keep / (1 − p)', 'keep * logits / (1 - p)'],
    ['with −∞ where dropped', 'logits + hide(not(keep))'],
  ].flatMap(([words, scores], n): Row[] => {
    const row = {
      ...{ on: 'P', id: 'dropout-on-scores', needs: ['p'] },
      title: `the dropout mask is applied to the scores before the softmax ({logits} ${words}), not to the weights`,
      why: 'Dropout belongs after the softmax: before it, dropped scores still count or the others grow.',
      formula: `P: scores = ${scores}; exp(scores) / sum_i(exp(scores))`,
      cost: 1.2 + n / 100,
    };
    const alone = { ...row, title: `${row.title} alone`, cost: row.cost + 0.1 };
    return [{ ...row, formula: `${row.formula}\nPd: P` }, alone];
  }),
);

/** As many empty slots are tried where no shape says how many there are: one more is a softmax with 1 in its denominator. */
const MOST = 16;

/** Keys of zeros that take part: the empty slots of a static cache, or padding, that no mask hides. */
export const emptySlots = familyOf(({ graph, config, moreKeys = 0 }: Site): Row[] => {
  if (moreKeys === 0 && !config.past) return [];
  const keys = graph.extents['i'];
  const counts = moreKeys > 0 ? [moreKeys] : Array.from({ length: MOST - 1 }, (_, n) => n + 2);
  const cut = `  # hide the slots that are not filled yet, or cut them off: K[..., :${keys}, :]`;
  return counts.map((count) => {
    const seen = moreKeys > 0 ? ` Yours has ${keys + count} keys where the setup has ${keys}.` : '';
    return {
      ...{ on: 'P', id: 'zero-keys-attended', cost: moreKeys > 0 ? 0.9 : 1.25 },
      title: `${count} keys of zeros take part in the softmax: empty slots of a cache, or padding, that are not masked`,
      why: `A key of zeros has the score 0 with every query, so each adds exp(0) = 1 to the denominator and takes weight from the others; its value is 0 too.${seen} The same comes of ${count} added to the denominator.`,
      formula: `exp(logits) / (${count} + sum_i(exp(logits)))`,
      numpy: `M[..., ${keys}:] = -np.inf${cut}`,
      pytorch: `M[..., ${keys}:] = float("-inf")${cut}`,
    };
  });
});

/** A backward function that does not read the gradient it is given: ones, or 1/N, stand in its place. */
export const upstreamIgnored = familyOf(({ graph }) => {
  const { output } = roles(graph);
  return ['y', output]
    .filter((id, n) => (n === 0 || id !== 'y') && nodeOf(graph, id).kind === 'operation')
    .flatMap((id) => {
      const { inputs } = nodeOf(graph, id) as OperationNode;
      return rowsOf(
        `
${inputs.map((input) => `d${input}`).join(',')} upstream-ignored 1.12: the backward pass ignores its upstream gradient: it computes as if d${id} were all ones
  ${inputs.map((input) => `d${input}: d${id} := 1`).join('\n  ')}
${inputs.map((input) => `d${input}`).join(',')} upstream-ignored 1.25: the backward pass ignores its upstream gradient: it computes as if d${id} were the mean’s, 1/N in every entry
  ${inputs.map((input) => `d${input}: d${id} := 1 / ${sizeOf(nodeOf(graph, id).shape)}`).join('\n  ')}
`,
        {
          why: `The loss is then not the one that is differentiated: f = Σ y has such a gradient, and with another one nothing of it arrives.`,
          numpy: `def backward(d${id}): ...  # use the d${id} that is passed in, not np.ones_like(${id})`,
          pytorch: `def backward(ctx, d${id}): ...  # use d${id}, not torch.ones_like(${id})`,
        },
      );
    });
});
