// Reductions along one letter that depend on the order of its entries.
import type { Letter } from './axes.ts';
import type { Reduce } from './formula.ts';
import { lengthOf, type Lettered, offsetsIn } from './lettered.ts';

/** `first` and `last` lose the letter; `running` keeps it. */
export function reordered(own: Lettered, letter: Letter, how: Reduce): Lettered {
  const length = lengthOf(own, letter)!;
  const kept = own.letters.filter((each) => each !== letter);
  const lengths = kept.map((each) => lengthOf(own, each)!);
  const starts = offsetsIn(own, kept, lengths);
  const steps = offsetsIn(own, [letter], [length]);
  if (how !== 'running') {
    const step = steps[how === 'first' ? 0 : length - 1];
    return { letters: kept, lengths, data: Float64Array.from(starts, (at) => own.data[at + step]) };
  }
  const data = new Float64Array(own.data.length);
  for (const start of starts) {
    let total = 0;
    for (const step of steps) data[start + step] = total += own.data[start + step];
  }
  return { letters: own.letters, lengths: own.lengths, data };
}
