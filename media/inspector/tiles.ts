// Tiles of the drawn matrices: asked for when they are looked at, kept while there is room.
import { signal } from '@preact/signals';
import type { TensorInfo } from '../../src/inspect/messages.ts';
import type { Slicing } from '../../src/inspect/plane.ts';
import { TILE, type TilePlace } from '../../src/inspect/pyramid.ts';
import type { Reduction } from '../../src/inspect/reduce.ts';
import { ask } from './ask.ts';
import { trouble } from './state.ts';

export interface KeptTile {
  readonly key: string;
  readonly rows: number;
  readonly cols: number;
  /** Exact at level 0. */
  readonly data: Float64Array | Float32Array;
}

export interface Matrix {
  readonly tensor: Pick<TensorInfo, 'id' | 'version'>;
  readonly slicing: Slicing;
  readonly reduction: Reduction;
  readonly rows: number;
  readonly cols: number;
}

const MOST_TILES = 400;

const kept = new Map<string, KeptTile>();
const asked = new Map<string, () => void>();
/** The tile that came last for a place, whatever its version: shown until the present one is here. */
const latest = new Map<string, string>();

/** Counts arrivals: who draws tiles reads it to be drawn again. */
export const arrivals = signal(0);

/** The same matrix in all its versions; without the index on the drawn axes, which means nothing. */
function matrixKey({ tensor, slicing, reduction }: Matrix): string {
  const { rowAxis, colAxis, fixed } = slicing;
  const at = fixed.map((index, axis) => (axis === rowAxis || axis === colAxis ? '' : index));
  return [tensor.id, rowAxis, colAxis, at.join(), reduction].join('|');
}

const placeKey = (matrix: Matrix, { level, down, across }: TilePlace): string =>
  [matrixKey(matrix), level, down, across].join('|');

/** An earlier version's tile of the same place. */
export function earlierTile(matrix: Matrix, place: TilePlace): KeptTile | null {
  return kept.get(latest.get(placeKey(matrix, place)) ?? '') ?? null;
}

export function tileKey(matrix: Matrix, { level, down, across }: TilePlace): string {
  return [matrixKey(matrix), matrix.tensor.version, level, down, across].join('|');
}

/** The tile, if it is here; otherwise it is asked for when `wanted`. */
export function tileAt(matrix: Matrix, place: TilePlace, wanted = true): KeptTile | null {
  const key = tileKey(matrix, place);
  const tile = kept.get(key);
  if (tile) {
    kept.delete(key);
    kept.set(key, tile);
    return tile;
  }
  if (wanted && !asked.has(key)) {
    const { tensor, slicing, reduction } = matrix;
    const question = {
      kind: 'tile' as const,
      tensor: tensor.id,
      version: tensor.version,
      slicing,
      reduction,
      place,
    };
    const takeBack = ask(question, (answer, problem) => {
      asked.delete(key);
      if (answer?.kind === 'tile') {
        const { rows, cols, data } = answer.tile;
        const numbers = place.level === 0 ? new Float64Array(data) : new Float32Array(data);
        kept.set(key, { key, rows, cols, data: numbers });
        latest.set(placeKey(matrix, place), key);
        if (kept.size > MOST_TILES) kept.delete(kept.keys().next().value!);
        arrivals.value++;
      } else if (problem) trouble.value = problem;
    });
    asked.set(key, takeBack);
  }
  return null;
}

/** Takes back questions for tiles that are not looked at any more. */
export function forgetExcept(wanted: ReadonlySet<string>): void {
  for (const [key, takeBack] of asked) {
    if (wanted.has(key)) continue;
    asked.delete(key);
    takeBack();
  }
}

/** The exact entry, if its tile is here; it is asked for otherwise. */
export function entryAt(matrix: Matrix, row: number, col: number): number | null {
  const place = { level: 0, down: Math.floor(row / TILE), across: Math.floor(col / TILE) };
  const tile = tileAt(matrix, place);
  return tile ? tile.data[(row % TILE) * tile.cols + (col % TILE)] : null;
}
