// Dropout within the statement of a softmax: the weights themselves are nowhere, only what dropout left of them.
import { gather } from '../values/layout.ts';
import { outerBlocks } from './bias.ts';
import type { FoundDropout } from './maskFound.ts';
import type { Named } from './masks.ts';
import type { Model } from '../model.ts';
import { scoreLayout } from './scores.ts';
import { normalisedAxes } from './site.ts';

export interface LostDropout {
  readonly mask: Exclude<Named['mask'], 'given'>;
  readonly dropout: FoundDropout;
}

/** Masks that may hide what dropout did not drop, those that hide most first. */
const MASKS: readonly LostDropout['mask'][] = ['causal', 'causal-bottom-right', 'none'];

/** The mask under which what is left of the weights is one multiple of the softmax; null where there is none. */
export function findLostDropout(model: Model): LostDropout | null {
  const { values, told } = model;
  const { site } = told;
  const { text } = values.recording.statements[site.weights.parts[0].statement];
  if (site.how !== 'crossed' || !/drop/i.test(text) || normalisedAxes(site.weights).length > 0)
    return null;
  const layout = scoreLayout(told);
  const left = gather(site.weights.tensor, layout).data;
  const [q, k] = [outerBlocks(told.query, told), outerBlocks(told.key, told)];
  for (const mask of MASKS) {
    const start = mask === 'causal-bottom-right' ? k.tokens - q.tokens : 0;
    let factor: number | undefined;
    const isWhole = Array.from({ length: left.length / k.tokens }, (_, row) => row).every((row) => {
      const [block, j] = [Math.floor(row / q.tokens), row % q.tokens];
      const seen = mask === 'none' ? k.tokens : Math.min(k.tokens, j + start + 1);
      const scores = Array.from({ length: k.tokens }, (_, i) =>
        i < seen ? Math.exp(site.product.factor * dot(q, k, block, j, i)) : 0,
      );
      const sum = scores.reduce((a, b) => a + b, 0);
      return scores.every((score, i) => {
        const value = left[row * k.tokens + i];
        if (value === 0) return true;
        factor ??= (value * sum) / score;
        return Math.abs((value * sum) / score / factor - 1) < 100 * Math.max(site.scores.eps, 1e-7);
      });
    });
    if (!isWhole || factor === undefined || factor < 1) continue;
    const p = Number((1 - 1 / factor).toPrecision(4));
    return { mask, dropout: { p, keep: site.weights, layout, from: site.weights } };
  }
  return null;
}

type Block = ReturnType<typeof outerBlocks>;

function dot(q: Block, k: Block, block: number, j: number, i: number): number {
  let sum = 0;
  for (let a = 0; a < q.width; a++)
    sum +=
      q.data[(block * q.tokens + j) * q.width + a] * k.data[(block * k.tokens + i) * k.width + a];
  return sum;
}
