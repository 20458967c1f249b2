// Which steps pass a gradient to which node.
import type { NodeId } from '../../engine/graph.ts';
import type { Program } from './program.ts';

type Source = { readonly from: NodeId; readonly slot: number };

const known = new WeakMap<Program['backward'], ReadonlyMap<NodeId, readonly Source[]>>();

/** What passes a gradient to `node`, in the order of reverse mode. Every edit of a backward pass asks for it. */
export function sourcesOf({ backward }: Program, node: NodeId): readonly Source[] {
  const found = known.get(backward);
  if (found) return found.get(node) ?? [];
  const own = new Map<NodeId, Source[]>();
  for (const [from, { inputs }] of [...backward].reverse())
    inputs.forEach((input, slot) => {
      if (!own.get(input)?.push({ from, slot })) own.set(input, [{ from, slot }]);
    });
  known.set(backward, own);
  return own.get(node) ?? [];
}
