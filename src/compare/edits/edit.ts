// One hypothesis: an edit of the program by which the person's tensors would come out as they did.
import type { Letter } from '../../engine/axes.ts';
import type { Formula } from '../../engine/formula.ts';
import type { HeadConfig } from '../../engine/config.ts';
import type { Graph, GraphNode, NodeId, OperationNode } from '../../engine/graph.ts';
import { hasNode, nodeOf } from '../../engine/graph.ts';
import type { Tensor } from '../../engine/tensor.ts';
import type { NumberType } from '../reference/dtypes.ts';
import type { Key, Kind, Program, State } from '../program/program.ts';

export interface Edit {
  /** Stable, kebab-case; the same mistake at another node has the same id. */
  readonly id: string;
  readonly title: string;
  /** Where it acts. */
  readonly node: NodeId;
  readonly kind: Kind;
  readonly why: string;
  readonly wrong: string;
  readonly right: string;
  /** The same two as expressions, where the mistake is one. */
  readonly formulas?: { readonly wrong: Formula; readonly right: Formula };
  readonly numpy: string;
  readonly pytorch: string;
  /** 1 for a usual slip; more for what is stranger. The cheaper of two equal explanations wins. */
  readonly cost: number;
  /** Made of numbers that are read off the tensor: told where no formula makes it. */
  readonly isReadOff?: boolean;
  /** Letters along which it reads what stands elsewhere: it does not show in the first entries of those. */
  readonly mixes?: readonly Letter[];
  apply(program: Program): Program;
}

/** What the families know when they make edits. */
export interface Context {
  readonly config: HeadConfig;
  readonly graph: Graph;
  /** The number type that the person computes in. */
  readonly type: NumberType;
  /** By how many keys the person's scores or weights are longer than the setup's, seen by their shapes. */
  readonly moreKeys?: number;
  /** Whether masked scores are given though the setup has no mask. */
  readonly givesMask?: boolean;
  /** The problem that this one is a slice of: factors are named by its sizes. */
  readonly whole?: Context;
  /** Whether an edit, by its id, is no cause by what is known of the program. */
  readonly isExcluded?: (id: string) => boolean;
  /** The person's program so far, on their tensors. */
  readonly state: State;
}

/** Earlier tokens, before the first key of x. */
export const pastTokens = ({ config, graph }: Context): number =>
  config.past ? graph.extents['p'] : 0;

/** A place where an edit may stand: the value of a node, or its gradient. */
export interface Site extends Context {
  readonly node: GraphNode;
  readonly kind: Kind;
  /** The constant factor between what is to be explained and what should be there, if there is one. */
  readonly ratio: number | null;
  /** How far what is to be explained is from what should be there, over its largest entry. */
  readonly deviation: number;
  /** Accepted relative difference. */
  readonly precision: number;
  /** The person's tensor that is to be explained, here or further on. */
  readonly goal: {
    readonly key: Key;
    readonly user: Tensor;
    /** What is predicted for it, without what cannot matter. */
    readonly look: (tensor: Tensor) => Tensor;
  };
  /** The person's tensor, if this is the place to be explained, and what should be there. */
  readonly target?: { readonly user: Tensor; readonly predicted: Tensor };
}

/** All edits of one sort at a place. */
export type Family = (site: Site) => readonly Edit[];

export function operationAt({ node }: Site): OperationNode | null {
  return node.kind === 'operation' ? node : null;
}

/** Names of the nodes that differ between heads. */
export function roles(graph: Graph): {
  /** What the softmax is taken of. */
  logits: NodeId;
  /** What the values are weighted by. */
  weights: NodeId;
  /** The weighted values. */
  output: NodeId;
  values: NodeId;
  keys: NodeId;
  queries: NodeId;
} {
  const [logits] = (nodeOf(graph, 'P') as OperationNode).inputs;
  const [keys, queries] = (nodeOf(graph, 'S') as OperationNode).inputs;
  const multi = graph.head === 'multihead';
  return {
    logits,
    weights: hasNode(graph, 'Pd') ? 'Pd' : 'P',
    output: multi ? 'O' : 'y',
    values: multi ? 'Vh' : graph.head === 'qkv' ? 'V' : 'x',
    keys,
    queries,
  };
}

/** Letters of a node's axes that are longer than one. */
export function longLetters({ axes }: GraphNode, { extents }: Graph): string[] {
  return axes.flat().filter((letter) => extents[letter] > 1);
}
