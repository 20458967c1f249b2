// The functions that a formula may call, each of one number.

type Unary = (x: number) => number;

const sech: Unary = (x) => 1 / Math.cosh(x);

/** Abramowitz and Stegun 7.1.6: a series of positive terms only. */
const erf: Unary = (x) => {
  if (Math.abs(x) > 6) return Math.sign(x);
  let term = x;
  let sum = x;
  for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(sum); n++) {
    term *= (2 * x * x) / (2 * n + 1);
    sum += term;
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
};

/** To the nearest whole number, of two to the even one. */
const round: Unary = (x) => (2 * Math.round(x / 2) === x ? x : Math.round(x));

export const FUNCTIONS: ReadonlyMap<string, Unary> = new Map<string, Unary>([
  ['abs', Math.abs],
  ['acos', Math.acos],
  ['acosh', Math.acosh],
  ['asin', Math.asin],
  ['asinh', Math.asinh],
  ['atan', Math.atan],
  ['atanh', Math.atanh],
  ['cbrt', Math.cbrt],
  /** Into [0, 1]. */
  ['clip', (x) => Math.min(Math.max(x, 0), 1)],
  ['cos', Math.cos],
  ['cosh', Math.cosh],
  ['erf', erf],
  ['exp', Math.exp],
  /** What is infinite, or no number, counts for nothing. */
  ['finite', (x) => (Number.isFinite(x) ? x : 0)],
  ['floor', Math.floor],
  /** As it is, and no gradient passes. */
  ['held', (x) => x],
  /** What is added to a score to hide it where the condition holds. */
  ['hide', (x) => (x === 0 ? 0 : -Infinity)],
  ['log', Math.log],
  /** 1 where there is nothing: of a condition, that it does not hold. */
  ['not', (x) => Number(x === 0)],
  ['relu', (x) => Math.max(0, x)],
  ['round', round],
  ['sech', sech],
  ['sigmoid', (x) => 1 / (1 + Math.exp(-x))],
  ['sign', Math.sign],
  ['sin', Math.sin],
  ['sinh', Math.sinh],
  ['sqrt', Math.sqrt],
  ['tan', Math.tan],
  ['tanh', Math.tanh],
]);
