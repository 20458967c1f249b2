// Analytic gradients against central differences, node by node.
import type { GraphNode, NodeId } from './graph.ts';
import { operands, type Run } from './run.ts';
import { indexOf, sizeOf, type Tensor } from './tensor.ts';

export interface NodeCheck {
  readonly node: NodeId;
  /** Entries looked at; fewer than `size` where the tensor is large. */
  readonly checked: number;
  readonly size: number;
  readonly maxAbs: number;
  /** maxAbs over the largest entry of the gradient. */
  readonly maxRel: number;
  readonly worstIndex: readonly number[];
  readonly tolerance: number;
  readonly ok: boolean;
}

export interface GradcheckOptions {
  /** Entries per node, spread evenly; by default so many that a large graph is checked in seconds. */
  readonly entries?: number;
  /** Accepted error over the largest entry of the gradient; default 1e-6. */
  readonly tolerance?: number;
}

/** The nodes that a node's value reaches, in the order of computation. */
function dependents({ graph }: Run, id: NodeId): GraphNode[] {
  const reached = new Set([id]);
  return graph.nodes.filter((node) => {
    const reaches = node.kind === 'operation' && node.inputs.some((input) => reached.has(input));
    if (reaches) reached.add(node.id);
    return reaches;
  });
}

/** f with one entry of one node's value moved; only what depends on it is computed again. */
function shifted(
  run: Run,
  node: NodeId,
  later: readonly GraphNode[],
  offset: number,
  by: number,
): number {
  const { shape, data } = run.values.get(node)!;
  const moved = data.slice();
  moved[offset] += by;
  const values = new Map<NodeId, Tensor>(run.values).set(node, { shape, data: moved });
  for (const each of later) {
    if (each.kind === 'operation')
      values.set(each.id, each.operation.forward(operands(each, values)));
  }
  return values.get('f')!.data[0];
}

/**
 * df/dv by central differences at steps h and h/2, extrapolated (Richardson): error O(h^4).
 * The best h balances that against rounding, eps^(1/5) relative to the entry.
 */
function centralDifference(
  run: Run,
  node: NodeId,
  later: readonly GraphNode[],
  offset: number,
): number {
  const entry = run.values.get(node)!.data[offset];
  const h = Number.EPSILON ** 0.2 * Math.max(1, Math.abs(entry));
  const slope = (step: number): number =>
    (shifted(run, node, later, offset, step) - shifted(run, node, later, offset, -step)) /
    (2 * step);
  return (4 * slope(h / 2) - slope(h)) / 3;
}

/** Checks every node but f. Entries that are not finite (masked scores) have no difference and are passed over. */
export function gradcheck(
  run: Run,
  { entries, tolerance = 1e-6 }: GradcheckOptions = {},
): NodeCheck[] {
  const { graph } = run;
  const work = graph.nodes.reduce((total, { shape }) => total + sizeOf(shape), 0);
  const most = entries ?? Math.min(400, Math.max(8, Math.floor(4e6 / work)));
  return graph.nodes
    .filter((node) => node.id !== 'f')
    .map((node) => {
      const value = run.values.get(node.id)!;
      const gradient = run.gradients.get(node.id);
      const size = value.data.length;
      const later = dependents(run, node.id);
      const step = Math.max(1, Math.ceil(size / most));
      let [checked, maxAbs, worst] = [0, 0, 0];
      for (let offset = 0; offset < size; offset += step) {
        if (!Number.isFinite(value.data[offset])) continue;
        checked++;
        const difference = centralDifference(run, node.id, later, offset);
        const error = Math.abs(difference - (gradient?.data[offset] ?? 0));
        if (!(error <= maxAbs)) {
          maxAbs = error;
          worst = offset;
        }
      }
      const largest = gradient?.data.reduce((max, each) => Math.max(max, Math.abs(each)), 0) ?? 0;
      const maxRel = maxAbs === 0 ? 0 : maxAbs / Math.max(largest, Number.MIN_VALUE);
      // Differences of f carry its rounding: a gradient that is 0 is not expected to come out as exactly 0.
      const f = Math.abs(run.values.get('f')!.data[0]);
      const allowed = tolerance * Math.max(largest, f, 1);
      return {
        node: node.id,
        checked,
        size,
        maxAbs,
        maxRel,
        worstIndex: indexOf(value.shape, worst),
        tolerance: allowed,
        ok: maxAbs <= allowed,
      };
    });
}
