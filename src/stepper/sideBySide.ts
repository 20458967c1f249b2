// A person's own tensor of the node looked at, beside the reference and the difference.
import {
  indexOf,
  offsetOf,
  sameShape,
  subtract,
  type Tensor,
  worstOffset,
} from '../engine/tensor.ts';
import { type Binding, bindingAt } from '../engine/axes.ts';
import { nodeOf } from '../engine/graph.ts';
import type { Run } from '../engine/run.ts';
import { detail, gradientRange } from './nodePicture.ts';
import { colourRange } from './colourRange.ts';
import type { Picture } from './picture.ts';
import type { OwnTensor, SideBySideView, StepView, ViewOptions } from './stepView.ts';

const differenceOf = (run: Run, mine: OwnTensor): Tensor | null => {
  const reference = (mine.kind === 'value' ? run.values : run.gradients).get(mine.node);
  if (!reference || !sameShape(mine.tensor.shape, reference.shape)) return null;
  return subtract(mine.judged, reference);
};

/** The entry of a person's tensor that is farthest from the reference; null where none is. */
export function worstEntry(run: Run, mine: OwnTensor): Binding | null {
  const difference = differenceOf(run, mine);
  const worst = difference ? worstOffset(difference) : -1;
  if (worst < 0) return null;
  return bindingAt(nodeOf(run.graph, mine.node).axes, run.graph.extents, worst);
}

/** Null where the person gave nothing for what `focus` shows, or gave it for another setup. */
export function sideBySide(
  run: Run,
  focus: StepView['focus'],
  own: readonly OwnTensor[],
  options: ViewOptions,
): SideBySideView | null {
  const mine = focus && own.find(({ node, kind }) => node === focus.node && kind === focus.kind);
  if (!mine) return null;
  const node = nodeOf(run.graph, mine.node);
  const reference = (mine.kind === 'value' ? run.values : run.gradients).get(mine.node)!;
  if (!sameShape(mine.tensor.shape, reference.shape)) return null;
  const difference = subtract(mine.judged, reference);
  const range = mine.kind === 'value' ? colourRange(reference) : gradientRange(run, node.id);
  const show = (value: Tensor): Picture => detail(run, node, value, options, range);
  const offset = offsetOf(node.shape, focus.index);
  const worst = worstOffset(difference);
  return {
    name: mine.name,
    yours: show(mine.tensor),
    reference: show(reference),
    difference: detail(run, node, difference, options),
    entry: {
      yours: mine.tensor.data[offset],
      reference: reference.data[offset],
      difference: difference.data[offset],
    },
    worst:
      worst < 0
        ? null
        : {
            index: indexOf(node.shape, worst),
            selection: bindingAt(node.axes, run.graph.extents, worst),
          },
  };
}
