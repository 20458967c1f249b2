// What there is to see at one position of a walk: plain data, made by viewAt and drawn by the panel.
import type { Binding } from '../engine/axes.ts';
import type { MathNode } from '../engine/mathml.ts';
import type { NodeId } from '../engine/graph.ts';
import type { Path } from '../engine/paths.ts';
import type { Tensor } from '../engine/tensor.ts';
import type { Picture } from './picture.ts';
import type { ResultView } from './result.ts';
import type { Level, Phase } from './timeline.ts';

export interface NodeState {
  /** `current`: what this position is about. `waiting`: not computed yet. */
  readonly status: 'waiting' | 'computed' | 'current';
  /** Contributions that have arrived in the accumulator, of how many. */
  readonly received: number;
  readonly expected: number;
  /** The accumulator so far; null before the first contribution. */
  readonly gradient: Picture | null;
}

export interface TermView {
  /** "dS[1,0] · Q[0,2]" */
  readonly label: string;
  readonly factors: readonly number[];
  readonly product: number;
  /** "structure": the local Jacobian's entry is 0 because the output does not depend on this entry. */
  readonly zero: 'structure' | 'value' | null;
}

export interface TermsView {
  readonly terms: readonly TermView[];
  /** Terms not listed: too many to show. */
  readonly omitted: number;
  readonly total: number;
  /** The term the cursor is at. */
  readonly current: number | null;
}

/** The numbers on the way to the selected entry, where it is no sum of products. */
export interface WorkedView {
  /** "S", then what is made of it. */
  readonly columns: readonly string[];
  readonly rows: readonly {
    readonly label: string;
    readonly numbers: readonly number[];
    readonly chosen: boolean;
  }[];
  /** Rows not listed: too many to show. */
  readonly omitted: number;
  readonly summary: { readonly name: string; readonly value: number };
}

/** Before + contribution = after, as pictures and at the selected entry. */
export interface AccumulationView {
  /** Null for the first contribution, which is all there is. */
  readonly before: Picture | null;
  readonly contribution: Picture;
  readonly after: Picture;
  readonly entry: {
    readonly before: number;
    readonly contribution: number;
    readonly after: number;
  };
  /** 1 for the first contribution into this accumulator, of `of`. */
  readonly ordinal: number;
  readonly of: number;
  readonly path: Path;
}

export interface PathView {
  readonly path: Path;
  readonly from: NodeId;
  /** In [0, 1]: the norm of this part over the sum of the parts' norms. */
  readonly share: number;
  /** This part of the selected entry. */
  readonly entry: number;
  readonly arrived: boolean;
}

export interface StepView {
  readonly tick: number;
  readonly ticks: number;
  readonly level: Level;
  readonly phase: Phase;
  /** "backward: y → P" */
  readonly caption: string;
  /** One sentence in plain words. */
  readonly sentence: string;
  /** What `over` does next; null at the end. */
  readonly next: string | null;
  readonly nodes: Readonly<Record<NodeId, NodeState>>;
  /** Edges in data's direction (operand to user) that this position is about. */
  readonly edges: readonly {
    readonly operand: NodeId;
    readonly user: NodeId;
    readonly slot: number;
  }[];
  /** The tensor looked at, and the selected entry in it. */
  readonly focus: {
    readonly node: NodeId;
    readonly kind: 'value' | 'gradient';
    readonly index: readonly number[];
  } | null;
  readonly formula: {
    readonly general: MathNode;
    readonly bound: MathNode;
    readonly text: string;
  } | null;
  /** Forward: the value just computed. */
  readonly value: { readonly picture: Picture; readonly entry: number } | null;
  readonly accumulation: AccumulationView | null;
  /** The person's own tensor of what `focus` shows, where they gave it. */
  readonly mine: SideBySideView | null;
  readonly terms: TermsView | null;
  readonly worked: WorkedView | null;
  readonly paths: readonly PathView[];
  /** The exercise's end: its gradients put together. */
  readonly result: ResultView | null;
  /** Names of the equations' factors that this step computes, and of those that take further steps. */
  readonly parts: readonly string[];
  readonly links: readonly string[];
  readonly selection: Binding;
  /** -df/dx so far, one vector per token, where f is an energy and x are positions. */
  readonly forces: readonly Force[] | null;
}

/** A token's position and the force on it, in the plane of its first two coordinates. */
export interface Force {
  readonly at: readonly [number, number];
  readonly force: readonly [number, number];
}

export interface OwnTensor {
  readonly node: NodeId;
  readonly kind: 'value' | 'gradient';
  /** What the person calls it. */
  readonly name: string;
  /** In the node's shape. */
  readonly tensor: Tensor;
  /** `tensor` with what is only another convention (-1e9 for -inf) put right: what is judged. */
  readonly judged: Tensor;
}

export interface SideBySideView {
  readonly name: string;
  readonly yours: Picture;
  /** The whole gradient, also while contributions to it are still to come. */
  readonly reference: Picture;
  /** yours - reference. */
  readonly difference: Picture;
  readonly entry: {
    readonly yours: number;
    readonly reference: number;
    readonly difference: number;
  };
  /** Where the difference is largest; null where there is none. */
  readonly worst: { readonly index: readonly number[]; readonly selection: Binding } | null;
}

export interface ViewOptions {
  readonly selection: Binding;
  readonly allHeads: boolean;
  /** f is an energy and x are positions: show forces. */
  readonly energy: boolean;
  /** The person's own tensors, to hold against the run's. */
  readonly own: readonly OwnTensor[];
}
