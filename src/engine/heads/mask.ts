// One additive mask from all that hides keys: causal, sliding window, ALiBi and a mask that is given.
import {
  axisLength,
  type AxisLetters,
  type Extents,
  letterStrides,
  offsetTable,
  shapeOf,
} from '../axes.ts';
import { ConfigError, type HeadConfig } from '../config.ts';
import type { Band } from '../ops/masking.ts';
import { formatShape, strides, type Tensor, zeros } from '../tensor.ts';

interface Layout {
  /** Axes of the scores, keys i and queries j last. */
  readonly axes: readonly AxisLetters[];
  readonly extents: Extents;
  /** Letters of the query heads. */
  readonly heads: AxisLetters;
  /** Earlier tokens before the first new one. */
  readonly past: number;
}

/** Repeats a given tensor of up to four dimensions along the score axes it lacks or has with length 1. */
export function broadcast(entry: string, given: Tensor, { axes, extents, heads }: Layout): Tensor {
  const shape = shapeOf(axes, extents);
  const named = axes.map((axis, n) => `${axis.join('')} = ${shape[n]}`).join(', ');
  const refuse = (): never => {
    throw new ConfigError(
      entry,
      `found shape ${formatShape(given.shape)}, expected it to broadcast to (${named})`,
    );
  };
  if (given.shape.length < 2 || given.shape.length > 4) refuse();
  const [from, to] = shape.slice(-2);
  const batch = extents['b'] ?? 1;
  const headCount = axisLength(heads, extents);
  const full = [batch, headCount, from, to];
  const own = [...Array.from({ length: 4 - given.shape.length }, () => 1), ...given.shape];
  // Scores without a head axis: what stands before their two axes is the batch.
  if (heads.length === 0 && given.shape.length === 3) own.splice(0, 2, given.shape[0], 1);
  if (own.some((length, n) => length !== 1 && length !== full[n])) refuse();
  const out = zeros(shape);
  // Along an axis of length 1 the same entries are met again.
  const [perBatch, perHead, perRow, perEntry] = strides(own).map((step, n) =>
    own[n] === 1 ? 0 : step,
  );
  let at = 0;
  for (let b = 0; b < batch; b++) {
    for (let h = 0; h < headCount; h++) {
      for (let u = 0; u < from; u++) {
        const start = b * perBatch + h * perHead + u * perRow;
        for (let w = 0; w < to; w++) out.data[at++] = given.data[start + w * perEntry];
      }
    }
  }
  return out;
}

/**
 * 2^(−8 (h + 1) / H) for H heads, a power of two; else those of the power below, then every other one of the power
 * above (Press et al. 2022, ALiBi, the authors' `get_slopes`).
 */
export function alibiSlopes(count: number): Float64Array {
  const power = 2 ** Math.floor(Math.log2(count));
  return Float64Array.from({ length: count }, (_, h) =>
    h < power ? 2 ** ((-8 * (h + 1)) / power) : 2 ** ((-4 * (2 * (h - power) + 1)) / power),
  );
}

/** A query's position among the keys; keys stand at 0, 1, ... */
function queryPosition(config: HeadConfig, j: number, { extents, past }: Layout): number {
  return config.mask === 'causal-bottom-right' ? extents['i'] - extents['j'] + j : past + j;
}

/** The mask to add to the scores, −∞ where a query may not see a key; null where nothing is masked. */
export function additiveMask(config: HeadConfig, layout: Layout): Tensor | null {
  const { mask, window, alibi } = config;
  if (mask === 'none' && window === undefined && alibi === undefined) return null;
  const { axes, extents, heads } = layout;
  const given = typeof mask === 'object' ? broadcast('mask', mask.tensor, layout) : null;
  const meaning = typeof mask === 'object' ? mask.meaning : 'add';
  const causal = mask === 'causal' || mask === 'causal-bottom-right';
  const headCount = axisLength(heads, extents);
  const slopes = alibi === true ? alibiSlopes(headCount) : alibi?.data;
  if (typeof alibi === 'object' && (alibi.shape.length !== 1 || alibi.shape[0] !== headCount)) {
    throw new ConfigError(
      'alibi',
      `found shape ${formatShape(alibi.shape)}, expected one slope per head (${headCount})`,
    );
  }

  const out = zeros(shapeOf(axes, extents));
  const letters = [...axes.flat()];
  const stride = letterStrides(axes, extents);
  const outer = offsetTable(
    letters.filter((letter) => letter !== 'i' && letter !== 'j'),
    stride,
    extents,
  );
  const [strideI, strideJ] = [stride.get('i') ?? 0, stride.get('j') ?? 0];
  outer.forEach((base, block) => {
    const slope = slopes?.[block % headCount] ?? 0;
    for (let j = 0; j < extents['j']; j++) {
      const position = queryPosition(config, j, layout);
      for (let i = 0; i < extents['i']; i++) {
        const at = base + i * strideI + j * strideJ;
        const distance = position - i;
        const beyond = window !== undefined && Math.abs(distance) >= window;
        const value = given?.data[at] ?? 0;
        const hidden =
          (causal && distance < 0) ||
          beyond ||
          (meaning === 'attend' && given !== null && value === 0) ||
          (meaning === 'ignore' && value !== 0);
        out.data[at] = hidden
          ? -Infinity
          : (meaning === 'add' ? value : 0) - slope * Math.abs(distance);
      }
    }
  });
  return out;
}

/** The mask as a rule where it is one: causal masks and windows, alone or together. */
export function maskOf(config: HeadConfig, layout: Layout): Tensor | Band | null {
  const { mask, window = Infinity, alibi } = config;
  if (typeof mask === 'object' || alibi !== undefined) return additiveMask(config, layout);
  if (mask === 'none' && window === Infinity) return null;
  const { axes, extents } = layout;
  // A key i is seen from a query at position j + first where 0 <= j + first - i, and where that is within the window.
  const first = queryPosition(config, 0, layout);
  const [behind, ahead] = [window - 1, mask === 'none' ? window - 1 : Math.min(0, window - 1)];
  const isKeyFirst = axes[axes.length - 1][0] === 'j';
  const [low, high] = isKeyFirst
    ? [-first - ahead, behind - first]
    : [first - behind, first + ahead];
  return { shape: shapeOf(axes, extents), low, high };
}
