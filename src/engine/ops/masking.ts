// Masks on scores, given as a tensor or as a band that needs no memory.
import { unwritten } from '../memory.ts';
import { blank, sizeOf, type Tensor, zeros } from '../tensor.ts';

/**
 * Of the last two axes (u, w) of a tensor of this shape, what has low <= w - u <= high is seen and the rest hidden:
 * causal masks and windows.
 */
export interface Band {
  readonly shape: readonly number[];
  readonly low: number;
  readonly high: number;
}

/** What is added to scores: -∞ hides. */
export type Mask = Tensor | Band;

export const isBand = (mask: Mask): mask is Band => 'low' in mask;

/** The band's entry at an offset: 0 or -∞. */
export function inBand({ shape, low, high }: Band): (offset: number) => number {
  const [rows, cols] = shape.slice(-2);
  return (offset) => {
    const distance = (offset % cols) - (Math.floor(offset / cols) % rows);
    return distance < low || distance > high ? -Infinity : 0;
  };
}

export function maskTensor(mask: Mask): Tensor {
  return isBand(mask) ? withMask(zeros(mask.shape), mask) : mask;
}

/** input + mask; -∞ where the mask is, whatever the input. */
export function withMask(input: Tensor, mask: Mask): Tensor {
  const out = blank(input.shape);
  if (isBand(mask)) {
    eachRow(mask, (start, from, to, end) => {
      out.data.fill(-Infinity, start, from);
      for (let at = from; at < to; at++) out.data[at] = input.data[at] + 0;
      out.data.fill(-Infinity, to, end);
    });
    return out;
  }
  const [x, added, sums] = [input.data, mask.data, out.data];
  for (let at = 0; at < sums.length; at++)
    sums[at] = added[at] === -Infinity ? -Infinity : x[at] + added[at];
  return out;
}

/** The upstream gradient, 0 where the mask hides: itself where it is 0 there anyhow, as behind a softmax. */
export function withoutHidden(upstream: Tensor, mask: Mask): Tensor {
  if (!reachesHidden(upstream.data, mask)) return upstream;
  const data = unwritten(upstream.data.length);
  data.set(upstream.data);
  if (isBand(mask)) {
    eachRow(mask, (start, from, to, end) => {
      data.fill(0, start, from);
      data.fill(0, to, end);
    });
  } else for (let at = 0; at < data.length; at++) if (mask.data[at] === -Infinity) data[at] = 0;
  return { shape: upstream.shape, data };
}

function reachesHidden(upstream: Float64Array, mask: Mask): boolean {
  if (!isBand(mask)) {
    for (let at = 0; at < upstream.length; at++)
      if (upstream[at] !== 0 && mask.data[at] === -Infinity) return true;
    return false;
  }
  let found = false;
  eachRow(mask, (start, from, to, end) => {
    if (found) return;
    for (let at = start; at < from; at++) if (upstream[at] !== 0) found = true;
    for (let at = to; at < end; at++) if (upstream[at] !== 0) found = true;
  });
  return found;
}

/** Of each row its first offset, those between which entries are seen, and its end. */
function eachRow(
  { shape, low, high }: Band,
  row: (start: number, from: number, to: number, end: number) => void,
): void {
  const [rows, cols] = shape.slice(-2);
  const within = (entry: number): number => Math.min(cols, Math.max(0, entry));
  const all = sizeOf(shape) / cols;
  for (let n = 0; n < all; n++) {
    const u = n % rows;
    const from = within(u + low);
    const to = Math.max(from, within(u + high + 1));
    row(n * cols, n * cols + from, n * cols + to, (n + 1) * cols);
  }
}
