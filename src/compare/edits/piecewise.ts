// A factor that only some heads, tokens or batch entries have: 0 where a loop ends early, -1 in one head.
import { tensorName } from '../../engine/graph.ts';
import { type AxisLetters, axisLength, type Extents, type Letter } from '../../engine/axes.ts';
import { largestMagnitude, type Tensor } from '../../engine/tensor.ts';
import { namesOf, shortNumber } from '../search/constants.ts';
import { entrywise, fibres } from '../program/operations.ts';
import { groupsOf, indexName, plural, reindexed } from '../program/transforms/indices.ts';
import type { Edit, Family, Site } from './edit.ts';
import { onResult } from './spots.ts';

/** Entries for each factor, enough to tell one from chance. */
const ENOUGH = 3;

/** The index along `group` of every entry. */
export function indexAlong(
  axes: readonly AxisLetters[],
  group: readonly Letter[],
  extents: Extents,
): Int32Array {
  const { starts, steps } = fibres(axes, group, extents);
  const out = new Int32Array(starts.length * steps.length);
  for (const start of starts) steps.forEach((step, n) => (out[start + step] = n));
  return out;
}

/** The factor of each index by which `user` is `predicted`, or null where it is no factor; NaN where nothing tells. */
export function factorsAlong(
  index: Int32Array,
  user: Tensor,
  predicted: Tensor,
  precision: number,
  enough = ENOUGH,
): Float64Array | null {
  const count = index.reduce((most, n) => Math.max(most, n), 0) + 1;
  const [products, squares, entries] = [1, 2, 3].map(() => new Float64Array(count));
  for (let at = 0; at < index.length; at++) {
    const [a, b] = [user.data[at], predicted.data[at]];
    if (!Number.isFinite(a) || !Number.isFinite(b)) {
      if (Object.is(a, b)) continue;
      return null;
    }
    products[index[at]] += a * b;
    squares[index[at]] += b * b;
    if (b !== 0) entries[index[at]]++;
  }
  const factors = products.map((product, n) => (entries[n] < enough ? NaN : product / squares[n]));
  const most = precision * largestMagnitude(user);
  for (let at = 0; at < index.length; at++) {
    if (!Number.isFinite(user.data[at])) continue;
    const factor = factors[index[at]];
    const expected = Number.isNaN(factor) ? predicted.data[at] : factor * predicted.data[at];
    if (Math.abs(user.data[at] - expected) > most) return null;
  }
  return factors;
}

export const piecewise: Family = (site) => {
  const { target, node, kind, graph, ratio } = site;
  if (!target || ratio !== null || node.shape.length === 0) return [];
  if (kind === 'value' && node.kind === 'input') return [];
  const { user, predicted } = target;
  const own = tensorName(node.id, kind);
  const precision = Math.max(site.precision, 1e-9);
  const groups = groupsOf(node.axes, graph.extents);
  const permuted = groups.flatMap((group) => permutation(site, group));
  if (permuted.length > 0) return permuted;
  return groups.flatMap((group): Edit[] => {
    const index = indexAlong(node.axes, group, graph.extents);
    const factors = factorsAlong(index, user, predicted, precision);
    if (!factors) return [];
    const isOne = (factor: number): boolean => !(Math.abs(factor - 1) > 8 * precision);
    const wrong = [...factors.keys()].filter((n) => !isOne(factors[n]));
    if (wrong.length === 0 || wrong.length === factors.length) return [];
    // The slices that are to share one factor have it up to rounding.
    const factor = factors[wrong[0]];
    if (
      wrong.some(
        (n) => Math.abs(factors[n] - factor) > 8 * precision * Math.max(1, Math.abs(factor)),
      )
    )
      return [];
    const snapped = Math.abs(factor) <= 8 * precision ? 0 : factor;
    const [name] = namesOf(snapped, site, node.id, kind, Math.max(8 * precision, 1e-9));
    const one = indexName(group);
    const where = `${wrong.length > 1 ? plural(one) : one} ${wrong.join(', ')}`;
    const last = wrong.length === 1 && wrong[0] === factors.length - 1 ? ' (the last)' : '';
    const first = wrong.length === 1 && wrong[0] === 0 ? ' (the first)' : '';
    const what =
      snapped === 0
        ? 'is 0: left out, not written or skipped by a loop'
        : (name?.meaning ?? `is ${shortNumber(snapped)} times what it should be`);
    const at = (n: number): number => (wrong.includes(n) ? (name?.value ?? snapped) : 1);
    const text = {
      id:
        snapped === 0
          ? `${one.replaceAll(/[^a-z]+/g, '-')}-left-out`
          : `${name?.id ?? 'factor'}-of-some`,
      title: `${own} only at ${where}${first}${last}: ${what}`,
      why: `${own} is right everywhere else; at ${where}${first}${last} ${what}.`,
      wrong: `${own}[${where}] = ${shortNumber(snapped)} · (right ${own})`,
      cost:
        1.25 +
        0.1 * (group.length - 1) +
        (snapped === 0 || name ? 0 : 0.5) +
        (/feature/.test(one) ? 0.2 : 0),
    };
    const change = entrywise(
      (entry, n) => (at(index[n]) === 0 ? 0 : entry * at(index[n])),
      (_, n) => at(index[n]),
    );
    return [onResult(site, text, change)];
  });
};

/** Longest axis along which an order is looked for. */
const LONGEST = 64;

/** The slices along a group are right but in another order. */
function permutation(site: Site, group: readonly Letter[]): Edit[] {
  const { node, graph, kind, target } = site;
  const { user, predicted } = target!;
  const length = axisLength(group, graph.extents);
  if (length > LONGEST || user.data.length < ENOUGH * length) return [];
  const { starts, steps } = fibres(node.axes, group, graph.extents);
  const most = Math.max(site.precision, 1e-9) * largestMagnitude(user);
  const isSame = (to: number, from: number): boolean =>
    starts.every((start) => {
      const [a, b] = [user.data[start + steps[to]], predicted.data[start + steps[from]]];
      return Object.is(a, b) || Math.abs(a - b) <= most;
    });
  const order = Array.from(
    { length },
    (_, to) => Array.from({ length }, (_each, from) => from).find((from) => isSame(to, from)) ?? -1,
  );
  if (order.includes(-1) || order.every((from, to) => from === to)) return [];
  const own = tensorName(node.id, kind);
  const one = indexName(group);
  const moved = order
    .flatMap((from, to) => (from === to ? [] : [`${to} holds ${from}`]))
    .slice(0, 6);
  const say = {
    id: `${kind === 'gradient' ? 'gradient-' : ''}${one.replaceAll(/[^a-z]+/g, '-')}-order`,
    title: `${own} has its ${plural(one)} in another order: ${one} ${moved.join(', ')}`,
    why: `The ${plural(one)} of ${own} are right but swapped or repeated: ${one} ${moved.join(', ')}.`,
    wrong: `${own} = (right ${own})[${order.slice(0, 8).join(', ')}${length > 8 ? ', …' : ''}] over the ${plural(one)}`,
    cost: 1.6 + (/feature/.test(one) ? 0.2 : 0),
  };
  const move = reindexed(node.axes, node.shape, group, graph.extents, (n) => order[n]);
  return [onResult(site, say, move)];
}
