// What a recorded tensor is for sure: by its numbers, or by its name and shape where they are all alike.
import { keyOf } from '../../compare/program/program.ts';
import { sameShape, type Tensor } from '../../engine/tensor.ts';
import { resolveName } from '../../formats/nodeNames.ts';
import { type Alignment, isNear, isReordered, isWhole } from '../align/align.ts';
import type { Catalogue } from '../align/catalogue.ts';
import type { Judged } from '../judge.ts';
import type { Observed } from '../align/observe.ts';
import type { Event } from '../recorded/recording.ts';

/** What an event is, for sure: all of a form, in the order of its axes. */
export function meaning(observed: Observed | undefined): Alignment | null {
  const [best] = observed?.found ?? [];
  return best && best.entry.role !== 'partial' && isWhole(best) && !isReordered(best) ? best : null;
}

export const isComputed = (
  { entry }: Alignment,
  { nodes }: Judged['catalogue']['graph'],
): boolean =>
  entry.kind === 'gradient'
    ? entry.node !== 'y'
    : nodes.some(({ id, kind }) => id === entry.node && kind === 'operation');

/** What numbers that are all alike must be, by their name and shape: zeros of a bias, dy of ones. */
export function namedAs(
  { name }: Event,
  tensor: Tensor,
  { graph, entries }: Catalogue,
): Alignment | null {
  const resolved = resolveName(name);
  const node = graph.nodes.find(({ id }) => id === resolved?.node);
  if (!resolved || !node || !sameShape(node.shape, tensor.shape)) return null;
  const key = keyOf(resolved.node, resolved.kind);
  const entry = entries.find((each) => each.role === 'node' && each.key === key);
  if (!entry?.data.every((value, n) => isNear(tensor.data[n], value, entry.tolerance))) return null;
  const ranges = entry.letters.map((letter, n) => {
    return [letter, { start: 0, step: 1, count: entry.lengths[n] }] as const;
  });
  return { entry, axes: node.axes, ranges: new Map(ranges) };
}
