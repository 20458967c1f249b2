// Mistakes that people make in the options of today's models: the tensor that is wrong, and what stands in its place, in
// loops over right tensors, apart from the engine's formulas.

const random = (seed: number, ...shape: number[]): object => ({ random: 'normal', shape, seed });

/** Four tokens of six features, two heads: keys of three, values of five. */
const base = {
  ...{ head: 'multihead', heads: 2, scale: 0.4, x: random(1, 4, 6), mask: 'causal' },
  weights: {
    ...{ W_K: random(2, 6, 6), W_Q: random(3, 6, 6), W_V: random(4, 6, 10), W_O: random(5, 10, 6) },
  },
  loss: { upstream: random(6, 4, 6) },
};
const withOwn = (weights: object, own: object = {}): object => ({
  ...base,
  ...own,
  weights: { ...base.weights, ...weights },
});

const EPS = 0.1;
const LAMBDA_INIT = 0.35;
const gains = { gamma_K: random(7, 3), gamma_Q: random(8, 3) };
const rms = withOwn(gains, { qkNorm: { kind: 'rms', eps: EPS } });
const layerNorm = withOwn(gains, { qkNorm: { kind: 'layer', eps: EPS } });
const sinks = withOwn({ sinks: random(7, 2) });
const plusOne = withOwn({}, { softmax: 'plus-one' });
const gate = withOwn({ W_gate: random(7, 6, 10) });
const headGate = withOwn({ W_gate: random(7, 6, 2) });
const bias = withOwn(
  { B: random(7, 2, 4, 4) },
  {
    positionBias: { kind: 'learned' },
    x: random(1, 2, 4, 6),
    loss: { upstream: random(6, 2, 4, 6) },
  },
);
const scaled = withOwn({ headScale: random(7, 2) }, { temperature: random(8, 4) });
const pairs = withOwn(
  {
    ...{ W_K: random(2, 6, 12), W_Q: random(3, 6, 12), gamma_O: random(7, 5) },
    ...{ lambda_q1: random(8, 3), lambda_k1: random(8, 3) },
    ...{ lambda_q2: random(10, 3), lambda_k2: random(11, 3) },
  },
  { differential: { lambdaInit: LAMBDA_INIT, norm: { kind: 'rms', eps: EPS } } },
);
const layer = withOwn(
  { gamma_pre: random(7, 6) },
  { block: { residual: true, preNorm: { kind: 'rms', eps: EPS } } },
);

/** An entry of a right tensor by its indices; merged axes are one. */
export type Entry = (name: string, ...index: number[]) => number;

export interface OptionMistake {
  readonly option: string;
  readonly setup: object;
  readonly tensor: string;
  /** What is wrong, for the test's name. */
  readonly mistake: string;
  /** The wrong entry at an index. */
  readonly wrong: (at: Entry, ...index: number[]) => number;
  /** The id of the first cause. */
  readonly told: string;
}

const sum = (count: number, term: (n: number) => number): number =>
  Array.from({ length: count }, (_, n) => term(n)).reduce((a, b) => a + b, 0);
const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
/** Of K, head by head: where a feature's head begins, the mean square of its head. */
const head = (c: number): number => c - (c % 3);
const square = (at: Entry, i: number, c: number): number =>
  sum(3, (a) => at('K', i, head(c) + a) ** 2) / 3;
const root = (at: Entry, i: number, c: number): number => Math.sqrt(square(at, i, c) + EPS);
const meanOf = (at: Entry, name: string, i: number, c: number): number =>
  sum(3, (a) => at(name, i, head(c) + a)) / 3;
const deviation = (at: Entry, i: number, c: number): number => {
  const mean = meanOf(at, 'K', i, c);
  return Math.sqrt(sum(3, (a) => (at('K', i, head(c) + a) - mean) ** 2) / 3 + EPS);
};
/** Σ γ dKn K / 3 of a head. */
const along = (at: Entry, i: number, c: number): number =>
  sum(3, (a) => at('gamma_K', a) * at('dKn', i, head(c) + a) * at('K', i, head(c) + a)) / 3;

type Row = readonly [tensor: string, mistake: string, wrong: OptionMistake['wrong'], told: string];

const rows = (option: string, setup: object, ...all: Row[]): OptionMistake[] =>
  all.map(([tensor, mistake, wrong, told]) => ({ option, setup, tensor, mistake, wrong, told }));

export const OPTION_MISTAKES: readonly OptionMistake[] = [
  ...rows(
    'RMS norm of keys',
    rms,
    [
      'dgamma_K',
      'of the last head only',
      (at, a) => sum(4, (i) => (at('dKn', i, 3 + a) * at('K', i, 3 + a)) / root(at, i, 3)),
      'backward-head-first-skipped',
    ],
    [
      'dgamma_K',
      'averaged over the tokens',
      (at, a) =>
        sum(2, (h) =>
          sum(4, (i) => (at('dKn', i, 3 * h + a) * at('K', i, 3 * h + a)) / root(at, i, 3 * h)),
        ) / 4,
      'backward-key-mean',
    ],
    [
      'dgamma_K',
      'of the keys before they are normed',
      (at, a) => sum(2, (h) => sum(4, (i) => at('dKn', i, 3 * h + a) * at('K', i, 3 * h + a))),
      'formula-left-out',
    ],
    [
      'dgamma_K',
      'of the keys after the gain',
      (at, a) => sum(2, (h) => sum(4, (i) => at('dKn', i, 3 * h + a) * at('Kn', i, 3 * h + a))),
      'formula-left-out-operand',
    ],
    [
      'dK',
      'without the projection term',
      (at, i, c) => (at('gamma_K', c % 3) * at('dKn', i, c)) / root(at, i, c),
      'formula-left-out',
    ],
    [
      'dK',
      'without the gain',
      (at, i, c) => {
        const r = root(at, i, c);
        const mean = sum(3, (a) => at('dKn', i, head(c) + a) * at('K', i, head(c) + a)) / 3;
        return at('dKn', i, c) / r - (at('K', i, c) * mean) / r ** 3;
      },
      'formula-left-out',
    ],
    [
      'dK',
      'the projection term summed, not averaged',
      (at, i, c) => {
        const r = root(at, i, c);
        const direct = (at('gamma_K', c % 3) * at('dKn', i, c)) / r;
        return direct - (3 * at('K', i, c) * along(at, i, c)) / r ** 3;
      },
      'formula-left-out',
    ],
    [
      'dK',
      'the projection term added',
      (at, i, c) => {
        const r = root(at, i, c);
        return (
          (at('gamma_K', c % 3) * at('dKn', i, c)) / r + (at('K', i, c) * along(at, i, c)) / r ** 3
        );
      },
      'formula-sign',
    ],
    [
      'dK',
      'the projection term divided by the root once only',
      (at, i, c) => {
        const r = root(at, i, c);
        return (at('gamma_K', c % 3) * at('dKn', i, c) - at('K', i, c) * along(at, i, c)) / r;
      },
      'formula-left-out',
    ],
    ['Kn', 'without the gain', (at, i, c) => at('K', i, c) / root(at, i, c), 'norm-gain-left-out'],
    [
      'Kn',
      'the gain is 1 + gamma',
      (at, i, c) => ((1 + at('gamma_K', c % 3)) * at('K', i, c)) / root(at, i, c),
      'norm-gain-offset',
    ],
    [
      'Kn',
      'eps outside of the root',
      (at, i, c) => (at('gamma_K', c % 3) * at('K', i, c)) / (Math.sqrt(square(at, i, c)) + EPS),
      'norm-eps-outside-root',
    ],
    [
      'Kn',
      'eps left out',
      (at, i, c) => (at('gamma_K', c % 3) * at('K', i, c)) / Math.sqrt(square(at, i, c)),
      'norm-eps-left-out',
    ],
    [
      'Kn',
      'another eps',
      (at, i, c) => (at('gamma_K', c % 3) * at('K', i, c)) / Math.sqrt(square(at, i, c) + 1e-3),
      'norm-eps-other',
    ],
    [
      'Kn',
      'over the tokens',
      (at, i, c) =>
        (at('gamma_K', c % 3) * at('K', i, c)) /
        Math.sqrt(sum(4, (n) => at('K', n, c) ** 2) / 4 + EPS),
      'norm-wrong-axis',
    ],
    [
      'Kn',
      'over all heads',
      (at, i, c) =>
        (at('gamma_K', c % 3) * at('K', i, c)) /
        Math.sqrt(sum(6, (n) => at('K', i, n) ** 2) / 6 + EPS),
      'norm-wrong-axis',
    ],
    [
      'Kn',
      'the sum of squares, not their mean',
      (at, i, c) => (at('gamma_K', c % 3) * at('K', i, c)) / Math.sqrt(3 * square(at, i, c) + EPS),
      'norm-of-sum',
    ],
    [
      'Kn',
      'no root',
      (at, i, c) => (at('gamma_K', c % 3) * at('K', i, c)) / (square(at, i, c) + EPS),
      'norm-without-root',
    ],
    [
      'Kn',
      'the mean taken away, as in layer norm',
      (at, i, c) =>
        (at('gamma_K', c % 3) * (at('K', i, c) - meanOf(at, 'K', i, c))) / deviation(at, i, c),
      'operand-centred-over-feature',
    ],
  ),
  ...rows(
    'layer norm of keys',
    layerNorm,
    [
      'Kn',
      'the variance of n − 1',
      (at, i, c) => {
        const mean = meanOf(at, 'K', i, c);
        const variance = sum(3, (a) => (at('K', i, head(c) + a) - mean) ** 2) / 2;
        return (at('gamma_K', c % 3) * (at('K', i, c) - mean)) / Math.sqrt(variance + EPS);
      },
      'norm-of-sample',
    ],
    [
      'Kn',
      'the mean is not taken away',
      (at, i, c) => (at('gamma_K', c % 3) * at('K', i, c)) / deviation(at, i, c),
      'norm-not-centred',
    ],
    [
      'dK',
      'without the mean of the upstream gradient',
      (at, i, c) => {
        const [mean, s] = [meanOf(at, 'K', i, c), deviation(at, i, c)];
        const hat = (n: number): number => (at('K', i, n) - mean) / s;
        const g = (n: number): number => at('gamma_K', n % 3) * at('dKn', i, n);
        const mixed = sum(3, (a) => g(head(c) + a) * hat(head(c) + a)) / 3;
        return (g(c) - hat(c) * mixed) / s;
      },
      'formula-left-out',
    ],
    [
      'dK',
      'as in RMS norm: keys in place of centred keys, no mean',
      (at, i, c) => (at('gamma_K', c % 3) * at('dKn', i, c)) / deviation(at, i, c),
      'formula-left-out-left-out',
    ],
  ),
  ...rows(
    'sinks',
    sinks,
    [
      'P',
      'the sink is left out of the denominator',
      (at, h, j, i) => Math.exp(at('M', h, j, i)) / sum(4, (n) => Math.exp(at('M', h, j, n))),
      'sink-left-out',
    ],
    [
      'P',
      'the sink is taken as it is, not its exponential',
      (at, h, j, i) =>
        Math.exp(at('M', h, j, i)) / (at('sinks', h) + sum(4, (n) => Math.exp(at('M', h, j, n)))),
      'sink-not-exponentiated',
    ],
    [
      'P',
      'a 1 in the place of the exponential of the sink',
      (at, h, j, i) => Math.exp(at('M', h, j, i)) / (1 + sum(4, (n) => Math.exp(at('M', h, j, n)))),
      'sink-is-one',
    ],
    [
      'P',
      'the sinks of the heads exchanged',
      (at, h, j, i) =>
        Math.exp(at('M', h, j, i)) /
        (Math.exp(at('sinks', 1 - h)) + sum(4, (n) => Math.exp(at('M', h, j, n)))),
      'operand-head-reversed',
    ],
    [
      'dsinks',
      'of the wrong sign',
      (at, h) =>
        sum(
          4,
          (j) =>
            sum(4, (i) => at('dP', h, j, i) * at('P', h, j, i)) *
            (1 - sum(4, (i) => at('P', h, j, i))),
        ),
      'backward-sign',
    ],
    [
      'dsinks',
      'without the weight of the sink',
      (at, h) => -sum(4, (j) => sum(4, (i) => at('dP', h, j, i) * at('P', h, j, i))),
      'formula-left-out',
    ],
    [
      'dsinks',
      'of the last query only',
      (at, h) =>
        -sum(4, (i) => at('dP', h, 3, i) * at('P', h, 3, i)) *
        (1 - sum(4, (i) => at('P', h, 3, i))),
      'backward-query-last-only',
    ],
    [
      'dsinks',
      'averaged over the queries',
      (at, h) =>
        -sum(
          4,
          (j) =>
            sum(4, (i) => at('dP', h, j, i) * at('P', h, j, i)) *
            (1 - sum(4, (i) => at('P', h, j, i))),
        ) / 4,
      'backward-key-mean',
    ],
    [
      'dM',
      'the row term divided by what the sink leaves',
      (at, h, j, i) =>
        at('P', h, j, i) *
        (at('dP', h, j, i) -
          sum(4, (n) => at('dP', h, j, n) * at('P', h, j, n)) / sum(4, (n) => at('P', h, j, n))),
      'formula-left-out',
    ],
  ),
  ...rows(
    'softmax plus one',
    plusOne,
    [
      'P',
      'the 1 is left out',
      (at, h, j, i) => Math.exp(at('M', h, j, i)) / sum(4, (n) => Math.exp(at('M', h, j, n))),
      'plus-one-left-out',
    ],
    [
      'P',
      'the 1 is added after the maximum is taken away',
      (at, h, j, i) => {
        const most = Math.max(...[0, 1, 2, 3].map((n) => at('M', h, j, n)));
        const exp = (n: number): number => Math.exp(at('M', h, j, n) - most);
        return exp(i) / (1 + sum(4, exp));
      },
      'softmax-plus-one',
    ],
  ),
  ...rows(
    'a gate of each entry',
    gate,
    [
      'Og',
      'the logits themselves multiply',
      (at, h, j, v) => at('O', h, j, v) * at('gate', j, 5 * h + v),
      'formula-left-out',
    ],
    [
      'Og',
      'SiLU in the place of the sigmoid',
      (at, h, j, v) => {
        const g = at('gate', j, 5 * h + v);
        return at('O', h, j, v) * g * sigmoid(g);
      },
      'formula-arithmetic-left-out',
    ],
    [
      'Og',
      'tanh in the place of the sigmoid',
      (at, h, j, v) => at('O', h, j, v) * Math.tanh(at('gate', j, 5 * h + v)),
      'formula-function',
    ],
    [
      'Og',
      'shut where it should be open',
      (at, h, j, v) => at('O', h, j, v) * sigmoid(-at('gate', j, 5 * h + v)),
      'operand-negated',
    ],
    ['Og', 'no gate', (at, h, j, v) => at('O', h, j, v), 'gate-missing'],
    [
      'dgate',
      'without the slope of the sigmoid',
      (at, j, c) => at('dOg', Math.floor(c / 5), j, c % 5) * at('O', Math.floor(c / 5), j, c % 5),
      'formula-left-out-left-out',
    ],
    [
      'dgate',
      'the sigmoid in the place of its slope',
      (at, j, c) =>
        at('dOg', Math.floor(c / 5), j, c % 5) *
        at('O', Math.floor(c / 5), j, c % 5) *
        sigmoid(at('gate', j, c)),
      'formula-left-out',
    ],
    [
      'dgate',
      'the output after the gate in the place of that before it',
      (at, j, c) => {
        const open = sigmoid(at('gate', j, c));
        const [h, v] = [Math.floor(c / 5), c % 5];
        return at('dOg', h, j, v) * at('Og', h, j, v) * open * (1 - open);
      },
      'backward-wrong-operand',
    ],
    ['dO', 'the gate left out', (at, h, j, v) => at('dOg', h, j, v), 'backward-gate-missing'],
    [
      'dO',
      'the logits in the place of the gates',
      (at, h, j, v) => at('dOg', h, j, v) * at('gate', j, 5 * h + v),
      'formula-left-out',
    ],
  ),
  ...rows(
    'a gate of each head',
    headGate,
    [
      'dgate',
      'averaged over the features',
      (at, j, h) => {
        const open = sigmoid(at('gate', j, h));
        return (sum(5, (v) => at('dOg', h, j, v) * at('O', h, j, v)) / 5) * open * (1 - open);
      },
      'backward-divided-by-count',
    ],
    [
      'Og',
      'the gates of the other head',
      (at, h, j, v) => at('O', h, j, v) * sigmoid(at('gate', j, 1 - h)),
      'operand-head-reversed',
    ],
  ),
  ...rows(
    'a bias of each pair',
    bias,
    [
      'dB',
      'of the first batch entry',
      (at, h, j, i) => at('dZb', 0, h, j, i),
      'backward-batch-entry-last-skipped',
    ],
    [
      'dB',
      'averaged over the batch',
      (at, h, j, i) => (at('dZb', 0, h, j, i) + at('dZb', 1, h, j, i)) / 2,
      'backward-half',
    ],
    [
      'dB',
      'with the scale',
      (at, h, j, i) => 0.4 * (at('dZb', 0, h, j, i) + at('dZb', 1, h, j, i)),
      'backward-scale-twice',
    ],
    [
      'Zb',
      'subtracted',
      (at, b, h, j, i) => at('Z', b, h, j, i) - at('B', h, j, i),
      'operand-negated',
    ],
    [
      'Zb',
      'added before the scale',
      (at, b, h, j, i) => 0.4 * (at('S', b, h, j, i) + at('B', h, j, i)),
      'formula-factor',
    ],
    [
      'Zb',
      'of the other head',
      (at, b, h, j, i) => at('Z', b, h, j, i) + at('B', 1 - h, j, i),
      'operand-head-reversed',
    ],
    [
      'Zb',
      'transposed',
      (at, b, h, j, i) => at('Z', b, h, j, i) + at('B', h, i, j),
      'operand-transposed',
    ],
  ),
  ...rows(
    'a scale of each head, a temperature of each query',
    scaled,
    [
      'Z',
      'the scale of the head left out',
      (at, h, j, i) => 0.4 * at('temperature', j) * at('S', h, j, i),
      'head-scale-missing',
    ],
    [
      'Z',
      'divided by the temperature',
      (at, h, j, i) => (0.4 * at('headScale', h) * at('S', h, j, i)) / at('temperature', j),
      'operand-reciprocal',
    ],
    [
      'Z',
      'the temperature of the keys',
      (at, h, j, i) => 0.4 * at('headScale', h) * at('temperature', i) * at('S', h, j, i),
      'result-transposed',
    ],
    [
      'dheadScale',
      'without the fixed scale',
      (at, h) =>
        sum(4, (j) => sum(4, (i) => at('dZ', h, j, i) * at('S', h, j, i) * at('temperature', j))),
      'backward-scale-missing',
    ],
    [
      'dheadScale',
      'of the scaled scores',
      (at, h) => sum(4, (j) => sum(4, (i) => at('dZ', h, j, i) * at('Z', h, j, i))),
      'formula-left-out-operand-factor',
    ],
  ),
  ...rows(
    'differential attention',
    pairs,
    [
      'Pdiff',
      'added, not subtracted',
      (at, h, j, i) => at('P', 2 * h, j, i) + at('lambda_full') * at('P', 2 * h + 1, j, i),
      'operand-negated',
    ],
    [
      'Pdiff',
      'λ left out',
      (at, h, j, i) => at('P', 2 * h, j, i) - at('P', 2 * h + 1, j, i),
      'difference-without-lambda',
    ],
    [
      'Pdiff',
      'the softmaxes exchanged',
      (at, h, j, i) => at('P', 2 * h + 1, j, i) - at('lambda_full') * at('P', 2 * h, j, i),
      'operand-attention-map-reversed',
    ],
    [
      'Pdiff',
      'the first half of the softmaxes less the second',
      (at, h, j, i) => at('P', h, j, i) - at('lambda_full') * at('P', 2 + h, j, i),
      'operand-transposed',
    ],
    [
      'lambda_full',
      'λ_init left out',
      (at) =>
        Math.exp(sum(3, (a) => at('lambda_q1', a) * at('lambda_k1', a))) -
        Math.exp(sum(3, (a) => at('lambda_q2', a) * at('lambda_k2', a))),
      'lambda-init-left-out',
    ],
    [
      'dlambda_full',
      'of the wrong sign',
      (at) =>
        sum(2, (h) =>
          sum(4, (j) => sum(4, (i) => at('dPdiff', h, j, i) * at('P', 2 * h + 1, j, i))),
        ),
      'backward-sign',
    ],
    [
      'dlambda_q1',
      'without the exponential',
      (at, a) => at('dlambda_full') * at('lambda_k1', a),
      'formula-left-out',
    ],
    [
      'dlambda_q2',
      'of the wrong sign',
      (at, a) =>
        at('dlambda_full') *
        Math.exp(sum(3, (n) => at('lambda_q2', n) * at('lambda_k2', n))) *
        at('lambda_k2', a),
      'backward-sign',
    ],
    [
      'dP',
      'both softmaxes get the same',
      (at, s, j, i) => at('dPdiff', Math.floor(s / 2), j, i),
      'gradient-attention-map-first-for-all',
    ],
    [
      'dP',
      'the second one’s gradient of the wrong sign',
      (at, s, j, i) =>
        (s % 2 === 0 ? 1 : at('lambda_full')) * at('dPdiff', Math.floor(s / 2), j, i),
      'sign-of-some',
    ],
    ['Os', '1 − λ_init left out', (at, h, j, v) => at('On', h, j, v), 'scale-missing'],
    [
      'Os',
      'λ_init in the place of 1 − λ_init',
      (at, h, j, v) => LAMBDA_INIT * at('On', h, j, v),
      'constant-factor',
    ],
    [
      'On',
      'over all heads',
      (at, h, j, v) =>
        (at('gamma_O', v) * at('O', h, j, v)) /
        Math.sqrt(sum(2, (n) => sum(5, (u) => at('O', n, j, u) ** 2)) / 10 + EPS),
      'norm-wrong-axis',
    ],
  ),
  ...rows(
    'a pre-norm layer',
    layer,
    ['y', 'without the residual connection', (at, j, o) => at('ya', j, o), 'residual-missing'],
    [
      'y',
      'the normed input is added',
      (at, j, o) => at('ya', j, o) + at('xn', j, o),
      'residual-of-normed',
    ],
    [
      'dx',
      'without what came past the attention',
      (at, i, c) => {
        const r = Math.sqrt(sum(6, (n) => at('x', i, n) ** 2) / 6 + EPS);
        const g = (n: number): number => at('gamma_pre', n) * at('dxn', i, n);
        const mixed = sum(6, (n) => g(n) * at('x', i, n)) / 6;
        return g(c) / r - (at('x', i, c) * mixed) / r ** 3;
      },
      'path-dropped',
    ],
    ['dx', 'past the attention only', (at, i, c) => at('dy', i, c), 'path-dropped'],
    [
      'dx',
      'the norm passed by',
      (at, i, c) => at('dy', i, c) + at('dxn', i, c),
      'backward-rms-norm-missing',
    ],
  ),
];
