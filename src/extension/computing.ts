// What the page is told while a run is being computed: how large it is, and how far.
import type { Graph } from '../engine/graph.ts';
import type { Part } from '../engine/run.ts';
import { sizeOf } from '../engine/tensor.ts';
import type { ToWebview } from '../protocol.ts';

type ComputingMessage = Extract<ToWebview, { readonly type: 'computing' }>;

/** "gpt2-heads, 12 × 512 × 512": the largest tensor says how large a setup is. */
export function computingMessage(
  name: string,
  graph: Graph | null,
  part: Part | null,
): ComputingMessage {
  const shapes = graph?.nodes.map(({ shape }) => shape) ?? [];
  const largest = shapes.reduce((a, b) => (sizeOf(b) > sizeOf(a) ? b : a), []);
  return {
    type: 'computing',
    what: largest.length > 0 ? `${name}, ${largest.join(' × ')}` : name,
    part: part ? `${part.phase}: ${part.node}` : 'reading the setup',
    share: part ? part.done / part.of : 0,
  };
}
