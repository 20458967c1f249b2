// What there is to see of a run that is still computed: the graph at once, its numbers as they come.
import type { Extents } from '../engine/axes.ts';
import { type Graph, type NodeId, nodeOf } from '../engine/graph.ts';
import { type MathNode, toMath } from '../engine/mathml.ts';
import type { Made } from '../engine/run.ts';
import { picture, THUMBNAIL } from './nodePicture.ts';
import type { Picture } from './picture.ts';
import { type NodeOutline, nodeOutline } from './runView.ts';

export interface Outline {
  readonly title: string;
  readonly description: string;
  /** In the order of computation; an input has no formula. */
  readonly nodes: readonly (NodeOutline & { readonly formula: MathNode | null })[];
  readonly extents: Extents;
}

/** A node's value or gradient as its card shows it. */
export interface Drawn {
  readonly node: NodeId;
  readonly kind: 'value' | 'gradient';
  readonly picture: Picture;
}

export const outline = (
  graph: Graph,
  about: { readonly title: string; readonly description: string },
): Outline => ({
  title: about.title,
  description: about.description,
  nodes: graph.nodes.map((node) => {
    const { operation, inputs } = node.kind === 'input' ? { operation: null, inputs: [] } : node;
    const formula = operation?.formula({ output: node.id, inputs }).forward;
    return {
      ...nodeOutline(node, graph.selfAttention),
      formula: formula ? toMath(formula) : null,
    };
  }),
  extents: graph.extents,
});

export function drawn(graph: Graph, { node, kind, tensor }: Made): Drawn {
  const options = { selection: {}, allHeads: true };
  return {
    node,
    kind,
    picture: picture({ graph }, nodeOf(graph, node), tensor, options, THUMBNAIL),
  };
}
