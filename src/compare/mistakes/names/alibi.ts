// ALiBi with other slopes, another distance or the other sign, as formulas.
import type { Context } from '../../edits/edit.ts';
import { type Row, rowsOf } from '../table.ts';

/** What stands in the place of a head's slope; `slope` is the right one, `head` the number of the head, H of them. */
export const SLOPES = rowsOf(`
slope alibi-slopes: the ALiBi slopes start at h instead of h + 1
  slope * 2^(8 / H)
slope alibi-slopes: the ALiBi slopes are in the reverse order of the heads
  reversed_slope
slope alibi-slopes: all heads have the ALiBi slope of the first
  first_slope
slope alibi-slopes: all heads have the ALiBi slope of the last
  last_slope
slope alibi-slopes: all heads have the ALiBi slope 1
  1
slope alibi-slopes: the ALiBi slopes are 2^−(h + 1), with another base
  2^(-(head + 1))
slope alibi-slopes: the ALiBi slopes are 2^−h, with another base
  2^(-head)
slope alibi-slopes: the ALiBi slopes grow: 2^(+8 (h + 1) / H)
  1 / slope
slope alibi-slopes: the ALiBi slopes are (h + 1) / H
  (head + 1) / H
slope alibi-slopes: the ALiBi slopes are 1 / (h + 1)
  1 / (head + 1)
slope alibi-slopes: the ALiBi slopes are 2^(−8 (h + 1) / H) although the number of heads H is no power of two
  2^(-8 * (head + 1) / H)
slope alibi-slopes: the ALiBi slopes are twice as steep
  2 * slope
slope alibi-slopes: the ALiBi slopes are half as steep
  slope / 2
`);

/** What stands in the place of the distance |d|. */
export const DISTANCES = rowsOf(`
distance alibi-distance: the ALiBi distance keeps its sign (no absolute value)
  d
distance alibi-distance: the ALiBi distance has its sign turned round
  -d
distance alibi-distance: the ALiBi bias takes the key's position for the distance
  i
distance alibi-distance: the ALiBi bias takes the query's position for the distance
  offset + j
distance alibi-distance: the ALiBi distance is counted from the last key
  n - 1 - i
distance alibi-distance: the ALiBi distance is counted with the last query at the last key
  abs(n - m + j - i)
distance alibi-distance: the ALiBi distance forgets the earlier tokens
  abs(j - i)
distance alibi-distance: the ALiBi distance is one too large
  abs(d) + 1
distance alibi-distance: the ALiBi distance is one too large, but for the own place
  not(not(d)) * (abs(d) + 1)
distance alibi-distance: the ALiBi distance is off by one
  abs(d + 1)
distance alibi-distance: the ALiBi distance is squared
  d^2
distance alibi-distance: the ALiBi distance is a root
  sqrt(abs(d))
distance alibi-distance: the ALiBi distance is a logarithm
  log(1 + abs(d))
distance alibi-distance: the ALiBi distance is limited to later keys
  relu(-d)
distance alibi-distance: the ALiBi distance is limited to earlier keys
  relu(d)
`);

const SIGNS = rowsOf(`
sign alibi-sign: the sign of the ALiBi bias is wrong: distant keys are favoured
  1
`);

/** Other slopes, another distance, another sign, and any two of these together. */
export function alibiRows({ config }: Context): Row[] {
  if (config.alibi === undefined) return [];
  const rows: Row[] = [];
  for (const slope of [null, ...SLOPES]) {
    for (const distance of [null, ...DISTANCES]) {
      for (const sign of [null, ...SIGNS]) {
        const chosen = [slope, distance, sign].filter((each) => each !== null);
        if (chosen.length === 0 || chosen.length > 2) continue;
        const title = chosen.map((row) => row.title).join('; ');
        const bias = `(${slope?.formula ?? 'slope'}) * (${distance?.formula ?? 'abs(d)'})`;
        rows.push({
          ...{ on: 'mask', id: [...new Set(chosen.map(({ id }) => id))].join('-and-'), title },
          ...{ wrong: title, formula: `unbiased ${sign ? '+' : '-'} ${bias}` },
          why: 'ALiBi adds −slope of the head · |position of the query − position of the key| to the scaled scores.',
          cost: chosen.length === 1 ? 1 : 1.5,
        });
      }
    }
  }
  return rows;
}
