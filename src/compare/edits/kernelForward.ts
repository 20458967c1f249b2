// A kernel that walks the keys in blocks (online softmax, as FlashAttention) and loses something between two blocks.
import { nodeOf } from '../../engine/graph.ts';
import { sizeOf, zeros } from '../../engine/tensor.ts';
import { fibres, NO_DERIVATIVE, onOperand } from '../operations.ts';
import type { StepOperation } from '../program.ts';
import { type Edit, type Family, operationAt, roles } from './edit.ts';
import { stepEdit } from './make.ts';

/** Entries up to which all is tried where the output itself is not given. */
export const SMALL = 20_000;

/** One block's part of a row: its first key, the one behind its last, its maximum. */
interface Block {
  readonly from: number;
  readonly to: number;
  readonly most: number;
}

/** What each key of a row is weighted by, from the row's scores in blocks. */
type Weigh = (scores: Float64Array, blocks: readonly Block[]) => Float64Array;

interface Variant {
  readonly id: string;
  readonly title: string;
  readonly why: string;
  readonly wrong: string;
  readonly weigh: Weigh;
}

const exp = (value: number): number => (value === -Infinity ? 0 : Math.exp(value));

function each(
  scores: Float64Array,
  blocks: readonly Block[],
  of: (score: number, n: number) => number,
): Float64Array {
  const out = new Float64Array(scores.length);
  blocks.forEach(({ from, to }, n) => {
    for (let at = from; at < to; at++) out[at] = of(scores[at], n);
  });
  return out;
}

const total = (values: Float64Array): number => values.reduce((sum, value) => sum + value, 0);
const over = (values: Float64Array, sum: number): Float64Array =>
  values.map((value) => (value === 0 ? 0 : value / sum));
const running = (blocks: readonly Block[]): number[] => {
  let most = -Infinity;
  return blocks.map((block) => (most = Math.max(most, block.most)));
};
const last = <T>(list: readonly T[]): T => list[list.length - 1];

const right = (scores: Float64Array, blocks: readonly Block[]): Float64Array => {
  const max = last(running(blocks));
  return each(scores, blocks, (score) => exp(score - max));
};
const unscaled = (scores: Float64Array, blocks: readonly Block[]): Float64Array => {
  const max = running(blocks);
  return each(scores, blocks, (score, n) => exp(score - max[n]));
};
const only = (values: Float64Array, { from, to }: Block): Float64Array =>
  values.map((value, at) => (at >= from && at < to ? value : 0));
/** What was gathered up to a block, rescaled by the inverse of what belongs there. */
const inverted = (scores: Float64Array, blocks: readonly Block[]): Float64Array => {
  const max = running(blocks);
  return each(scores, blocks, (score, n) => exp(score - max[n]) * exp(last(max) - max[n]));
};
const normalise = (values: Float64Array): Float64Array => over(values, total(values));

/** The denominator after each block. */
function partialSums(scores: Float64Array, blocks: readonly Block[]): number[] {
  const max = running(blocks);
  let sum = 0;
  return blocks.map(({ from, to }, n) => {
    sum *= n === 0 ? 0 : exp(max[n - 1] - max[n]);
    for (let at = from; at < to; at++) sum += exp(scores[at] - max[n]);
    return sum;
  });
}

/** The exponentials of each block divided by its divisor and all behind it. */
const dividedIn = (
  scores: Float64Array,
  blocks: readonly Block[],
  divisors: readonly number[],
): Float64Array =>
  each(right(scores, blocks), blocks, (value, n) =>
    divisors.slice(n).reduce((rest, l) => (rest === 0 ? 0 : rest / l), value),
  );

const RESCALED =
  'When a later block has a larger score, what was gathered before must be multiplied by exp(m_old − m_new).';

const VARIANTS: readonly Variant[] = [
  {
    id: 'accumulator-not-rescaled',
    title: 'the accumulator is not rescaled when the running maximum changes',
    why: RESCALED,
    wrong: 'acc = acc + P_block V_block, where acc · exp(m_old − m_new) + P_block V_block belongs',
    weigh: (scores, blocks) => over(unscaled(scores, blocks), total(right(scores, blocks))),
  },
  {
    id: 'denominator-not-rescaled',
    title: 'the denominator is not rescaled when the running maximum changes',
    why: RESCALED,
    wrong: 'l = l + Σ P_block, where l · exp(m_old − m_new) + Σ P_block belongs',
    weigh: (scores, blocks) => over(right(scores, blocks), total(unscaled(scores, blocks))),
  },
  {
    id: 'accumulator-and-denominator-not-rescaled',
    title: 'nothing is rescaled when the running maximum changes',
    why: RESCALED,
    wrong: 'acc and l without exp(m_old − m_new)',
    weigh: (scores, blocks) => normalise(unscaled(scores, blocks)),
  },
  {
    id: 'rescaled-with-wrong-sign',
    title: 'the rescaling has the wrong sign: exp(m_new − m_old)',
    why: RESCALED,
    wrong: 'acc · exp(m_new − m_old), l · exp(m_new − m_old)',
    weigh: (scores, blocks) => normalise(inverted(scores, blocks)),
  },
  {
    id: 'accumulator-rescaled-with-wrong-sign',
    title: 'the accumulator is rescaled with the wrong sign: exp(m_new − m_old)',
    why: RESCALED,
    wrong: 'acc · exp(m_new − m_old)',
    weigh: (scores, blocks) => over(inverted(scores, blocks), total(right(scores, blocks))),
  },
  {
    id: 'denominator-of-last-block',
    title: 'the denominator is that of the last block alone',
    why: 'The sum of the exponentials runs over all blocks.',
    wrong: 'l = Σ P_block (= for +=)',
    weigh: (scores, blocks) => {
      const own = right(scores, blocks);
      return over(own, total(only(own, last(blocks))));
    },
  },
  {
    id: 'normalised-in-each-block',
    title: 'the accumulator is divided by the denominator in each block, not once at the end',
    why: 'What was divided in one block is divided again in the next.',
    wrong: 'acc = (acc · exp(m_old − m_new) + P_block V_block) / l in each block',
    weigh: (scores, blocks) => dividedIn(scores, blocks, partialSums(scores, blocks)),
  },
  {
    id: 'only-last-block',
    title:
      'only the last block of keys is left: the running maximum or the accumulator is not kept',
    why: 'The accumulator is started anew in each block.',
    wrong: 'acc = P_block V_block, l = Σ P_block',
    weigh: (scores, blocks) => normalise(only(right(scores, blocks), last(blocks))),
  },
  {
    id: 'last-block-skipped',
    title: 'the last block of keys is left out of the loop',
    why: 'The number of blocks is rounded down, or the loop ends one block too early.',
    wrong: 'for block in range(n // B)',
    weigh: (scores, blocks) => normalise(right(scores, blocks.slice(0, -1))),
  },
  {
    id: 'first-block-skipped',
    title: 'the first block of keys is left out of the loop',
    why: 'The loop begins one block too late.',
    wrong: 'for block in range(1, ...)',
    weigh: (scores, blocks) => normalise(right(scores, blocks.slice(1))),
  },
  {
    id: 'normalised-in-each-block-and-at-the-end',
    title: 'the accumulator is divided by the denominator in each block and again at the end',
    why: 'What was divided in one block is divided again in the next.',
    wrong: 'acc = (acc · exp(m_old − m_new) + P_block V_block) / l in each block; O = acc / l',
    weigh: (scores, blocks) => {
      const sums = partialSums(scores, blocks);
      return dividedIn(scores, blocks, [...sums, last(sums)]);
    },
  },
  {
    id: 'last-accumulator-not-divided',
    title: 'the output is not divided by the denominator',
    why: 'After the last block the accumulator is divided by l, the sum of the exponentials.',
    wrong: 'O = acc',
    weigh: right,
  },
  {
    id: 'divided-by-logarithm',
    title: 'the output is divided by log l instead of l',
    why: 'The logarithm of the denominator belongs in the log-sum-exp, not in the output.',
    wrong: 'O = acc / log(l)',
    weigh: (scores, blocks) => {
      const own = right(scores, blocks);
      return own.map((value) => value / Math.log(total(own)));
    },
  },
];

/** What the denominator of a row comes to in a kernel that loses something between two blocks. */
export const DENOMINATORS: readonly {
  readonly id: string;
  readonly title: string;
  readonly of: (scores: Float64Array, blocks: readonly Block[]) => number;
}[] = [
  {
    id: 'denominator-not-rescaled',
    title: 'the denominator is not rescaled when the running maximum changes',
    of: (scores, blocks) => total(unscaled(scores, blocks)),
  },
  {
    id: 'denominator-rescaled-with-wrong-sign',
    title: 'the denominator is rescaled with the wrong sign: exp(m_new − m_old)',
    of: (scores, blocks) => total(inverted(scores, blocks)),
  },
  {
    id: 'denominator-of-last-block',
    title: 'the denominator is that of the last block alone',
    of: (scores, blocks) => total(only(right(scores, blocks), last(blocks))),
  },
  {
    id: 'denominator-without-last-block',
    title: 'the denominator lacks the last block',
    of: (scores, blocks) => total(right(scores, blocks.slice(0, -1))),
  },
  {
    id: 'denominator-without-first-block',
    title: 'the denominator lacks the first block',
    of: (scores, blocks) => total(right(scores, blocks.slice(1))),
  },
];

/** Sizes that a block may have: all that a small problem leaves, those in use in a large one. */
export function blockSizes(length: number): number[] {
  if (length <= 24) return Array.from({ length: length - 1 }, (_, n) => n + 1);
  return [16, 32, 64, 128, 256].filter((size) => size < length);
}

export const kernelForward: Family = (site) => {
  const { node, kind, graph, config, target } = site;
  const { logits, output, weights } = roles(graph);
  const own = operationAt(site);
  if (kind !== 'value' || node.id !== output || !own || config.dropout) return [];
  if (!target && sizeOf(node.shape) > SMALL) return [];
  const slot = own.inputs.indexOf(weights);
  const scores = nodeOf(graph, logits);
  const rows = fibres(scores.axes, ['i'], graph.extents);
  const length = rows.steps.length;
  const weighing = (weigh: Weigh, size: number): StepOperation => ({
    name: 'softmax',
    forward([input]) {
      const out = zeros(input.shape);
      rows.starts.forEach((start) => {
        const values = Float64Array.from(rows.steps, (step) => input.data[start + step]);
        const result = weigh(values, blocksOf(values, size));
        rows.steps.forEach((step, at) => (out.data[start + step] = result[at]));
      });
      return out;
    },
    // A kernel's backward pass is written by hand, and has its own weights.
    vjp: NO_DERIVATIVE,
  });
  return VARIANTS.flatMap(({ weigh, id, ...say }) =>
    blockSizes(length).map((size): Edit =>
      stepEdit(
        site,
        output,
        {
          ...say,
          id: `kernel-${id}`,
          title: `${say.title} (keys in blocks of ${size})`,
          numpy: FIX,
          pytorch: FIX,
          cost: 1.4,
        },
        ({ operation, inputs }) => ({
          operation: onOperand(operation, slot, weighing(weigh, size)),
          inputs: inputs.map((input, n) => (n === slot ? logits : input)),
        }),
      ),
    ),
  );
};

const FIX =
  'm2 = max(m, Z_block.max()); a = exp(m - m2); p = exp(Z_block - m2); l = a * l + p.sum(); acc = a * acc + p @ V_block; m = m2; after the loop: O = acc / l';

export function blocksOf(scores: Float64Array, size: number): Block[] {
  const blocks: Block[] = [];
  for (let from = 0; from < scores.length; from += size) {
    const to = Math.min(from + size, scores.length);
    let most = -Infinity;
    for (let at = from; at < to; at++) most = Math.max(most, scores[at]);
    blocks.push({ from, to, most });
  }
  return blocks;
}
