// How often values occur: equal bins from the smallest to the largest finite entry.
import { type Breathe, type Entries, SLICE } from './source.ts';

export interface Histogram {
  readonly min: number;
  readonly max: number;
  readonly counts: readonly number[];
}

/** Entries outside [min, max] and those that are not finite are left out. One bin where min is max. */
export async function histogramOf(
  entries: Entries,
  { min, max }: { readonly min: number; readonly max: number },
  bins: number,
  breathe: Breathe,
): Promise<Histogram> {
  if (!(min <= max)) return { min, max, counts: [] };
  const counts = new Float64Array(min === max ? 1 : bins);
  // Halved, so that the width of a range over all of float64 does not overflow.
  const half = max / 2 - min / 2;
  for (let at = 0; at < entries.size; at += SLICE) {
    const data = await entries.read(at, Math.min(SLICE, entries.size - at));
    for (const value of data) {
      if (!(value >= min && value <= max)) continue;
      const share = half === 0 ? 0 : (value / 2 - min / 2) / half;
      counts[Math.min(counts.length - 1, Math.floor(share * counts.length))]++;
    }
    await breathe();
  }
  return { min, max, counts: [...counts] };
}
