// What the engine knows about one operation: everything about it stands in one object, in one file of ops/.
import type { Operand } from './evaluate.ts';
import type { Formula } from './formula.ts';
import type { Tensor } from './tensor.ts';

/** An operation applied: its operands and its result. */
export interface Application {
  readonly inputs: readonly Tensor[];
  readonly output: Tensor;
}

/** One entry of an operand, as a factor of a summand. */
export interface Factor {
  readonly slot: number;
  readonly offset: number;
}

export interface Names {
  readonly output: string;
  readonly inputs: readonly string[];
}

export interface OperationFormula {
  readonly forward: Formula;
  /** One per input: what the input's accumulator receives. */
  readonly backward: readonly Formula[];
  /** Tensors that stand in the formulas and are no nodes: a mask, an upstream gradient. */
  readonly given?: Readonly<Record<string, Operand>>;
}

export interface Operation {
  /** The field's name: "contraction", "softmax". */
  readonly name: string;
  /** One sentence in plain words for a person who looks at the node. */
  readonly summary: string;
  forward(inputs: readonly Tensor[]): Tensor;
  /** Vector-Jacobian product: ONE contribution per input, each of the input's shape. */
  vjp(at: Application, upstream: Tensor): readonly Tensor[];
  /** The local Jacobian's entry: d output[outputOffset] / d inputs[slot][inputOffset]. */
  partial(at: Application, slot: number, outputOffset: number, inputOffset: number): number;
  /** Offsets of the outputs that can depend on one input entry; elsewhere the Jacobian is zero by structure. */
  reach(at: Application, slot: number, inputOffset: number): readonly number[];
  /** Where the result is a sum of products of operand entries: those products, for one output entry. */
  summands?(at: Application, outputOffset: number): readonly (readonly Factor[])[];
  /** Where it is no such sum: the numbers on the way to one output entry, as a table. */
  worked?(at: Application, outputOffset: number): Worked;
  /** What there is to say of one output entry, as a sentence: which part of a mask hides it. */
  remark?(outputOffset: number): string | null;
  /**
   * Where a result is what is left of larger terms: the size of the largest of them, in the result's unit, of the value
   * (slot null) or of what is passed back to an operand. The result is off by the rounding of those.
   */
  cancelled?(at: Application, slot: number | null, upstream: Tensor): number;
  formula(names: Names): OperationFormula;
}

/** The numbers on the way from operand entries to a result. */
export interface Worked {
  /** Of each column after the operand's own: "exp", "error". */
  readonly columns: readonly string[];
  readonly rows: readonly {
    /** In the first operand. */
    readonly offset: number;
    readonly value: number;
    readonly numbers: readonly number[];
  }[];
  /** What the rows add up to in the last column but one or the last, in words: "sum of exp". */
  readonly summary: { readonly name: string; readonly value: number };
}
