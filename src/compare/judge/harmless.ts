// Values that differ, yet nothing computed from them does: logged at another point, or scaled earlier than here.
import { type Graph, nodeOf, type NodeId, operationNodes } from '../../engine/graph.ts';
import { isZero, largestMagnitude, map, sameShape, type Tensor } from '../../engine/tensor.ts';
import { shortNumber } from '../search/constants.ts';
import { roles } from '../edits/edit.ts';
import { constantRatio, difference } from './judge.ts';
import { fibres } from '../program/operations.ts';
import type { Key } from '../program/program.ts';

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

/** Differences of this size are rounding in every number type but the narrowest. */
const LOOSE = 1e-3;
const looseFor = (epsilon: number): number => Math.max(LOOSE, 4 * epsilon);

/**
 * What a tensor given for `id` is instead, in words: one factor throughout (scaled earlier), another node's numbers
 * (logged at another point), one number for each query subtracted; null for anything else.
 */
export function conventionOf(
  graph: Graph,
  id: NodeId,
  user: Tensor,
  reference: (id: NodeId) => Tensor,
  epsilon: number,
): string | null {
  if (user.data.some(Number.isNaN)) return null;
  const loose = looseFor(epsilon);
  const right = reference(id);
  // Queries or scores may be scaled early; the logits themselves have to be right.
  const isEarly = id !== 'Z' && id !== roles(graph).logits;
  const ratio = isEarly ? constantRatio(user, right, loose) : null;
  // What is scaled early keeps its sign: an even loss does not see that of y.
  if (ratio !== null && ratio > 0) return `${shortNumber(ratio)} times ${id}`;
  const other = otherNode(graph, id, user, reference, loose);
  if (other !== null) return other;
  const isBelow = /^[SZM]$/.test(id) && isShifted(graph, id, user, right, loose);
  return isBelow ? `${id} less one number for each query` : null;
}

/** The other node of its shape whose numbers a tensor given for `id` has. */
function otherNode(
  graph: Graph,
  id: NodeId,
  user: Tensor,
  reference: (id: NodeId) => Tensor,
  loose: number,
): NodeId | null {
  const most = loose * largestMagnitude(user);
  const found = graph.nodes.find(
    (node) =>
      node.id !== id &&
      sameShape(node.shape, user.shape) &&
      difference(user, reference(node.id)).maxAbs <= most,
  );
  return found?.id ?? null;
}

function isShifted(graph: Graph, id: NodeId, user: Tensor, right: Tensor, loose: number): boolean {
  const shift = map(user, (value, at) => (value === right.data[at] ? 0 : value - right.data[at]));
  const { starts, steps } = fibres(nodeOf(graph, id).axes, ['i'], graph.extents);
  const most = loose * largestMagnitude(user);
  return starts.every((start) => {
    const row = Array.from(steps, (step) => start + step).filter(
      (at) => right.data[at] !== -Infinity,
    );
    return row.every((at) => Math.abs(shift.data[at] - shift.data[row[0]]) <= most);
  });
}

export interface Harmless {
  /** "0", "2 times dS", "dZ". */
  readonly what: string;
  /** Whether all that comes of it is right; else a part is, and the rest is wrong for another reason. */
  readonly isWhole: boolean;
}

/**
 * The wrong gradients without any effect: all that reverse mode computes from them is given and right (there is one
 * at least), and they are 0, another gradient or one factor of it. dS before the scale is in it; dC of a program
 * that never merges the heads.
 */
export function harmlessGradients(
  graph: Graph,
  right: Right,
  user: (id: NodeId) => Tensor,
  reference: (id: NodeId) => Tensor,
  epsilon: number,
): Map<NodeId, Harmless> {
  const loose = looseFor(epsilon);
  const passesOnRightly = (id: NodeId): boolean => {
    const own = nodeOf(graph, id);
    if (own.kind !== 'operation') return false;
    return own.inputs.every((input) => {
      const state = right.get(`g:${input}`);
      return state === true || (state === undefined && passesOnRightly(input));
    });
  };
  /** Whether what comes of it is right in part, so that the program does not compute that from it as it is logged. */
  const passesOnInPart = (id: NodeId): boolean => {
    const own = nodeOf(graph, id);
    // dM and dZ go to keys and queries by way of dS.
    const [next] = own.kind === 'operation' ? own.inputs : [];
    if (next !== undefined && /^[SZ]$/.test(next) && !right.has(`g:${next}`))
      return passesOnInPart(next);
    if (own.kind !== 'operation' || !/^[SZM]$/.test(id)) return false;
    const seen = own.inputs.map((input) => right.get(`g:${input}`) ?? passesOnRightly(input));
    return seen.includes(true) && own.inputs.some((input, n) => seen[n] && isGiven(input));
  };
  const isGiven = (id: NodeId): boolean => {
    if (right.has(`g:${id}`)) return true;
    const own = nodeOf(graph, id);
    return own.kind === 'operation' && own.inputs.some(isGiven);
  };
  const whatIs = (id: NodeId): string | null => {
    const own = user(id);
    if (own.data.some(Number.isNaN)) return null;
    if (isZero(own)) return '0';
    const ratio = constantRatio(own, reference(id), loose);
    if (ratio !== null) return `${shortNumber(ratio)} times d${id}`;
    const other = otherNode(graph, id, own, reference, loose);
    return other && `d${other}`;
  };
  const wrong = operationNodes(graph).filter(({ id }) => right.get(`g:${id}`) === false);
  return new Map(
    wrong.flatMap(({ id }): [NodeId, Harmless][] => {
      const isWhole = passesOnRightly(id);
      const what = isWhole || passesOnInPart(id) ? whatIs(id) : null;
      return what === null ? [] : [[id, { what, isWhole }]];
    }),
  );
}

/** A factor this near to another is the same, for two scalars in a narrow type. */
const SAME_FACTOR = 0.02;

/**
 * Where the setup gives the upstream gradient, f only serves to have it: a person's loss may be any that does, as long
 * as y is seen to be right. It is wrong if what is passed back is, or all gradients by the same factor.
 */
export function isOtherLoss(
  graph: Graph,
  right: Right,
  user: (key: Key) => Tensor,
  reference: (key: Key) => Tensor,
): boolean {
  const weights = graph.nodes.filter(({ id }) => id.startsWith('W_'));
  const isRight = right.has('v:y')
    ? right.get('v:y')
    : weights.length > 0 && weights.every(({ id }) => right.get(`g:${id}`) === true);
  if (!isRight || right.get('g:y') === false) return false;
  if (right.get('g:y') === true) return true;
  const factor = user('v:f').data[0] / reference('v:f').data[0];
  if (!Number.isFinite(factor)) return false;
  const gradients = [...right].filter(([key]) => key.startsWith('g:') && key !== 'g:f');
  return !gradients.some(([key, is]) => {
    if (is || nodeOf(graph, key.slice(2)).shape.length === 0) return false;
    const own = constantRatio(user(key), reference(key), SAME_FACTOR);
    return own !== null && Math.abs(own / factor - 1) <= SAME_FACTOR;
  });
}
