// Dropout: another factor than 1/(1 - p), the keep-mask inverted, dropped in other places or not at all.
import { broadcast } from '../../../engine/heads/mask.ts';
import { sizeOf, type Tensor } from '../../../engine/tensor.ts';
import { pick } from '../../align/layouts.ts';
import type { Family, Site } from '../../edits/edit.ts';
import { permutationTable } from '../../program/operations.ts';
import { groupsOf, indexTransforms } from '../../program/transforms/indices.ts';
import { layoutOf, tensorsFor } from '../maskWords.ts';
import { editsOf, type Row, rowsOf } from '../table.ts';
import { TURNED } from '../text.ts';

const WHY = 'It should be P ∘ keep / (1 − p), so that the mean stays the same.';
const BACKWARD = 'The backward pass needs the factor of the forward pass, keep / (1 − p).';

/** What a kept weight is multiplied by, others being dropped. */
const FACTORS = rowsOf(
  `
Pd dropout-unscaled: the kept weights are not scaled by 1/(1 − p)
  P * keep
Pd dropout-scale-inverse: the kept weights are scaled by 1/p instead of 1/(1 − p)
  P * keep / p
Pd dropout-scale-inverse: the kept weights are multiplied by 1 − p instead of divided by it
  P * keep * (1 - p)
Pd dropout-scale-p: the kept weights are multiplied by p
  P * keep * p
Pd dropout-scale-twice: the factor 1/(1 − p) is applied twice
  P * keep / (1 - p)^2
Pd dropout-mask-inverted: the keep-mask is inverted: kept weights are dropped
  P * not(keep) / (1 - p)
Pd dropout-mask-inverted: the keep-mask is inverted: kept weights are dropped
  P * not(keep)
Pd dropout-mask-inverted: the keep-mask is inverted: kept weights are dropped
  P * not(keep) / p
`,
  { why: WHY, cost: 1 },
);

const WITHOUT = rowsOf(
  `
Pd dropout-missing: dropout is not applied
  P
Pd dropout-as-at-evaluation: the weights are multiplied by 1 − p and none is dropped (the scaling of dropout at evaluation)
  P * (1 - p)
Pd dropout-scale-without-mask: the weights are scaled, but none is dropped
  P / (1 - p)
`,
  { why: WHY, cost: 1 },
);

/** The derivative of P ∘ keep by keep in place of P. */
const BY_WEIGHTS = rowsOf(`
dP backward-dropout-times-weights 1.3: dropout backward: multiplied by the dropped weights Pd instead of keep / (1 − p)
  dPd * Pd
  | Pd = P ∘ keep / (1 − p) is linear in P: its derivative is keep / (1 − p), without P.
`);

/** The same of the gradient that goes back. */
const backward = (row: Row): Row => ({
  ...{ ...row, on: 'dP', id: `backward-${row.id}`, why: BACKWARD },
  title: `dropout backward: ${row.title.replaceAll('weights', "weights' gradients")}`,
  formula: row.formula.replace(/\bP\b/, 'dPd'),
});

export const dropout: Family = (site) => {
  const { config, kind, node } = site;
  const isBackward = kind === 'gradient' && node.id === 'P';
  if (!config.dropout || !(isBackward || (kind === 'value' && node.id === 'Pd'))) return [];
  const keep = broadcast('dropout.keep', config.dropout.keep, layoutOf(site, node));
  if (keep.data.length !== sizeOf(node.shape)) return [];
  const rows = [...FACTORS, ...WITHOUT, ...otherMasks(site, keep, isBackward)];
  return editsOf(site, isBackward ? [...rows.map(backward), ...BY_WEIGHTS] : rows);
};

/** Another mask, with the right factor. */
const masked = (
  { node }: Site,
  id: string,
  title: string,
  cost: number,
  make: () => Tensor,
): Row => ({
  ...{ on: 'Pd', id, title, why: WHY, cost: 1 + cost, formula: 'P * keep′ / (1 - p)' },
  ...tensorsFor(node.axes, { 'keep′': make }),
});

/** The keep-mask moved along an axis or transposed, and the one that the dropped entries themselves tell. */
function otherMasks(site: Site, keep: Tensor, isBackward: boolean): Row[] {
  const { node, graph, state, target } = site;
  const { extents } = graph;
  const of = (id: string, words: string, cost: number, make: () => Tensor): Row =>
    masked(site, id, words, cost, make);
  const moved = groupsOf(node.axes, extents).flatMap((group) =>
    indexTransforms(node.axes, group, extents)
      .filter(({ id }) => !/-(mean|sum)-for-all$/.test(id))
      .map(({ id, title, operation }) =>
        of(`dropout-mask-${id}`, title('the dropout mask'), 0.3, () => operation.forward([keep])),
      ),
  );
  const transposed = (): Tensor => {
    const letters = node.axes.flat().map((letter) => TURNED.get(letter) ?? letter);
    return { ...keep, data: pick(keep.data, permutationTable(node.axes, letters, extents)) };
  };
  const isSquare = extents['i'] === extents['j'];
  return [
    ...(isSquare
      ? [of('dropout-mask-transposed', 'the dropout mask is transposed', 0, transposed)]
      : []),
    ...moved,
    ...(target ? drawnAnew() : []),
  ];

  function drawnAnew(): Row[] {
    const before = isBackward ? state.gradient('Pd').data : state.value('P').data;
    const data = before.map((value, at) =>
      Number(value === 0 ? keep.data[at] : target!.user.data[at] !== 0),
    );
    const other = data.filter((value, at) => (value !== 0) !== (keep.data[at] !== 0)).length;
    if (other === 0 || !data.includes(0)) return [];
    const words = `the dropout mask is another one than the setup's: ${other} of ${data.length} entries differ (drawn anew?)`;
    return [of('dropout-mask-other', words, 0.5, () => ({ ...keep, data }))];
  }
}
