// The numbers on the way to a softmax's or f's result, as a table around the selected entry.
import type { Binding } from '../engine/axes.ts';
import { nodeOf, type NodeId } from '../engine/graph.ts';
import { applicationOf, type Run } from '../engine/run.ts';
import { operationOf } from '../engine/terms.ts';
import { indexOf } from '../engine/tensor.ts';
import { entryOffset, entryText } from './entry.ts';
import type { WorkedView } from './stepView.ts';

const MOST_ROWS = 64;

/** Null for an operation that has none. */
export function workedView(run: Run, id: NodeId, selection: Binding): WorkedView | null {
  const node = operationOf(run.graph, id);
  const at = applicationOf(node, run.values);
  const worked = node.operation.worked?.(at, entryOffset(run, node, selection));
  if (!worked) return null;
  const [operand] = node.inputs;
  const chosen = entryOffset(run, nodeOf(run.graph, operand), selection);
  const place = worked.rows.findIndex(({ offset }) => offset === chosen);
  const from = Math.max(0, Math.min(place - MOST_ROWS / 2, worked.rows.length - MOST_ROWS));
  const rows = worked.rows.slice(from, from + MOST_ROWS);
  return {
    columns: [operand, ...worked.columns],
    rows: rows.map(({ offset, value, numbers }) => ({
      label: entryText(operand, indexOf(at.inputs[0].shape, offset)),
      numbers: [value, ...numbers],
      chosen: offset === chosen,
    })),
    omitted: worked.rows.length - rows.length,
    summary: worked.summary,
  };
}
