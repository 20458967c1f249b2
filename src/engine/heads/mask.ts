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
import { formatShape, strides, type Tensor, zeros } from '../tensor.ts';

interface Layout {
  /** Axes of the scores, keys i and queries j last. */
  readonly axes: readonly AxisLetters[];
  readonly extents: Extents;
  /** Letters of the query heads. */
  readonly heads: AxisLetters;
  /** Earlier tokens before the first new one. */
  readonly past: number;
  /** Keys at the end that are no tokens: no mask hides them. */
  readonly nulls: number;
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
function queryPosition(config: HeadConfig, j: number, { extents, past, nulls }: Layout): number {
  return config.mask === 'causal-bottom-right' ? extents['i'] - nulls - extents['j'] + j : past + j;
}

/** The mask to add to the scores, −∞ where a query may not see a key; null where nothing is masked. */
export function additiveMask(config: HeadConfig, layout: Layout): Tensor | null {
  const { mask, window, alibi } = config;
  if (mask === 'none' && window === undefined && alibi === undefined) return null;
  const { axes, extents, heads } = layout;
  const tokens = extents['i'] - layout.nulls;
  // A mask that is given knows of tokens only, as in PyTorch's MultiheadAttention.
  const ofTokens = { ...layout, extents: { ...extents, i: tokens } };
  const given = typeof mask === 'object' ? broadcast('mask', mask.tensor, ofTokens) : null;
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
  const outer = axes.flat().filter((letter) => letter !== 'i' && letter !== 'j');
  const [own, real] = [layout, ofTokens].map(({ extents: lengths }) => {
    const stride = letterStrides(axes, lengths);
    const [i, j] = [stride.get('i') ?? 0, stride.get('j') ?? 0];
    return { i, j, starts: offsetTable(outer, stride, lengths) };
  });
  own.starts.forEach((start, block) => {
    const slope = slopes?.[block % headCount] ?? 0;
    for (let j = 0; j < extents['j']; j++) {
      const position = queryPosition(config, j, layout);
      for (let i = 0; i < tokens; i++) {
        const at = start + i * own.i + j * own.j;
        const distance = position - i;
        const beyond = window !== undefined && Math.abs(distance) >= window;
        const value = given?.data[real.starts[block] + i * real.i + j * real.j] ?? 0;
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
