// Whether queries or keys are another recorded tensor turned by their position, and by what angles.
import { gather } from './layout.ts';
import type { Operand } from './trace.ts';

export interface Rope {
  readonly base: number;
  readonly pairing: 'half' | 'interleaved';
  /** Angle of the first token's first pair: where positions begin. */
  readonly start: number;
}

const read = (operand: Operand): { data: Float64Array; tokens: number; width: number } => ({
  data: gather(operand.value.tensor, {
    offset: 0,
    axes: [[...operand.outer.values()], [operand.token], [operand.feature]],
  }).data,
  tokens: operand.token.size,
  width: operand.feature.size,
});

/** The angle by which pair (u, w) of one row is turned; null where its length changes. */
function turnOf(
  turned: Float64Array,
  plain: Float64Array,
  u: number,
  w: number,
  eps: number,
): number | null {
  const [a, b, c, d] = [plain[u], plain[w], turned[u], turned[w]];
  const [before, after] = [Math.hypot(a, b), Math.hypot(c, d)];
  if (Math.abs(before - after) > 50 * eps * before + 1e-12) return null;
  return Math.atan2(a * d - b * c, a * c + b * d);
}

/** `turned` as the rotary embedding of `plain`; null where it is none. */
export function ropeOf(turned: Operand, plain: Operand): Rope | null {
  const [a, b] = [read(turned), read(plain)];
  if (a.data.length !== b.data.length || a.width % 2 !== 0 || a.tokens < 2) return null;
  const eps = Math.max(turned.value.eps, plain.value.eps);
  const half = a.width / 2;
  for (const pairing of ['half', 'interleaved'] as const) {
    const pair = (t: number): [number, number] =>
      pairing === 'half' ? [t, t + half] : [2 * t, 2 * t + 1];
    const angles = Array.from({ length: a.tokens }, (_, j) =>
      Array.from({ length: half }, (__, t) => {
        const at = j * a.width;
        const [u, w] = pair(t);
        return turnOf(a.data, b.data, at + u, at + w, eps);
      }),
    );
    if (angles.some((row) => row.includes(null))) continue;
    const found = fitted(angles as number[][], a.width, eps);
    if (found) return { ...found, pairing };
  }
  return null;
}

/** Angles (start + position) * base^(-2 t / width), modulo a turn. */
function fitted(
  angles: readonly (readonly number[])[],
  width: number,
  eps: number,
): { base: number; start: number } | null {
  const [first, second] = angles;
  const steps = first.map((angle, t) => wrap(second[t] - angle));
  // The first pair turns by one radian per position.
  if (Math.abs(steps[0] - 1) > 0.01) return null;
  const start = first[0];
  if (width === 2) return { base: 10000, start };
  if (!(steps[1] > 0)) return null;
  const base = rounded(steps[1] ** (-width / 2));
  const tolerance = 200 * Math.max(eps, 1e-7);
  for (const [j, row] of angles.entries()) {
    for (const [t, value] of row.entries()) {
      const expected = j * base ** ((-2 * t) / width);
      if (Math.abs(wrap(value - first[t] - expected)) > tolerance * (1 + j)) return null;
    }
  }
  return { base, start };
}

const wrap = (value: number): number => Math.atan2(Math.sin(value), Math.cos(value));

/** The round number that is meant. */
function rounded(base: number): number {
  for (const digits of [1, 2, 3, 4]) {
    const near = Number(base.toPrecision(digits));
    if (Math.abs(near / base - 1) < 2e-3) return near;
  }
  return base;
}
