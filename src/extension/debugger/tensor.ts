// What a paused program, in any language, has to offer: the tensors in a frame, told by their shapes, and their entries.
import { formatShape, sizeOf } from '../../engine/tensor.ts';
import { byteSize, type DType } from '../../formats/dtype.ts';
import type { Block } from './blocks.ts';

export interface ProgramTensor {
  /** As the program evaluates it in the paused frame: P, self.attn.P, cache['P'], Q.grad. */
  readonly expression: string;
  readonly shape: readonly number[];
  readonly dtype: DType;
  /** How the entries come over: those of lists and of arrays of arrays as float64. */
  readonly sentAs: DType;
}

/** The selected frame of a paused program. Both reject where the program has gone on, and at a cancel. */
export interface PausedFrame {
  /** The debugger's answer, whole, for an expression without side effects. */
  evaluate(expression: string): Promise<string>;
  /** The names of the frame's own variables, the innermost scope first. */
  variables(): Promise<readonly string[]>;
}

/** Expressions in a program's language. Each gives text as `replies.ts` reads it. */
export interface Language {
  /** A list of ProgramTensor: those among `names` and, one level deep, in them, each followed by its `.grad`. */
  list(names: readonly string[]): string;
  /** The same list for one expression; an error that says why where it is no tensor. */
  describe(expression: string): string;
  /** The entries of a block. */
  read(tensor: ProgramTensor, block: Block): string;
  /** The part [from, to) of the text of such an expression. */
  slice(expression: string, from: number, to: number): string;
}

/** "(4, 3) float64". */
export const describeTensor = ({ shape, dtype }: ProgramTensor): string =>
  `${formatShape(shape)} ${dtype}`;

/** Whether it is the gradient of another: x.grad. */
export const isGradOf = (expression: string): boolean => expression.endsWith('.grad');

export const bytesOf = ({ shape, sentAs }: ProgramTensor): number =>
  sizeOf(shape) * byteSize(sentAs);
