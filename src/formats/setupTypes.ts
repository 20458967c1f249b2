// A setup as it is written in *.attention.json, checked, its tensors not read yet.
import type {
  AxisOrder,
  Head,
  HeadConfig,
  MaskMeaning,
  Rope,
  Temperature,
} from '../engine/config.ts';
import type { Tensor } from '../engine/tensor.ts';
import type { RandomSpec } from './random.ts';
import type { WeightKey } from './weightLayouts.ts';

/** Where something stands in the document: ['weights', 'W_K'], ['x', 2, 1]. */
export type Path = readonly (string | number)[];

/** What is wrong with one entry. The message is one line and begins with the entry. */
export interface PathProblem {
  readonly message: string;
  readonly path: Path;
  readonly severity: 'error' | 'warning';
}

/** A problem and the characters of the text that it is about. */
export interface Problem extends PathProblem {
  readonly offset: number;
  readonly length: number;
}

/** The three ways to write a tensor. */
export type TensorSource =
  | { readonly kind: 'inline'; readonly tensor: Tensor; readonly dtype: 'float64' | 'bool' }
  /** `file` is relative to the setup file or absolute; without `key` the file holds one tensor. */
  | { readonly kind: 'file'; readonly file: string; readonly key?: string }
  | { readonly kind: 'random'; readonly spec: RandomSpec };

export type MaskName = 'none' | 'causal' | 'causal-bottom-right';

/** One mask of a list; a prefix may be one number for all. */
export type MaskPartSource =
  | 'causal'
  | 'causal-bottom-right'
  | { readonly kind: 'given'; readonly tensor: TensorSource; readonly meaning?: MaskMeaning }
  | { readonly kind: 'padding'; readonly lengths?: TensorSource; readonly keep?: TensorSource }
  | { readonly kind: 'window'; readonly left?: number; readonly right?: number }
  | { readonly kind: 'prefix'; readonly length: number | TensorSource }
  | { readonly kind: 'chunked'; readonly size: number }
  | { readonly kind: 'documents'; readonly ids: TensorSource; readonly queryIds?: TensorSource };

type RopeTensor = 'invFreq' | 'positions' | 'queryPositions';
export type RopeSource = Omit<Rope, RopeTensor> & {
  readonly [Key in RopeTensor]?: TensorSource;
};

export type LossSource =
  | { readonly kind: 'upstream'; readonly upstream: TensorSource }
  | { readonly kind: 'target'; readonly target: TensorSource }
  | {
      readonly kind: 'expression';
      readonly expression: string;
      readonly constants: Readonly<Record<string, number | TensorSource>>;
    };

/** Options without tensors, which go to the engine as they are. */
export const PLAIN_OPTIONS = [
  'scale',
  'softcap',
  'window',
  'qkNorm',
  'softmax',
  'zeroKey',
  'grouping',
  'positionBias',
  'numberType',
  'latentNorm',
  'block',
  'differential',
] as const;
type PlainOptions = Pick<HeadConfig, (typeof PLAIN_OPTIONS)[number]>;

export interface Setup extends PlainOptions {
  readonly title?: string;
  readonly description?: string;
  /** f is an energy and x are positions: -df/dx is shown as forces. */
  readonly energy?: boolean;
  readonly head: Head;
  readonly x?: TensorSource;
  readonly xPrime?: TensorSource;
  readonly xValue?: TensorSource;
  readonly weights: Readonly<Partial<Record<WeightKey, TensorSource>>>;
  /** Of all matrices; left out, (in, out), or the transpose where only that fits. */
  readonly weightLayout?: 'in-out' | 'out-in';
  /** How W_QKV holds its parts. */
  readonly fused?: 'blocks' | 'per-head';
  readonly heads: number;
  readonly kvHeads: number;
  readonly mask: MaskName | TensorSource | readonly MaskPartSource[];
  /** Left out: boolean masks mean 'attend', numbers are added. */
  readonly maskMeaning?: MaskMeaning;
  readonly dropout?: { readonly p: number; readonly keep: TensorSource };
  readonly rope?: RopeSource;
  readonly alibi?: true | TensorSource;
  readonly temperature?: Temperature | TensorSource;
  readonly past?: { readonly K: TensorSource; readonly V: TensorSource };
  readonly start?: {
    readonly Q?: TensorSource;
    readonly K?: TensorSource;
    readonly V?: TensorSource;
  };
  /** Left out: half the squared norm of y. */
  readonly loss?: LossSource;
  /** Name in a trace file to node id, or 'd' and node id for a gradient. */
  readonly names: Readonly<Record<string, string>>;
  readonly axes: AxisOrder;
  /** A module of the person's that exports forward and perhaps backward, to be run and compared. */
  readonly implementation?: Implementation;
  /** The Python program whose attention this is. */
  readonly source?: ProgramSource;
}

export interface ProgramSource {
  /** Relative to the setup file or absolute. */
  readonly file: string;
  /** "MHA.forward"; left out or "" for the module. */
  readonly function?: string;
  readonly args?: readonly string[];
}

export interface Implementation {
  /** Relative to the setup file or absolute. */
  readonly module: string;
  /** For all of it, in seconds. */
  readonly timeout: number;
}

/** The document's own fields; what is optional there is optional here, and nothing has a default yet. */
export interface SetupFields extends Omit<
  Partial<Setup>,
  'loss' | 'dropout' | 'past' | 'implementation' | 'source'
> {
  readonly $schema?: string;
  readonly loss?: LossFields;
  readonly dropout?: Partial<NonNullable<Setup['dropout']>>;
  readonly past?: Partial<NonNullable<Setup['past']>>;
  readonly implementation?: Partial<Implementation>;
  readonly source?: Partial<ProgramSource>;
}

export interface LossFields {
  readonly upstream?: TensorSource;
  readonly target?: TensorSource;
  readonly expression?: string;
  readonly constants?: Readonly<Record<string, number | TensorSource>>;
}
