// Tensors as text to paste: JSON as in a setup, a NumPy expression, CSV.
import type { Tensor } from '../engine/tensor.ts';

export type TextFormat = 'json' | 'numpy' | 'csv';

/** Most entries that are written as text. */
export const MOST_AS_TEXT = 2 ** 20;

function nested({ shape, data }: Tensor, write: (value: number) => string, gap: string): string {
  const build = (axis: number, offset: number, size: number): string => {
    if (axis === shape.length) return write(data[offset]);
    const stride = shape[axis] === 0 ? 0 : size / shape[axis];
    const parts = Array.from({ length: shape[axis] }, (_, n) =>
      build(axis + 1, offset + n * stride, stride),
    );
    const isLine = axis === shape.length - 1;
    const separator = isLine ? ', ' : `,\n${gap}${' '.repeat(axis + 1)}`;
    return `[${parts.join(separator)}]`;
  };
  return build(0, 0, data.length);
}

/** Nested arrays that a setup file takes; what JSON has no number for is "nan", "inf" or "-inf". */
export function toJsonText(tensor: Tensor): string {
  const write = (value: number): string => {
    if (Number.isFinite(value)) return JSON.stringify(value);
    return Number.isNaN(value) ? '"nan"' : value > 0 ? '"inf"' : '"-inf"';
  };
  return nested(tensor, write, '');
}

/** An expression for `import numpy as np`. */
export function toNumpyText(tensor: Tensor): string {
  const write = (value: number): string => {
    if (Number.isNaN(value)) return 'np.nan';
    if (!Number.isFinite(value)) return value > 0 ? 'np.inf' : '-np.inf';
    return Object.is(value, -0) ? '-0.0' : String(value);
  };
  const { shape } = tensor;
  // Nested lists cannot say how long an axis is that holds nothing.
  if (shape.includes(0))
    return `np.zeros((${shape.join(', ')}${shape.length === 1 ? ',' : ''}), dtype=np.float64)`;
  return `np.array(${nested(tensor, write, '         ')}, dtype=np.float64)`;
}

/** One line per row, numbers with all their digits, a point for the decimals; a vector is one line. */
export function toCsvText({ shape, data }: Tensor): string {
  const cols = shape.length === 0 ? 1 : shape[shape.length - 1];
  const rows = cols === 0 ? 0 : data.length / cols;
  const lines = Array.from({ length: rows }, (_, row) =>
    [...data.subarray(row * cols, (row + 1) * cols)].map((value) => String(value)).join(','),
  );
  return lines.map((line) => `${line}\n`).join('');
}

export function toText(tensor: Tensor, format: TextFormat): string {
  switch (format) {
    case 'json':
      return toJsonText(tensor);
    case 'numpy':
      return toNumpyText(tensor);
    case 'csv':
      return toCsvText(tensor);
  }
}
