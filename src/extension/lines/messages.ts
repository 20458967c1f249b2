// What the thread that runs and judges programs is asked, and what it answers. Types only.
import type { Detail } from '../../lineRun/details.ts';
import type { NamedTensor } from '../../formats/namedTensor.ts';
import type { Attention, Inferred, Question } from '../../lines/infer/types.ts';
import type { SavedSetup } from '../../lines/infer/save.ts';
import type { Cell, Exit, SourceFile } from '../../lines/recorded/recording.ts';
import type { Fix } from '../../lines/repair/fix.ts';
import type { LinePlace, LinesResult } from '../../lines/tell/result.ts';
import type { Tried } from '../../lines/repair/repair.ts';

/** What the person has said of an entry of the setup that was guessed. */
export type Answers = Readonly<Record<string, unknown>>;

export interface RunRequest {
  /** The folder `python/attention_lines`. */
  readonly recorder: string;
  readonly python: string;
  /** Absolute. */
  readonly file: string;
  readonly args: readonly string[];
  readonly function?: string;
  /** Which of several attentions, from 1; the first if left out. */
  readonly layer?: number;
  /** All attentions of the program are told. */
  readonly list?: boolean;
  /** It is run by pytest. */
  readonly pytest?: boolean;
  readonly root?: string;
  /** In milliseconds. */
  readonly timeout: number;
  /** The absolute path of a setup that is given. */
  readonly setup?: string;
  readonly answers: Answers;
}

/** What is said of a program in which attention was found. */
export interface Verdict extends Omit<LinesResult, 'setup' | 'inferred' | 'lines' | 'fixes'> {
  /** Found when they are asked for; the shortest edit first. */
  readonly fixes: readonly Fix[];
  readonly details: readonly Detail[];
  readonly inferred: readonly Inferred[];
  readonly questions: readonly Question[];
  /** "MHA.forward"; "" is the module. */
  readonly function: string;
  /** Where it was inferred. */
  readonly setup: SavedSetup | null;
  readonly tensors: readonly NamedTensor[];
}

export interface Outcome {
  /** null where no attention was found, or nothing was recorded. */
  readonly verdict: Verdict | null;
  /** Why there is none, in one line. */
  readonly problem: string;
  /** The own files that ran, paths relative to the program's folder. */
  readonly files: readonly SourceFile[];
  readonly cells: readonly Cell[];
  readonly exception: Exit['exception'] | null;
  /** Lines that cannot be looked into, such as what is compiled. */
  readonly blind: readonly (LinePlace & { readonly message: string })[];
  readonly isBroken: boolean;
  readonly lacksModule: boolean;
  readonly timedOut: boolean;
  readonly outputCut: boolean;
  /** Where it was asked for: all attentions of the program, in the order of time. */
  readonly attentions?: readonly Attention[];
  /** What was looked at for a fix. */
  readonly tried?: Tried;
  /** In milliseconds. */
  readonly took: { readonly recording: number; readonly judging: number };
}

export type ToThread =
  /** `fix`: proven fixes are looked for, too. */
  | {
      readonly type: 'run';
      readonly id: number;
      readonly request: RunRequest;
      readonly fix: boolean;
    }
  | { readonly type: 'warm'; readonly request: RunRequest }
  | { readonly type: 'cancel'; readonly id: number }
  | { readonly type: 'stop' };

export type FromThread =
  | { readonly type: 'output'; readonly stream: 'stdout' | 'stderr'; readonly text: string }
  | { readonly type: 'done'; readonly id: number; readonly outcome: Outcome }
  | { readonly type: 'failed'; readonly id: number; readonly message: string }
  | { readonly type: 'stopped' };
