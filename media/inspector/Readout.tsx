// The entry that is pointed at, and for screen readers the selected one: index and value in words.
import type { JSX } from 'preact';
import type { TensorInfo } from '../../src/inspect/messages.ts';
import { TILE } from '../../src/inspect/pyramid.ts';
import { formatOne } from '../numbers.ts';
import type { Pointed } from './camera.ts';
import { cellOfIndex, indexOfPointed, type Matrices, matricesOf } from './matrices.ts';
import { hovered, level } from './picture.ts';
import { looking, selected } from './state.ts';
import { arrivals, entryAt, tileAt } from './tiles.ts';

const exact = (value: number): string =>
  String(value).replace('-', '−').replace('e-', 'e−').replace('Infinity', '∞');

const where = ({ name }: TensorInfo, at: readonly (number | string)[]): string =>
  at.length > 0 ? `${name}[${at.join(', ')}]` : name;

/** "dP[2, 3] = 0.31" */
function entryText(info: TensorInfo, matrices: Matrices, cell: Pointed): string {
  const matrix = matrices.all[cell.matrix];
  const value = matrix ? entryAt(matrix, cell.row, cell.col) : null;
  return `${where(info, indexOfPointed(matrices, cell))} = ${value === null ? '…' : exact(value)}`;
}

/** "mean of dP[0–7, 16–23] = 0.31" */
function blockText(info: TensorInfo, matrices: Matrices, cell: Pointed, at: number): string {
  const factor = 2 ** at;
  const matrix = matrices.all[cell.matrix];
  const [row, col] = [Math.floor(cell.row / factor), Math.floor(cell.col / factor)];
  const place = { level: at, down: Math.floor(row / TILE), across: Math.floor(col / TILE) };
  const tile = tileAt(matrix, place, false);
  const value = tile?.data[(row % TILE) * tile.cols + (col % TILE)];
  const { rowAxis, colAxis } = matrices.slicing;
  const span = (block: number, length: number): string =>
    `${block * factor}–${Math.min(length, (block + 1) * factor) - 1}`;
  const places = indexOfPointed(matrices, cell).map((index, axis) =>
    axis === rowAxis ? span(row, matrix.rows) : axis === colAxis ? span(col, matrix.cols) : index,
  );
  return `${looking.value.reduction} of ${where(info, places)} = ${value === undefined ? '…' : formatOne(value)}`;
}

export function Hover({ info }: { readonly info: TensorInfo }): JSX.Element {
  const cell = hovered.value;
  const matrices = matricesOf(info);
  const isThere = arrivals.value >= 0 && cell !== null && matrices.all[cell.matrix] !== undefined;
  return (
    <p class="hover figures" aria-hidden="true">
      {isThere ? (
        level.value === 0 ? (
          entryText(info, matrices, cell)
        ) : (
          blockText(info, matrices, cell, level.value)
        )
      ) : (
        <span class="muted">Wheel zooms, drag pans, 0 fits</span>
      )}
    </p>
  );
}

/** Spoken when another entry is selected. */
export function Announcement({ info }: { readonly info: TensorInfo }): JSX.Element {
  const entry = selected.value;
  const matrices = matricesOf(info);
  const cell = entry && arrivals.value >= 0 ? cellOfIndex(matrices, entry) : null;
  return (
    <span class="hidden" aria-live="polite">
      {cell && entryText(info, matrices, cell)}
    </span>
  );
}
