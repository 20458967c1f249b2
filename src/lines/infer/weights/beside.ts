// What stands in the softmax's denominator beside the keys: a one, or a learned logit of each head.
import { gather } from '../values/layout.ts';
import { outerBlocks } from './bias.ts';
import type { Model } from '../model.ts';
import { scoreLayout } from './scores.ts';
import type { Value, Values } from '../values/values.ts';

export interface Beside {
  /** The logit of each head; all 0 is a one in the denominator. */
  readonly logits: Float64Array;
  /** The recorded vector that says so. */
  readonly value?: Value;
}

/** Rows that sum to so much less than 1 have something beside the keys. */
const LEAST = 1e-4;

/** What the rows of the weights lack to 1, as a logit of each head; null where it is none. */
export function findBeside({ values, told, heads }: Model): Beside | null {
  const { site } = told;
  if (site.cap !== undefined) return null;
  const weights = gather(site.weights.tensor, scoreLayout(told)).data;
  const [q, k] = [outerBlocks(told.query, told), outerBlocks(told.key, told)];
  const { shape } = site.weights.tensor;
  const headOf = headsOfBlocks(site.outer, heads, shape);
  const count = Math.max(...headOf) + 1;
  const logits = new Float64Array(count).fill(Number.NaN);
  const eps = Math.max(site.weights.eps, site.scores.eps, 1e-7);
  let most = 0;
  for (let row = 0; row < weights.length / k.tokens; row++) {
    const own = weights.subarray(row * k.tokens, (row + 1) * k.tokens);
    const sum = own.reduce((a, b) => a + b, 0);
    if (own.some((value) => value < 0 || Number.isNaN(value)) || sum > 1 + eps) return null;
    if (sum === 0) continue;
    const i = own.reduce((best, value, n) => (value > own[best] ? n : best), 0);
    const block = Math.floor(row / q.tokens);
    let score = 0;
    for (let a = 0; a < q.width; a++)
      score += q.data[row * q.width + a] * k.data[(block * k.tokens + i) * k.width + a];
    const lacking = 1 - sum;
    most = Math.max(most, lacking);
    // A share that rounding may have made tells nothing.
    if (lacking < 100 * eps) continue;
    const by = site.product.factor * (told.factors?.[row] ?? 1);
    const logit = by * score + Math.log(lacking) - Math.log(own[i]);
    const head = headOf[block];
    if (Number.isNaN(logits[head])) logits[head] = logit;
    if (Math.abs(logit - logits[head]) > 200 * (eps / lacking) + 1e-6) return null;
  }
  if (most < LEAST || logits.some(Number.isNaN)) return null;
  const allowed = 2000 * eps;
  if (logits.every((logit) => Math.abs(logit) <= allowed)) return { logits: logits.map(() => 0) };
  const value = recorded(values, logits, allowed);
  return { logits, ...(value && { value }) };
}

/** The number of each block's head, heads of several axes as one. */
function headsOfBlocks(
  outer: readonly number[],
  heads: readonly number[],
  shape: readonly number[],
): number[] {
  let all = [0];
  for (const axis of outer) {
    const isHead = heads.includes(axis);
    all = all.flatMap((at) =>
      Array.from({ length: shape[axis] }, (_, n) => (isHead ? at * shape[axis] + n : at)),
    );
  }
  return all;
}

const recorded = (values: Values, logits: Float64Array, allowed: number): Value | undefined =>
  values.all.find(
    ({ kind, isVirtual, tensor: { data } }) =>
      kind === 'float' &&
      !isVirtual &&
      data.length === logits.length &&
      data.every((value, n) => Math.abs(value - logits[n]) <= allowed),
  );
