// Dropout of the output: what a program keeps of y, and the gradient of y that comes of the given one.
import { sizeOf, type Tensor } from '../../../engine/tensor.ts';
import type { Context } from '../entries/builder.ts';
import { gather } from '../values/layout.ts';
import type { Output } from './loss.ts';
import { isGradientName, namesOf } from '../values/names.ts';
import { isGradient, type Value } from '../values/values.ts';

export interface Kept {
  /** y times the factors. */
  readonly output: Output;
  readonly value: Value;
  /** (batch, query, feature): 0 or one number. */
  readonly factors: Tensor;
}

/** The factors, all of them 0 or one and the same, by which a tensor is y; null where there are none, or no zeros. */
function factorsOf(kept: Tensor, y: Tensor, eps: number): Tensor | null {
  let factor: number | undefined;
  const data = new Float64Array(y.data.length);
  for (let n = 0; n < data.length; n++) {
    if (kept.data[n] === 0) continue;
    const own = kept.data[n] / y.data[n];
    factor ??= own;
    if (!(own > 0) || Math.abs(own / factor - 1) > 50 * eps) return null;
    data[n] = factor;
  }
  const zeros = data.filter((each) => each === 0).length;
  return zeros > 0 && 2 * zeros <= data.length ? { shape: y.shape, data } : null;
}

/** What is made of y by dropout, if anything is; `output` is y. */
export function keptOf({ values }: Context, output: Output): Kept | null {
  const { y, eps, time, family } = output;
  for (const value of values.all) {
    const isLater =
      value.kind === 'float' &&
      !value.isVirtual &&
      value.time > time &&
      value.tensor.data.length === sizeOf(y.shape) &&
      value.tensor.data.includes(0) &&
      !value.parts.some(isGradient) &&
      !namesOf(value).some((name) => isGradientName(name)) &&
      family.some((each) => values.descends(value, each));
    if (!isLater) continue;
    for (const layout of output.readings(value)) {
      const own = gather(value.tensor, layout);
      const factors = factorsOf(own, y, Math.max(eps, value.eps));
      if (!factors) continue;
      return { output: { ...output, y: own, time: value.time, family: [value] }, value, factors };
    }
  }
  return null;
}

/** The gradient of y where that of what is kept of it is given. */
export const ofKept = ({ factors }: Kept, given: Tensor): Tensor => ({
  shape: given.shape,
  data: given.data.map((each, n) => each * factors.data[n]),
});
