// Variants of a mask that is given as a tensor: inverted, left out, laid along another axis, one for all.
import { axisLength, bindingAt } from '../../engine/axes.ts';
import type { HeadConfig } from '../../engine/config.ts';
import type { GraphNode } from '../../engine/graph.ts';
import { broadcast } from '../../engine/heads/mask.ts';
import { type Tensor, zeros } from '../../engine/tensor.ts';
import type { Context } from './edit.ts';
import type { Add, Layout } from './maskLayout.ts';

export function givenVariants(
  { config, graph }: Context,
  node: GraphNode,
  layout: Layout,
  add: Add,
  withConfig: (change: Partial<HeadConfig>) => () => Tensor,
): void {
  if (typeof config.mask !== 'object') return;
  const { tensor, meaning } = config.mask;
  const as = (own: typeof meaning): (() => Tensor) =>
    withConfig({ mask: { tensor, meaning: own } });
  if (meaning !== 'add') {
    const other = meaning === 'attend' ? 'ignore' : 'attend';
    add(
      'mask-inverted',
      'the mask is inverted',
      `True means "${meaning}" here; it is taken for "${other}".`,
      `hidden = ${other === 'attend' ? 'not ' : ''}mask`,
      as(other),
    );
  }
  add(
    'mask-given-missing',
    'the given mask is missing',
    'Only the other masks are applied.',
    'no given mask',
    withConfig({ mask: 'none' }),
  );
  // It says nothing of the keys that are no tokens.
  if (layout.nulls > 0) return;
  const full = broadcast('mask', tensor, layout);
  const letters = node.axes.flat();
  const { extents } = graph;
  // The same mask with two axes exchanged: (j, i), (b, h), (b, j) as far as the lengths allow.
  for (let a = 0; a < letters.length; a++) {
    for (let b = a + 1; b < letters.length; b++) {
      const [one, two] = [letters[a], letters[b]];
      const exchanged = (): Tensor => {
        const out = zeros(node.shape);
        for (let at = 0; at < out.data.length; at++) {
          const own = bindingAt(node.axes, extents, at);
          const moved: Record<string, number> = { ...own, [one]: own[two], [two]: own[one] };
          const fits = moved[one] < extents[one] && moved[two] < extents[two];
          const offset = letters.reduce((sum, letter) => sum * extents[letter] + moved[letter], 0);
          // Beyond the mask's end nothing is hidden.
          out.data[at] = fits ? full.data[offset] : meaning === 'attend' ? 1 : 0;
        }
        return withConfig({ mask: { tensor: fourAxes(out, layout), meaning } })();
      };
      const queries = one === 'j' || two === 'j';
      const keysToo = one === 'i' || two === 'i';
      const words =
        queries && keysToo
          ? 'is applied to the queries instead of the keys (transposed)'
          : `is laid along the wrong axis (${one} and ${two} exchanged)`;
      const id = queries && keysToo ? 'mask-on-queries' : 'mask-wrong-axis';
      add(
        id,
        `the mask ${words}`,
        'Mask rows and columns are exchanged.',
        'mask with two axes exchanged',
        exchanged,
        extents[one] === extents[two] ? 1 : 1.1,
      );
    }
  }
  // One batch entry's or head's mask for all.
  for (const letter of ['b', 'h', 'r', 'g'].filter(
    (each) => letters.includes(each) && extents[each] > 1,
  )) {
    const first = (): Tensor => {
      const out = zeros(node.shape);
      for (let at = 0; at < out.data.length; at++) {
        const own: Record<string, number> = { ...bindingAt(node.axes, extents, at), [letter]: 0 };
        out.data[at] = full.data[letters.reduce((sum, each) => sum * extents[each] + own[each], 0)];
      }
      return withConfig({ mask: { tensor: fourAxes(out, layout), meaning } })();
    };
    add(
      'mask-of-first-only',
      `the mask of the first ${letter === 'b' ? 'batch entry' : 'head'} is used for all`,
      'The mask is broadcast along an axis that it has.',
      `mask[${letter} = 0] everywhere`,
      first,
      1.1,
    );
  }
}

/** As the setup takes masks: (batch, heads, then the two axes of the scores). */
function fourAxes(full: Tensor, { extents, heads }: Layout): Tensor {
  const count = axisLength(heads, extents);
  return { shape: [extents['b'] ?? 1, count, ...full.shape.slice(-2)], data: full.data };
}
