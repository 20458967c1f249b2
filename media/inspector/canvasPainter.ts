// Draws tiles with canvas 2D: each tile is coloured once per scale, then scaled without smoothing.
import { css, type Rgb } from '../../src/inspect/colour.ts';
import type { Drawn, Painter } from './painter.ts';
import { type Colours, sampleOf } from './palette.ts';
import type { KeptTile } from './tiles.ts';

const MOST_IMAGES = 128;

/** A colour as the four bytes of a pixel; every machine that runs this is little-endian. */
const pixel = ([red, green, blue]: Rgb): number => (255 << 24) | (blue << 16) | (green << 8) | red;

function image({ rows, cols, data }: KeptTile, colours: Colours): HTMLCanvasElement {
  const result = document.createElement('canvas');
  result.width = cols;
  result.height = rows;
  const pixels = new ImageData(cols, rows);
  const packed = new Int32Array(pixels.data.buffer);
  const samples = Int32Array.from(colours.samples, pixel);
  const [nan, ground] = [pixel(colours.palette.nan), pixel(colours.palette.ground)];
  for (let n = 0; n < packed.length; n++) {
    const value = data[n];
    if (value - value === 0) packed[n] = samples[sampleOf(value, colours.scale)];
    else packed[n] = Number.isNaN(value) ? nan : ground;
  }
  result.getContext('2d')?.putImageData(pixels, 0, 0);
  return result;
}

/** Lines over the infinite cells of a tile whose cells are large enough. */
function hatch(context: CanvasRenderingContext2D, drawn: Drawn, colours: Colours): void {
  const { tile, x, y, width, height } = drawn;
  const [wide, high] = [width / tile.cols, height / tile.rows];
  if (Math.min(wide, high) < 4) return;
  context.strokeStyle = css(colours.palette.hatch);
  context.beginPath();
  for (let n = 0; n < tile.rows * tile.cols; n++) {
    if (Math.abs(tile.data[n]) !== Infinity) continue;
    const [left, top] = [x + (n % tile.cols) * wide, y + Math.floor(n / tile.cols) * high];
    context.moveTo(left, top + high);
    context.lineTo(left + wide, top);
  }
  context.stroke();
}

function gaps(
  context: CanvasRenderingContext2D,
  { tile, x, y, width, height }: Drawn,
  density: number,
): void {
  const [wide, high] = [width / tile.cols, height / tile.rows];
  if (Math.min(wide, high) * density < 6) return;
  const line = 1 / density;
  for (let col = 1; col <= tile.cols; col++)
    context.clearRect(x + col * wide - line, y, line, height);
  for (let row = 1; row <= tile.rows; row++)
    context.clearRect(x, y + row * high - line, width, line);
}

export function canvasPainter(canvas: HTMLCanvasElement): Painter {
  const context = canvas.getContext('2d');
  const images = new Map<string, HTMLCanvasElement>();
  let key = '';
  const paint = (tiles: readonly Drawn[], colours: Colours, density: number): void => {
    if (!context) return;
    if (key !== colours.key) images.clear();
    key = colours.key;
    context.setTransform(density, 0, 0, density, 0, 0);
    context.clearRect(0, 0, canvas.width / density, canvas.height / density);
    context.imageSmoothingEnabled = false;
    for (const drawn of tiles) {
      const made = images.get(drawn.tile.key) ?? image(drawn.tile, colours);
      images.set(drawn.tile.key, made);
      if (images.size > MOST_IMAGES) images.delete(images.keys().next().value!);
      context.drawImage(made, drawn.x, drawn.y, drawn.width, drawn.height);
      hatch(context, drawn, colours);
      gaps(context, drawn, density);
    }
  };
  return { kind: 'canvas', paint, dispose: () => images.clear() };
}
