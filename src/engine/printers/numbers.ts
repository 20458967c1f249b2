// Numbers as code: what they are rather than their digits, where that is exact.

const MOST = 4096;

/** "8 ** -0.5", "0.25", "1e-05", "np.inf". */
export function writtenNumber(value: number, module: string): string {
  if (Number.isNaN(value)) return `${module}.nan`;
  if (!Number.isFinite(value)) return value > 0 ? `${module}.inf` : `-${module}.inf`;
  const digits = String(value);
  if (digits.length <= 8) return digits;
  const width = Math.round(value ** -2);
  const isRoot = width > 1 && width <= MOST && Math.abs(width ** -0.5 - value) < 1e-15;
  return isRoot ? `${width} ** -0.5` : digits;
}
