// What a program does to projections before they meet: a multiple, a norm, a rotation by position.
import type { QkNorm } from '../../../engine/config.ts';
import { type FoundNorm, normsOf } from './norms.ts';
import { type Rope, ropeOf } from './rope.ts';
import { multiple, type Rows, rowsOf } from '../values/rows.ts';
import type { Operand } from './trace.ts';
import type { Values } from '../values/values.ts';

export interface Steps {
  readonly factor: number;
  readonly rope: Rope | null;
  /** Of queries: a factor of each token. */
  readonly factors?: Float64Array;
  readonly norm: (FoundNorm & { readonly place: QkNorm['place'] }) | null;
}

const plainSteps: Steps = { factor: 1, rope: null, norm: null };

/** The steps from an operand to what was made of it; `heads` are its outer axes of heads. Null where they are others. */
export function stepsBetween(
  values: Values,
  operand: Operand,
  from: Operand,
  heads: readonly number[],
): Steps | null {
  if (operand === from) return plainSteps;
  const [result, plain] = [rowsOf(operand), rowsOf(from)];
  if (result.data.length !== plain.data.length || result.width !== plain.width) return null;
  const direct = turnedOrScaled(values, result, plain);
  if (direct) return { ...direct, norm: null };
  const isHead = Array.from(operand.outer.keys(), (axis) => heads.includes(axis));
  for (const { norm, rows } of normsOf(values, plain, isHead, result)) {
    const steps = turnedOrScaled(values, result, rows);
    if (steps) return { ...steps, norm: { ...norm, place: 'before-rope' } };
  }
  const factors = tokenFactors(result, plain);
  if (factors) return { ...plainSteps, factors };
  return normedAfter(values, result, plain, isHead);
}

/** The factor of each token, the same in all blocks and features, where they differ; null where there is none. */
function tokenFactors(result: Rows, plain: Rows): Float64Array | null {
  const { data, tokens, width } = plain;
  const factors = new Float64Array(tokens).fill(Number.NaN);
  const size = data.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const eps = Math.max(result.eps, plain.eps);
  const most = new Float64Array(tokens);
  data.forEach((value, n) => {
    const j = Math.floor(n / width) % tokens;
    if (Math.abs(value) <= most[j]) return;
    most[j] = Math.abs(value);
    factors[j] = result.data[n] / value;
  });
  for (let n = 0; n < data.length; n++) {
    const factor = factors[Math.floor(n / width) % tokens];
    if (!(Math.abs(result.data[n] - factor * data[n]) <= 20 * eps * size * Math.abs(factor)))
      return null;
  }
  // What grows with the context, not the lengths of rows.
  const isGrowing = factors.every(
    (factor, j) => factor > 0 && (j === 0 || factor >= factors[j - 1] * (1 - eps)),
  );
  return isGrowing ? factors : null;
}

function turnedOrScaled(
  values: Values,
  result: Rows,
  plain: Rows,
): Pick<Steps, 'factor' | 'rope'> | null {
  const factor = multiple(result, plain);
  if (factor !== null) return { factor, rope: null };
  const rope = ropeOf(values, result, plain);
  return rope && { factor: 1, rope };
}

/** Turned, then normed: a rotation leaves the root mean square. */
function normedAfter(
  values: Values,
  result: Rows,
  plain: Rows,
  isHead: readonly boolean[],
): Steps | null {
  for (const { norm, factors } of normsOf(values, plain, isHead, result, 'any')) {
    if (norm.kind !== 'rms' || norm.gain === null) continue;
    const rows = { ...result, data: result.data.map((value, n) => value / factors[n]) };
    const rope = ropeOf(values, rows, plain);
    if (rope) return { factor: 1, rope, norm: { ...norm, place: 'after-rope' } };
  }
  return null;
}
