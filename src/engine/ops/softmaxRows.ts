// The numbers of softmax and of its vector-Jacobian product: by plain loops, or the same bits by the SIMD kernels.
import { exponential } from '../exponential.ts';
import { copyIn, copyOut, type Kernel, kernel, SCRATCH } from '../gemm/kernel.ts';
import { unwritten } from '../memory.ts';
import { softmaxAll } from '../parallel.ts';

/** Rows are `length` entries, `step` apart; those of `step` rows side by side fill a block. */
export interface RowLayout {
  readonly step: number;
  readonly length: number;
}

/** Entries from which the kernels pay. */
const LARGE = 1024;

/** exp(row) / sum of exp(row), the row's maximum subtracted; 0 for a row that is -inf throughout. */
export function weightsOf(logits: Float64Array, layout: RowLayout): Float64Array {
  const own = fits(logits.length, layout) ? kernel() : null;
  if (!own) return plainWeights(logits, layout);
  const out = unwritten(logits.length);
  if (softmaxAll([logits], out, layout)) return out;
  if (layout.step === 1) {
    inRows(own, [logits], out, layout, (rows, [at], stride) =>
      own.softmaxRows(at, at, rows, layout.length, stride),
    );
  } else {
    inColumns(own, [logits], out, layout, (columns, [at], stride) =>
      own.softmaxColumns(at, at, columns, layout.length, stride),
    );
  }
  return out;
}

/** P (upstream - sum of P upstream) for the weights P, 0 where P is 0. */
export function passedBack(
  weights: Float64Array,
  upstream: Float64Array,
  layout: RowLayout,
): Float64Array {
  const own = fits(weights.length, layout) ? kernel() : null;
  if (!own) return plainBack(weights, upstream, layout);
  const out = unwritten(weights.length);
  if (softmaxAll([weights, upstream], out, layout)) return out;
  if (layout.step === 1) {
    inRows(own, [weights, upstream], out, layout, (rows, [p, at], stride) =>
      own.softmaxBackRows(p, at, at, rows, layout.length, stride),
    );
  } else {
    inColumns(own, [weights, upstream], out, layout, (columns, [p, at], stride) =>
      own.softmaxBackColumns(p, at, at, columns, layout.length, stride),
    );
  }
  return out;
}

/** Four rows must fit what one operand has of the scratch. */
const fits = (entries: number, { length }: RowLayout): boolean =>
  entries >= LARGE && 8 * (length + 2) <= SCRATCH;

/** Entries of an operand in the scratch at a time, so that they stay in the cache. */
const BLOCK = 2 ** 15;
/** Columns are copied by pieces: longer ones take fewer copies. */
const BLOCK_OF_COLUMNS = 2 ** 17;

type Step = (count: number, places: readonly number[], stride: number) => void;

/** Runs `step` on rows in the scratch; the last operand's place is where it leaves its result. */
function inRows(
  { scratch }: Kernel,
  operands: readonly Float64Array[],
  out: Float64Array,
  { length }: RowLayout,
  step: Step,
): void {
  const total = out.length / length;
  const most = Math.max(4, Math.floor(BLOCK / (length + 1) / 4) * 4);
  // Rows of an odd length are moved apart, for the kernels go by two entries.
  const stride = length + (length % 2);
  const places = operands.map((_, n) => n * (most * stride + 2));
  for (let row = 0; row < total; row += most) {
    const count = Math.min(most, total - row);
    const runs = { first: row * length, count, length, stride: length };
    operands.forEach((operand, n) => moveIn(scratch, places[n], operand, runs, stride));
    step(
      Math.ceil(count / 4) * 4,
      places.map((place) => 8 * place),
      8 * stride,
    );
    copyOut(scratch, places[places.length - 1], stride, out, runs);
  }
}

type Runs = Parameters<typeof copyIn>[3];

function moveIn(
  scratch: Float64Array,
  at: number,
  from: Float64Array,
  runs: Runs,
  apart: number,
): void {
  if (runs.stride === apart) {
    copyIn(scratch, at, from, runs);
    return;
  }
  const { first, count, length, stride } = runs;
  for (let n = 0; n < count; n++) {
    const start = first + n * stride;
    scratch.set(from.subarray(start, start + length), at + n * apart);
  }
}

/** As `inRows` for rows that go down, `layout.step` of them side by side. */
function inColumns(
  { scratch }: Kernel,
  operands: readonly Float64Array[],
  out: Float64Array,
  { step: width, length }: RowLayout,
  step: Step,
): void {
  const fitting = Math.max(2, Math.floor(BLOCK_OF_COLUMNS / length / 2) * 2);
  const most = Math.min(fitting, width + (width % 2));
  const places = operands.map((_, n) => n * most * length);
  for (let block = 0; block < out.length; block += width * length) {
    for (let column = 0; column < width; column += most) {
      const count = Math.min(most, width - column);
      const runs = { first: block + column, count: length, length: count, stride: width };
      operands.forEach((operand, n) => moveIn(scratch, places[n], operand, runs, most));
      step(
        count + (count % 2),
        places.map((place) => 8 * place),
        8 * most,
      );
      copyOut(scratch, places[places.length - 1], most, out, runs);
    }
  }
}

/** The reference of `weightsOf`, and what there is without a kernel. */
export function plainWeights(logits: Float64Array, { step, length }: RowLayout): Float64Array {
  const out = new Float64Array(logits.length);
  for (let block = 0; block < out.length; block += step * length) {
    for (let row = block; row < block + step; row++) {
      let max = -Infinity;
      for (let n = 0, at = row; n < length; n++, at += step) {
        // Math.max would do, but is slower; a NaN must not be lost either.
        if (logits[at] > max || Number.isNaN(logits[at])) max = logits[at];
        if (Number.isNaN(max)) break;
      }
      if (max === -Infinity) continue;
      let total = 0;
      for (let n = 0, at = row; n < length; n++, at += step) {
        const value = exponential(logits[at] - max);
        out[at] = value;
        total += value;
      }
      for (let n = 0, at = row; n < length; n++, at += step) out[at] /= total;
    }
  }
  return out;
}

/** The reference of `passedBack`, and what there is without a kernel. */
export function plainBack(
  weights: Float64Array,
  upstream: Float64Array,
  { step, length }: RowLayout,
): Float64Array {
  const out = new Float64Array(weights.length);
  for (let block = 0; block < out.length; block += step * length) {
    for (let row = block; row < block + step; row++) {
      let dot = 0;
      for (let n = 0, at = row; n < length; n++, at += step) {
        // A weight of exactly 0 passes nothing on, whatever arrives (a masked value may be NaN).
        if (weights[at] !== 0) dot += weights[at] * upstream[at];
      }
      for (let n = 0, at = row; n < length; n++, at += step) {
        if (weights[at] !== 0) out[at] = weights[at] * (upstream[at] - dot);
      }
    }
  }
  return out;
}
