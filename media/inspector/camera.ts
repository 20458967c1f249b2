// Where the drawn matrices lie and which part of them is seen. Lengths are in cells, on the screen in CSS pixels.

export interface Camera {
  /** The cell coordinate at the left and upper edge of the picture. */
  readonly x: number;
  readonly y: number;
  /** Pixels per cell, across and down. */
  readonly across: number;
  readonly down: number;
}

export interface Size {
  readonly width: number;
  readonly height: number;
}

/** A matrix of a set, where its first cell lies. */
export interface Place {
  readonly x: number;
  readonly y: number;
}

export interface Layout {
  readonly places: readonly Place[];
  /** Of everything, in cells. */
  readonly width: number;
  readonly height: number;
  readonly fit: Camera;
}

/** Cells grow to that size, in which numbers are read. */
const LARGEST = { across: 58, down: 24 };
/** A cell is at most so much wider than high, or higher than wide, where it is small. */
const MOST_STRETCH = 4;
const GAP = { across: 10, down: 18 };

function cellSize(
  width: number,
  height: number,
  rows: number,
  cols: number,
): { across: number; down: number } {
  const across = Math.min(width / Math.max(cols, 1), LARGEST.across);
  const down = Math.min(height / Math.max(rows, 1), LARGEST.down);
  const least = Math.min(across, down);
  if (least >= LARGEST.down * 0.6) return { across, down };
  return {
    across: Math.min(across, least * MOST_STRETCH),
    down: Math.min(down, least * MOST_STRETCH),
  };
}

/** `count` matrices in the arrangement that makes them largest. */
export function layOut(count: number, rows: number, cols: number, { width, height }: Size): Layout {
  let best: { perRow: number; across: number; down: number } | null = null;
  for (let perRow = 1; perRow <= count; perRow++) {
    const lines = Math.ceil(count / perRow);
    const gaps =
      count === 1
        ? { across: 0, down: 0 }
        : { across: GAP.across * (perRow - 1), down: GAP.down * lines };
    const room = {
      width: Math.max(8, width - gaps.across),
      height: Math.max(8, height - gaps.down),
    };
    const { across, down } = cellSize(room.width / perRow, room.height / lines, rows, cols);
    if (!best || across * down > best.across * best.down * 1.001) best = { perRow, across, down };
  }
  const { perRow, across, down } = best ?? { perRow: 1, across: 1, down: 1 };
  const gapX = count === 1 ? 0 : GAP.across / across;
  const gapY = count === 1 ? 0 : GAP.down / down;
  const places = Array.from({ length: count }, (_, n) => ({
    x: (n % perRow) * (cols + gapX),
    y: gapY + Math.floor(n / perRow) * (rows + gapY),
  }));
  return {
    places,
    width: perRow * cols + (perRow - 1) * gapX,
    height: Math.ceil(count / perRow) * (rows + gapY),
    fit: { x: 0, y: 0, across, down },
  };
}

/** Cells as large as makes sense: one fills the picture. */
const LARGEST_CELL = 160;

const within = (value: number, low: number, high: number): number =>
  Math.min(Math.max(value, low), high);

/** Keeps the matrices in sight: no zooming out beyond the fit, no panning beyond the edges. */
export function keepInside(camera: Camera, layout: Layout, { width, height }: Size): Camera {
  const shrink = Math.min(camera.across / layout.fit.across, camera.down / layout.fit.down);
  const sized =
    shrink < 1 ? { ...camera, across: layout.fit.across, down: layout.fit.down } : camera;
  return {
    ...sized,
    x: within(sized.x, 0, Math.max(0, layout.width - width / sized.across)),
    y: within(sized.y, 0, Math.max(0, layout.height - height / sized.down)),
  };
}

/** Zooms by a factor around a point of the picture. */
export function zoomAt(camera: Camera, factor: number, point: { x: number; y: number }): Camera {
  const most = Math.min(LARGEST_CELL / camera.across, LARGEST_CELL / camera.down);
  const by = Math.min(factor, Math.max(most, 1));
  // Long stretched cells become square on the way in.
  const [across, down] = [camera.across * by, camera.down * by];
  return {
    ...{ across, down },
    x: camera.x + point.x / camera.across - point.x / across,
    y: camera.y + point.y / camera.down - point.y / down,
  };
}

/** The finest level whose cells are at least one device pixel: every cell of it is drawn, none is skipped. */
export function levelFor({ across, down }: Camera, density: number, levels: number): number {
  const pixels = Math.min(across, down) * density;
  return within(Math.ceil(Math.log2(1 / pixels) - 1e-6), 0, levels - 1);
}

export interface Pointed {
  /** Which of the matrices. */
  readonly matrix: number;
  readonly row: number;
  readonly col: number;
}

/** The cell under a point of the picture; null between matrices. */
export function cellAt(
  camera: Camera,
  { places }: Layout,
  { rows, cols }: { readonly rows: number; readonly cols: number },
  point: { x: number; y: number },
): Pointed | null {
  const x = camera.x + point.x / camera.across;
  const y = camera.y + point.y / camera.down;
  for (const [matrix, place] of places.entries()) {
    const [row, col] = [Math.floor(y - place.y), Math.floor(x - place.x)];
    if (row >= 0 && row < rows && col >= 0 && col < cols) return { matrix, row, col };
  }
  return null;
}

/** Moves the camera as little as needed to see a cell. */
export function reveal(
  camera: Camera,
  place: Place,
  row: number,
  col: number,
  { width, height }: Size,
): Camera {
  const [x, y] = [place.x + col, place.y + row];
  const [wide, high] = [width / camera.across, height / camera.down];
  return {
    ...camera,
    x: within(camera.x, x + 1 - wide, x),
    y: within(camera.y, y + 1 - high, y),
  };
}
