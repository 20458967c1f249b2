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
  /** Accepted error at the worst entry. */
  readonly tolerance: number;
  readonly ok: boolean;
}

export interface GradcheckOptions {
  /** Entries per node, spread evenly; by default so many that a large graph is checked in seconds. */
  readonly entries?: number;
  /** Accepted error over the largest entry of the gradient, beside what rounding explains; default 1e-6. */
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

/** The best step balances the error O(h^4) of the difference against rounding. */
const STEP = Number.EPSILON ** 0.2;
const SMALLEST_STEP = 1e-9;

interface Difference {
  readonly slope: number;
  readonly step: number;
  /** How far the differences at the step and at half of it are apart. */
  readonly spread: number;
}

/** df/dv by central differences at h and h/2, extrapolated (Richardson), for smaller and smaller steps h. */
function* centralDifferences(
  run: Run,
  node: NodeId,
  later: readonly GraphNode[],
  offset: number,
): Generator<Difference> {
  const entry = run.values.get(node)!.data[offset];
  const slope = (step: number): number =>
    (shifted(run, node, later, offset, step) - shifted(run, node, later, offset, -step)) /
    (2 * step);
  for (let step = STEP * Math.max(1, Math.abs(entry)); step > SMALLEST_STEP; step /= 8) {
    const [coarse, fine] = [slope(step), slope(step / 2)];
    yield { slope: (4 * fine - coarse) / 3, step, spread: Math.abs(fine - coarse) };
  }
}

/**
 * The error of one entry. Where the first difference does not agree, smaller steps are tried as well (f may bend
 * sharply within the first) and the one whose two differences agree best is believed.
 */
function errorOf(
  run: Run,
  node: NodeId,
  later: readonly GraphNode[],
  offset: number,
  accepts: (error: number, step: number) => boolean,
): { error: number; step: number } {
  const gradient = run.gradients.get(node)!.data[offset];
  const result = ({ slope, step }: Difference) => ({ error: Math.abs(slope - gradient), step });
  let best: Difference | undefined;
  for (const difference of centralDifferences(run, node, later, offset)) {
    if (!best) {
      const first = result(difference);
      if (accepts(first.error, first.step) || Number.isNaN(gradient)) return first;
    }
    if (!best || difference.spread < best.spread) best = difference;
  }
  return result(best!);
}

/**
 * What f moves by when every node is rounded, to first order: eps times the sum of |N dN| over all nodes N.
 * A difference at step h carries that over h.
 */
function roundingOf({ graph, values, gradients }: Run): number {
  let total = 0;
  for (const { id } of graph.nodes) {
    const [value, gradient] = [values.get(id)!.data, gradients.get(id)!.data];
    for (let at = 0; at < value.length; at++) {
      const effect = Math.abs(value[at] * gradient[at]);
      if (Number.isFinite(effect)) total += effect;
    }
  }
  return Number.EPSILON * total;
}

/** Roundings within one node add up, too. */
const ROUNDINGS = 16;

const GOLDEN = (Math.sqrt(5) - 1) / 2;

/** At most `most` of `size` offsets; multiples of the golden ratio, unlike a fixed step, fall into every column. */
function sample(size: number, most: number): number[] {
  if (size <= most) return Array.from({ length: size }, (_, n) => n);
  const offsets = Array.from({ length: most }, (_, n) => Math.floor(((n * GOLDEN) % 1) * size));
  return [...new Set(offsets)];
}

const largestOf = ({ data }: Tensor): number =>
  data.reduce((max, value) => (Math.abs(value) > max ? Math.abs(value) : max), 0);

/** Checks every node but f. Entries that are not finite (masked scores) have no difference and are passed over. */
export function gradcheck(
  run: Run,
  { entries, tolerance = 1e-6 }: GradcheckOptions = {},
): NodeCheck[] {
  const { graph } = run;
  const work = graph.nodes.reduce((total, { shape }) => total + sizeOf(shape), 0);
  const most = entries ?? Math.min(400, Math.max(8, Math.floor(4e6 / work)));
  const rounding = ROUNDINGS * roundingOf(run);
  return graph.nodes
    .filter((node) => node.id !== 'f')
    .map(({ id, shape }): NodeCheck => {
      const { data } = run.values.get(id)!;
      const later = dependents(run, id);
      const largest = largestOf(run.gradients.get(id)!);
      const allowed = (step: number): number => tolerance * largest + rounding / step;
      const accepts = (error: number, step: number): boolean => error <= allowed(step);
      let [checked, maxAbs, worst, accepted, ok] = [0, 0, 0, allowed(STEP), true];
      for (const offset of sample(data.length, most)) {
        if (!Number.isFinite(data[offset])) continue;
        checked++;
        const { error, step } = errorOf(run, id, later, offset, accepts);
        ok &&= accepts(error, step);
        // The first NaN stays the worst.
        if (Number.isNaN(maxAbs) || error <= maxAbs) continue;
        [maxAbs, worst, accepted] = [error, offset, allowed(step)];
      }
      return {
        node: id,
        checked,
        size: data.length,
        maxAbs,
        maxRel: maxAbs === 0 ? 0 : maxAbs / Math.max(largest, Number.MIN_VALUE),
        worstIndex: indexOf(shape, worst),
        tolerance: accepted,
        ok,
      };
    });
}
