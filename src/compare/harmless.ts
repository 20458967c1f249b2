// Values that differ, yet nothing computed from them does: logged at another point, or scaled earlier than here.
import { type Graph, nodeOf, type NodeId, operationNodes } from '../engine/graph.ts';
import { largestMagnitude, map, sameShape, type Tensor } from '../engine/tensor.ts';
import { roles } from './edits/edit.ts';
import { difference } from './judge.ts';
import { fibres } from './operations.ts';
import type { Key } from './program.ts';
import { constantRatio } from './search.ts';

/** What is known of the given tensors: whether each is the reference's. */
export type Right = ReadonlyMap<Key, boolean>;

/**
 * The wrong values without any effect: every given value that depends on them is right (there is one at least),
 * and so are the gradients of all inputs. Queries scaled before the scores, scores masked in the softmax.
 */
export function harmlessValues(graph: Graph, right: Right): Set<NodeId> {
  const leavesRight = graph.nodes.every(
    ({ id, kind }) => kind !== 'input' || right.get(`g:${id}`) !== false,
  );
  if (!leavesRight) return new Set();
  const wrong = graph.nodes.filter(
    ({ id, kind }) => kind === 'operation' && right.get(`v:${id}`) === false,
  );
  return new Set(wrong.filter(({ id }) => isHarmless(graph, right, id)).map(({ id }) => id));
}

/** Follows the uses of a node up to values that are given and right. */
function isHarmless(graph: Graph, right: Right, id: NodeId): boolean {
  const users = operationNodes(graph).filter(({ inputs }) => inputs.includes(id));
  return (
    users.length > 0 &&
    users.every(
      (user) =>
        right.get(`v:${user.id}`) === true ||
        (user.id !== 'f' && isHarmless(graph, right, user.id)),
    )
  );
}

/** Differences of this size are rounding in every number type that is told apart here. */
const LOOSE = 1e-3;

/** One factor throughout (scaled earlier), another node's numbers (logged at another point), the row's maximum subtracted. */
export function isConvention(
  graph: Graph,
  id: NodeId,
  user: Tensor,
  reference: (id: NodeId) => Tensor,
): boolean {
  if (user.data.some(Number.isNaN)) return false;
  const right = reference(id);
  // Queries or scores may be scaled early; the logits themselves have to be right.
  const isEarly = id !== 'Z' && id !== roles(graph).logits;
  if (isEarly && constantRatio(user, right, LOOSE) !== null) return true;
  const isOther = graph.nodes.some(
    (node) =>
      node.id !== id &&
      sameShape(node.shape, user.shape) &&
      difference(user, reference(node.id)).maxAbs <= LOOSE * largestMagnitude(user),
  );
  return isOther || (/^[SZM]$/.test(id) && isShifted(graph, id, user, right));
}

function isShifted(graph: Graph, id: NodeId, user: Tensor, right: Tensor): boolean {
  const shift = map(user, (value, at) => (value === right.data[at] ? 0 : value - right.data[at]));
  const { starts, steps } = fibres(nodeOf(graph, id).axes, ['i'], graph.extents);
  const most = LOOSE * largestMagnitude(user);
  return starts.every((start) => {
    const row = Array.from(steps, (step) => start + step).filter(
      (at) => right.data[at] !== -Infinity,
    );
    return row.every((at) => Math.abs(shift.data[at] - shift.data[row[0]]) <= most);
  });
}
