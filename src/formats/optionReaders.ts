// Readers of the options that hold no tensors of their own and go to the engine as they are.
import { findNodeAtLocation, type Node } from 'jsonc-parser';
import type { Norm, QkNorm, Temperature } from '../engine/config.ts';
import type { ProblemList } from './setupProblems.ts';
import * as read from './setupReader.ts';
import type { Path } from './setupTypes.ts';

/** As PyTorch's LayerNorm and Qwen's and Llama's RMS norm. */
const USUAL_EPS = { rms: 1e-6, layer: 1e-5 } as const;

const normFields = (list: ProblemList) => ({
  kind: read.oneOf(list, ['rms', 'layer'] as const),
  eps: read.number(list, 'a number from 0', (value) => value >= 0),
  unitOffset: read.boolean(list),
});

/** {"kind": "rms", ...}, its `eps` settled. */
function withNorm<T extends Norm>(
  list: ProblemList,
  fields: read.Read<Partial<T>>,
  rest: Omit<T, keyof Norm>,
): read.Read<T> {
  return (node, path) => {
    const found = fields(node, path);
    if (!found) return undefined;
    if (!findNodeAtLocation(node, ['kind'])) {
      list.error(path, 'found no "kind", expected "rms" or "layer"');
      return undefined;
    }
    const { kind = 'rms' } = found;
    return { eps: USUAL_EPS[kind], ...rest, ...found, kind } as T;
  };
}

export function qkNorm(list: ProblemList): read.Read<QkNorm> {
  const fields = read.object<QkNorm>(list, {
    ...normFields(list),
    over: read.oneOf(list, ['head', 'all'] as const),
    place: read.oneOf(list, ['before-rope', 'after-rope'] as const),
  });
  return withNorm<QkNorm>(list, fields, { over: 'head', place: 'before-rope' });
}

/** {"logN": 512}, {"floor": 8192, "scale": 0.1}, or null: it is a tensor. */
export function temperature(
  list: ProblemList,
): (node: Node, path: Path) => Temperature | null | undefined {
  const above = read.number(list, 'a number above 1', (value) => value > 1);
  const fields = read.object<{ logN: number; floor: number; scale: number }>(list, {
    logN: above,
    floor: read.positiveInteger(list),
    scale: read.number(list, 'a number'),
  });
  return (node, path) => {
    const has = (key: string): boolean => findNodeAtLocation(node, [key]) !== undefined;
    if (node.type !== 'object' || !['logN', 'floor', 'scale'].some(has)) return null;
    const found = fields(node, path);
    if (!found) return undefined;
    const { logN, floor, scale } = found;
    if (has('logN') && !has('floor') && !has('scale'))
      return logN === undefined ? undefined : { logN };
    if (!has('logN') && has('floor') && has('scale'))
      return floor === undefined || scale === undefined ? undefined : { floor, scale };
    list.error(path, 'found other keys, expected {"logN": 512} or {"floor": 8192, "scale": 0.1}');
    return undefined;
  };
}
