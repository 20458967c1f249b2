// Differences of convention, which are no mistakes: -1e9 for -inf, a fully masked row.
import { type AxisLetters } from '../../engine/axes.ts';
import type { Graph, NodeId } from '../../engine/graph.ts';
import { hasNode, nodeOf } from '../../engine/graph.ts';
import type { Tensor } from '../../engine/tensor.ts';
import { roles } from '../edits/edit.ts';
import { blindStarts, fibres } from '../program/operations.ts';
import type { Kind, State } from '../program/program.ts';

export interface Forgiven {
  /** The person's tensor with the forgiven entries as in the reference. */
  readonly tensor: Tensor;
  readonly note: string;
}

/** A logit this far below its row's largest leaves no weight in any number type. */
const NO_WEIGHT = 80;
/** No score of a real program is this low; the fill values of float16 programs are. */
export const FILL = -9e3;

/**
 * What is forgiven in a tensor, or null where there is nothing to forgive. `nanSpreads`: NaN is found in other
 * tensors too, so that one born in a row without a key does harm.
 */
export function forgive(
  graph: Graph,
  reference: State,
  node: NodeId,
  kind: Kind,
  user: Tensor,
  nanSpreads = false,
): Forgiven | null {
  if (kind === 'value' && node === 'M') return hiddenScores(graph, reference, user);
  if (kind === 'value' && (node === 'P' || node === 'Pd'))
    return blindRows(graph, reference, node, user, nanSpreads);
  return null;
}

const keyAxes = (graph: Graph): readonly AxisLetters[] => nodeOf(graph, 'P').axes;

/**
 * -1e9, finfo.min or -1e4 where -inf is meant, also in a mask that hides the wrong keys: a logit that low is hidden.
 * Values less low are taken for -inf only where the reference has it, and where no weight is left.
 */
function hiddenScores(graph: Graph, reference: State, user: Tensor): Forgiven | null {
  const { data } = reference.value('M');
  const { starts, steps } = fibres(keyAxes(graph), ['i'], graph.extents);
  const isHidden = (at: number): boolean => data[at] === -Infinity;
  const isFill = (at: number): boolean =>
    user.data[at] <= FILL && user.data[at] !== -Infinity && (isHidden(at) || data[at] > FILL);
  const largestSeen = (start: number): number => {
    let most = -Infinity;
    for (const step of steps)
      if (!isHidden(start + step)) most = Math.max(most, user.data[start + step]);
    return most;
  };
  // A penalty is low wherever something is hidden; a score may be in a row or two.
  let [low, all] = [0, 0];
  for (const start of starts) {
    const most = largestSeen(start);
    if (most === -Infinity) continue;
    for (const step of steps) {
      if (!isHidden(start + step) || user.data[start + step] === -Infinity) continue;
      all++;
      if (user.data[start + step] <= most - NO_WEIGHT) low++;
    }
  }
  const isPenalty = 2 * low >= all;
  let fill: number | null = null;
  const out = user.data.slice();
  for (const start of starts) {
    const most = largestSeen(start);
    for (const step of steps) {
      const at = start + step;
      const isLow = isHidden(at) && most < Infinity && user.data[at] <= most - NO_WEIGHT;
      if (user.data[at] === -Infinity || !(isFill(at) || (isPenalty && isLow))) continue;
      out[at] = -Infinity;
      fill = user.data[at];
    }
  }
  if (fill === null) return null;
  const note = `hidden scores are ${fill.toPrecision(2)} instead of -inf: a convention, no weight is left there`;
  return { tensor: { shape: user.shape, data: out }, note };
}

/** A query that sees no key: zeros in the reference; NaN and equal weights are usual too. */
function blindRows(
  graph: Graph,
  reference: State,
  node: NodeId,
  user: Tensor,
  nanSpreads: boolean,
): Forgiven | null {
  if (!hasNode(graph, 'M')) return null;
  const own = reference.value(node);
  const rows = fibres(keyAxes(graph), ['i'], graph.extents);
  const { steps } = rows;
  const out = user.data.slice();
  let found = '';
  for (const start of blindStarts(rows, reference.value(roles(graph).logits))) {
    const row = Array.from(steps, (step) => user.data[start + step]);
    if (row.every((value) => value === 0)) continue;
    if (row.every((value) => Number.isNaN(value))) {
      if (nanSpreads) return null;
      found = 'NaN';
    } else if (row.every((value) => Math.abs(value - row[0]) <= 1e-3 * Math.abs(row[0])))
      found = 'equal weights';
    else continue;
    for (const step of steps) out[start + step] = own.data[start + step];
  }
  if (!found) return null;
  return {
    tensor: { shape: user.shape, data: out },
    note: `queries that see no key have ${found} where the reference has zeros: conventions differ`,
  };
}
