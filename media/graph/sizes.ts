// Measures of the graph's drawing, in its own units; the whole is scaled to the width there is.

export type CardStyle = 'wide' | 'tall';

export interface Size {
  readonly width: number;
  readonly height: number;
}

export interface CardSize extends Size {
  /** The boxes of the two heatmaps. */
  readonly heat: Size;
  /** Value beside gradient, or above it. */
  readonly stacked: boolean;
  /** The shape stands below them, not beside the name. */
  readonly foot: boolean;
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

/** Text of the cards, and what it may be scaled down to. */
const FONT = 12;
const SMALLEST_FONT = 11;
export const SMALLEST_SCALE = SMALLEST_FONT / FONT;
export const LARGEST_SCALE = 1.35;

const TITLE = 20;
const FOOT = 18;
const PAD = 6;
const BETWEEN = 4;

function card(heat: Size, stacked: boolean, foot = FOOT): CardSize {
  const across = stacked ? heat.width : 2 * heat.width + BETWEEN;
  const down = stacked ? 2 * heat.height + BETWEEN : heat.height;
  return {
    heat,
    stacked,
    foot: foot > 0,
    width: across + 2 * PAD,
    height: TITLE + down + (foot || PAD) + 2,
  };
}

/** Small: their shape stands beside their name. */
const parameters = {
  weight: card({ width: 36, height: 22 }, false, 0),
  bias: card({ width: 48, height: 9 }, true, 0),
};

const common = { laneGap: 20, parameterGap: 22, margin: 6, above: 12 };

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
};
