// Measures of the graph's drawing, in its own units; the whole is scaled to the width there is.

import type { NameParts } from '../names.tsx';

/** From roomy to cramped: value beside or above gradient, parameters as cards or as chips of one line. */
export type CardStyle = 'wide' | 'tall' | 'low' | 'small';

export interface Size {
  readonly width: number;
  readonly height: number;
}

export interface CardSize extends Size {
  /** The boxes of the two heatmaps. */
  readonly heat: Size;
  /** Value beside gradient, or above it. */
  readonly stacked: boolean;
  /** Where the shape is written; a chip has no room for it. */
  readonly shape: 'below' | 'beside' | 'nowhere';
}

export interface Sizes {
  readonly tensor: CardSize;
  readonly weight: CardSize;
  readonly bias: CardSize;
  readonly scalar: CardSize;
  /** Between columns; edges turn here. */
  readonly columnGap: number;
  /** Between the lanes of keys and queries. */
  readonly laneGap: number;
  /** Between a projection and its parameters. */
  readonly parameterGap: number;
  readonly margin: number;
  /** Over the uppermost cards: a comparison's verdicts stand on their edges. */
  readonly above: number;
}

/** Text of the cards, what it is scaled down to before a smaller style is taken, and in the smallest style. */
const FONT = 12;
export const COMFORTABLE_SCALE = 11 / FONT;
export const SMALLEST_SCALE = 9 / FONT;
/** Smaller still, where that shows the graph whole. */
export const WHOLE_SCALE = 8 / FONT;
export const LARGEST_SCALE = 1.35;

/** Above and below the heatmaps, beside and between them: as in graph.css. */
const TITLE = 20;
const FOOT = 18;
const PAD = 6;
const BETWEEN = 4;

function card(heat: Size, stacked: boolean, shape: CardSize['shape'] = 'below'): CardSize {
  const across = stacked ? heat.width : 2 * heat.width + BETWEEN;
  const down = stacked ? 2 * heat.height + BETWEEN : heat.height;
  const foot = shape === 'below' ? FOOT : PAD;
  return { heat, stacked, shape, width: across + 2 * PAD, height: TITLE + down + foot + 2 };
}

/** A name and two small heatmaps in one line. */
const chip: CardSize = {
  heat: { width: 18, height: 14 },
  stacked: false,
  shape: 'nowhere',
  width: 78,
  height: 22,
};

/** Of a chip's name beside its heatmaps, and about how wide letters are there, below the line narrower ones. */
const [CHIP_NAME, LETTER, CAPITAL, SUBSCRIPT] = [27, 9, 12, 7];

/** A chip is as wide as its name takes. */
export function sizeWith(size: CardSize, { base, subscript }: NameParts): CardSize {
  if (size.shape !== 'nowhere') return size;
  const letters = Array.from(base).reduce(
    (sum, each) => sum + (/[A-Z]/.test(each) ? CAPITAL : LETTER),
    0,
  );
  const more = Math.ceil(letters + SUBSCRIPT * subscript.length - CHIP_NAME);
  return more > 0 ? { ...size, width: size.width + more } : size;
}

/** Smaller than tensors: their shape stands beside their name. */
const parameters = {
  weight: card({ width: 42, height: 22 }, false, 'beside'),
  bias: card({ width: 56, height: 9 }, true, 'beside'),
};

const common = { laneGap: 20, parameterGap: 22, margin: 6, above: 12 };
const cramped = { laneGap: 12, parameterGap: 13, margin: 4, above: 12, weight: chip, bias: chip };

export const sizesOf: Readonly<Record<CardStyle, Sizes>> = {
  wide: {
    ...common,
    ...parameters,
    tensor: card({ width: 37, height: 40 }, false),
    scalar: card({ width: 50, height: 18 }, true),
    columnGap: 24,
  },
  tall: {
    ...common,
    ...parameters,
    tensor: card({ width: 45, height: 33 }, true),
    scalar: card({ width: 42, height: 18 }, true),
    columnGap: 15,
  },
  low: {
    ...cramped,
    tensor: card({ width: 37, height: 28 }, false),
    scalar: card({ width: 50, height: 13 }, true),
    columnGap: 24,
  },
  small: {
    ...cramped,
    laneGap: 9,
    tensor: card({ width: 32, height: 15 }, true),
    scalar: card({ width: 42, height: 15 }, true),
    columnGap: 11,
  },
};
