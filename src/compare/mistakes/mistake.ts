// A mistake as data: a formula, and the slips by which it is not the right one.
import type { Letter } from '../../engine/axes.ts';
import type { Formula } from '../../engine/formula.ts';
import type { NodeId } from '../../engine/graph.ts';
import type { Kind } from '../program/program.ts';

/** One change of a formula. */
export interface Slip {
  /** The operator's name. */
  readonly operator: string;
  /** What a reader is told of it: "dM stands in the place of dP". */
  readonly say: string;
  readonly was: Formula;
  readonly is: Formula;
}

export interface Mistake {
  readonly node: NodeId;
  readonly kind: Kind;
  /** `left = right`, both sides. */
  readonly formula: Formula;
  readonly slips: readonly Slip[];
  /** The length of its description: the lowest of those that reproduce a tensor is told. */
  readonly cost: number;
  /** Another formula of which the same numbers come, and on other inputs others. */
  readonly other?: Pick<Mistake, 'formula' | 'slips'>;
}

export interface NamedNumber {
  readonly name: string;
  readonly value: number;
}

/** A sub-formula in the place of another. */
export interface Variation {
  readonly is: Formula;
  readonly say: string;
  /** On top of its operator's. */
  readonly cost?: number;
}

export interface Operator {
  readonly name: string;
  readonly cost: number;
  apply(formula: Formula, scope: Scope): Iterable<Variation>;
}

/** What can stand where in the formulas of one place. */
export interface Scope {
  /** Other tensors that fit a symbol's axes. */
  like(symbol: Formula & { kind: 'symbol' }): readonly Formula[];
  /** Numbers of the setup. */
  readonly numbers: readonly NamedNumber[];
  /** Other masks than the setup's: what a score is hidden by. */
  readonly masks: readonly (Variation & { readonly seen: Formula })[];
  /** How long a letter is; undefined for one that is not known. */
  length(letter: Letter): number | undefined;
  /** The letter that a sum's own stands for: l for the keys i. */
  ownOf(letter: Letter): Letter;
}
