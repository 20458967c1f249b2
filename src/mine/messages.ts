// What "run mine" and the process in which the person's module runs say to each other.
import type { DType } from '../formats/dtype.ts';
import type { CodeLine } from '../formats/namedTensor.ts';
import type { Tensor } from '../engine/tensor.ts';

/** A setup's entries by name, each a tensor, a number, a word or an object of such; nested arrays for the person. */
export type Inputs = Readonly<Record<string, unknown>>;

/** A boolean tensor, which `Tensor` cannot tell from one of zeros and ones. */
export interface Flags extends Tensor {
  readonly dtype: 'bool';
}

/** A tensor of the person's, flat. */
export interface Output {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly data: Float64Array;
}

export type Phase = 'load' | 'forward' | 'backward';

export type ToRunner =
  | { readonly type: 'run'; readonly module: string; readonly inputs: Inputs }
  /** df/dy at the y that forward gave. */
  | { readonly type: 'upstream'; readonly upstream: Tensor };

export type FromRunner =
  | { readonly type: 'ready' }
  | { readonly type: 'begins'; readonly phase: Phase }
  | {
      readonly type: 'forward';
      readonly outputs: readonly Output[];
      /** It waits for the upstream gradient. */
      readonly hasBackward: boolean;
    }
  | { readonly type: 'backward'; readonly outputs: readonly Output[] }
  | {
      readonly type: 'failed';
      readonly message: string;
      readonly stack: string;
      readonly place: CodeLine | null;
    };
