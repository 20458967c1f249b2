// Normalisations along an axis that stand where none belongs: L2, RMS and layer norm, centring, another softmax.
import { type AxisLetters, axisLength, type Extents, type Letter } from '../../../engine/axes.ts';
import { formulaOperation } from './formulaOperation.ts';
import { indexName, plural } from './indices.ts';
import type { Transform } from './transform.ts';

const CENTRED = 'C = X - mean_k(X)';

/** A line each: id, cost: what is said of it, # being the axis; how it is written; its formula, k the axis. */
const ROWS = `
l2-normalised 1.4: is divided by its L2 norm over the # (unit vectors: cosine similarity) | normalize(@) | X / sqrt(sum_k(X^2))
layer-normalised 1.4: goes through a layer norm over the # (eps 1e-5) | layer_norm(@) | ${CENTRED}; C / sqrt(mean_k(C^2) + 1e-5)
layer-normalised 1.45: goes through a layer norm over the # (eps 1e-6) | layer_norm(@) | ${CENTRED}; C / sqrt(mean_k(C^2) + 1e-6)
layer-normalised 1.46: goes through a layer norm over the # (eps 1e-12) | layer_norm(@) | ${CENTRED}; C / sqrt(mean_k(C^2) + 1e-12)
standardised 1.47: is standardised over the # (mean 0, standard deviation 1: layer norm without eps) | (@ − mean) / std | ${CENTRED}; C / sqrt(mean_k(C^2))
standardised 1.48: is standardised over the # (mean 0, standard deviation 1, of n − 1) | (@ − mean) / std | ${CENTRED}; C / sqrt(sum_k(C^2) / (sum_k(1) - 1))
rms-normalised 1.42: goes through an RMS norm over the # (eps 1e-6) | rms_norm(@) | X / sqrt(mean_k(X^2) + 1e-6)
rms-normalised 1.43: goes through an RMS norm over the # (eps 1e-5) | rms_norm(@) | X / sqrt(mean_k(X^2) + 1e-5)
rms-normalised 1.44: goes through an RMS norm over the # (eps 1e-8) | rms_norm(@) | X / sqrt(mean_k(X^2) + 1e-8)
rms-normalised 1.45: goes through an RMS norm over the # (no eps) | rms_norm(@) | X / sqrt(mean_k(X^2))
centred 1.4: has its mean over the # subtracted (centred) | @ − mean(@) | ${CENTRED}; C
less-its-maximum 1.45: has its maximum over the # subtracted | @ − max(@) | X - finite(max_k(X))
divided-by-its-maximum 1.5: is divided by its maximum over the # | @ / max(@) | X / max_k(X)
normalised-by-sum 1.4: is divided by its sum over the # (normalised again) | @ / Σ @ | X / sum_k(X)
softmax 1.4: goes through a softmax over the # | softmax(@) | exp(X) / sum_k(exp(X))
running-sum 1.6: is summed up along the # (cumsum) | cumsum(@) | running_k(X)
`;

const READ = ROWS.trim()
  .split('\n')
  .map((line) => /^(\S+) ([\d.]+): (.*) \| (.*) \| (.*)$/.exec(line)!.slice(1));

/** All normalisations along one group of letters. */
export function normTransforms(
  axes: readonly AxisLetters[],
  group: readonly Letter[],
  extents: Extents,
): Transform[] {
  if (axisLength(group, extents) < 2) return [];
  const name = indexName(group);
  // A running sum goes along one letter.
  const rows = READ.filter(([id]) => id !== 'running-sum' || group.length === 1);
  return rows.map(([id, cost, words, written, formula]) => ({
    id: `${id}-over-${name.replaceAll(/[^a-z]+/g, '-')}`,
    ...{ cost: Number(cost), isLinear: false },
    title: (own) => `${own} ${words.replace('#', plural(name))}`,
    formula: (own) => `${written.replaceAll('@', own)} over the ${plural(name)}`,
    get operation() {
      return formulaOperation('normalisation', formula, axes, extents, group);
    },
  }));
}
