// What computing a graph takes, told before it is taken.
import { type Graph, nodeOf, operationNodes } from './graph.ts';
import { sizeOf } from './tensor.ts';

/** Letters that run over tokens. */
const TOKENS = new Set(['i', 'j', 't', 'p']);

/**
 * Bytes of all that a run keeps: values, contributions, and the gradients that several of them add up to. `share`: if
 * there were only this part of the tokens.
 */
export function bytesOfRun(graph: Graph, share = 1): number {
  const size = (id: string): number => {
    const { axes, shape } = nodeOf(graph, id);
    return sizeOf(shape) * share ** axes.flat().filter((letter) => TOKENS.has(letter)).length;
  };
  const receivers = operationNodes(graph).flatMap(({ inputs }) => inputs);
  const entries = [
    ...graph.nodes.map(({ id }) => size(id)),
    ...receivers.map(size),
    // The first contribution is the gradient of a node that has no other.
    ...receivers.filter((id, n) => receivers.indexOf(id) < n).map(size),
  ];
  return 8 * entries.reduce((sum, each) => sum + each, 0);
}

/** "4.3 GB", "120 MB". */
export function inWords(bytes: number): string {
  return bytes >= 1e9 ? `${(bytes / 1e9).toFixed(1)} GB` : `${Math.ceil(bytes / 1e6)} MB`;
}

/** Part of the memory that is free that a run may take: what shows it needs some, too. */
const USABLE = 0.8;

/** Why a run does not fit what is free, in bytes, and what to do; null where it fits. */
export function tooLarge(graph: Graph, free: number): string | null {
  const bytes = bytesOfRun(graph);
  const usable = USABLE * free;
  if (bytes <= usable) return null;
  const tokens = graph.extents['j'];
  let fitting = tokens;
  while (fitting > 0 && bytesOfRun(graph, fitting / tokens) > usable)
    fitting = Math.floor(fitting * 0.98);
  const { b: batch = 1 } = graph.extents;
  const less = batch > 1 ? 'fewer batch entries, fewer heads' : 'fewer heads';
  return (
    `It takes about ${inWords(bytes)} of memory, of which ${inWords(free)} are free. ` +
    `Use ${fitting > 0 ? `fewer tokens (${fitting} in place of ${tokens} fit) or ` : ''}${less}, or end other programs.`
  );
}
