// What is inferred: a setup, where each entry was found, what is asked, and where its tensors are recorded.
import type { HeadConfig } from '../../engine/config.ts';
import type { Event } from '../recorded/recording.ts';
import type { Layout } from './values/layout.ts';
import type { Work } from './values/work.ts';

export interface InferOptions {
  /** Only what this function records, with what it was given: "MHA.forward". */
  readonly function?: string;
  /** Which of several attentions, from 1 in the order of time: layers of a model, calls of a function. */
  readonly layer?: number;
  /** How much is looked through, and how much of it is left. */
  readonly work?: Work;
}

export interface From {
  readonly file: string;
  readonly line: number;
  readonly cell?: number;
}

export interface Inferred {
  /** Where in the setup: "weights.W_Q", "loss.target", "scale". */
  readonly entry: string;
  readonly from: From;
  readonly sure: boolean;
  readonly note: string;
}

export interface Question {
  readonly entry: string;
  /** What was taken. */
  readonly guess: unknown;
  readonly alternatives: readonly unknown[];
  readonly why: string;
}

/** One of the attentions of a program. */
export interface Attention extends From {
  /** The function that computes it: "MHA.forward"; "" is the module. */
  readonly function: string;
  readonly heads: number;
}

/** Which event holds a tensor of the setup, wherever the same program makes it again. */
export interface EventKey {
  readonly file: number;
  readonly statement: number;
  readonly name: string;
  readonly how: Event['how'];
  /** Among the events of this statement, name and kind, from 0. */
  readonly occurrence: number;
}

/** A tensor of the setup: events side by side along a new first axis (of lengths `grid`), read by `layout`. */
export interface Binding {
  readonly entry: string;
  readonly keys: readonly EventKey[];
  readonly grid: readonly number[];
  readonly shape: readonly number[];
  readonly layout: Layout;
}

export interface Inference {
  readonly config: HeadConfig;
  readonly bindings: readonly Binding[];
  readonly inferred: readonly Inferred[];
  readonly questions: readonly Question[];
  /** Nodes whose gradient in the program is not that of this attention alone. */
  readonly shared: readonly string[];
  /** Whether y goes on into something that no entry describes. */
  readonly isInner: boolean;
  /** The function that computes it: "MHA.forward"; "" is the module. */
  readonly function: string;
}
