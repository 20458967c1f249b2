// How much a reproduction tells: more than one of so many hypotheses would by chance; and which tensors are equal, or near.
import type { Tensor } from '../../engine/tensor.ts';

/** Entries beyond which no hypothesis fits by chance. */
const PLENTY = 8;

/**
 * Whether the entries that were wrong and now are right tell more than one of so many hypotheses does: bits, each entry
 * as many as it has digits by which it was off, in units of what is accepted.
 */
export function isTold(
  { user, predicted }: { readonly user: Tensor; readonly predicted: Tensor },
  scale: number,
  accepted: number,
  tried: number,
): boolean {
  if (user.data.length > PLENTY) return true;
  const bits = user.data.reduce((sum, value, at) => {
    const off = Math.abs(value - predicted.data[at]) / scale;
    return sum + (off > accepted ? Math.min(52, Math.log2(off / accepted)) : 0);
  }, 0);
  return !Number.isFinite(bits) || bits > Math.log2(tried);
}

export function meanError(a: Tensor, b: Tensor): number {
  let sum = 0;
  for (let at = 0; at < a.data.length; at++) {
    const error = Math.abs(a.data[at] - b.data[at]);
    sum += Number.isNaN(error) ? 0 : Math.min(error, 1e300);
  }
  return sum / a.data.length;
}

/** Equal for equal tensors, and hardly ever for others. */
export function fingerprint({ data }: Tensor): string {
  let [sum, weighted] = [0, 0];
  for (let at = 0; at < data.length; at++) {
    const value = Number.isFinite(data[at])
      ? data[at]
      : Number.isNaN(data[at])
        ? 0.123
        : Math.sign(data[at]) * 1e3;
    sum += value;
    weighted += value * Math.sin(at + 1);
  }
  return `${sum.toPrecision(11)} ${weighted.toPrecision(11)}`;
}
