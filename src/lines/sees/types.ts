// What a test of a person's functions is made of.
import type { Tensor } from '../../engine/tensor.ts';
import type { Alignment } from '../align/align.ts';
import type { Event } from '../recorded/recording.ts';

/** A tensor or number that the calls read and do not make. */
export interface Given {
  /** As it stands in the program: "x", "w['q']". */
  readonly name: string;
  readonly event: Event;
  readonly tensor: Tensor | null;
  /** Of a tensor that is no mask: what it is. */
  readonly is: Alignment | null;
  /** What it is joined of, where it is several: a fused projection. */
  readonly parts: readonly Alignment[];
  /** A variable of the module that the person's functions read by themselves. */
  readonly isGlobal: boolean;
  /** Of an object of the person's: put in after it is made. */
  readonly isAttribute: boolean;
}

/** A tensor that the calls make and the reference has. */
export interface Outcome {
  readonly name: string;
  readonly is: Alignment;
}

export interface Plan {
  /** Names of the module that the calls read: functions, classes, modules. */
  readonly imports: readonly string[];
  readonly given: readonly Given[];
  /** Statements that make the objects that are called, and what draws their numbers. */
  readonly making: readonly string[];
  /** The calls as they are written, in their order. */
  readonly calls: readonly string[];
  readonly outcomes: readonly Outcome[];
  readonly isTorch: boolean;
}

/** Why no test can be written, in one line. */
export class NoTest extends Error {}
