// How much of a trace a hypothesis explains, and how much that is right it would spoil.
import type { Tensor } from '../../engine/tensor.ts';
import type { HeldTrace } from './heldTrace.ts';
import type { Key, Program, State } from '../program/program.ts';
import { reachedBy } from '../search/reach.ts';
import type { Score } from '../search/search.ts';

export class Scores {
  readonly #held: HeldTrace;
  readonly #right: ReadonlySet<Key>;
  readonly #explained = new Map<State, Map<Key, boolean>>();

  /** `right`: the given tensors that are the reference's. */
  constructor(held: HeldTrace, right: ReadonlySet<Key>) {
    this.#held = held;
    this.#right = right;
  }

  /**
   * How many more given tensors a hypothesis explains, of those that it reaches: with its own derivative or, if that
   * is more, with the reference's (a backward pass written by hand).
   */
  of(before: State, program: Program): Score {
    const own = this.#gain(before, program);
    const { backward } = before.program;
    if (program.backward === backward) return own;
    const other = this.#gain(before, { ...program, backward });
    return {
      gain: Math.max(own.gain, other.gain),
      spoilt: Math.min(own.spoilt, other.spoilt),
      left: () => Math.min(own.left(), other.left()),
    };
  }

  /** Whether a program makes a given tensor out of what it was computed from. */
  explains(state: State, key: Key, user: Tensor): boolean {
    return this.#held.reference.explains(state, key, user, this.#held.views.get(key)?.view);
  }

  /** The same of the person's program so far, which is asked for by every hypothesis. */
  #isExplained(before: State, key: Key, user: Tensor): boolean {
    const explained = this.#explained.get(before) ?? new Map<Key, boolean>();
    this.#explained.set(before, explained);
    const is = explained.get(key) ?? this.explains(before, key, user);
    explained.set(key, is);
    return is;
  }

  #gain(before: State, program: Program): Score {
    let [gain, spoilt] = [0, 0];
    const reached = reachedBy(before.program, program, this.#held.sources);
    const tensors = [...this.#held.tensors].filter(([key]) => reached.has(key));
    // What depends on what is known only of what has been computed.
    for (const [key] of tensors) before.predict(key);
    // A kernel computes its values anew for the backward pass, and rightly it may be.
    const isForward = program.forward !== before.program.forward;
    const edited = before.under(program);
    for (const [key, user] of tensors) {
      const was = this.#isExplained(before, key, user);
      const is = this.explains(edited, key, user);
      gain += Number(is) - Number(was);
      if (was && !is && this.#right.has(key) && !(isForward && key.startsWith('g:'))) spoilt++;
    }
    const isLeft = ([key, user]: readonly [Key, Tensor]): boolean =>
      !(reached.has(key) ? this.explains(edited, key, user) : this.#isExplained(before, key, user));
    // A program's own loss is its own affair.
    const left = (): number =>
      [...this.#held.tensors].filter((each) => each[0] !== 'v:f' && isLeft(each)).length;
    return { gain, spoilt, left };
  }
}
