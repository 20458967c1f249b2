// Colours for numbers: the panel's own scale, sampled once so that the picture, the grid and the exports agree.
import { positionOf, type Scale } from '../../src/inspect/scale.ts';
import { colourOf, css, mix, type Palette, type Rgb } from '../../src/inspect/colour.ts';

/** Samples of the scale from its low to its high end. */
export const SAMPLES = 1024;

export interface Colours {
  readonly scale: Scale;
  readonly palette: Palette;
  /** Diverging: from -1 to 1; sequential: from 0 to 1. */
  readonly samples: readonly Rgb[];
  readonly key: string;
}

/** A sequential scale runs from the neutral colour to the one of its sign. */
export function coloursFor(scale: Scale, palette: Palette): Colours {
  const { kind, low, high, logarithmic } = scale;
  const samples = Array.from({ length: SAMPLES }, (_, n): Rgb => {
    const t = n / (SAMPLES - 1);
    if (kind === 'sequential') {
      const falls = high <= 0 && low < 0;
      return falls
        ? mix(palette.negative, palette.neutral, t)
        : mix(palette.neutral, palette.positive, t);
    }
    const place = 2 * t - 1;
    if (!logarithmic) return colourOf(place, 1, palette);
    return mix(palette.neutral, place < 0 ? palette.negative : palette.positive, Math.abs(place));
  });
  return { scale, palette, samples, key: JSON.stringify([scale, palette]) };
}

/** Which sample a finite number has. */
export function sampleOf(value: number, scale: Scale): number {
  const place = positionOf(value, scale);
  const t = scale.kind === 'diverging' ? (place + 1) / 2 : place;
  return Math.round(t * (SAMPLES - 1));
}

/** The colour of a number that is not infinite. */
export function colourFor(value: number, { scale, palette, samples }: Colours): Rgb {
  return Number.isNaN(value) ? palette.nan : samples[sampleOf(value, scale)];
}

/** Infinite entries are hatched where there is room; as one colour, it is the hatching's. */
export function cssFor(value: number, colours: Colours): string {
  return css(Math.abs(value) === Infinity ? colours.palette.hatch : colourFor(value, colours));
}
