// The tensors that tiles are pieces of products of: queries and keys as wholes.
import { strides } from '../../../engine/tensor.ts';
import type { Factor } from '../values/layout.ts';
import { isGradientName } from '../values/names.ts';
import { isGradient, type Value, type Values } from '../values/values.ts';
import { addView } from '../values/views.ts';

/** A tensor read as blocks of tokens by features. */
export interface Whole {
  readonly value: Value;
  readonly outer: readonly number[];
  readonly token: number;
  readonly feature: number;
}

const WHOLES = 20;

/** Tensors that may be queries or keys as a whole: not made in a loop, or all that a loop made; tokens before features. */
export function wholes(values: Values): Whole[] {
  return values.all
    .filter(
      ({ kind, tensor, parts, isVirtual, grid, events }) =>
        kind === 'float' &&
        !isVirtual &&
        !events.some(({ name }) => isGradientName(name)) &&
        tensor.data.every(Number.isFinite) &&
        tensor.shape.length >= 2 &&
        tensor.shape.length <= 4 &&
        (grid.length === 1 || parts.every(({ loops }) => loops.length === 0)) &&
        !parts.some(isGradient),
    )
    .sort((a, b) => a.time - b.time)
    .slice(0, WHOLES)
    .flatMap((value) => {
      const rank = value.tensor.shape.length;
      const axes = value.tensor.shape.map((_, n) => n);
      const last = { value, outer: axes.slice(0, -2), token: rank - 2, feature: rank - 1 };
      // (tokens, heads, width), as (batch, tokens, heads, width).
      const before = {
        value,
        outer: [...axes.slice(0, -3), rank - 2],
        token: rank - 3,
        feature: rank - 1,
      };
      return rank >= 3 ? [last, before] : [last];
    });
}

/** Most tensors whose heads are repeated. */
const REPEATED = 8;

/** Tensors of fewer heads as the query heads that share them see them. */
export function repeated(values: Values, all: readonly Whole[]): Whole[] {
  const headsOf = ({ value, outer }: Whole): number => value.tensor.shape[outer.at(-1) ?? -1] ?? 1;
  const counts = [...new Set(all.map(headsOf))];
  const found: Whole[] = [];
  for (const each of all) {
    const own = headsOf(each);
    const head = each.outer.at(-1);
    if (head === undefined) continue;
    for (const count of counts) {
      if (count <= own || count % own !== 0 || found.length >= REPEATED) continue;
      const axes = each.value.tensor.shape.map((_, n) =>
        n === head ? [factorOf(each, n), { size: count / own, stride: 0 }] : [factorOf(each, n)],
      );
      const value = addView(values, each.value, { offset: 0, axes });
      if (value) found.push({ ...each, value });
    }
  }
  return found;
}

export const factorOf = ({ value }: Whole, axis: number): Factor => ({
  size: value.tensor.shape[axis],
  stride: strides(value.tensor.shape)[axis],
});
