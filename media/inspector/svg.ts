// The first drawn matrix as an SVG picture, from the tiles that are here.
import type { TensorInfo } from '../../src/inspect/messages.ts';
import { levelCount, TILE } from '../../src/inspect/pyramid.ts';
import { wordsFor } from '../../src/inspect/scale.ts';
import { toSvg } from '../../src/inspect/svg.ts';
import { css } from '../../src/inspect/colour.ts';
import { palette } from '../matrix/theme.ts';
import { formatRange } from '../numbers.ts';
import { cellOfIndex, matricesOf } from './matrices.ts';
import { coloursFor, cssFor } from './palette.ts';
import { looking, scale, selected } from './state.ts';
import { earlierTile, tileAt } from './tiles.ts';

/** A picture of more cells is no use as vectors. */
const MOST_CELLS = 256;
const LEGEND = 40;

/** Null while there is nothing to draw yet. Larger matrices are reduced as on the screen. */
export function svgOf(info: TensorInfo): string | null {
  const matrices = matricesOf(info);
  const cell = selected.value && cellOfIndex(matrices, selected.value);
  const matrix = matrices.all[cell?.matrix ?? 0];
  if (!matrix || !scale.value) return null;
  const colours = coloursFor(scale.value, palette.value);
  const level = Math.min(
    levelCount(matrix) - 1,
    Math.max(0, Math.ceil(Math.log2(Math.max(matrix.rows, matrix.cols) / MOST_CELLS))),
  );
  // At that level the matrix is one tile.
  const place = { level, down: 0, across: 0 };
  const tile = tileAt(matrix, place) ?? earlierTile(matrix, place);
  if (!tile || tile.rows > TILE) return null;
  const style = getComputedStyle(document.body);
  const factor = 2 ** level;
  const label = matrices.labels[cell?.matrix ?? 0];
  return toSvg({
    title: label ? `${info.name}, ${label}` : info.name,
    ...{ rows: tile.rows, cols: tile.cols, rowAxis: matrices.rowAxis, colAxis: matrices.colAxis },
    colours: Array.from(tile.data, (value) => cssFor(value, colours)),
    reduced: level === 0 ? '' : `${looking.value.reduction} of ${factor} × ${factor} entries`,
    legend: {
      words: wordsFor(scale.value),
      low: formatRange(scale.value.low),
      high: formatRange(scale.value.high),
      colours: Array.from({ length: LEGEND }, (_, n) =>
        css(colours.samples[Math.round((n / (LEGEND - 1)) * (colours.samples.length - 1))]),
      ),
    },
    foreground: style.color,
    background: style.backgroundColor,
  });
}
