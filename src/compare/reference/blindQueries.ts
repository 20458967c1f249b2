// What other programs do for a query that sees no key: conventions, for which the reference stands in another graph.
import { hasNode, nodeOf, type Graph, type OperationNode } from '../../engine/graph.ts';
import type { Operation } from '../../engine/operation.ts';
import { softmax } from '../../engine/ops/softmax.ts';
import { type Tensor, zeros } from '../../engine/tensor.ts';
import { roles } from '../edits/edit.ts';
import { blindStarts, fibres } from '../program/operations.ts';

export interface BlindConvention {
  readonly graph: Graph;
  readonly note: string;
}

const NOTE = 'queries that see no key';

/** The usual ones beside zeros, which is the reference's; none where every query sees a key. `logits`: the reference's. */
export function blindConventions(graph: Graph, logits: Tensor): BlindConvention[] {
  if (!hasNode(graph, 'M') || roles(graph).logits !== 'M') return [];
  const P = nodeOf(graph, 'P') as OperationNode;
  // With a sink beside them the weights of such a query are 0 everywhere.
  if (P.operation.name !== 'softmax') return [];
  const M = nodeOf(graph, 'M') as OperationNode;
  const rows = fibres(P.axes, ['i'], graph.extents);
  const { steps } = rows;
  const entries = [...blindStarts(rows, logits)].flatMap((start) =>
    Array.from(steps, (step) => start + step),
  );
  if (entries.length === 0) return [];
  const rowSoftmax = softmax(P.axes, 'i', graph.extents);
  /** Copies the blind rows of one tensor into another. */
  const graft = (from: Tensor, to: Tensor): void => {
    for (const at of entries) to.data[at] = from.data[at];
  };
  const equal: Operation = {
    ...P.operation,
    forward(inputs) {
      const out = P.operation.forward(inputs);
      for (const at of entries) out.data[at] = 1 / steps.length;
      return out;
    },
  };
  const passing: Operation = {
    ...M.operation,
    vjp(application, upstream) {
      const [own, ...others] = M.operation.vjp(application, upstream);
      graft(upstream, own);
      return [own, ...others];
    },
  };
  const unmasked: Operation = {
    ...P.operation,
    forward([own, before]) {
      const out = P.operation.forward([own]);
      graft(rowSoftmax.forward([before]), out);
      return out;
    },
    vjp({ inputs: [own], output }, upstream) {
      const full = rowSoftmax.vjp({ inputs: [own], output }, upstream)[0];
      const before = zeros(full.shape);
      graft(full, before);
      for (const at of entries) full.data[at] = 0;
      return [full, before];
    },
  };
  const replaced = (...own: readonly OperationNode[]): Graph => ({
    ...graph,
    nodes: graph.nodes.map((node) => own.find(({ id }) => id === node.id) ?? node),
  });
  const equalNode = { ...P, operation: equal };
  return [
    { graph: replaced(equalNode), note: `${NOTE} attend to all keys equally` },
    {
      graph: replaced(equalNode, { ...M, operation: passing }),
      note: `${NOTE} attend to all keys equally, and pass their gradient on`,
    },
    // With a learned sink such a query has all its weight there.
    ...(P.inputs.length > 1
      ? []
      : [
          {
            graph: replaced({ ...P, operation: unmasked, inputs: ['M', M.inputs[0]] }),
            note: `${NOTE} attend as if nothing were hidden`,
          },
        ]),
  ].map(({ graph: own, note }) => ({ graph: own, note: `${note}: conventions differ` }));
}
