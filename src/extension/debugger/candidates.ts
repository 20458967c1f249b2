// Which nodes a variable may be, the likeliest first: by its name, then by its shape. Pure.
import { type Graph, type NodeId, tensorName } from '../../engine/graph.ts';
import { formatShape, sameShape, sizeOf } from '../../engine/tensor.ts';
import { resolveName } from '../../formats/nodeNames.ts';
import { isGradOf, type ProgramTensor } from './tensor.ts';

export interface Candidate {
  readonly node: NodeId;
  readonly kind: 'value' | 'gradient';
  /** "P", "dP" */
  readonly name: string;
  readonly shape: string;
  /** Why it is offered first; '' for the rest. */
  readonly why: string;
}

/** "Q.grad" of self.attn.Q.grad, "dQ" of cache['dQ']. */
export function leafName(expression: string): string {
  const [, leaf] = /([\p{L}\p{N}_$]+(?:\.grad)?)\W*$/u.exec(expression) ?? [];
  return leaf ?? expression;
}

const squeezed = (shape: readonly number[]): number[] => shape.filter((length) => length !== 1);

export function candidatesFor(
  { expression, shape }: ProgramTensor,
  graph: Graph,
  names: Readonly<Record<string, string>>,
): Candidate[] {
  const named = resolveName(leafName(expression), names, shape.length);
  const isGradient = isGradOf(expression) || named?.kind === 'gradient';
  const ranked = graph.nodes.flatMap((node) =>
    (['value', 'gradient'] as const).map((kind) => {
      const isNamed = named?.node === node.id && named.kind === kind;
      const isSame = sameShape(squeezed(node.shape), squeezed(shape));
      // Another order of the axes, or heads split or merged.
      const isLike = sizeOf(node.shape) === sizeOf(shape);
      const fit = isSame ? 2 : isLike ? 1 : 0;
      const rank = (isNamed ? 8 : 0) + 2 * fit + ((kind === 'gradient') === isGradient ? 1 : 0);
      const why = isNamed ? 'by its name' : isSame ? 'by its shape' : isLike ? 'by its size' : '';
      const name = tensorName(node.id, kind);
      return {
        rank,
        candidate: { node: node.id, kind, name, shape: formatShape(node.shape), why },
      };
    }),
  );
  return ranked.sort((a, b) => b.rank - a.rank).map(({ candidate }) => candidate);
}
