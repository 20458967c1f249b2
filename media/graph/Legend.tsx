// What the colours mean: one diverging scale, with the ranges of values and of gradients at its ends.
import type { JSX } from 'preact';
import { colourOf, css } from '../matrix/colour.ts';
import type { Ranges } from '../matrix/ranges.ts';
import { palette } from '../matrix/theme.ts';
import { formatRange } from '../numbers.ts';

const STEPS = 25;

export function Legend({
  ranges,
  special,
}: {
  readonly ranges: Ranges;
  /** Whether −∞ and NaN occur and have to be explained. */
  readonly special: { readonly infinite: boolean; readonly nan: boolean };
}): JSX.Element {
  const colours = palette.value;
  const ends = (kind: string, range: number): JSX.Element => (
    <span class="legend-range">
      {kind}{' '}
      <span class="figures">
        {range > 0 ? `−${formatRange(range)} … ${formatRange(range)}` : 'none yet'}
      </span>
    </span>
  );
  return (
    <div class="legend" role="note" aria-label="Legend">
      <span class="legend-scale" aria-hidden="true">
        <span>−</span>
        <span class="legend-bar">
          {Array.from({ length: STEPS }, (_, n) => (
            <i
              key={n}
              style={{ backgroundColor: css(colourOf((2 * n) / (STEPS - 1) - 1, 1, colours)) }}
            />
          ))}
        </span>
        <span>+</span>
      </span>
      {ends('values', ranges.value)}
      {ends('gradients', ranges.gradient)}
      {special.infinite && (
        <span class="legend-item">
          <i class="swatch infinite" aria-hidden="true" /> −∞, masked
        </span>
      )}
      {special.nan && (
        <span class="legend-item">
          <i class="swatch nan" aria-hidden="true" style={{ backgroundColor: css(colours.nan) }} />{' '}
          NaN
        </span>
      )}
    </div>
  );
}
