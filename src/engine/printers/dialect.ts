// What NumPy and PyTorch call the same thing.

export interface Dialect {
  readonly name: 'numpy' | 'pytorch';
  /** "np", "torch". */
  readonly module: string;
  readonly axis: string;
  readonly keep: string;
  readonly largest: string;
  /** Names of functions where they are not the formula's own. */
  readonly functions: Readonly<Record<string, string>>;
  transposed(code: string): string;
  permuted(code: string, order: readonly number[]): string;
  hidden(condition: string): string;
  notBelowZero(code: string): string;
  /** Of a condition, as numbers. */
  counted(condition: string): string;
  range(length: number): string;
  list(values: readonly number[]): string;
}

export const NUMPY: Dialect = {
  name: 'numpy',
  module: 'np',
  axis: 'axis',
  keep: 'keepdims=True',
  largest: 'max',
  functions: {
    acos: 'arccos',
    acosh: 'arccosh',
    asin: 'arcsin',
    asinh: 'arcsinh',
    atan: 'arctan',
    atanh: 'arctanh',
  },
  transposed: (code) => `${code}.swapaxes(-1, -2)`,
  permuted: (code, order) => `${code}.transpose(${order.join(', ')})`,
  notBelowZero: (code) => `np.maximum(${code}, 0)`,
  hidden: (condition) => `np.where(${condition}, -np.inf, 0.0)`,
  counted: (condition) => `(${condition})`,
  range: (length) => `np.arange(${length})`,
  list: (values) => `[${values.join(', ')}]`,
};

export const PYTORCH: Dialect = {
  name: 'pytorch',
  module: 'torch',
  axis: 'dim',
  keep: 'keepdim=True',
  largest: 'amax',
  functions: {},
  transposed: (code) => `${code}.transpose(-1, -2)`,
  permuted: (code, order) => `${code}.permute(${order.join(', ')})`,
  notBelowZero: (code) => `torch.clamp(${code}, min=0)`,
  hidden: (condition) => `torch.where(${condition}, -torch.inf, 0.0)`,
  counted: (condition) => `(${condition})`,
  range: (length) => `torch.arange(${length})`,
  list: (values) => `[${values.join(', ')}]`,
};
