// The one colour scale: diverging around zero, readable with colour blindness, fitted to the theme.

export type Rgb = readonly [number, number, number];

export interface Palette {
  readonly negative: Rgb;
  readonly neutral: Rgb;
  readonly positive: Rgb;
  /** Entries beyond the scale's ends: an extreme is seen to be one. */
  readonly farNegative: Rgb;
  readonly farPositive: Rgb;
  readonly nan: Rgb;
  /** Lines of the hatching of infinities, and its ground. */
  readonly hatch: Rgb;
  readonly ground: Rgb;
}

type Lab = readonly [number, number, number];

const linear = (channel: number): number => {
  const c = channel / 255;
  return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
};
const gamma = (c: number): number => {
  const clipped = Math.min(1, Math.max(0, c));
  return Math.round(
    255 * (clipped <= 0.0031308 ? 12.92 * clipped : 1.055 * clipped ** (1 / 2.4) - 0.055),
  );
};

/** Björn Ottosson, A perceptual color space for image processing (OKLab), 2020. */
function toLab([red, green, blue]: Rgb): Lab {
  const [r, g, b] = [linear(red), linear(green), linear(blue)];
  const l = Math.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b);
  const m = Math.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b);
  const s = Math.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b);
  return [
    0.2104542553 * l + 0.793617785 * m - 0.0040720468 * s,
    1.9779984951 * l - 2.428592205 * m + 0.4505937099 * s,
    0.0259040371 * l + 0.7827717662 * m - 0.808675766 * s,
  ];
}

function fromLab([L, a, b]: Lab): Rgb {
  const l = (L + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (L - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (L - 0.0894841775 * a - 1.291485548 * b) ** 3;
  return [
    gamma(4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s),
    gamma(-1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s),
    gamma(-0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s),
  ];
}

export function mix(from: Rgb, to: Rgb, t: number): Rgb {
  const [a, b] = [toLab(from), toLab(to)];
  return fromLab([0, 1, 2].map((n) => a[n] + (b[n] - a[n]) * t) as unknown as Lab);
}

/** Relative luminance, WCAG 2. */
export const luminance = ([r, g, b]: Rgb): number =>
  0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);

export const css = ([r, g, b]: Rgb): string => `rgb(${r}, ${g}, ${b})`;

/** Black or white, whichever reads better; the better of the two has a contrast of at least 4.5. */
export function inkOn(colour: Rgb): Rgb {
  const light = luminance(colour);
  return (light + 0.05) / 0.05 > 1.05 / (light + 0.05) ? [0, 0, 0] : [255, 255, 255];
}

/** "#1f1f1f", "rgb(31, 31, 31)", "rgba(31, 31, 31, 1)"; null for anything else. */
export function parseColour(text: string): Rgb | null {
  const hex = /^#([0-9a-f]{6})/i.exec(text.trim());
  if (hex) return [0, 2, 4].map((at) => parseInt(hex[1].slice(at, at + 2), 16)) as unknown as Rgb;
  const parts = /^rgba?\(([^)]+)\)/.exec(text.trim());
  const numbers = parts?.[1].split(/[\s,/]+/).map(Number) ?? [];
  return numbers.length >= 3 && numbers.every(Number.isFinite)
    ? [numbers[0], numbers[1], numbers[2]]
    : null;
}

/** Blue for negative, orange for positive, both moving away from the theme's background. */
export function paletteFor(background: Rgb, foreground: Rgb): Palette {
  const dark = luminance(background) < 0.25;
  const neutral = mix(background, foreground, dark ? 0.13 : 0.045);
  return {
    neutral,
    negative: dark ? [92, 168, 255] : [20, 92, 180],
    positive: dark ? [255, 152, 56] : [196, 78, 8],
    farNegative: dark ? [214, 234, 255] : [4, 30, 74],
    farPositive: dark ? [255, 232, 204] : [84, 26, 0],
    nan: [214, 0, 170],
    hatch: mix(background, foreground, 0.45),
    ground: mix(background, foreground, 0.06),
  };
}

/** Where a scale has to end so that entries beyond it are drawn as such. */
export const isBeyond = (value: number, range: number): boolean =>
  range > 0 && Math.abs(value) > range * (1 + 1e-6);

const LEVELS = 256;

/** The scale's colours, negative end first; mixing them for each cell would be slow. */
const tables = new WeakMap<Palette, readonly Rgb[]>();

function tableOf(palette: Palette): readonly Rgb[] {
  const known = tables.get(palette);
  if (known) return known;
  const { neutral, negative, positive } = palette;
  const table = Array.from({ length: 2 * LEVELS + 1 }, (_, n) => {
    const t = n / LEVELS - 1;
    // Small values would vanish on a straight scale; the legend is drawn with the same curve.
    return mix(neutral, t < 0 ? negative : positive, Math.abs(t) ** 0.62);
  });
  tables.set(palette, table);
  return table;
}

/** The colour of a finite number (or NaN) on a scale that ends at ±range. */
export function colourOf(value: number, range: number, palette: Palette): Rgb {
  if (Number.isNaN(value)) return palette.nan;
  if (isBeyond(value, range)) return value < 0 ? palette.farNegative : palette.farPositive;
  const t = range > 0 ? Math.min(1, Math.max(-1, value / range)) : 0;
  return tableOf(palette)[Math.round((t + 1) * LEVELS)];
}
