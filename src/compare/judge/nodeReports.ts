// What a report says of every node, in causal order.
import type { Graph } from '../../engine/graph.ts';
import type { Tensor } from '../../engine/tensor.ts';
import type { Aligned } from '../align/aligned.ts';
import { causalOrder } from './causalOrder.ts';
import type { Misfits } from '../align/misfitsGiven.ts';
import type { Key, Kind } from '../program/program.ts';
import type { Reference } from '../reference/reference.ts';
import type { NodeReport, Status } from '../report.ts';

export interface Judged {
  readonly aligned: Aligned;
  readonly tensor: Tensor;
  readonly status: Status;
  readonly tolerance: number;
  readonly note: string;
}

export function nodeReports(
  graph: Graph,
  reference: Reference,
  judged: ReadonlyMap<Key, Judged>,
  misfits: Misfits,
): NodeReport[] {
  return causalOrder(graph).map((key): NodeReport => {
    const kind: Kind = key.startsWith('v:') ? 'value' : 'gradient';
    const node = key.slice(2);
    const own = judged.get(key);
    if (!own) return misfits.report(node, kind);
    const { maxAbs, maxRel, worstIndex } = reference.against(key, own.tensor);
    const { status, tolerance, note } = own;
    return { node, kind, status, maxAbs, maxRel, worstIndex, tolerance, note };
  });
}
