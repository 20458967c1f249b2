// How a picture's slices are laid out in a box: small multiples of equal cells. Pure, for drawing and pointing.
import type { Cell } from './cells.ts';

export interface Arrangement {
  readonly cellWidth: number;
  readonly cellHeight: number;
  /** Top left corners of the slices. */
  readonly tiles: readonly { readonly x: number; readonly y: number }[];
}

/** A cell may be this much longer one way than the other. */
const MAX_ASPECT = 2.2;
const TILE_GAP = 2;

function limited(width: number, height: number, largest: number): [number, number] {
  const short = Math.min(width, height) * MAX_ASPECT;
  return [Math.min(width, short, largest), Math.min(height, short, largest)];
}

export function arrange(
  { rows, cols, count }: { rows: number; cols: number; count: number },
  box: { width: number; height: number },
  largest = Infinity,
): Arrangement {
  let best = { across: 1, cellWidth: 0, cellHeight: 0 };
  for (let across = 1; across <= count; across++) {
    const down = Math.ceil(count / across);
    const [cellWidth, cellHeight] = limited(
      (box.width - (across - 1) * TILE_GAP) / (across * cols),
      (box.height - (down - 1) * TILE_GAP) / (down * rows),
      largest,
    );
    if (cellWidth * cellHeight > best.cellWidth * best.cellHeight)
      best = { across, cellWidth, cellHeight };
  }
  const { across, cellWidth, cellHeight } = best;
  const down = Math.ceil(count / across);
  const [width, height] = [cols * cellWidth, rows * cellHeight];
  const left = (box.width - across * width - (across - 1) * TILE_GAP) / 2;
  const top = (box.height - down * height - (down - 1) * TILE_GAP) / 2;
  const tiles = Array.from({ length: count }, (_, n) => ({
    x: left + (n % across) * (width + TILE_GAP),
    y: top + Math.floor(n / across) * (height + TILE_GAP),
  }));
  return { cellWidth, cellHeight, tiles };
}

/** The cell at a point of the box; null between the slices. */
export function cellAt(
  { cellWidth, cellHeight, tiles }: Arrangement,
  { rows, cols }: { rows: number; cols: number },
  x: number,
  y: number,
): Cell | null {
  for (const [slice, tile] of tiles.entries()) {
    const [row, col] = [
      Math.floor((y - tile.y) / cellHeight),
      Math.floor((x - tile.x) / cellWidth),
    ];
    if (row >= 0 && row < rows && col >= 0 && col < cols) return { slice, row, col };
  }
  return null;
}
