// The terms behind one entry of a value or of a contribution; computed when looked at, never stored.
import type { Graph, NodeId, OperationNode } from './graph.ts';
import { nodeOf } from './graph.ts';
import { applicationOf, type Contribution, type Run } from './run.ts';
import { indexOf } from './tensor.ts';

/** upstream entry x local Jacobian entry, one per output of the node that passes its gradient on. */
export interface GradientTerm {
  /** Entry of the upstream gradient d`from`. */
  readonly output: readonly number[];
  readonly upstream: number;
  /** d from[output] / d to[entry]. */
  readonly partial: number;
  readonly product: number;
  /** Why the term is zero: `structure`, no dependence at all; `value`, a factor that happens to be 0. */
  readonly zero: 'structure' | 'value' | null;
}

export interface GradientTerms {
  readonly terms: readonly GradientTerm[];
  /** Terms that are zero by structure and were left out, because there are more than `limit`. */
  readonly omitted: number;
  /** The sum of all terms, in order: the contribution's entry. */
  readonly total: number;
}

export function operationOf(graph: Graph, id: NodeId): OperationNode {
  const node = nodeOf(graph, id);
  if (node.kind !== 'operation') throw new RangeError(`${id} is an input, it computes nothing`);
  return node;
}

/**
 * The expansion of one entry of a contribution: sum over all outputs o of d from[o] * (d from[o] / d to[entry]).
 * Terms that are zero because the output does not depend on the entry are listed too, as long as there are no
 * more than `limit` outputs; beyond it they are counted.
 */
export function gradientTerms(
  run: Run,
  { from, slot }: Pick<Contribution, 'from' | 'slot'>,
  entryOffset: number,
  limit = 400,
): GradientTerms {
  const node = operationOf(run.graph, from);
  const at = applicationOf(node, run.values);
  const upstream = run.gradients.get(from)!;
  const reached = node.operation.reach(at, slot, entryOffset);
  const listAll = at.output.data.length <= limit;
  const dependent = new Set(reached);
  const offsets = listAll ? Array.from(at.output.data.keys()) : reached;
  let total = 0;
  const terms = offsets.map((offset): GradientTerm => {
    const output = indexOf(at.output.shape, offset);
    const value = upstream.data[offset];
    if (!dependent.has(offset))
      return { output, upstream: value, partial: 0, product: 0, zero: 'structure' };
    const partial = node.operation.partial(at, slot, offset, entryOffset);
    const product = value * partial;
    total += product;
    return { output, upstream: value, partial, product, zero: product === 0 ? 'value' : null };
  });
  return { terms, omitted: at.output.data.length - terms.length, total };
}

/** One product of operand entries in the sum that makes a value. */
export interface ValueTerm {
  readonly factors: readonly {
    readonly node: NodeId;
    readonly index: readonly number[];
    readonly value: number;
  }[];
  readonly product: number;
}

/** The products that add up to one entry of a node; null where the operation is no sum of products. */
export function valueTerms(run: Run, id: NodeId, entryOffset: number): readonly ValueTerm[] | null {
  const node = nodeOf(run.graph, id);
  if (node.kind === 'input' || !node.operation.summands) return null;
  const at = applicationOf(node, run.values);
  return node.operation.summands(at, entryOffset).map((factors) => {
    const entries = factors.map(({ slot, offset }) => ({
      node: node.inputs[slot],
      index: indexOf(at.inputs[slot].shape, offset),
      value: at.inputs[slot].data[offset],
    }));
    return { factors: entries, product: entries.reduce((total, { value }) => total * value, 1) };
  });
}
