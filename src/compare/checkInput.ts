// What is held against the reference, and what comes of it.
import type { HeadConfig } from '../engine/config.ts';
import type { Graph } from '../engine/graph.ts';
import type { Run } from '../engine/run.ts';
import type { Tensor } from '../engine/tensor.ts';
import type { NamedTensor } from '../formats/namedTensor.ts';
import type { ResolvedName } from '../formats/nodeNames.ts';
import type { Aligned } from './align/aligned.ts';
import type { Report } from './report.ts';

export interface CheckInput {
  readonly config: HeadConfig;
  readonly graph: Graph;
  readonly trace: readonly NamedTensor[];
  /** The setup's map from names in a trace to nodes. */
  readonly names: Readonly<Record<string, string>>;
  /** formats' resolveName. */
  readonly resolve: Resolve;
  /** The reference's run, where it is known already. */
  readonly computed?: Run | null;
  /** Whether a cause, by its id, is none by what is known of the program. */
  readonly isExcluded?: (id: string) => boolean;
  /** How thoroughly causes are looked for; all of it if left out. */
  readonly effort?: Thoroughness;
}

export interface Thoroughness {
  /** The known mistakes alone. */
  readonly isBrief: boolean;
  /** Two mistakes at once. */
  readonly inPairs: boolean;
  /** Counts the work of several checks together. */
  readonly meter?: { work: number };
}

type Resolve = (name: string, names: CheckInput['names'], rank: number) => ResolvedName | null;

export interface Compared {
  readonly report: Report;
  /** The person's tensors that are nodes, each in its node's shape; `judged` has conventions put right. */
  readonly tensors: readonly (Aligned & { readonly judged: Tensor })[];
}
