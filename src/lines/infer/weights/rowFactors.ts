// Scores that are multiplied by a learned number of each head, or by one of each query that grows with its position.
import { sizeOf } from '../../../engine/tensor.ts';
import { outerBlocks } from './bias.ts';
import { gather, offsets } from '../values/layout.ts';
import type { Model } from '../model.ts';
import { scoreLayout } from './scores.ts';
import { isFactor } from './multiplied.ts';
import type { Value } from '../values/values.ts';

export interface RowFactors {
  /** What is left of the factor of the scores: one number. */
  readonly rest: number;
  /** (block, query): what else the scores of each row are multiplied by. */
  readonly each: Float64Array;
  readonly heads?: Value;
  readonly queries?: Value;
}

type Known = Pick<Model, 'values' | 'told' | 'heads'>;

/** What the rows of the scores are multiplied by, as recorded vectors tell it; null where that is one number, or they do not. */
export function rowFactors({ values, told, heads }: Known): RowFactors | null {
  const { site } = told;
  if (site.cap !== undefined) return null;
  const shown = shownFactors({ told });
  if (!shown) return null;
  const { shape } = site.weights.tensor;
  const headOf = blocksByHead(site.outer, heads, shape);
  const count = Math.max(...headOf) + 1;
  const queries = shown.length / headOf.length;
  const eps = 1e3 * Math.max(site.weights.eps, 1e-9);
  const known = Array.from(shown.keys()).filter((n) => !Number.isNaN(shown[n]));
  const [first] = known;
  if (first === undefined || known.every((n) => Math.abs(shown[n] / shown[first] - 1) <= eps))
    return null;
  const at = {
    head: (n: number) => headOf[Math.floor(n / queries)],
    query: (n: number) => n % queries,
  };
  const vectors = (length: number): (Value | undefined)[] => [
    undefined,
    ...values.all.filter((value) => isFactor(value) && value.tensor.data.length === length),
  ];
  for (const ofQueries of vectors(queries)) {
    for (const ofHeads of count > 1 ? vectors(count) : [undefined]) {
      const each = Float64Array.from(
        shown,
        (_, n) =>
          (ofHeads?.tensor.data[at.head(n)] ?? 1) * (ofQueries?.tensor.data[at.query(n)] ?? 1),
      );
      const by = shown[first] / each[first];
      if (!known.every((n) => Math.abs(shown[n] / each[n] / by - 1) <= eps)) continue;
      return {
        ...{ rest: site.product.factor * by, each },
        ...(ofHeads && { heads: ofHeads }),
        ...(ofQueries && { queries: ofQueries }),
      };
    }
  }
  return null;
}

/** The share of the site's factor by which each row's scores go up; NaN where it shows too little, null where none fits. */
function shownFactors({ told }: Pick<Known, 'told'>): Float64Array | null {
  const { site } = told;
  const [q, k] = [outerBlocks(told.query, told), outerBlocks(told.key, told)];
  const weights = gather(site.weights.tensor, scoreLayout(told)).data;
  const allowed = 100 * Math.max(site.weights.eps, site.scores.eps, 1e-9);
  const rows = weights.length / k.tokens;
  const shown = new Float64Array(rows).fill(Number.NaN);
  for (let row = 0; row < rows; row++) {
    const block = Math.floor(row / q.tokens);
    const seen: { score: number; log: number }[] = [];
    for (let i = 0; i < k.tokens; i++) {
      const weight = weights[row * k.tokens + i];
      if (!(weight > 0)) continue;
      let score = 0;
      for (let a = 0; a < q.width; a++)
        score += q.data[row * q.width + a] * k.data[(block * k.tokens + i) * k.width + a];
      seen.push({ score: site.product.factor * score, log: Math.log(weight) });
    }
    const [least, most] = [Math.min, Math.max].map((of) => of(...seen.map(({ score }) => score)));
    if (seen.length < 2 || most - least < 1e-3) continue;
    const [low, high] = [least, most].map((each) => seen.find(({ score }) => score === each)!);
    const by = (high.log - low.log) / (most - least);
    const isOne = seen.every(
      ({ score, log }) =>
        Math.abs(log - low.log - by * (score - least)) <= allowed * (1 + Math.abs(log)),
    );
    if (!isOne || !(by > 0)) return null;
    shown[row] = by;
  }
  return shown;
}

/** The head of each block of the outer axes. */
function blocksByHead(
  outer: readonly number[],
  heads: readonly number[],
  shape: readonly number[],
): Int32Array {
  const own = heads.map((axis) => shape[axis]);
  const steps = outer.map((axis) => {
    const n = heads.indexOf(axis);
    return { size: shape[axis], stride: n < 0 ? 0 : sizeOf(own.slice(n + 1)) };
  });
  return offsets(steps);
}
