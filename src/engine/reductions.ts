// Reductions along one letter that depend on the order of its entries.
import type { Letter } from './axes.ts';
import type { Reduce } from './formula.ts';
import { lengthOf, type Lettered, offsetsIn } from './lettered.ts';

/** `first` and `last` lose the letter; `running` and `peak` keep it. */
export function reordered(own: Lettered, letter: Letter, how: Reduce): Lettered {
  const length = lengthOf(own, letter)!;
  const kept = own.letters.filter((each) => each !== letter);
  const lengths = kept.map((each) => lengthOf(own, each)!);
  const starts = offsetsIn(own, kept, lengths);
  const steps = offsetsIn(own, [letter], [length]);
  if (how !== 'running' && how !== 'peak') {
    const step = steps[how === 'first' ? 0 : length - 1];
    return { letters: kept, lengths, data: Float64Array.from(starts, (at) => own.data[at + step]) };
  }
  const data = new Float64Array(own.data.length);
  for (const start of starts) {
    let total = how === 'peak' ? -Infinity : 0;
    for (const step of steps) {
      const each = own.data[start + step];
      total = how === 'peak' ? Math.max(total, each) : total + each;
      data[start + step] = total;
    }
  }
  return { letters: own.letters, lengths: own.lengths, data };
}
