// Where a repair tries its edits: the person's own Python, driven by somebody else (src/recorder).
import type { Tensor } from '../../engine/tensor.ts';
import type { Recording } from '../recorded/recording.ts';

/** Replaces the characters [start, end), counted as Python counts them (code points), by `text`. */
export type Edit = readonly [start: number, end: number, text: string];

/** Texts of files that take the place of those on disk, by path relative to the chosen file's folder. */
export type Sources = Readonly<Record<string, string>>;

export interface Candidate {
  readonly edits: readonly Edit[];
  /** About 1 for one token; orders candidates. */
  readonly cost: number;
  /** What was wrong, as a key: "operand", "axis", "row term", ... */
  readonly slip: string;
}

export interface Evaluated extends Candidate {
  /** What is left in the targets, or returned, of the edited statement or of the later one that was looked at. */
  readonly values: readonly Tensor[];
  /** Other edits that leave the same numbers here, the cheapest first: elsewhere they may not. */
  readonly alternatives: readonly Candidate[];
}

export interface FrameRequest {
  readonly sources: Sources;
  readonly file: string;
  readonly line: number;
  /** Where what a lambda returns begins, from 1: the statement is that. */
  readonly column?: number;
  /** The line of a later statement in which the effect is to be seen, where that is not the statement itself. */
  readonly until?: number;
  /** Whether the effect is to be seen in the arrays that all loops around it write to: `occurrences` are of the loops. */
  readonly around?: boolean;
  /** Which of the statement's executions, from 0: edits may show their effect in a later one only. */
  readonly occurrences: readonly number[];
  readonly pairs: boolean;
  readonly seconds: number;
  /** Of many candidates only so many are looked at, the cheapest. */
  readonly most?: number;
}

export interface FrameReply {
  /** Candidates that give numbers of their own, the cheapest first. */
  readonly candidates: readonly Evaluated[];
  /** Those that only a run of the whole program shows. */
  readonly others: readonly Candidate[];
  /** What is left as it is, at each of the executions that were looked at; likewise in `candidates`. */
  readonly now: readonly Tensor[];
  readonly executions: number;
  /** How many there are in all, and up to which they were looked at. */
  readonly tried: number;
  readonly looked: number;
}

/** One way to give the program other numbers: edits of its files, or other arguments. */
export interface Variation {
  readonly edits?: Readonly<Record<string, readonly Edit[]>>;
  readonly args?: readonly string[];
  /** Variations of the same place exclude one another. */
  readonly at?: string;
  /** What the program calls the size that it changes, and others of the same number. */
  readonly names?: readonly string[];
}

export interface Variations {
  readonly seeds: readonly Variation[];
  readonly sizes: readonly Variation[];
}

/** Of functions, by name, so many calls are recorded and no more. */
export type Calls = Readonly<Record<string, number>>;

export interface Bench {
  /** Null where the statement was not reached. */
  frame(request: FrameRequest): Promise<FrameReply | null>;
  /** The whole program, recorded; null where it crashes, hangs or does not parse. */
  record(sources: Sources, args?: readonly string[], calls?: Calls): Promise<Recording | null>;
  vary(sources: Sources): Promise<Variations>;
}
