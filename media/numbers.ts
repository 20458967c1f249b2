// Numbers for cells and equation lines: as many significant digits as are wanted, and as wide as their neighbours.

import { signal } from '@preact/signals';

/** Significant digits, about; what shows numbers follows it. */
export const digits = signal(4);

const minus = (text: string): string => text.replace('-', '−');

/** Decimals that give the largest number about as many significant digits as are wanted. */
export function decimalsFor(largest: number): number {
  const most = digits.value;
  if (!Number.isFinite(largest) || largest === 0) return most - 1;
  return Math.min(most, Math.max(0, most - 1 - Math.max(0, Math.floor(Math.log10(largest)))));
}

/** A number with fixed decimals, or with an exponent where these would hide it: 0.125, −2.3e−5, 1.2e6. */
export function formatFixed(value: number, decimals: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '∞' : '−∞';
  if (value === 0) return '0';
  const size = Math.abs(value);
  if (size >= 1e5 || size < 0.5 * 10 ** -decimals) {
    const [mantissa, exponent] = value.toExponential(Math.max(1, digits.value - 3)).split('e');
    return minus(`${mantissa}e${Number(exponent)}`).replace('e-', 'e−');
  }
  return minus(value.toFixed(decimals));
}

/** Numbers that are read together get the same number of decimals. */
export function formatTogether(...values: number[]): string[] {
  const sizes = values.map(Math.abs).filter((size) => Number.isFinite(size));
  const decimals = decimalsFor(Math.max(0, ...sizes));
  return values.map((value) => formatFixed(value, decimals));
}

export const formatOne = (value: number): string => formatTogether(value)[0];

/** Ends of a colour scale: two significant digits. */
export function formatRange(value: number): string {
  return value === 0 ? '0' : minus(String(Number(value.toPrecision(2))));
}

/** A negative factor is bracketed: 0.5 + (−0.2). */
export const bracketed = (text: string): string => (text.startsWith('−') ? `(${text})` : text);
