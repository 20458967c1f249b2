// Other ways to turn logits into weights: over the wrong axis, not normalised, another function than exp.
import { axisName } from '../../engine/axes.ts';
import { map, type Tensor, zeros } from '../../engine/tensor.ts';
import {
  entrywise,
  exponentials,
  fibres,
  NO_DERIVATIVE,
  normalised,
  notANumber,
  softmaxOver,
} from '../operations.ts';
import type { StepOperation } from '../program.ts';
import { type Edit, type Family, longLetters, roles } from './edit.ts';
import { type Say, stepEdit } from './make.ts';

/** All non-empty sets of letters. */
export function subsets(letters: readonly string[]): string[][] {
  return letters
    .reduce<string[][]>((all, letter) => [...all, ...all.map((set) => [...set, letter])], [[]])
    .slice(1);
}

export const letterNames = (letters: readonly string[]): string =>
  letters.map((letter) => axisName([letter])).join(' and ') || 'nothing';

export const softmaxForward: Family = (site) => {
  const { node, kind, graph } = site;
  if (kind !== 'value' || node.id !== 'P') return [];
  const { axes } = node;
  const { extents } = graph;
  const { logits } = roles(graph);
  const use = (say: Say, operation: StepOperation): Edit =>
    stepEdit(site, 'P', say, () => operation);
  const edits = subsets(longLetters(node, graph))
    .filter((set) => set.join() !== 'i')
    .flatMap((set) => {
      const say = {
        id:
          set.includes('i') && set.length > 1 ? 'softmax-over-several-axes' : 'softmax-wrong-axis',
        title: `softmax over the ${letterNames(set)} axis instead of the keys`,
        why: `P sums to 1 over ${letterNames(set)}, not over the keys.`,
        wrong: `P = softmax(${logits}) over ${letterNames(set)}`,
        cost: 1 + 0.05 * set.length,
      };
      const own = softmaxOver(axes, set, extents);
      const why = `${say.why} Where all of it is hidden, that is 0/0 = NaN.`;
      return [use(say, own), use({ ...say, why }, notANumber(own, fibres(axes, set, extents)))];
    });
  const other = (
    id: string,
    title: string,
    wrong: string,
    operation: StepOperation,
    cost = 1.2,
  ): Edit =>
    use(
      { id, title, why: `P comes out exactly as ${wrong}.`, wrong: `P = ${wrong}`, cost },
      operation,
    );
  const sigmoid = (value: number): number => 1 / (1 + Math.exp(-value));
  const plain = { shift: false };
  return [
    ...edits,
    other(
      'weights-one-hot',
      'each query takes the key of its largest score alone (argmax, hard attention)',
      `one-hot(argmax ${logits})`,
      hard(site),
      1.1,
    ),
    other(
      'weights-equal',
      `all keys that are seen have the same weight: the scores do not enter`,
      `softmax(0 · ${logits})`,
      equal(site),
      1.05,
    ),
    other(
      'softmax-axis-of-length-one',
      `softmax over an axis of length one (${shortAxes(site)}): every weight is 1`,
      '1 in every entry',
      entrywise(
        () => 1,
        () => 0,
      ),
      1.1,
    ),
    other(
      'softmax-not-normalised',
      'the exponentials are not divided by their sum',
      `exp(${logits})`,
      entrywise(Math.exp, Math.exp),
    ),
    other(
      'softmax-not-normalised',
      'the exponentials are divided by their largest, not by their sum',
      `exp(${logits} − max)`,
      maxShifted(site),
    ),
    other(
      'softmax-of-base-2',
      'powers of 2 instead of exponentials, without the factor log2(e)',
      `2^${logits} / Σ 2^${logits}`,
      normalised(
        axes,
        ['i'],
        extents,
        (value) => 2 ** value,
        (_, own) => own * Math.LN2,
      ),
    ),
    other(
      'softmax-plus-one',
      'a 1 is added to the denominator, the sum of the exponentials (softmax + 1)',
      `exp(${logits}) / (1 + Σ exp(${logits}))`,
      softmaxOver(axes, ['i'], extents, 1),
    ),
    other(
      'softmax-plus-one',
      'a 1 is added to the denominator, the sum of the exponentials, after the maximum is subtracted',
      `exp(${logits} − max) / (1 + Σ exp(${logits} − max))`,
      normalised(axes, ['i'], extents, Math.exp, (_, own) => own, { extra: 1, late: true }),
    ),
    other(
      'sigmoid',
      'a sigmoid instead of the softmax',
      `1 / (1 + exp(−${logits}))`,
      entrywise(sigmoid, (value) => sigmoid(value) * (1 - sigmoid(value))),
    ),
    other(
      'no-exponential',
      'scores are divided by their sum without the exponential',
      `${logits} / Σ ${logits}`,
      normalised(
        axes,
        ['i'],
        extents,
        (value) => value,
        () => 1,
        plain,
      ),
    ),
    other(
      'relu',
      'ReLU instead of the exponential',
      `relu(${logits}) / Σ relu(${logits})`,
      normalised(
        axes,
        ['i'],
        extents,
        (value) => Math.max(0, value),
        (value) => Number(value > 0),
        plain,
      ),
    ),
    other(
      'log-softmax',
      'log-softmax instead of softmax',
      `log softmax(${logits})`,
      logSoftmax(site),
    ),
    other(
      'softmax-of-negative',
      'softmax of the negative scores',
      `softmax(−${logits})`,
      normalised(
        axes,
        ['i'],
        extents,
        (value) => Math.exp(-value),
        (_, own) => -own,
        plain,
      ),
    ),
    other('softmax-twice', 'softmax is applied twice', `softmax(softmax(${logits}))`, twice(site)),
    other(
      'softmax-twice',
      'softmax is applied twice, with the mask before each',
      `softmax(mask(softmax(${logits})))`,
      twice(site, true),
    ),
    other(
      'softmax-squared',
      'the exponentials are squared: softmax of 2 times the scores',
      `softmax(2 ${logits})`,
      normalised(
        axes,
        ['i'],
        extents,
        (value) => Math.exp(2 * value),
        (_, own) => 2 * own,
      ),
      1.4,
    ),
  ];
};

type Site = Parameters<Family>[0];

const shortAxes = ({ graph: { extents } }: Site): string =>
  ['b', 'j', 'h', 'r']
    .filter((letter) => extents[letter] === 1)
    .map((letter) => `the ${axisName([letter])}`)
    .join(' or ') || 'one more than there is';

/** 1 for the first of a row's largest scores, 0 for all others; nothing is passed back. */
function hard({ node, graph }: Site): StepOperation {
  const { starts, steps } = keyFibres(node, graph);
  return {
    name: 'softmax',
    forward: ([input]) => {
      const out = zeros(input.shape);
      for (const start of starts) {
        let best = -1;
        for (const step of steps)
          if (input.data[start + step] > (best < 0 ? -Infinity : input.data[best]))
            best = start + step;
        if (best >= 0) out.data[best] = 1;
      }
      return out;
    },
    vjp: NO_DERIVATIVE,
  };
}

/** The softmax of a score that is 0 wherever it is not hidden. */
function equal({ node, graph }: Site): StepOperation {
  const { starts, steps } = keyFibres(node, graph);
  return {
    name: 'softmax',
    forward: ([input]) => {
      const out = zeros(input.shape);
      for (const start of starts) {
        const seen = steps.filter((step) => input.data[start + step] !== -Infinity);
        for (const step of seen) out.data[start + step] = 1 / seen.length;
      }
      return out;
    },
    vjp: NO_DERIVATIVE,
  };
}

function maxShifted({ node, graph }: Site): StepOperation {
  const { axes } = node;
  const one = normalised(axes, ['i'], graph.extents, Math.exp, (_, own) => own);
  return {
    name: 'softmax',
    forward: ([input]) => exponentials(input, keyFibres(node, graph)),
    vjp: one.vjp,
  };
}

const keyFibres = ({ axes }: Site['node'], { extents }: Site['graph']): ReturnType<typeof fibres> =>
  fibres(axes, ['i'], extents);

function logSoftmax({ node, graph }: Site): StepOperation {
  const own = softmaxOver(node.axes, ['i'], graph.extents);
  const { starts, steps } = keyFibres(node, graph);
  return {
    name: 'softmax',
    forward: (inputs) => {
      const weights = own.forward(inputs);
      return { shape: weights.shape, data: weights.data.map(Math.log) };
    },
    vjp({ inputs }, upstream) {
      const weights = own.forward(inputs);
      const data = upstream.data.slice();
      for (const start of starts) {
        let sum = 0;
        for (const step of steps) sum += upstream.data[start + step];
        for (const step of steps) data[start + step] -= weights.data[start + step] * sum;
      }
      return [{ shape: upstream.shape, data }];
    },
  };
}

function twice({ node, graph }: Site, masked = false): StepOperation {
  const own = softmaxOver(node.axes, ['i'], graph.extents);
  const first = (inputs: readonly Tensor[]): Tensor => {
    const weights = own.forward(inputs);
    return masked
      ? map(weights, (p, at) => (inputs[0].data[at] === -Infinity ? -Infinity : p))
      : weights;
  };
  return {
    name: 'softmax',
    forward: (inputs) => own.forward([first(inputs)]),
    vjp({ inputs, output }, upstream) {
      const middle = first(inputs);
      return own.vjp(
        { inputs, output: middle },
        own.vjp({ inputs: [middle], output }, upstream)[0],
      );
    },
  };
}
