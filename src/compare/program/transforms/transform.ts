// What people do to a tensor that should be left as it is: along one of its axes, or entry by entry.
import type { StepOperation } from '../program.ts';

export interface Transform {
  /** Stable, kebab-case. */
  readonly id: string;
  /** What `name` is then: "K has its keys in reverse order". */
  readonly title: (name: string) => string;
  /** As a formula: "reverse(K)". */
  readonly formula: (name: string) => string;
  readonly operation: StepOperation;
  readonly cost: number;
  /** Done to a gradient as well as to a value. */
  readonly isLinear: boolean;
}
