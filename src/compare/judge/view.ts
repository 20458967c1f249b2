// How tensors of one key are looked at when they are held against each other: without what cannot matter.
import type { Graph } from '../../engine/graph.ts';
import { nodeOf } from '../../engine/graph.ts';
import type { Tensor } from '../../engine/tensor.ts';
import { difference } from './judge.ts';
import { fibres } from '../program/operations.ts';
import type { Key } from '../program/program.ts';

/** Data, so that a slice can have its part of it. */
export interface View {
  /** In the node's shape, 1 for each entry that cannot matter; null where all do. */
  readonly ignored: Tensor | null;
  /** Only differences between the keys of a query count: each row's maximum is subtracted. */
  readonly isShifted: boolean;
}

export const PLAIN_VIEW: View = { ignored: null, isShifted: false };

/** A tensor of `key` as it is looked at: 0 where nothing matters. */
export function seen(graph: Graph, key: Key, { ignored, isShifted }: View, tensor: Tensor): Tensor {
  if (!ignored && !isShifted) return tensor;
  const data = tensor.data.slice();
  if (isShifted) {
    const { starts, steps } = rowsOf(graph, key);
    for (const start of starts) {
      const shift = rowMaximum(tensor, start, steps, ignored);
      if (Number.isFinite(shift)) for (const step of steps) data[start + step] -= shift;
    }
  }
  if (ignored) for (let at = 0; at < data.length; at++) if (ignored.data[at] === 1) data[at] = 0;
  return { shape: tensor.shape, data };
}

/** How far two tensors of `key` are apart, as they are looked at. */
export function apart(graph: Graph, key: Key, view: View, user: Tensor, reference: Tensor): number {
  if (!view.isShifted) return difference(user, reference, view.ignored).maxAbs;
  const look = (tensor: Tensor): Tensor => seen(graph, key, view, tensor);
  return difference(look(user), look(reference)).maxAbs;
}

/** A query's scores: along the keys. */
export const rowsOf = (graph: Graph, key: Key): ReturnType<typeof fibres> =>
  fibres(nodeOf(graph, key.slice(2)).axes, ['i'], graph.extents);

/** The largest entry of a row that matters; -Infinity where none does. */
export function rowMaximum(
  { data }: Tensor,
  start: number,
  steps: Int32Array,
  ignored: Tensor | null,
): number {
  let most = -Infinity;
  for (const step of steps) {
    const at = start + step;
    if (ignored?.data[at] !== 1 && data[at] > most) most = data[at];
  }
  return most;
}
