// What a person's forward is given: the setup's entries by their own names, defaults filled in.
import { axisLength } from '../engine/axes.ts';
import type { HeadConfig, Mask } from '../engine/config.ts';
import type { Graph } from '../engine/graph.ts';
import { sizeOf, type Tensor } from '../engine/tensor.ts';
import type { Flags, Inputs } from './messages.ts';

/** Tensors in all; nested arrays of more take gigabytes. */
const MOST_ENTRIES = 2 ** 23;

/**
 * Tensors stay tensors here; the runner makes nested arrays of them. In self-attention xPrime is x. Weights are
 * (in, out) and stand beside x. Throws RangeError where it is too much for nested arrays.
 */
export function inputsOf(
  { head, weights, x, xPrime, ...config }: HeadConfig,
  graph: Graph,
): Inputs {
  const { heads, kvHeads, axes, loss: _loss, mask, scale: _scale, ...rest } = config;
  const inputs = {
    ...{ head, x, xPrime: xPrime ?? x, ...weights, heads, kvHeads, axes },
    ...{ scale: scaleOf(config.scale, head, graph), ...maskOf(mask), ...rest },
  };
  const given = Object.fromEntries(
    Object.entries(inputs).filter(([, value]) => value !== undefined),
  );
  const total = entriesOf(given);
  if (total > MOST_ENTRIES)
    throw new RangeError(`found inputs of ${total} entries, expected at most ${MOST_ENTRIES}`);
  return given;
}

/** The number that the scores are multiplied by. */
function scaleOf(scale: HeadConfig['scale'], head: HeadConfig['head'], { extents }: Graph): number {
  if (typeof scale === 'number') return scale;
  if (scale === undefined && head === 'kq') return 1;
  return 1 / Math.sqrt(axisLength(['a'], extents));
}

/** A mask that tells who attends is booleans, one that is added numbers; "none" and "causal" are words. */
function maskOf(mask: Mask): Inputs {
  if (typeof mask === 'string') return { mask };
  const { tensor, meaning } = mask;
  if (meaning === 'add') return { mask: tensor, maskMeaning: meaning };
  const flags: Flags = { dtype: 'bool', ...tensor };
  return { mask: flags, maskMeaning: meaning };
}

export const isTensor = (value: unknown): value is Tensor =>
  typeof value === 'object' && value !== null && 'shape' in value && 'data' in value;

function entriesOf(value: unknown): number {
  if (isTensor(value)) return sizeOf(value.shape);
  if (typeof value !== 'object' || value === null) return 0;
  return Object.values(value).reduce((total: number, each) => total + entriesOf(each), 0);
}
