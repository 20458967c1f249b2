// The masks that people build in place of the right one: shifted, inverted, transposed, of another axis, missing.
import type { HeadConfig } from '../../engine/config.ts';
import { additiveMask } from '../../engine/heads/mask.ts';
import { type Tensor, zeros } from '../../engine/tensor.ts';
import type { GraphNode } from '../../engine/graph.ts';
import type { Context } from './edit.ts';
import { groupsOf, indexTransforms } from '../transforms/indices.ts';
import { alibiVariants } from './alibi.ts';
import { type Add, layoutOf, type MaskVariant, rightMask } from './maskLayout.ts';
import { blockedVariants } from './masksBlocked.ts';
import { givenVariants } from './masksGiven.ts';
import { listedVariants } from './masksListed.ts';
import { partVariants } from './masksParts.ts';
import { indexAlong } from './piecewise.ts';

/** Entries by key i and query j: which are hidden. */
function build(
  context: Context,
  node: GraphNode,
  base: Tensor,
  hidden: (j: number, i: number, at: number) => boolean,
): Tensor {
  const out = zeros(node.shape);
  const { extents } = context.graph;
  const [keyOf, queryOf] = ['i', 'j'].map((letter) => indexAlong(node.axes, [letter], extents));
  for (let at = 0; at < out.data.length; at++) {
    const [i, j] = [keyOf[at], queryOf[at]];
    out.data[at] = hidden(j, i, at) ? -Infinity : base.data[at] === -Infinity ? 0 : base.data[at];
  }
  return out;
}

export function maskVariants(context: Context, node: GraphNode): MaskVariant[] {
  const { config, graph } = context;
  const layout = layoutOf(context, node);
  const { extents } = graph;
  const [keys, queries] = [extents['i'], extents['j']];
  const right = rightMask(context, node);
  const variants: MaskVariant[] = [];
  const add = (
    id: string,
    title: string,
    why: string,
    wrong: string,
    mask: () => Tensor,
    cost = 1,
  ): void => {
    let known: Tensor | undefined;
    variants.push({
      ...{ id, title, why, wrong, cost },
      // Many are thought of, few are looked at.
      get mask() {
        return (known ??= mask());
      },
    });
  };
  const made = (change: Partial<HeadConfig>): Tensor =>
    additiveMask({ ...config, ...change }, layout) ?? zeros(node.shape);
  const withConfig = (change: Partial<HeadConfig>) => (): Tensor => made(change);
  let unmasked: Tensor | undefined;
  const none = (): Tensor => (unmasked ??= made({ mask: 'none' }));
  const offset = config.mask === 'causal-bottom-right' ? keys - queries : layout.past;
  const causal =
    (hidden: (distance: number) => boolean, shift = offset) =>
    (): Tensor =>
      build(
        context,
        node,
        none(),
        (j, i, at) => hidden(shift + j - i) || none().data[at] === -Infinity,
      );
  const isCausal = config.mask === 'causal' || config.mask === 'causal-bottom-right';

  add(
    'mask-missing',
    'the mask is missing',
    'Hidden keys are seen: no mask is applied.',
    'no mask',
    withConfig({ mask: 'none', masks: undefined, window: undefined, alibi: undefined }),
  );
  listedVariants(config, add, withConfig);
  if (isCausal) {
    add(
      'mask-causal-missing',
      'the causal mask is missing',
      'Queries see keys after their own place.',
      'no causal mask',
      none,
    );
    add(
      'mask-causal-strict',
      'the causal mask hides the diagonal too',
      'A query must see its own place; the mask is off by one (too strict).',
      'hidden = i >= j',
      causal((d) => d <= 0),
    );
    add(
      'mask-causal-leak',
      'the causal mask lets one future key through',
      "The first key after a query's own place is seen; the mask is off by one (triu with diagonal=2).",
      'hidden = i > j + 1',
      causal((d) => d < -1),
    );
    add(
      'mask-inverted',
      'the mask is inverted',
      'What should be seen is hidden and the other way round.',
      'hidden = i <= j',
      causal((d) => d >= 0),
      1,
    );
    add(
      'mask-transposed',
      'the causal mask is transposed',
      'Queries see the keys after them instead of those before: tril and triu exchanged.',
      'hidden = i < j',
      causal((d) => d > 0),
    );
    const other = config.mask === 'causal' ? 'causal-bottom-right' : 'causal';
    const [ownCorner, otherCorner] =
      config.mask === 'causal' ? ['top left', 'bottom right'] : ['bottom right', 'top left'];
    add(
      'mask-causal-alignment',
      `the causal mask is aligned to the ${otherCorner} instead of the ${ownCorner}`,
      `With ${queries} queries and ${keys} keys the diagonal starts in another corner: shifted by ${keys - queries}.`,
      `diagonal in the ${otherCorner}`,
      withConfig({ mask: other }),
    );
    if (layout.past > 0)
      add(
        'mask-causal-alignment',
        'the causal mask forgets the earlier tokens',
        `Query j stands at place ${layout.past} + j among the keys; the mask starts at 0.`,
        'hidden = i > j',
        causal((d) => d < 0, 0),
      );
    if (offset > 0)
      add(
        'mask-causal-alignment',
        'the shift of the causal mask has the wrong sign',
        `The diagonal is moved by ${offset} to the left instead of to the right.`,
        `hidden = i > j − ${offset}`,
        causal((d) => d < 0, -offset),
        1.1,
      );
    for (const shift of [-2, 2])
      add(
        'mask-causal-shifted',
        `the causal mask is shifted by ${Math.abs(shift)}`,
        'The diagonal is in the wrong place.',
        `hidden = i > j ${shift > 0 ? '+' : '−'} 2`,
        causal((d) => d < -shift),
        1.3,
      );
  } else {
    const extra = (
      id: string,
      words: string,
      hidden: (d: number) => boolean,
      shift: number,
    ): void =>
      add(
        id,
        `a ${words} is applied that the setup does not ask for`,
        'Keys are hidden that should be seen.',
        `hidden: ${words}`,
        () =>
          build(
            context,
            node,
            right,
            (j, i, at) => hidden(shift + j - i) || right.data[at] === -Infinity,
          ),
        1.2,
      );
    extra('mask-unwanted', 'causal mask', (d) => d < 0, layout.past);
    if (keys !== queries)
      extra('mask-unwanted', 'causal mask aligned bottom right', (d) => d < 0, keys - queries);
  }
  const { window } = config;
  if (window !== undefined) {
    for (const [width, words] of [
      [window + 1, 'wide'],
      [window - 1, 'narrow'],
    ] as const) {
      add(
        `mask-window-too-${words}`,
        `the window is one too ${words}`,
        `A query should see keys at a distance below ${window}; here it is below ${width}.`,
        `hidden = distance >= ${width}`,
        withConfig({ window: width }),
      );
    }
    add(
      'mask-window-missing',
      'the window is missing',
      `Keys at a distance of ${window} and more are seen.`,
      'no window',
      withConfig({ window: undefined }),
    );
    const side = (hidden: (d: number) => boolean, words: string): void => {
      const open = withConfig({ window: undefined });
      add(
        'mask-window-one-sided',
        `the window only limits the ${words} side`,
        'The distance is taken with its sign.',
        `hidden on the ${words} side only`,
        () => {
          const wide = open();
          return build(
            context,
            node,
            wide,
            (j, i, at) => hidden(offset + j - i) || wide.data[at] === -Infinity,
          );
        },
      );
    };
    if (isCausal) {
      const open = withConfig({ mask: 'none', window: undefined });
      add(
        'mask-window-or-causal',
        'keys are seen in the window or before the query, where both must hold',
        'The two masks are joined by OR instead of AND.',
        'seen = causal | window',
        () => {
          const wide = open();
          const isSeen = (distance: number): boolean =>
            distance >= 0 || Math.abs(distance) < window;
          return build(
            context,
            node,
            wide,
            (j, i, at) => !isSeen(offset + j - i) || wide.data[at] === -Infinity,
          );
        },
        1.1,
      );
    }
    side((d) => d >= window, 'left');
    side((d) => d <= -window, 'right');
  }
  if (config.alibi !== undefined) alibiVariants(context, node, right, add);
  partVariants(context, node, right, add);
  moved(context, node, right, add);
  if (isCausal) {
    const blocked = (hidden: (j: number, i: number) => boolean): Tensor =>
      build(context, node, none(), (j, i, at) => hidden(j, i) || none().data[at] === -Infinity);
    blockedVariants([keys, queries], offset, blocked, add);
  }
  if (typeof config.mask === 'object') givenVariants(context, node, layout, add, withConfig);
  return variants;
}

/** The right mask moved along an axis: keys reversed, batch entries exchanged, the first query's for all. */
function moved(context: Context, node: GraphNode, right: Tensor, add: Add): void {
  const { extents } = context.graph;
  for (const group of groupsOf(node.axes, extents)) {
    for (const each of indexTransforms(node.axes, group, extents)) {
      const { id, title, formula } = each;
      // Means and sums of -inf are no masks.
      if (/-(mean|sum)-for-all$/.test(id)) continue;
      add(
        `mask-${id}`,
        title('the mask'),
        `M comes out exactly if ${title('the mask')}.`,
        formula('mask'),
        () => each.operation.forward([right]),
        1.3,
      );
    }
  }
}
