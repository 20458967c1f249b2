// A matrix at every power of two of its size, cut into tiles; computed in slices, each level honest.
import { type Plane, readRegion } from './plane.ts';
import { blocksIn, type Grid, reduceBlocks, type Reduction } from './reduce.ts';
import type { Breathe, Entries } from './source.ts';
import { SLICE } from './source.ts';

/** Cells along a side of a tile. */
export const TILE = 256;

/** Most cells of the largest level that is kept; finer ones are made from the entries when asked for. */
const MOST_KEPT = 2 ** 21;
/** Tiles of coarser levels would need more entries at once than is quick. */
const FINEST_KEPT = 2;

export interface Tile extends Grid {
  /** float64 at level 0, where the entries are exact; float32 above. */
  readonly data: ArrayBuffer;
}

export interface TilePlace {
  /** 0: the entries; n: blocks of 2^n x 2^n entries. */
  readonly level: number;
  /** In tiles from the top and from the left. */
  readonly down: number;
  readonly across: number;
}

/** Levels up to the one that is a single tile. */
export function levelCount({ rows, cols }: Grid): number {
  const longest = Math.max(rows, cols, 1);
  return Math.max(0, Math.ceil(Math.log2(longest / TILE))) + 1;
}

const LARGEST_FLOAT32 = 2 ** 128 - 2 ** 104;

/** Finite numbers stay finite: those beyond float32 become its largest. */
export function toFloat32(data: Float64Array): Float32Array<ArrayBuffer> {
  const result = Float32Array.from(data);
  for (let n = 0; n < result.length; n++) {
    if (Math.abs(result[n]) === Infinity && Number.isFinite(data[n]))
      result[n] = Math.sign(data[n]) * LARGEST_FLOAT32;
  }
  return result;
}

export class Pyramid {
  readonly #entries: Entries;
  readonly #plane: Plane;
  readonly #reduction: Reduction;
  readonly #base: number;
  /** From the base level up. */
  #kept: Promise<Float32Array[]> | null = null;

  constructor(entries: Entries, plane: Plane, reduction: Reduction) {
    this.#entries = entries;
    this.#plane = plane;
    this.#reduction = reduction;
    let base = FINEST_KEPT;
    while (this.#size(base).rows * this.#size(base).cols > MOST_KEPT) base++;
    this.#base = base;
  }

  /** Bytes that the kept levels take, once they are made. */
  get bytes(): number {
    const { rows, cols } = this.#size(this.#base);
    return rows * cols * 4 * (4 / 3);
  }

  /**
   * The cells of one tile; those at the right and lower edge are smaller. `progress` is called with a share
   * in [0, 1] while the whole matrix is read, which happens once. Throws RangeError for a place outside.
   */
  async tile(place: TilePlace, breathe: Breathe, progress?: (done: number) => void): Promise<Tile> {
    const { level, down, across } = place;
    const size = this.#size(level);
    const [row, col] = [down * TILE, across * TILE];
    const isInside = [level, down, across].every((each) => Number.isInteger(each) && each >= 0);
    if (!isInside || level >= levelCount(this.#plane) || row >= size.rows || col >= size.cols) {
      throw new RangeError(`no tile (${down}, ${across}) at level ${level}`);
    }
    const rows = Math.min(TILE, size.rows - row);
    const cols = Math.min(TILE, size.cols - col);
    if (level < this.#base)
      return { rows, cols, data: await this.#fromEntries(level, { row, col, rows, cols }) };
    this.#kept ??= this.#make(breathe, progress);
    let levels: Float32Array[];
    try {
      levels = await this.#kept;
    } catch (error) {
      // Cancelled half-way: whoever asks next begins anew.
      this.#kept = null;
      throw error;
    }
    const data = new Float32Array(rows * cols);
    const from = levels[level - this.#base];
    for (let n = 0; n < rows; n++) {
      const start = (row + n) * size.cols + col;
      data.set(from.subarray(start, start + cols), n * cols);
    }
    return { rows, cols, data: data.buffer };
  }

  #size(level: number): Grid {
    const factor = 2 ** level;
    return { rows: blocksIn(this.#plane.rows, factor), cols: blocksIn(this.#plane.cols, factor) };
  }

  async #fromEntries(
    level: number,
    cells: Grid & { row: number; col: number },
  ): Promise<ArrayBuffer> {
    const factor = 2 ** level;
    const region = {
      row: cells.row * factor,
      col: cells.col * factor,
      rows: Math.min(cells.rows * factor, this.#plane.rows - cells.row * factor),
      cols: Math.min(cells.cols * factor, this.#plane.cols - cells.col * factor),
    };
    const data = await readRegion(this.#entries, this.#plane, region);
    if (level === 0) return data.slice().buffer;
    return toFloat32(reduceBlocks(data, region, factor, this.#reduction)).buffer;
  }

  async #make(breathe: Breathe, progress?: (done: number) => void): Promise<Float32Array[]> {
    const levels = [await this.#makeBase(breathe, progress)];
    for (let level = this.#base; level + 1 < levelCount(this.#plane); level++) {
      levels.push(await this.#halve(levels[levels.length - 1], level, breathe));
    }
    return levels;
  }

  /** Reads the whole matrix once, in bands of blocks. */
  async #makeBase(breathe: Breathe, progress?: (done: number) => void): Promise<Float32Array> {
    const factor = 2 ** this.#base;
    const { rows, cols } = this.#plane;
    const size = this.#size(this.#base);
    const result = new Float32Array(size.rows * size.cols);
    const width = Math.max(factor, Math.floor(SLICE / factor / factor) * factor);
    for (let row = 0; row < rows; row += factor) {
      for (let col = 0; col < cols; col += width) {
        const region = {
          row,
          col,
          rows: Math.min(factor, rows - row),
          cols: Math.min(width, cols - col),
        };
        const data = await readRegion(this.#entries, this.#plane, region);
        const blocks = toFloat32(reduceBlocks(data, region, factor, this.#reduction));
        result.set(blocks, (row / factor) * size.cols + col / factor);
        const pause = breathe();
        if (!pause) continue;
        progress?.((row * cols + col) / (rows * cols));
        await pause;
      }
    }
    return result;
  }

  /** The next level from `level`, which is `fine`. */
  async #halve(fine: Float32Array, level: number, breathe: Breathe): Promise<Float32Array> {
    const size = this.#size(level);
    const next = this.#size(level + 1);
    const factor = 2 ** level;
    const result = new Float32Array(next.rows * next.cols);
    const full = (blocks: number, length: number, at: number): number =>
      at === blocks - 1 ? length - at * factor : factor;
    const band = Math.max(2, Math.floor(SLICE / size.cols / 2) * 2);
    for (let row = 0; row < size.rows; row += band) {
      const rows = Math.min(band, size.rows - row);
      const data = fine.subarray(row * size.cols, (row + rows) * size.cols);
      const weight = (r: number, c: number): number =>
        full(size.rows, this.#plane.rows, row + r) * full(size.cols, this.#plane.cols, c);
      const halved = reduceBlocks(data, { rows, cols: size.cols }, 2, this.#reduction, weight);
      result.set(halved, (row / 2) * next.cols);
      await breathe();
    }
    return result;
  }
}
