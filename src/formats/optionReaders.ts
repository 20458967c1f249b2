// Readers of the options that hold no tensors of their own and go to the engine as they are.
import { findNodeAtLocation, type Node } from 'jsonc-parser';
import type {
  Block,
  Differential,
  Norm,
  PositionBias,
  QkNorm,
  Temperature,
} from '../engine/config.ts';
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

/** {"kind": "t5", ...}; T5's own largest distance. */
export function positionBias(list: ProblemList): read.Read<PositionBias> {
  const count = read.positiveInteger(list);
  const fields = read.object<Record<string, unknown>>(list, {
    kind: read.oneOf(list, ['learned', 't5', 'swin'] as const),
    bidirectional: read.boolean(list),
    maxDistance: count,
    window: read.list(list, count),
  });
  const allowed = { learned: [], t5: ['bidirectional', 'maxDistance'], swin: ['window'] } as const;
  return (node, path) => {
    const found = fields(node, path);
    if (!found) return undefined;
    const kind = found['kind'] as PositionBias['kind'] | undefined;
    if (kind === undefined) {
      if (!findNodeAtLocation(node, ['kind']))
        list.error(path, 'found no "kind", expected "learned", "t5" or "swin"');
      return undefined;
    }
    for (const key of ['bidirectional', 'maxDistance', 'window'])
      if (findNodeAtLocation(node, [key]) && !(allowed[kind] as readonly string[]).includes(key))
        list.error([...path, key], `found with the kind "${kind}", which has no such number`);
    const window = found['window'] as readonly number[] | undefined;
    if (kind === 'swin' && window?.length !== 2) {
      list.error([...path, 'window'], 'expected the two sides of a window, as in [7, 7]');
      return undefined;
    }
    return {
      ...(kind === 't5' && { bidirectional: true, maxDistance: 128 }),
      ...found,
    } as PositionBias;
  };
}

/** A norm: its kind alone, or {"kind": "rms", "eps": 1e-6}. */
export function norm(list: ProblemList): read.Read<Norm> {
  const fields = withNorm<Norm>(list, read.object<Norm>(list, normFields(list)), {});
  const kind = read.oneOf(list, ['rms', 'layer'] as const);
  return (node, path) => {
    if (node.type === 'object') return fields(node, path);
    const own = kind(node, path);
    return own && { kind: own, eps: USUAL_EPS[own] };
  };
}

export const block = (list: ProblemList): read.Read<Block> =>
  read.object<Block>(list, {
    residual: read.boolean(list),
    preNorm: norm(list),
    outputNorm: norm(list),
    postNorm: norm(list),
  });

/** As in the authors' code, where layers count from 0. */
const lambdaInit = (layer: number): number => 0.8 - 0.6 * Math.exp(-0.3 * layer);
/** Of the authors' norm of each head. */
const PAIR_NORM = { kind: 'rms', eps: 1e-5 } as const;

/** {"layer": 3} or {"lambdaInit": 0.8}; the norm as anywhere, or "none". */
export function differential(list: ProblemList): read.Read<Differential> {
  const usual = norm(list);
  const own = read.object<Differential & { layer: number }>(list, {
    lambdaInit: read.number(list, 'a number below 1', (value) => value < 1),
    layer: read.number(
      list,
      'a layer: 0, 1, ...',
      (value) => value >= 0 && Number.isInteger(value),
    ),
    norm: (node, path) => (node.value === 'none' ? undefined : usual(node, path)),
    pairs: read.oneOf(list, ['adjacent', 'halves'] as const),
  });
  return (node, path) => {
    const found = own(node, path);
    if (!found) return undefined;
    const { layer, lambdaInit: given, pairs } = found;
    if ((layer === undefined) === (given === undefined)) {
      const both = layer === undefined ? 'neither' : 'both';
      list.error(path, `found ${both}, expected "lambdaInit" or the "layer" that tells it`);
      return undefined;
    }
    const isNormed = findNodeAtLocation(node, ['norm'])?.value !== 'none';
    return {
      lambdaInit: given ?? lambdaInit(layer ?? 0),
      ...(isNormed && { norm: found.norm ?? PAIR_NORM }),
      ...(pairs && { pairs }),
    };
  };
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
