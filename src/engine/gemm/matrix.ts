// A matrix inside a tensor: entry (r, c) is data[base + rows[r] + cols[c]].

export interface Matrix {
  readonly data: Float64Array;
  readonly base: number;
  readonly rows: Int32Array;
  readonly cols: Int32Array;
}
