// A matrix inside a tensor: entry (r, c) is data[base + rows[r] + cols[c]].

export interface Matrix {
  readonly data: Float64Array;
  readonly base: number;
  readonly rows: Int32Array;
  readonly cols: Int32Array;
}

export const transposed = ({ data, base, rows, cols }: Matrix): Matrix => ({
  data,
  base,
  rows: cols,
  cols: rows,
});

/** How far apart the entries of a table are where that is the same for all and the first is 0; else null. */
export function stepOf(table: Int32Array): number | null {
  if (table.length === 0 || table[0] !== 0) return null;
  const step = table.length > 1 ? table[1] : 1;
  for (let n = 2; n < table.length; n++) if (table[n] !== n * step) return null;
  return step;
}
