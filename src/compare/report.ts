// What a comparison says: the object that `check --json` prints and the panel shows.
import type { NodeId } from '../engine/graph.ts';
import type { LeftOut } from '../formats/parts.ts';
import type { Kind } from './program.ts';

export type Status = 'match' | 'diverges' | 'consequence' | 'missing' | 'layout';

export interface NodeReport {
  readonly node: NodeId;
  readonly kind: Kind;
  readonly status: Status;
  /** Against the reference; null where nothing is given. */
  readonly maxAbs: number | null;
  readonly maxRel: number | null;
  readonly worstIndex: readonly number[] | null;
  /** Largest accepted difference. */
  readonly tolerance: number | null;
  readonly note: string;
}

export interface Cause {
  /** Stable, kebab-case. */
  readonly id: string;
  readonly title: string;
  readonly node: NodeId;
  readonly kind: Kind;
  readonly why: string;
  /** The formula that reproduces the person's tensor, and the right one. */
  readonly wrong: string;
  readonly right: string;
  /** The remedy in NumPy and in PyTorch, one line each. */
  readonly fix: string;
  readonly numpy: string;
  readonly pytorch: string;
  /** Largest difference from the person's tensor over its largest entry, under this cause. */
  readonly residual: number;
  /** The same for the next best explanation; null where there was none. */
  readonly runnerUp: { readonly title: string; readonly residual: number } | null;
}

export interface Report {
  readonly verdict: 'match' | 'diverges' | 'unaligned';
  readonly first: { readonly node: NodeId; readonly kind: Kind } | null;
  readonly nodes: readonly NodeReport[];
  readonly causes: readonly Cause[];
  /** The number type that the tensors were computed in. */
  readonly dtype: string;
  /** Entries of the trace that are no node. */
  readonly unaligned: readonly LeftOut[];
}
