// What is added to the scores beside a mask: ALiBi's distances, or a tensor of biases.
import type { Tensor } from '../../../engine/tensor.ts';
import { isLookedUp, isNothing, lookUps } from './biased.ts';
import { gather, type Layout } from '../values/layout.ts';
import { maskLayouts, scoreLayout, type Told } from './scores.ts';
import { normalisedAxes } from './site.ts';
import type { Operand } from '../operands/trace.ts';
import type { Value, Values } from '../values/values.ts';

export interface FoundBias {
  /** Slope of each block of the weights where -slope * distance is added. */
  readonly slopes?: Float64Array;
  /** (block, query, key): what is added, up to a number for each query. */
  readonly added: Tensor;
  /** The recorded tensor that says so, and how it lies there: ([outer], query, key). */
  readonly value?: Value;
  readonly layout?: Layout;
}

/** Operand as (block, token, feature), an outer axis that it lacks repeated. */
export function outerBlocks(
  operand: Operand,
  told: Told,
): { data: Float64Array; tokens: number; width: number } {
  const { shape } = told.site.weights.tensor;
  const outer = told.site.outer.map(
    (axis) => operand.outer.get(axis) ?? { size: shape[axis], stride: 0 },
  );
  const layout: Layout = { offset: 0, axes: [outer, [operand.token], [operand.feature]] };
  const { data } = gather(operand.value.tensor, layout);
  return { data, tokens: operand.token.size, width: operand.feature.size };
}

/** log P - factor * Q K, less its first visible entry in each row; NaN where the weights are nothing. */
function residual(told: Told): Tensor | null {
  const { site } = told;
  if (!normalisedAxes(site.weights).includes(told.keyAxis)) return null;
  return addedTo(told, site.weights.tensor, (weight) =>
    isNothing(weight) ? Number.NaN : Math.log(weight),
  );
}

/** Scores that `read` gives of a tensor of the weights' shape, less factor * Q K, less the row's first visible entry. */
function addedTo(told: Told, tensor: Tensor, read: (value: number) => number): Tensor {
  const { site } = told;
  const [q, k] = [outerBlocks(told.query, told), outerBlocks(told.key, told)];
  const weights = gather(tensor, scoreLayout(told));
  const out = new Float64Array(weights.data.length);
  const count = weights.data.length / (q.tokens * k.tokens);
  for (let block = 0; block < count; block++) {
    for (let j = 0; j < q.tokens; j++) {
      let first: number | undefined;
      for (let i = 0; i < k.tokens; i++) {
        const at = (block * q.tokens + j) * k.tokens + i;
        let dot = 0;
        for (let a = 0; a < q.width; a++)
          dot +=
            q.data[(block * q.tokens + j) * q.width + a] *
            k.data[(block * k.tokens + i) * k.width + a];
        const by = site.product.factor * (told.factors?.[block * q.tokens + j] ?? 1);
        const value = read(weights.data[at]) - by * dot;
        if (first === undefined && !Number.isNaN(value)) first = value;
        out[at] = value - (first ?? 0);
      }
    }
  }
  return { shape: [count, q.tokens, k.tokens], data: out };
}

const TOLERANCE = 50;
/** Scores beyond are hidden. */
const LARGE = 1e4;

const allowedBeside = ({ site }: Told): number => TOLERANCE * Math.max(site.scores.eps, 1e-9) * 10;

const isNone = ({ data }: Tensor, allowed: number): boolean =>
  data.every((value) => Number.isNaN(value) || Math.abs(value) <= allowed);

/** Whether the weights are not those of the scores alone, or tell nothing of it. */
export function mayBeBiased(told: Told): boolean {
  const added = residual(told);
  return !added || !isNone(added, allowedBeside(told));
}

/** What is added to the scores; null where nothing is, or where nothing recorded says the same. */
export function findBias(values: Values, told: Told, past: number): FoundBias | null {
  const { site } = told;
  if (site.cap !== undefined) return null;
  const allowed = allowedBeside(told);
  const added = residual(told);
  if (!added) return distancesBefore(values, told, past, allowed);
  if (isNone(added, allowed)) return null;
  const slopes = slopesOf(added, past, allowed);
  return slopes ? { added, slopes } : recordedBias(values, told, added, allowed);
}

/** ALiBi's slopes where the weights do not show them, but scores that were recorded before do. */
function distancesBefore(
  values: Values,
  told: Told,
  past: number,
  allowed: number,
): FoundBias | null {
  const { site } = told;
  const { shape } = site.weights.tensor;
  for (const value of values.all) {
    const { tensor, kind, isVirtual, time } = value;
    const isBefore =
      kind === 'float' &&
      !isVirtual &&
      time < site.weights.time &&
      tensor.shape.join() === shape.join();
    if (!isBefore || !values.descends(site.weights, value)) continue;
    const added = addedTo(told, tensor, (score) => (Math.abs(score) < LARGE ? score : Number.NaN));
    const slopes = isNone(added, allowed) ? null : slopesOf(added, past, allowed);
    if (slopes?.every((slope) => slope > 0)) return { added, slopes };
  }
  return null;
}

/**
 * Whether something is added to the scores that no recorded tensor tells. What is the same for all queries is no
 * bias but a maximum that was subtracted along the wrong axis.
 */
export function hasUnknownBias(told: Told): boolean {
  if (told.site.cap !== undefined || told.site.how !== 'crossed') return false;
  const added = residual(told);
  if (!added) return false;
  const [, queries, keys] = added.shape;
  const allowed = 2 * TOLERANCE * Math.max(told.site.scores.eps, 1e-9) * 10;
  const size = queries * keys;
  return added.data.some((value, at) => {
    const first = at - (at % size);
    const column = at % keys;
    // Rows begin at their first visible key: two entries of a row against the same two of another row.
    for (let j = 0; j < queries; j++) {
      const other = added.data[first + j * keys + column] - added.data[first + j * keys];
      const own = value - added.data[at - column];
      if (Math.abs(own - other) > allowed) return true;
    }
    return false;
  });
}

/** The recorded tensor that is added, read as scores. */
function recordedBias(
  values: Values,
  told: Told,
  added: Tensor,
  allowed: number,
): FoundBias | null {
  const [, , keys] = added.shape;
  lookUps(values, told.site.weights);
  for (const value of values.all) {
    if (
      value.kind !== 'float' ||
      (value.isVirtual && !isLookedUp(value)) ||
      new Set(value.tensor.data).size < 3
    )
      continue;
    for (const layout of maskLayouts(value.tensor, told)) {
      const { data } = gather(value.tensor, layout);
      const isSame =
        data.length === added.data.length &&
        data.every((each, at) => {
          const row = at - (at % keys);
          const first = added.data
            .subarray(row, row + keys)
            .findIndex((other) => !Number.isNaN(other));
          return (
            Number.isNaN(added.data[at]) ||
            Math.abs(added.data[at] - (each - data[row + first])) <= allowed
          );
        });
      if (isSame) return { added: { shape: added.shape, data }, value, layout };
    }
  }
  return null;
}

/** The slope of every block; null where its entries are no multiple of the distance. */
function slopesOf({ shape, data }: Tensor, past: number, allowed: number): Float64Array | null {
  const [count, queries, keys] = shape;
  const slopes = new Float64Array(count);
  for (let block = 0; block < count; block++) {
    let slope: number | undefined;
    for (const pass of ['fit', 'test']) {
      for (let j = 0; j < queries; j++) {
        const row = (block * queries + j) * keys;
        const first = Array.from({ length: keys }, (_, i) => i).find(
          (i) => !Number.isNaN(data[row + i]),
        );
        if (first === undefined) continue;
        for (let i = first + 1; i < keys; i++) {
          if (Number.isNaN(data[row + i])) continue;
          const distance = Math.abs(past + j - i) - Math.abs(past + j - first);
          if (pass === 'fit' && distance !== 0) slope ??= -data[row + i] / distance;
          if (pass === 'test' && Math.abs(data[row + i] + (slope ?? 0) * distance) > allowed * 4)
            return null;
        }
      }
    }
    slopes[block] = slope ?? 0;
  }
  return slopes;
}

/** The slopes by head alone, of blocks that are (batch, heads); null where batches differ. */
export function byHead(slopes: Float64Array, heads: number): Float64Array | null {
  const own = slopes.slice(0, heads);
  return slopes.every((slope, n) => Math.abs(slope - own[n % heads]) < 1e-6) ? own : null;
}
