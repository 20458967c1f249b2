// Minimum, maximum, mean, norm, zeros, NaN and infinities of a tensor, in one pass of slices.
import { type Breathe, type Entries, SLICE } from './source.ts';

export interface Statistics {
  readonly entries: number;
  /** Of the finite entries; NaN where there is none. */
  readonly min: number;
  readonly max: number;
  readonly mean: number;
  /** Square root of the sum of squares of the finite entries. */
  readonly norm: number;
  readonly zeros: number;
  readonly nan: number;
  readonly positiveInfinite: number;
  readonly negativeInfinite: number;
  /** Where the first of them is stored; null where there is none. */
  readonly firstNan: number | null;
  readonly firstInfinite: number | null;
  readonly quantiles: readonly Quantiles[];
}

/** Ends of the colour scale when `percent` of the finite entries may lie beyond them. */
export interface Quantiles {
  readonly percent: number;
  /** Half of `percent` lies below `low`, half above `high`. */
  readonly low: number;
  readonly high: number;
  /** `percent` of the absolute values lie above it. */
  readonly size: number;
}

export const CLIPS = [0.1, 1, 5] as const;

/** A float32's sign, exponent and 7 bits of fraction: bins whose width is under 0.8 % of their value. */
const BINS = 2 ** 16;

const float = new Float32Array(1);
const bits = new Uint32Array(float.buffer);

/** Bins in the order of their values: negative ones reversed, then positive ones. */
function binOf(value: number): number {
  float[0] = value;
  const key = bits[0] >>> 16;
  return key & 0x8000 ? 0xffff - key : key | 0x8000;
}

/** The bin's end that is farther from 0, so that no more than asked for is clipped. */
function valueOf(bin: number): number {
  const key = bin & 0x8000 ? bin & 0x7fff : 0xffff - bin;
  bits[0] = ((key << 16) | 0xffff) >>> 0;
  return Number.isFinite(float[0]) ? float[0] : Math.sign(float[0]) * 3.4028234663852886e38;
}

function quantile(counts: Float64Array, total: number, share: number): number {
  let passed = 0;
  for (let bin = 0; bin < counts.length; bin++) {
    passed += counts[bin];
    if (passed > 0 && passed >= share * total) return valueOf(bin);
  }
  return NaN;
}

function quantilesOf(counts: Float64Array, finite: number, min: number, max: number): Quantiles[] {
  const sizes = counts.slice();
  for (let bin = 0; bin < 0x8000; bin++) sizes[0xffff - bin] += counts[bin];
  sizes.fill(0, 0, 0x8000);
  const most = Math.max(Math.abs(min), Math.abs(max));
  const within = (value: number): number => Math.min(max, Math.max(min, value));
  return CLIPS.map((percent) => ({
    percent,
    low: within(quantile(counts, finite, percent / 200)),
    high: within(quantile(counts, finite, 1 - percent / 200)),
    size: Math.min(most, quantile(sizes, finite, 1 - percent / 100)),
  }));
}

/** `progress` gets a share in [0, 1]. */
export async function statisticsOf(
  entries: Entries,
  breathe: Breathe,
  progress?: (done: number) => void,
): Promise<Statistics> {
  let [min, max, sum, squares, largest] = [Infinity, -Infinity, 0, 0, 0];
  let [zeros, nan, positiveInfinite, negativeInfinite] = [0, 0, 0, 0];
  let [firstNan, firstInfinite]: (number | null)[] = [null, null];
  const counts = new Float64Array(BINS);
  for (let at = 0; at < entries.size; at += SLICE) {
    const data = await entries.read(at, Math.min(SLICE, entries.size - at));
    let [partSum, partLargest] = [0, 0];
    for (let n = 0; n < data.length; n++) {
      const value = data[n];
      if (value - value !== 0) {
        if (Number.isNaN(value)) {
          nan++;
          firstNan ??= at + n;
        } else {
          if (value > 0) positiveInfinite++;
          else negativeInfinite++;
          firstInfinite ??= at + n;
        }
        continue;
      }
      if (value === 0) zeros++;
      if (value < min) min = value;
      if (value > max) max = value;
      const size = Math.abs(value);
      if (size > partLargest) partLargest = size;
      partSum += value;
      counts[binOf(value)]++;
    }
    sum += partSum;
    // Squares are summed in units of the largest entry, so that they neither overflow nor vanish.
    if (partLargest > largest) {
      squares *= (largest / partLargest) ** 2;
      largest = partLargest;
    }
    if (largest > 0) {
      for (const value of data) if (value - value === 0) squares += (value / largest) ** 2;
    }
    const pause = breathe();
    if (!pause) continue;
    progress?.(at / entries.size);
    await pause;
  }
  const finite = entries.size - nan - positiveInfinite - negativeInfinite;
  if (finite === 0) [min, max] = [NaN, NaN];
  return {
    ...{ entries: entries.size, min, max, mean: finite > 0 ? sum / finite : NaN },
    norm: finite > 0 ? largest * Math.sqrt(squares) : NaN,
    ...{ zeros, nan, positiveInfinite, negativeInfinite, firstNan, firstInfinite },
    quantiles: quantilesOf(counts, finite, min, max),
  };
}
