// NaN and the infinities, which JSON has no numbers for, as strings.

/** A number as JSON can hold it. */
export const toJsonNumber = (value: number): number | string =>
  Number.isFinite(value) ? value : Number.isNaN(value) ? 'nan' : value > 0 ? 'inf' : '-inf';

/** How messages call them. */
export const SPECIAL_NUMBERS = ['nan', 'inf', '-inf'] as const;

/** "nan", "inf", "-inf", also spelt "NaN" or "-Infinity"; undefined for other strings. */
export function specialNumber(text: string): number | undefined {
  const [, sign, name] = /^([+-]?)(nan|inf|infinity)$/i.exec(text) ?? [];
  if (name === undefined) return undefined;
  if (/nan/i.test(name)) return NaN;
  return sign === '-' ? -Infinity : Infinity;
}
