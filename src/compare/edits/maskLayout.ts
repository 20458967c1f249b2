// What a mask hypothesis is made of: the axes it is laid along, the right mask, a variant of it.
import { isOfHeads } from '../../engine/axes.ts';
import { additiveMask } from '../../engine/heads/mask.ts';
import { nullKeys } from '../../engine/heads/multihead.ts';
import { type Tensor, zeros } from '../../engine/tensor.ts';
import type { GraphNode } from '../../engine/graph.ts';
import { type Context, pastTokens } from './edit.ts';

export interface MaskVariant {
  readonly id: string;
  readonly title: string;
  readonly why: string;
  readonly wrong: string;
  readonly cost: number;
  /** To be added to the scores. */
  readonly mask: Tensor;
}

export type Layout = Parameters<typeof additiveMask>[1];
export type Add = (
  id: string,
  title: string,
  why: string,
  wrong: string,
  mask: () => Tensor,
  cost?: number,
) => void;

export function layoutOf(context: Context, node: GraphNode): Layout {
  const letters = node.axes.flat();
  return {
    axes: node.axes,
    extents: context.graph.extents,
    heads: letters.filter(isOfHeads),
    past: pastTokens(context),
    nulls: nullKeys(context.config),
  };
}

/** The right mask, or zeros where the setup has none. */
export function rightMask(context: Context, node: GraphNode): Tensor {
  return additiveMask(context.config, layoutOf(context, node)) ?? zeros(node.shape);
}
