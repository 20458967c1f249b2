// The rounding error of a large run, told by that of its first head in its first batch entry.
import type { HeadConfig } from '../../engine/config.ts';
import { nodeOf } from '../../engine/graph.ts';
import { largestMagnitude, norm } from '../../engine/tensor.ts';
import type { NumberType } from './dtypes.ts';
import type { Context } from '../edits/edit.ts';
import { difference } from '../judge/judge.ts';
import { rounding } from './noise.ts';
import { type Key, State } from '../program/program.ts';
import { CUT, headSlice } from '../search/slice.ts';

export class HeadErrors {
  readonly #whole: State;
  readonly #part: State;
  readonly #sample: State;

  /** null where there is no more than one head in one batch entry, or the program is edited. */
  static of(config: HeadConfig, type: NumberType, whole: State): HeadErrors | null {
    const slice = headSlice({ config, graph: whole.program.graph, type, state: whole });
    return slice && new HeadErrors(whole, slice.context, type);
  }

  private constructor(whole: State, { state: part, config }: Context, type: NumberType) {
    this.#whole = whole;
    this.#part = part;
    this.#sample = new State(part.program, part.given, rounding(type, 1, config));
  }

  /** Largest error to be expected at `key` when the whole is run in the number type. */
  at(key: Key): number {
    if (key === 'v:f') return this.at('v:y') * norm(this.#whole.gradient('y'));
    const { graph } = this.#whole.program;
    const letters = new Set(nodeOf(graph, key.slice(2)).axes.flat());
    // Heads and batch entries that are summed err independently of each other.
    const summed = [...CUT].filter((letter) => !letters.has(letter));
    const terms = summed.reduce((count, letter) => count * (graph.extents[letter] ?? 1), 1);
    const exact = this.#part.predict(key);
    const ratio = largestMagnitude(this.#whole.predict(key)) / (largestMagnitude(exact) || 1);
    return (
      difference(this.#sample.predict(key), exact).maxAbs * Math.max(1, ratio, Math.sqrt(terms))
    );
  }
}
