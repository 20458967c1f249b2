// What people take sums of as a loss, told by the gradient of each entry.

/** The function, of Y, with its derivative. */
const ELEMENTWISE: readonly (readonly [string, (y: number) => number])[] = [
  ['log(cosh(Y))', Math.tanh],
  ['Y .^ 3', (y) => 3 * y * y],
  ['Y .^ 4', (y) => 4 * y ** 3],
  ['sqrt(1 + Y .^ 2)', (y) => y / Math.sqrt(1 + y * y)],
  ['sin(Y)', Math.cos],
  ['cos(Y)', (y) => -Math.sin(y)],
  ['tanh(Y)', (y) => 1 - Math.tanh(y) ** 2],
  ['exp(Y)', Math.exp],
  ['log(1 + exp(Y))', (y) => 1 / (1 + Math.exp(-y))],
  ['abs(Y)', Math.sign],
];

/** The factor with a = factor * b; null where there is none. */
export function multiple(a: Float64Array, b: Float64Array, eps: number): number | null {
  let [dot, squares, size] = [0, 0, 0];
  for (let n = 0; n < a.length; n++) {
    dot += a[n] * b[n];
    squares += b[n] * b[n];
    size = Math.max(size, Math.abs(a[n]));
  }
  const factor = dot / squares;
  if (!Number.isFinite(factor) || size === 0 || factor === 0) return null;
  for (let n = 0; n < a.length; n++)
    if (!(Math.abs(a[n] - factor * b[n]) <= Math.min(30 * eps, 0.03) * size)) return null;
  return factor;
}

/** dy = factor times the derivative of a function of each entry; null where it is none of the usual ones. */
export function elementwise(
  dy: Float64Array,
  of: Float64Array,
  eps: number,
): { terms: string; factor: number } | null {
  for (const [terms, derivative] of ELEMENTWISE) {
    const factor = multiple(dy, of.map(derivative), eps);
    if (factor !== null) return { terms, factor };
  }
  return null;
}
