// Keys of zeros that take part: the empty slots of a static cache, or padding, that no mask hides.
import { nodeOf } from '../../engine/graph.ts';
import { softmaxOver } from '../operations.ts';
import { type Edit, type Family, roles } from './edit.ts';
import { stepEdit } from './make.ts';

/** As many are tried where no shape says how many there are: one more is a softmax with 1 in its denominator. */
const MOST = 16;

export const emptySlots: Family = (site) => {
  const { node, kind, graph, config, moreKeys = 0 } = site;
  if (kind !== 'value' || node.id !== 'P') return [];
  if (moreKeys === 0 && !config.past) return [];
  const { logits } = roles(graph);
  const { axes } = nodeOf(graph, 'P');
  const keys = graph.extents['i'];
  const counts = moreKeys > 0 ? [moreKeys] : Array.from({ length: MOST - 1 }, (_, n) => n + 2);
  return counts.map((count): Edit => {
    const seen = moreKeys > 0 ? ` Yours has ${keys + count} keys where the setup has ${keys}.` : '';
    return stepEdit(
      site,
      'P',
      {
        id: 'zero-keys-attended',
        title: `${count} keys of zeros take part in the softmax: empty slots of a cache, or padding, that are not masked`,
        why: `A key of zeros has the score 0 with every query, so each adds exp(0) = 1 to the denominator and takes weight from the others; its value is 0 too.${seen} The same comes of ${count} added to the denominator.`,
        wrong: `P = exp(${logits}) / (${count} · exp(0) + Σ exp(${logits}))`,
        numpy: `M[..., ${keys}:] = -np.inf  # hide the slots that are not filled yet, or cut them off: K[..., :${keys}, :]`,
        pytorch: `M[..., ${keys}:] = float("-inf")  # hide the slots that are not filled yet, or cut them off: K[..., :${keys}, :]`,
        cost: moreKeys > 0 ? 0.9 : 1.25,
      },
      () => softmaxOver(axes, ['i'], graph.extents, count),
    );
  });
};
