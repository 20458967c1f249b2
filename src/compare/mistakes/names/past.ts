// Earlier keys and values: behind the new ones, in another order, or keys and values exchanged.
import { type Formula, symbol } from '../../../engine/formula.ts';
import { hasNode, nodeOf } from '../../../engine/graph.ts';
import { earlierAxis } from '../../../engine/ops/layout.ts';
import { sameShape } from '../../../engine/tensor.ts';
import { pastTokens } from '../../edits/edit.ts';
import { rightOf } from '../forms.ts';
import { familyOf, type Row, rowsOf, withWords } from '../table.ts';

/** `right` is the right {X}h, `new` that without the earlier tokens, of which there are `past`; `other` those of {Y}. */
const ROWS = rowsOf(`
{X}h past-appended: the earlier tokens come after the new ones in {X}h
  at(i, (i + past) % n, right)
  : {X}h = concat(new, past)
  | Earlier keys and values belong in front: the mask counts positions from them.
Kh past-appended [same]: the earlier tokens come after the new ones in Kh and Vh
  Kh: at(i, (i + past) % n, rightK)
  Vh: at(i, (i + past) % n, rightV)
  : Kh = concat(new, past), Vh = concat(new, past)
  | Earlier keys and values belong in front: the mask counts positions from them.
{X}h past-swapped [same]: {X}h has the earlier {others} in front
  new + at(p, i + 0, other)
  : {X}h = concat(past {others}, new)
  | The cache of keys and that of values are exchanged.
{X}h past-zero 1.2: the earlier {own} (past) are 0: the cache is missing or not filled
  new
  : {X}h = concat(0, new)
{X}h past-earlier-token-reversed 1.3: the earlier {own} (past) are in reverse order (flipped)
  new + at(p, past - 1 - i, past_{X})
  : {X}h = concat(past[::-1], new)
{X}h past-earlier-token-shifted 1.3: the earlier {own} (past) are shifted by one (np.roll, off by one)
  new + (i < past) * at(p, (i + past - 1) % past, past_{X})
  : {X}h = concat(roll(past, 1), new)
{X}h past-earlier-token-shifted 1.3: the earlier {own} (past) are shifted by one backwards (np.roll, off by one)
  new + (i < past) * at(p, (i + 1) % past, past_{X})
  : {X}h = concat(roll(past, -1), new)
{X}h past-earlier-token-skipped 1.32: the last of the earlier {own} (past) is 0: a loop ends one too early
  new + (i < past - 1) * at(p, i + 0, past_{X})
  : {X}h = concat(past without its last, new)
{X}h past-earlier-token-skipped 1.33: the first of the earlier {own} (past) is 0: a loop starts one too late
  new + (1 <= i) * at(p, i + 0, past_{X})
  : {X}h = concat(past without its first, new)
{X}h past-batch-entry-first-for-all [batch] 1.35: the earlier {own} (past) are those of the first batch entry for all
  new + at(p, i + 0, at(b, 0, past_{X}))
  : {X}h = concat(past[0], new)
d{X} backward-past-slice 1.1: d{X} takes the first tokens of d{X}h, which are the earlier ones (past), for the new ones
  d{X}h := at(i, i - past, d{X}h)
  : d{X} = merge(d{X}h[:new])
  | The earlier tokens come first in {X}h: the gradient of the new ones is d{X}h[past:].
`);

const BACKWARD = rowsOf(`
dqueries backward-past-left-out: d{queries} sums over the new keys alone: the {past} earlier ones (past) are left out
  dS := (past <= i) * dS
  : d{queries} = dS[..., {past}:] K[{past}:]
  | A query sees the earlier keys too, and gets a gradient from them.
`);

const WORDS = {
  K: { Y: 'V', own: 'keys', others: 'values' },
  V: { Y: 'K', own: 'values', others: 'keys' },
};

export const past = familyOf((site): Row[] => {
  const { config, graph } = site;
  if (!config.past || !hasNode(graph, 'Kh')) return [];
  const { K, V } = config.past;
  const numbers = { past: pastTokens(site) };
  const setup = { same: sameShape(K.shape, V.shape), batch: (graph.extents['b'] ?? 1) > 1 };
  const right = (X: string): Formula =>
    rightOf({ graph, node: nodeOf(graph, `${X}h`), kind: 'value' });
  const rows = (['K', 'V'] as const).flatMap((X) => {
    const earlier = nodeOf(graph, `${X}h`).axes.map(earlierAxis);
    const terms = {
      ...{ right: right(X), rightK: right('K'), rightV: right('V') },
      other: symbol(`past_${WORDS[X].Y}`, earlier),
    };
    return withWords(
      ROWS.filter(({ on }) => X === 'K' || on !== 'Kh'),
      { ...WORDS[X], ...setup, X },
    ).map((row) => ({
      ...{ ...row, terms, numbers },
      formula: row.formula.replaceAll(/^new/gm, `new = right - at(p, i + 0, past_${X}); new`),
    }));
  });
  return [...rows, ...withWords(BACKWARD, numbers).map((row) => ({ ...row, numbers }))];
});
