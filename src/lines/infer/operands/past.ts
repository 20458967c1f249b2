// Keys and values of earlier tokens, put in front of those of the new ones.
import { cut, type Tensor } from '../../../engine/tensor.ts';
import { gather, type Layout } from '../values/layout.ts';
import { type Operand, sameAxes } from './trace.ts';
import type { Value, Values } from '../values/values.ts';

export interface Past {
  /** The earlier tokens, with the operand's axes. */
  readonly earlier: Operand;
  /** The operand without them, as a value of its own. */
  readonly rest: Operand;
}

const layoutOf = ({ outer, token, feature }: Operand): Layout => ({
  offset: 0,
  axes: [...Array.from(outer.values(), (axis) => [axis]), [token], [feature]],
});

/** The tokens from `from` to `to` of a tensor whose last axes are tokens and features. */
const slice = (own: Tensor, from: number, to: number): Tensor =>
  cut(own, own.shape.length - 2, from, to);

/** A given tensor that the operand begins with, and what comes after it; null where there is none. */
export function pastOf(values: Values, operand: Operand): Past | null {
  const whole = gather(operand.value.tensor, layoutOf(operand));
  const ancestors = values.ancestors(operand.value);
  const tokens = operand.token.size;
  for (const value of values.all) {
    if (!ancestors.has(value.id) || value.kind !== 'float' || !values.isLeaf(value)) continue;
    for (const length of new Set(value.tensor.shape)) {
      if (length < 1 || length >= tokens) continue;
      const shorter = { ...operand, token: { size: length, stride: 0 } };
      for (const earlier of sameAxes(value, shorter)) {
        const own = gather(value.tensor, layoutOf(earlier)).data;
        // In front, where they belong, or put behind by mistake.
        for (const at of [0, tokens - length]) {
          const part = slice(whole, at, at + length).data;
          const size = part.reduce((most, each) => Math.max(most, Math.abs(each)), 0);
          if (!own.every((each, n) => Math.abs(each - part[n]) <= 8 * value.eps * size)) continue;
          const from = at === 0 ? length : 0;
          const rest = restOf(values, operand, slice(whole, from, from + tokens - length));
          if (rest) return { earlier, rest };
        }
      }
    }
  }
  return null;
}

/** The tokens of an operand from `from` to `to`, as a value of its own. */
export const rest = (values: Values, operand: Operand, from: number, to: number): Operand | null =>
  restOf(values, operand, slice(gather(operand.value.tensor, layoutOf(operand)), from, to));

function restOf(values: Values, operand: Operand, tensor: Tensor): Operand | null {
  const value: Value | null = values.addVirtual(tensor, [operand.value]);
  if (!value) return null;
  const sizes = [...operand.outer.keys()];
  let stride = tensor.data.length;
  const outer = new Map(
    sizes.map((axis, n) => {
      stride /= tensor.shape[n];
      return [axis, { size: tensor.shape[n], stride }];
    }),
  );
  const [length, width] = tensor.shape.slice(-2);
  return {
    ...{ value, outer },
    token: { size: length, stride: width },
    feature: { size: width, stride: 1 },
  };
}
