// Which colour a number gets: the scale is chosen from the data, changed by hand, and says in words what it is.
import type { Statistics } from './statistics.ts';

export type ScaleKind = 'diverging' | 'sequential';

/** What a person asked for; `auto` leaves the choice to the data. */
export interface ScaleWish {
  readonly kind: ScaleKind | 'auto';
  /** Diverging: both ends equally far from 0, else each at its own extreme. */
  readonly symmetric: boolean;
  readonly logarithmic: boolean;
  /** Percent of the entries that may lie beyond the ends; null for none. */
  readonly clip: number | null;
}

export const AUTO_SCALE: ScaleWish = {
  kind: 'auto',
  symmetric: true,
  logarithmic: false,
  clip: null,
};

export interface Scale {
  readonly kind: ScaleKind;
  /** Values at the two ends; beyond them the colour stays. */
  readonly low: number;
  readonly high: number;
  readonly logarithmic: boolean;
  /** Logarithmic: sizes below it are drawn on a straight line. Positive. */
  readonly threshold: number;
  readonly clip: number | null;
}

/** Decades that a logarithmic scale shows. */
const DECADES = 4;

/** Diverging where both signs occur or everything is 0, sequential otherwise. */
export function chooseScale(statistics: Statistics, wish: ScaleWish = AUTO_SCALE): Scale {
  const { min, max, quantiles } = statistics;
  const hasBoth = (min < 0 && max > 0) || (min === 0 && max === 0) || Number.isNaN(min);
  const kind = wish.kind === 'auto' ? (hasBoth ? 'diverging' : 'sequential') : wish.kind;
  const clipped = quantiles.find(({ percent }) => percent === wish.clip);
  const finite = (value: number): number => (Number.isNaN(value) ? 0 : value);
  let low = finite(clipped ? clipped.low : min);
  let high = finite(clipped ? clipped.high : max);
  if (kind === 'diverging') {
    if (wish.symmetric) {
      high = finite(clipped ? clipped.size : Math.max(Math.abs(min), Math.abs(max)));
      low = -high;
    } else [low, high] = [Math.min(low, 0), Math.max(high, 0)];
  }
  const size = Math.max(Math.abs(low), Math.abs(high));
  return {
    kind,
    ...{ low, high },
    logarithmic: wish.logarithmic,
    // Of the smallest numbers, a fraction would be 0.
    threshold: size > 0 ? Math.max(size * 10 ** -DECADES, Number.MIN_VALUE) : 1,
    clip: clipped ? wish.clip : null,
  };
}

/** sign(v) log(1 + |v| / threshold): straight near 0, logarithmic beyond the threshold. */
export function symlog(value: number, threshold: number): number {
  return Math.sign(value) * Math.log1p(Math.abs(value) / threshold);
}

/**
 * The place of a finite value on the scale: diverging in [-1, 1] with 0 at 0, sequential in [0, 1].
 * The WebGL shader computes the same.
 */
export function positionOf(value: number, scale: Scale): number {
  const { kind, low, high } = scale;
  const v = bend(value < low ? low : value > high ? high : value, scale);
  if (kind === 'diverging') {
    const end = Math.abs(bend(v < 0 ? low : high, scale));
    return end === 0 ? 0 : v / end;
  }
  const [from, to] = [bend(low, scale), bend(high, scale)];
  // One value alone is drawn in full colour, unless it is 0.
  if (from === to) return value === 0 ? 0 : 1;
  return (v - from) / (to - from);
}

const bend = (value: number, { logarithmic, threshold }: Scale): number =>
  logarithmic ? symlog(value, threshold) : value;

/** "diverging, symmetric, logarithmic, 1 % clipped". */
export function wordsFor(scale: Scale): string {
  const { kind, low, high, logarithmic, clip } = scale;
  return [
    kind,
    ...(kind === 'diverging' ? [low === -high ? 'symmetric' : 'own ends'] : []),
    logarithmic ? 'logarithmic' : 'linear',
    ...(clip === null ? [] : [`${clip} % clipped`]),
  ].join(', ');
}
