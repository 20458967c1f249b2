// Cross entropy of the output's rows: told by the number that it is and the classes that it is of.
import type { Tensor } from '../../../engine/tensor.ts';
import type { Value, Values } from '../values/values.ts';
import type { FoundLoss, Output } from './loss.ts';

/** Logits as rows of probabilities: softmax over the last axis. */
function softmaxRows({ shape, data }: Tensor): Float64Array {
  const width = shape[shape.length - 1];
  const out = new Float64Array(data.length);
  for (let start = 0; start < data.length; start += width) {
    const row = data.subarray(start, start + width);
    const largest = row.reduce((a, b) => Math.max(a, b), -Infinity);
    const sum = row.reduce((total, value) => total + Math.exp(value - largest), 0);
    row.forEach((value, n) => (out[start + n] = Math.exp(value - largest) / sum));
  }
  return out;
}

/** A class for each row. */
const areClasses = ({ kind, tensor: { data } }: Value, rows: number, width: number): boolean =>
  kind === 'integer' &&
  data.length === rows &&
  data.every((each) => Number.isInteger(each) && each >= 0 && each < width);

/** What the sum of all rows' cross entropies is divided by, where a number after y is that: one, their number or that of sequences. */
function dividedBy(
  values: Values,
  { y: { shape }, time, eps }: Output,
  sum: number,
  rows: number,
): number | undefined {
  const counts = new Set([1, rows, shape.length > 2 ? shape[0] : 1]);
  const later = values.numbers.flatMap(({ id, value, dtype }) =>
    id > time && dtype.startsWith('float')
      ? (value ?? values.recording.tensor(id)?.data[0] ?? [])
      : [],
  );
  const isSum = (count: number): boolean =>
    later.some((value) => Math.abs(value * count - sum) <= 20 * eps * sum);
  return [...counts].find(isSum);
}

/**
 * The loss of a program that computes f = sum of -log softmax(y)[class] over some number, with dy = (softmax(y) - 1 at the
 * class) over it; null where none of its numbers is that.
 */
export function crossEntropyOf(values: Values, output: Output): FoundLoss | null {
  const { y } = output;
  const width = y.shape[y.shape.length - 1];
  const rows = y.data.length / width;
  const classes = values.all.filter((value) => areClasses(value, rows, width));
  if (classes.length === 0 || rows < 2) return null;
  const shares = softmaxRows(y);
  for (const { tensor, parts, events } of classes) {
    const at = Array.from(tensor.data, (each, row) => row * width + each);
    const sum = at.reduce((total, each) => total - Math.log(shares[each]), 0);
    const count = dividedBy(values, output, sum, rows);
    if (count === undefined) continue;
    const data = shares.map((each) => each / count);
    for (const each of at) data[each] -= 1 / count;
    const name = events[0]?.name ?? parts[0].name;
    return {
      ...{ kind: 'upstream', computed: { shape: y.shape, data }, factor: 1, sure: true },
      ...{
        from: null,
        isRecorded: true,
        note: `the gradient of the cross entropy of y and ${name}`,
      },
    };
  }
  return null;
}
