// Small matrices as a picture for a hover: heatmaps with their numbers. Pure.
import { colourOf, css, inkOn, type Palette, paletteFor } from '../../inspect/colour.ts';
import type { Grid, Grids } from '../../lineRun/grid.ts';

export type Ground = 'dark' | 'light';

/** Ground and ink of a picture; the colours between are the panel's. */
const GROUNDS: Readonly<Record<Ground, { readonly palette: Palette; readonly ink: string }>> = {
  dark: { palette: paletteFor([31, 31, 31], [204, 204, 204]), ink: '#d4d4d4' },
  light: { palette: paletteFor([255, 255, 255], [59, 59, 59]), ink: '#333333' },
};

const CELL_HEIGHT = 18;
const GAP = 18;
const TITLE = 16;
/** Of all three matrices: a hover is not much wider. */
const WIDEST = 640;
const WIDEST_CELL = 40;
/** Below it, numbers are written smaller. */
const NARROW = 36;

/** Five characters at most: "0.31", "−12", "3e−9". */
export function shortNumber(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '∞' : '−∞';
  const size = Math.abs(value);
  const text =
    size === 0
      ? '0'
      : size >= 1e4 || size < 1e-2
        ? value.toExponential(0).replace('e+', 'e')
        : Number(value.toPrecision(size >= 100 ? 3 : 2)).toString();
  return text.replaceAll('-', '−');
}

const largest = (grids: readonly (Grid | null)[]): number =>
  Math.max(
    0,
    ...grids.flatMap((grid) => (grid ? grid.data.map(Math.abs).filter(Number.isFinite) : [])),
  );

interface Place {
  readonly left: number;
  readonly width: number;
  readonly range: number;
  readonly palette: Palette;
}

function drawn(grid: Grid, { left, width, range, palette }: Place): string {
  const cells = grid.data.map((value, n) => {
    const [row, col] = [Math.floor(n / grid.cols), n % grid.cols];
    const colour = colourOf(value, range, palette);
    const [x, y] = [left + col * width, TITLE + row * CELL_HEIGHT];
    const text = `<text x="${x + width / 2}" y="${y + 13}" fill="${css(inkOn(colour))}">${shortNumber(value)}</text>`;
    return `<rect x="${x}" y="${y}" width="${width - 1}" height="${CELL_HEIGHT - 1}" fill="${css(colour)}"/>${text}`;
  });
  return cells.join('');
}

/** Yours, the reference and the difference side by side. */
export function heatmap({ yours, reference, difference }: Grids, ground: Ground): string {
  const { palette, ink } = GROUNDS[ground];
  const range = largest([yours, reference]);
  const parts = [
    { title: 'yours', grid: yours, range },
    { title: 'reference', grid: reference, range },
    { title: 'yours − reference', grid: difference, range: largest([difference]) },
  ].flatMap(({ grid, ...rest }) => (grid ? [{ grid, ...rest }] : []));
  const cell = Math.min(WIDEST_CELL, Math.floor((WIDEST / 3 - GAP) / yours.cols));
  const width = Math.max(yours.cols * cell, 110);
  const drawings = parts.map(({ title, grid, range: own }, n) => {
    const left = n * (width + GAP);
    const heading = `<text x="${left}" y="11" font-size="11" text-anchor="start" fill="${ink}" font-weight="600">${title}</text>`;
    return heading + drawn(grid, { left, width: cell, range: own, palette });
  });
  const all = {
    width: parts.length * (width + GAP) - GAP,
    height: TITLE + yours.rows * CELL_HEIGHT,
  };
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${all.width}" height="${all.height}" font-family="sans-serif" font-size="${cell < NARROW ? 8.5 : 11}" text-anchor="middle">${drawings.join('')}</svg>`;
}

/** As an address that a picture in Markdown may have. */
export const dataUri = (svg: string): string =>
  `data:image/svg+xml;base64,${Buffer.from(svg, 'utf8').toString('base64')}`;
