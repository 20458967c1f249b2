// Multi-head latent attention: keys whose last features, one part for all heads, turn, and whose others come of a latent.
import { gather } from '../values/layout.ts';
import type { Lookup } from '../values/lookup.ts';
import { type Root, rootOf } from './roots.ts';
import { rowsOf } from '../values/rows.ts';
import type { Operand, Projection } from './trace.ts';
import type { Values } from '../values/values.ts';

export interface Latent {
  /** The parts that do not turn, with their projections. */
  readonly query: Root;
  readonly key: Root;
  /** The parts that do: of each head's queries, of the keys. */
  readonly turned: { readonly Q: Root; readonly K: Root };
  /** What keys and values, and queries, are made from, where that is a projection itself. */
  readonly from: { readonly KV: Root; readonly Q: Root | null };
}

/** The parts of queries and keys; null where keys have no part that all heads share, or nothing gives the parts. */
export function latentOf(
  values: Values,
  lookup: Lookup,
  query: Operand,
  key: Operand,
): Latent | null {
  const width = key.feature.size;
  const shared = sharedFrom(key);
  if (shared === null) return null;
  const { at, head } = shared;
  const outer = [...key.outer.keys()];
  const batch = outer.filter((axis) => axis !== head);
  const parts = [
    features(values, query, 0, at, outer),
    features(values, key, 0, at, outer),
    features(values, query, at, width, outer),
    features(values, key, at, width, batch),
  ];
  if (parts.includes(null)) return null;
  const [q, k, qTurned, kTurned] = parts.map((part) => rootOf(values, lookup, part as Operand));
  const all = [q, k, qTurned, kTurned];
  if (all.some(({ projection }) => projection === undefined)) return null;
  const KV = fromOf(values, lookup, k.projection as Projection, head);
  if (!KV) return null;
  const Q = fromOf(values, lookup, q.projection as Projection, head);
  return { query: q, key: k, turned: { Q: qTurned, K: kTurned }, from: { KV, Q } };
}

/** The feature from which on keys are the same in all heads, and the axis of these. */
function sharedFrom(key: Operand): { at: number; head: number } | null {
  const { data, outer, tokens, width, eps } = rowsOf(key);
  const axes = [...key.outer.keys()];
  for (const [n, head] of axes.entries()) {
    const step = outer.slice(n + 1).reduce((a, b) => a * b, 1) * tokens * width;
    const length = outer[n] * step;
    if (outer[n] < 2) continue;
    let at = 0;
    data.forEach((value, m) => {
      const first = data[m - (m % length) + (m % step)];
      if (Math.abs(value - first) > 8 * eps * Math.abs(first)) at = Math.max(at, (m % width) + 1);
    });
    if (at > 1 && at < width && (width - at) % 2 === 0) return { at, head };
  }
  return null;
}

/** Some of the features, of the outer axes that are asked for: a value of its own. */
function features(
  values: Values,
  operand: Operand,
  from: number,
  to: number,
  outer: readonly number[],
): Operand | null {
  const { value, token, feature } = operand;
  const axes = outer.flatMap((axis) => operand.outer.get(axis) ?? []);
  const own = { size: to - from, stride: feature.stride };
  const layout = {
    offset: from * feature.stride,
    axes: [...axes.map((axis) => [axis]), [token], [own]],
  };
  const made = values.addVirtual(gather(value.tensor, layout), [value]);
  if (!made) return null;
  let stride = made.tensor.data.length;
  const strided = made.tensor.shape.map((size) => {
    stride /= size;
    return { size, stride };
  });
  return {
    value: made,
    outer: new Map(outer.map((axis, n) => [axis, strided[n]])),
    token: strided[strided.length - 2],
    feature: strided[strided.length - 1],
  };
}

/** What a projection's input is projected from itself. */
function fromOf(
  values: Values,
  lookup: Lookup,
  { x, xLayout, of }: Projection,
  head: number,
): Root | null {
  if (values.isLeaf(x)) return null;
  const factors = xLayout.axes.flat();
  const [token, feature] = factors.slice(-2);
  const batch = [...of.outer.keys()].filter((axis) => axis !== head);
  const operand: Operand = {
    ...{ value: x, token, feature },
    outer: new Map(batch.map((axis, n) => [axis, factors[n]])),
  };
  const root = rootOf(values, lookup, operand);
  return root.projection ? root : null;
}
