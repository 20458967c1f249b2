// Draws a picture's cells on a canvas, sharp at every scale.
import type { Picture } from '../../src/stepper/picture.ts';
import { arrange, type Arrangement } from './arrange.ts';
import type { Cell } from './cells.ts';
import { colourOf, css, type Palette } from '../../src/inspect/colour.ts';

export interface DrawOptions {
  readonly range: number;
  readonly palette: Palette;
  readonly width: number;
  readonly height: number;
  /** Device pixels per unit of width and height. */
  readonly density: number;
  /** Cells to outline, and the colour of the line. */
  readonly marks: readonly Cell[];
  readonly markColour: string;
  readonly largestCell: number;
}

function hatch(
  context: CanvasRenderingContext2D,
  x: number,
  y: number,
  w: number,
  h: number,
  palette: Palette,
): void {
  context.save();
  context.beginPath();
  context.rect(x, y, w, h);
  context.clip();
  context.fillStyle = css(palette.ground);
  context.fillRect(x, y, w, h);
  context.strokeStyle = css(palette.hatch);
  context.lineWidth = Math.max(1, Math.min(w, h) / 8);
  const spacing = Math.max(3, Math.min(w, h) / 3);
  context.beginPath();
  // Lines through a common origin, so that neighbouring cells make one hatched area.
  const first = Math.floor((x - y - h) / spacing) * spacing;
  for (let at = first; at <= x + w - y; at += spacing) {
    context.moveTo(y + at, y);
    context.lineTo(y + h + at, y + h);
  }
  context.stroke();
  context.restore();
}

function drawSlice(
  context: CanvasRenderingContext2D,
  picture: Picture,
  slice: number,
  { cellWidth, cellHeight, tiles }: Arrangement,
  { range, palette, density }: DrawOptions,
): void {
  const values = new Float64Array(picture.slices[slice].data);
  const tile = tiles[slice];
  const gap = Math.min(cellWidth, cellHeight) * density >= 6 ? 1 : 0;
  // Whole device pixels: no cell is blurred, and neighbours leave no seam.
  const edge = (start: number, n: number, length: number): number =>
    Math.round((start + n * length) * density);
  for (let row = 0; row < picture.rows; row++) {
    const [y, yEnd] = [edge(tile.y, row, cellHeight), edge(tile.y, row + 1, cellHeight)];
    for (let col = 0; col < picture.cols; col++) {
      const [x, xEnd] = [edge(tile.x, col, cellWidth), edge(tile.x, col + 1, cellWidth)];
      const value = values[row * picture.cols + col];
      const [w, h] = [Math.max(1, xEnd - x - gap), Math.max(1, yEnd - y - gap)];
      if (Math.abs(value) === Infinity) hatch(context, x, y, w, h, palette);
      else {
        context.fillStyle = css(colourOf(value, range, palette));
        context.fillRect(x, y, w, h);
      }
    }
  }
}

export function drawPicture(
  canvas: HTMLCanvasElement,
  picture: Picture,
  options: DrawOptions,
): void {
  const { width, height, density, marks, markColour, largestCell } = options;
  canvas.width = Math.round(width * density);
  canvas.height = Math.round(height * density);
  const context = canvas.getContext('2d');
  if (!context) return;
  const { rows, cols, slices } = picture;
  const arrangement = arrange({ rows, cols, count: slices.length }, { width, height }, largestCell);
  slices.forEach((_, slice) => drawSlice(context, picture, slice, arrangement, options));
  const { cellWidth, cellHeight, tiles } = arrangement;
  const line = Math.max(1, Math.round(1.5 * density));
  context.strokeStyle = markColour;
  context.lineWidth = line;
  for (const { slice, row, col } of marks) {
    const tile = tiles[slice];
    if (!tile) continue;
    const at = (start: number, n: number, length: number): number =>
      Math.round((start + n * length) * density);
    const [x, y] = [at(tile.x, col, cellWidth), at(tile.y, row, cellHeight)];
    const [w, h] = [at(tile.x, col + 1, cellWidth) - x, at(tile.y, row + 1, cellHeight) - y];
    context.strokeRect(x + line / 2, y + line / 2, Math.max(w - line, 1), Math.max(h - line, 1));
  }
}
