// Normalisations along an axis that stand where none belongs: L2, RMS and layer norm, centring, another softmax.
import { type AxisLetters, axisLength, type Extents, type Letter } from '../../engine/axes.ts';
import { zeros } from '../../engine/tensor.ts';
import { fibres } from '../operations.ts';
import type { StepOperation } from '../program.ts';
import { indexName, plural } from './indices.ts';
import type { Transform } from './transform.ts';

/** A function of one fibre and its vector-Jacobian product. */
interface OnFibre {
  readonly value: (x: Float64Array) => Float64Array;
  readonly vjp: (x: Float64Array, upstream: Float64Array) => Float64Array;
}

function along(
  axes: readonly AxisLetters[],
  group: readonly Letter[],
  extents: Extents,
  { value, vjp }: OnFibre,
): StepOperation {
  const { starts, steps } = fibres(axes, group, extents);
  const read = (data: Float64Array, start: number): Float64Array => {
    const fibre = new Float64Array(steps.length);
    for (let n = 0; n < fibre.length; n++) fibre[n] = data[start + steps[n]];
    return fibre;
  };
  return {
    name: 'normalisation',
    forward([input]) {
      const out = zeros(input.shape);
      for (const start of starts) {
        const own = value(read(input.data, start));
        for (let n = 0; n < own.length; n++) out.data[start + steps[n]] = own[n];
      }
      return out;
    },
    vjp({ inputs: [input] }, upstream) {
      const out = zeros(input.shape);
      for (const start of starts) {
        const own = vjp(read(input.data, start), read(upstream.data, start));
        for (let n = 0; n < own.length; n++) out.data[start + steps[n]] = own[n];
      }
      return [out];
    },
  };
}

const sumOf = (x: Float64Array): number => {
  let total = 0;
  for (const value of x) total += value;
  return total;
};
/** Math.max(...) of a long row is more than the stack holds. */
const largest = (x: Float64Array): number => {
  let max = -Infinity;
  for (const value of x) if (value > max) max = value;
  return max;
};
const dot = (x: Float64Array, y: Float64Array): number => {
  let total = 0;
  for (let n = 0; n < x.length; n++) total += x[n] * y[n];
  return total;
};

const centred: OnFibre = {
  value: (x) => {
    const mean = sumOf(x) / x.length;
    return x.map((value) => value - mean);
  },
  vjp: (x, g) => {
    const mean = sumOf(g) / x.length;
    return g.map((value) => value - mean);
  },
};

/** x / √(share · Σ x² + eps) */
const divided = (share: (length: number) => number, eps: number): OnFibre => ({
  value: (x) => {
    const size = Math.sqrt(share(x.length) * dot(x, x) + eps);
    return size === 0 ? x : x.map((value) => value / size);
  },
  vjp: (x, g) => {
    const size = Math.sqrt(share(x.length) * dot(x, x) + eps);
    const radial = (share(x.length) * dot(x, g)) / size ** 3;
    return size === 0 ? g : g.map((value, n) => value / size - x[n] * radial);
  },
});

const then = (first: OnFibre, second: OnFibre): OnFibre => ({
  value: (x) => second.value(first.value(x)),
  vjp: (x, g) => first.vjp(x, second.vjp(first.value(x), g)),
});

const byMaximum: OnFibre = {
  value: (x) => {
    const max = largest(x);
    return x.map((value) => value / max);
  },
  vjp: (x, g) => {
    const max = largest(x);
    const at = x.indexOf(max);
    const out = g.map((value) => value / max);
    out[at] -= dot(x, g) / (max * max);
    return out;
  },
};

const lessMaximum: OnFibre = {
  value: (x) => {
    const max = largest(x);
    return x.map((value) => (max === -Infinity ? value : value - max));
  },
  vjp: (x, g) => {
    const out = g.slice();
    out[x.indexOf(largest(x))] -= sumOf(g);
    return out;
  },
};

const bySum: OnFibre = {
  value: (x) => {
    const total = sumOf(x);
    return total === 0 ? x : x.map((value) => value / total);
  },
  vjp: (x, g) => {
    const total = sumOf(x);
    const share = dot(x, g) / (total * total);
    return g.map((value) => value / total - share);
  },
};

const softmax: OnFibre = {
  value: (x) => {
    const max = largest(x);
    const own = x.map((value) => (max === -Infinity ? 0 : Math.exp(value - max)));
    const total = sumOf(own);
    return total === 0 ? own : own.map((value) => value / total);
  },
  vjp: (x, g) => {
    const p = softmax.value(x);
    const mean = dot(p, g);
    return p.map((value, n) => (value === 0 ? 0 : value * (g[n] - mean)));
  },
};

const running: OnFibre = {
  value: (x) => {
    let total = 0;
    return x.map((value) => (total += value));
  },
  vjp: (_, g) => {
    let total = 0;
    return g
      .slice()
      .reverse()
      .map((value) => (total += value))
      .reverse();
  },
};

const one = (): number => 1;
const mean = (length: number): number => 1 / length;
const unbiased = (length: number): number => 1 / (length - 1);

const ROWS: readonly (readonly [
  id: string,
  words: string,
  formula: string,
  of: OnFibre,
  cost: number,
])[] = [
  [
    'l2-normalised',
    'is divided by its L2 norm over the # (unit vectors: cosine similarity)',
    'normalize(@)',
    divided(one, 0),
    1.4,
  ],
  [
    'layer-normalised',
    'goes through a layer norm over the # (eps 1e-5)',
    'layer_norm(@)',
    then(centred, divided(mean, 1e-5)),
    1.4,
  ],
  [
    'layer-normalised',
    'goes through a layer norm over the # (eps 1e-6)',
    'layer_norm(@)',
    then(centred, divided(mean, 1e-6)),
    1.45,
  ],
  [
    'layer-normalised',
    'goes through a layer norm over the # (eps 1e-12)',
    'layer_norm(@)',
    then(centred, divided(mean, 1e-12)),
    1.46,
  ],
  [
    'standardised',
    'is standardised over the # (mean 0, standard deviation 1: layer norm without eps)',
    '(@ − mean) / std',
    then(centred, divided(mean, 0)),
    1.47,
  ],
  [
    'standardised',
    'is standardised over the # (mean 0, standard deviation 1, of n − 1)',
    '(@ − mean) / std',
    then(centred, divided(unbiased, 0)),
    1.48,
  ],
  [
    'rms-normalised',
    'goes through an RMS norm over the # (eps 1e-6)',
    'rms_norm(@)',
    divided(mean, 1e-6),
    1.42,
  ],
  [
    'rms-normalised',
    'goes through an RMS norm over the # (eps 1e-5)',
    'rms_norm(@)',
    divided(mean, 1e-5),
    1.43,
  ],
  [
    'rms-normalised',
    'goes through an RMS norm over the # (eps 1e-8)',
    'rms_norm(@)',
    divided(mean, 1e-8),
    1.44,
  ],
  [
    'rms-normalised',
    'goes through an RMS norm over the # (no eps)',
    'rms_norm(@)',
    divided(mean, 0),
    1.45,
  ],
  ['centred', 'has its mean over the # subtracted (centred)', '@ − mean(@)', centred, 1.4],
  ['less-its-maximum', 'has its maximum over the # subtracted', '@ − max(@)', lessMaximum, 1.45],
  ['divided-by-its-maximum', 'is divided by its maximum over the #', '@ / max(@)', byMaximum, 1.5],
  [
    'normalised-by-sum',
    'is divided by its sum over the # (normalised again)',
    '@ / Σ @',
    bySum,
    1.4,
  ],
  ['softmax', 'goes through a softmax over the #', 'softmax(@)', softmax, 1.4],
  ['running-sum', 'is summed up along the # (cumsum)', 'cumsum(@)', running, 1.6],
];

/** All normalisations along one group of letters. */
export function normTransforms(
  axes: readonly AxisLetters[],
  group: readonly Letter[],
  extents: Extents,
): Transform[] {
  if (axisLength(group, extents) < 2) return [];
  const name = indexName(group);
  return ROWS.map(([id, words, formula, of, cost]) => ({
    id: `${id}-over-${name.replaceAll(/[^a-z]+/g, '-')}`,
    title: (own) => `${own} ${words.replace('#', plural(name))}`,
    formula: (own) => `${formula.replaceAll('@', own)} over the ${plural(name)}`,
    cost,
    isLinear: false,
    get operation() {
      return along(axes, group, extents, of);
    },
  }));
}
