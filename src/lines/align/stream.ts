// Running quantities of a softmax that meets its keys one by one: all that stand in one loop, along the keys.
import { type Catalogue, entryAs } from './catalogue.ts';
import { type Parts, valueOf } from '../forms/form.ts';
import { sizeOf } from '../../engine/tensor.ts';
import { type Lettered, lengthsOf, product, zip } from '../recorded/lettered.ts';
import type { Observed } from './observe.ts';
import type { Recording } from '../recorded/recording.ts';

/** More logits are not looked at key by key. */
const MOST = 4096;

const MAXIMUM = /\bf?max(imum)?\(/;

/** Whether single logits and the larger of two of them are computed in a loop. */
export function isStream(
  { statements }: Recording,
  { parts }: Catalogue,
  observed: readonly Observed[],
): boolean {
  if (valueOf(parts, parts.logits).data.length > MOST) return false;
  return observed.some(({ event, found }) => {
    const isOne = event.loops.length > 0 && event.shape.every((length) => length === 1);
    if (!isOne || !MAXIMUM.test(statements[event.statement].text)) return false;
    return event.reads.some((read) =>
      [...found, ...observed[read].found].some(({ entry }) => /^v:[SZM]$/.test(entry.key)),
    );
  });
}

/** What comes of each key and of the one before it: `fn` takes where both are, −1 before the first. */
function along(
  { letters, data }: Lettered,
  { extents }: Parts,
  fn: (found: Float64Array, before: number, at: number) => number,
): Lettered {
  const step = sizeOf(lengthsOf(letters.slice(letters.indexOf('i') + 1), extents));
  const found = new Float64Array(data.length);
  for (let at = 0; at < data.length; at++) {
    const isFirst = Math.floor(at / step) % extents['i'] === 0;
    found[at] = fn(found, isFirst ? -1 : at - step, at);
  }
  return { letters, data: found };
}

/** Maxima, exponentials, factors, sums and unnormalised outputs after each key. */
export function addStream(catalogue: Catalogue): void {
  const { parts, entries } = catalogue;
  const { extents, logits, output } = parts;
  const value = valueOf(parts, logits);
  const values = valueOf(parts, parts.values);
  const peaks = along(value, parts, (found, before, at) =>
    Math.max(before < 0 ? -Infinity : found[before], value.data[at]),
  );
  const exps = zip(value, peaks, extents, (a, b) => (a === -Infinity ? 0 : Math.exp(a - b)));
  const factors = along(peaks, parts, (_, before, at) =>
    before < 0 || peaks.data[before] === -Infinity
      ? 0
      : Math.exp(peaks.data[before] - peaks.data[at]),
  );
  const sumsOf = (terms: Lettered): Lettered => {
    const wide = zip(terms, factors, extents, (_, factor) => factor);
    return along(terms, parts, (found, before, at) =>
      before < 0 ? terms.data[at] : found[before] * wide.data[at] + terms.data[at],
    );
  };
  const features = values.letters.filter((letter) => !value.letters.includes(letter));
  const terms = product(exps, values, [...value.letters, ...features], extents);
  const add = (like: string, title: string, form: Lettered): void => {
    const entry = entries.find((each) => each.title === like);
    if (entry) entryAs(catalogue, entry, `${title} after each key`, form, 'form');
  };
  add(`row maxima of ${logits}`, 'row maxima', peaks);
  add(`exp(${logits} − row maximum)`, `exp(${logits} − running maximum)`, exps);
  add(`row sums of exp(${logits} − row maximum)`, 'exp(old − new maximum)', factors);
  add(`row sums of exp(${logits} − row maximum)`, 'row sums', sumsOf(exps));
  add(output, `unnormalised ${output}`, sumsOf(terms));
}
