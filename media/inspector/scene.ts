// The picture's state and drawing: camera, canvases, one frame at a time. The component around it only listens.
import { levelCount, TILE, type TilePlace } from '../../src/inspect/pyramid.ts';
import {
  type Camera,
  cellAt,
  keepInside,
  type Layout,
  layOut,
  levelFor,
  type Pointed,
  reveal,
  type Size,
  zoomAt,
} from './camera.ts';
import { drawOverlay, type Margins, marginsFor } from './overlay.ts';
import { type Drawn, type Painter, painterFor } from './painter.ts';
import type { Colours } from './palette.ts';
import {
  earlierTile,
  entryAt,
  forgetExcept,
  type KeptTile,
  type Matrix,
  tileAt,
  tileKey,
} from './tiles.ts';

export interface SceneProps {
  readonly matrices: readonly Matrix[];
  /** One per matrix: "head 0"; '' where there is one matrix. */
  readonly labels: readonly string[];
  readonly colours: Colours | null;
  /** The selected entry, if it is in one of the matrices. */
  readonly selected: Pointed | null;
  readonly sums: { readonly rows: Float64Array; readonly cols: Float64Array } | null;
  readonly rowAxis: string;
  readonly colAxis: string;
}

/** Another of these and the picture is fitted anew. */
const frameKey = ({ matrices }: SceneProps): string =>
  matrices.length === 0
    ? ''
    : [matrices.length, matrices[0].rows, matrices[0].cols, matrices[0].tensor.id].join('|');

export class Scene {
  readonly #canvas: HTMLCanvasElement;
  readonly #overlay: HTMLCanvasElement;
  readonly #painter: Painter;
  #props: SceneProps | null = null;
  #size: Size = { width: 0, height: 0 };
  #layout: Layout = layOut(1, 1, 1, { width: 1, height: 1 });
  #camera: Camera = { x: 0, y: 0, across: 1, down: 1 };
  #margins: Margins = { left: 0, top: 0, right: 0, bottom: 0 };
  #frame = 0;
  #hovered: Pointed | null = null;
  /** Cells along a side of what is drawn as one: told to whoever wants to know. */
  readonly #drawnLevel: (level: number) => void;

  constructor(
    canvas: HTMLCanvasElement,
    overlay: HTMLCanvasElement,
    drawnLevel: (level: number) => void,
  ) {
    this.#canvas = canvas;
    this.#overlay = overlay;
    this.#drawnLevel = drawnLevel;
    this.#painter = painterFor(canvas, () => this.schedule());
    canvas.dataset['renderer'] = this.#painter.kind;
  }

  get size(): Size {
    return this.#size;
  }

  show(props: SceneProps): void {
    const isOther =
      !this.#props ||
      frameKey(this.#props) !== frameKey(props) ||
      !this.#props.sums !== !props.sums;
    this.#props = props;
    if (isOther) this.fit();
    this.schedule();
  }

  resize(size: Size): void {
    if (size.width === this.#size.width && size.height === this.#size.height) return;
    const isFitted =
      this.#camera.across === this.#layout.fit.across &&
      this.#camera.down === this.#layout.fit.down;
    this.#size = size;
    this.#arrange();
    if (isFitted) this.#camera = this.#layout.fit;
    this.#move(this.#camera);
  }

  fit(): void {
    this.#arrange();
    this.#move(this.#layout.fit);
  }

  /** By pixels. */
  pan(x: number, y: number): void {
    const { across, down } = this.#camera;
    this.#move({ ...this.#camera, x: this.#camera.x + x / across, y: this.#camera.y + y / down });
  }

  zoom(factor: number, point = { x: this.#inner.width / 2, y: this.#inner.height / 2 }): void {
    this.#move(zoomAt(this.#camera, factor, point));
  }

  /** A point of the element as one of the picture inside its margins. */
  inside(x: number, y: number): { x: number; y: number } {
    return { x: x - this.#margins.left, y: y - this.#margins.top };
  }

  at(x: number, y: number): Pointed | null {
    const point = this.inside(x, y);
    const [matrix] = this.#props?.matrices ?? [];
    const { width, height } = this.#inner;
    if (!matrix || point.x < 0 || point.y < 0 || point.x >= width || point.y >= height) return null;
    return cellAt(this.#camera, this.#layout, matrix, point);
  }

  hover(cell: Pointed | null): void {
    const was = this.#hovered;
    if (was?.matrix === cell?.matrix && was?.row === cell?.row && was?.col === cell?.col) return;
    this.#hovered = cell;
    this.schedule();
  }

  reveal(cell: Pointed): void {
    const place = this.#layout.places[cell.matrix];
    if (place) this.#move(reveal(this.#camera, place, cell.row, cell.col, this.#inner));
  }

  schedule(): void {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      this.draw();
    });
  }

  /** What is seen, as one canvas. */
  snapshot(background: string): HTMLCanvasElement {
    this.draw();
    const result = document.createElement('canvas');
    [result.width, result.height] = [this.#overlay.width, this.#overlay.height];
    const context = result.getContext('2d');
    if (!context) return result;
    context.fillStyle = background;
    context.fillRect(0, 0, result.width, result.height);
    context.drawImage(
      this.#canvas,
      this.#margins.left * this.#density,
      this.#margins.top * this.#density,
    );
    context.drawImage(this.#overlay, 0, 0);
    return result;
  }

  dispose(): void {
    cancelAnimationFrame(this.#frame);
    this.#painter.dispose();
  }

  draw(): void {
    const props = this.#props;
    if (!props?.colours || this.#size.width === 0) return;
    const density = this.#density;
    const { width, height } = this.#inner;
    resizeCanvas(this.#canvas, { width, height }, density);
    resizeCanvas(this.#overlay, this.#size, density);
    Object.assign(this.#canvas.style, {
      left: `${this.#margins.left}px`,
      top: `${this.#margins.top}px`,
    });
    const tiles: Drawn[] = [];
    const wanted = new Set<string>();
    const [first] = props.matrices;
    const level = first ? levelFor(this.#camera, density, levelCount(first)) : 0;
    for (const [n, matrix] of props.matrices.entries()) {
      const place = this.#layout.places[n];
      if (place) this.#collect(matrix, place, level, tiles, wanted);
    }
    forgetExcept(wanted);
    this.#painter.paint(tiles, props.colours, density);
    drawOverlay(this.#overlay, {
      ...props,
      ...{
        camera: this.#camera,
        layout: this.#layout,
        margins: this.#margins,
        size: this.#size,
        density,
      },
      ...{ hovered: this.#hovered, colours: props.colours },
      value: (cell) =>
        level === 0 && props.matrices[cell.matrix]
          ? entryAt(props.matrices[cell.matrix], cell.row, cell.col)
          : null,
    });
    this.#drawnLevel(level);
    this.#canvas.dataset['level'] = String(level);
    this.#canvas.dataset['complete'] = String(
      tiles.length > 0 && [...wanted].every((key) => tiles.some(({ tile }) => tile.key === key)),
    );
  }

  get #density(): number {
    return window.devicePixelRatio || 1;
  }

  get #inner(): Size {
    const { left, top, right, bottom } = this.#margins;
    return {
      width: Math.max(1, this.#size.width - left - right),
      height: Math.max(1, this.#size.height - top - bottom),
    };
  }

  #arrange(): void {
    const matrices = this.#props?.matrices ?? [];
    const [{ rows, cols } = { rows: 1, cols: 1 }] = matrices;
    this.#margins = marginsFor(rows, Boolean(this.#props?.sums), matrices.length);
    this.#layout = layOut(Math.max(matrices.length, 1), rows, cols, this.#inner);
  }

  #move(camera: Camera): void {
    this.#camera = keepInside(camera, this.#layout, this.#inner);
    this.schedule();
  }

  /** Adds the tiles of a matrix that are in sight; where one is missing, a coarser or earlier one. */
  #collect(
    matrix: Matrix,
    place: { x: number; y: number },
    level: number,
    tiles: Drawn[],
    wanted: Set<string>,
  ): void {
    const { x, y, across, down } = this.#camera;
    const { width, height } = this.#inner;
    const cells = TILE * 2 ** level;
    const range = (
      start: number,
      length: number,
      offset: number,
      pixels: number,
    ): [number, number] => [
      Math.max(0, Math.floor((start - offset) / cells)),
      Math.min(Math.ceil(length / cells), Math.ceil((start + pixels - offset) / cells)),
    ];
    const [top, bottom] = range(y, matrix.rows, place.y, height / down);
    const [left, right] = range(x, matrix.cols, place.x, width / across);
    const coarser = new Set<string>();
    const own: Drawn[] = [];
    const drawn = (tile: KeptTile, at: TilePlace): Drawn => {
      const factor = 2 ** at.level;
      const [row, col] = [at.down * TILE * factor, at.across * TILE * factor];
      return {
        tile,
        x: (place.x + col - x) * across,
        y: (place.y + row - y) * down,
        width: Math.min(tile.cols * factor, matrix.cols - col) * across,
        height: Math.min(tile.rows * factor, matrix.rows - row) * down,
      };
    };
    for (let row = top; row < bottom; row++) {
      for (let col = left; col < right; col++) {
        const at = { level, down: row, across: col };
        wanted.add(tileKey(matrix, at));
        const tile = tileAt(matrix, at) ?? earlierTile(matrix, at);
        if (tile) own.push(drawn(tile, at));
        else this.#coarser(matrix, at, coarser, (found, where) => tiles.push(drawn(found, where)));
      }
    }
    tiles.push(...own);
  }

  #coarser(
    matrix: Matrix,
    { level, down, across }: TilePlace,
    seen: Set<string>,
    found: (tile: KeptTile, at: TilePlace) => void,
  ): void {
    for (let up = 1; level + up < levelCount(matrix); up++) {
      const at = { level: level + up, down: down >> up, across: across >> up };
      const tile = tileAt(matrix, at, false) ?? earlierTile(matrix, at);
      if (!tile) continue;
      if (!seen.has(tile.key)) found(tile, at);
      seen.add(tile.key);
      return;
    }
  }
}

function resizeCanvas(canvas: HTMLCanvasElement, { width, height }: Size, density: number): void {
  const [w, h] = [Math.round(width * density), Math.round(height * density)];
  if (canvas.width !== w) canvas.width = w;
  if (canvas.height !== h) canvas.height = h;
  Object.assign(canvas.style, { width: `${width}px`, height: `${height}px` });
}
