// A form: one tensor that a right program may compute, whether the graph has a node for it or not.
import type { Extents, Letter } from '../../engine/axes.ts';
import type { HeadConfig } from '../../engine/config.ts';
import { type Graph, hasNode, type NodeId, nodeOf } from '../../engine/graph.ts';
import { scaleFactor } from '../../engine/heads/weights.ts';
import type { Kind, State } from '../../compare/program/program.ts';
import { type Lettered, lengthsOf, lettered } from '../recorded/lettered.ts';
import { sizeOf } from '../../engine/tensor.ts';

/**
 * node: a node's value or gradient. form: of the same worth, in another shape or before or after a step that the graph
 * counts as one (the row maximum, log-sum-exp, Q scaled beforehand). partial: right only as something on the way (one
 * path's contribution, a gradient before the scale, one term of a sum): what ends so is incomplete.
 */
export type Role = 'node' | 'form' | 'partial';

export interface Form extends Lettered {
  /** What it is, in a few words or as a formula: "row maxima of M", "dQ / scale". */
  readonly title: string;
  /** The node that it belongs to. */
  readonly node: NodeId;
  readonly kind: Kind;
  readonly role: Role;
}

/** Nodes by what they do in this head. */
export interface Parts {
  readonly graph: Graph;
  readonly config: HeadConfig;
  readonly state: State;
  readonly extents: Extents;
  /** Taken into the softmax: S, Z or M. */
  readonly logits: NodeId;
  /** What weighs the values: P or Pd. */
  readonly weights: NodeId;
  readonly keys: NodeId;
  readonly queries: NodeId;
  readonly values: NodeId;
  /** The weighted values: O or y. */
  readonly output: NodeId;
  /** Letters of S. */
  readonly scores: readonly Letter[];
  readonly scale: number;
}

export function partsOf(config: HeadConfig, state: State): Parts {
  const { graph } = state.program;
  const multi = graph.head === 'multihead';
  const softmax = nodeOf(graph, 'P');
  const logits = softmax.kind === 'operation' ? softmax.inputs[0] : 'S';
  return {
    ...{ graph, config, state, logits },
    extents: graph.extents,
    weights: hasNode(graph, 'Pd') ? 'Pd' : 'P',
    keys: multi ? 'Kh' : 'K',
    queries: multi ? 'Qh' : 'Q',
    values: multi ? 'Vh' : graph.head === 'qkv' ? 'V' : 'x',
    output: multi ? 'O' : 'y',
    scores: nodeOf(graph, 'S').axes.flat(),
    scale: scaleFactor(config, graph.extents['a']) ?? 1,
  };
}

export interface Projection {
  /** Q, K, V, or what the attention gives. */
  readonly id: NodeId;
  readonly source: NodeId;
  readonly weight: NodeId;
  readonly bias: NodeId | null;
}

export const projectionsOf = ({ nodes }: Graph): Projection[] =>
  nodes.flatMap((node) => {
    if (node.kind !== 'operation') return [];
    const [source, weight = '', bias = null] = node.inputs;
    return /^W_[KQVO]$/.test(weight) ? [{ id: node.id, source, weight, bias }] : [];
  });

export const valueOf = ({ graph, state }: Parts, id: NodeId): Lettered =>
  lettered(nodeOf(graph, id).axes, state.value(id));

/** The same with its tokens under another letter. */
export const withToken = ({ letters, data }: Lettered, token: Letter): Lettered => ({
  letters: letters.map((letter) => (/^[ijt]$/.test(letter) ? token : letter)),
  data,
});

export const gradientOf = ({ graph, state }: Parts, id: NodeId): Lettered =>
  lettered(nodeOf(graph, id).axes, state.gradient(id));

/** Largest form of which the graph has no node, in entries. */
const MOST = 2e5;

/** Collects forms; the same list in the same order for every state of one graph. */
export class Forms {
  readonly list: Form[] = [];
  readonly extents: Extents;

  constructor(extents: Extents) {
    this.extents = extents;
  }

  add(role: Role, kind: Kind, node: NodeId, title: string, { letters, data }: Lettered): void {
    this.list.push({ role, kind, node, title, letters, data });
  }

  /** Whether a form with these letters is small enough to be held; forms of many letters are for small problems. */
  fits(letters: readonly Letter[], extents = this.extents): boolean {
    return sizeOf(lengthsOf(letters, extents)) <= MOST;
  }
}
