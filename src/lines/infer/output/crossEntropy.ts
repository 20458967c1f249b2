// Cross entropy of the output's rows: told by the number that it is and the classes that it is of.
import { softmaxAlong } from '../../expressions/calls.ts';
import type { Value, Values } from '../values/values.ts';
import type { FoundLoss, Output } from './loss.ts';

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
  const shares = softmaxAlong(y, -1).data;
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
      ...{ from: null, isRecorded: true },
      note: `the gradient of the cross entropy of y and ${name}`,
    };
  }
  return null;
}
