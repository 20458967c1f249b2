// What is drawn over the cells: indices of rows and columns, labels, numbers, sums, the selected and pointed cell.
import { css, inkOn } from '../../src/inspect/colour.ts';
import { formatFixed } from '../numbers.ts';
import type { Camera, Layout, Pointed, Size } from './camera.ts';
import { type Colours, colourFor } from './palette.ts';
import type { SceneProps } from './scene.ts';
import { decimals } from './state.ts';

export interface Margins {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

const SUM_WIDTH = 54;
const DIGIT = 6.5;

export function marginsFor(rows: number, sums: boolean, matrices: number): Margins {
  if (matrices > 1) return { left: 2, top: 0, right: 2, bottom: 2 };
  const left = Math.ceil(String(Math.max(rows - 1, 0)).length * DIGIT) + 10;
  return { left, top: 18, right: sums ? SUM_WIDTH : 1, bottom: sums ? 18 : 1 };
}

export interface OverlayProps extends Omit<SceneProps, 'colours'> {
  readonly colours: Colours;
  readonly camera: Camera;
  readonly layout: Layout;
  readonly margins: Margins;
  readonly size: Size;
  readonly density: number;
  readonly hovered: Pointed | null;
  /** An exact entry; null while it is not here or where cells are blocks. */
  readonly value: (cell: Pointed) => number | null;
}

/** Cells of that size have room for a number. */
const NUMBER = { across: 40, down: 13 };

interface Pen {
  readonly context: CanvasRenderingContext2D;
  readonly foreground: string;
  readonly muted: string;
  readonly left: (matrix: number, col: number) => number;
  readonly top: (matrix: number, row: number) => number;
}

export function drawOverlay(canvas: HTMLCanvasElement, props: OverlayProps): void {
  const context = canvas.getContext('2d');
  const [matrix] = props.matrices;
  if (!context) return;
  const { camera, layout, margins, size, density } = props;
  const style = getComputedStyle(canvas);
  context.setTransform(density, 0, 0, density, 0, 0);
  context.clearRect(0, 0, size.width, size.height);
  if (!matrix) return;
  context.font = `11px ${style.fontFamily}`;
  context.textBaseline = 'middle';
  const pen: Pen = {
    context,
    foreground: style.getPropertyValue('--fg').trim() || style.color,
    muted: style.color,
    left: (n, col) => margins.left + (layout.places[n].x + col - camera.x) * camera.across,
    top: (n, row) => margins.top + (layout.places[n].y + row - camera.y) * camera.down,
  };
  const inner = new Path2D();
  const [width, height] = [
    size.width - margins.left - margins.right,
    size.height - margins.top - margins.bottom,
  ];
  inner.rect(margins.left, margins.top, width, height);
  context.save();
  context.clip(inner);
  if (camera.across >= NUMBER.across && camera.down >= NUMBER.down)
    drawNumbers(pen, props, { width, height });
  if (props.matrices.length > 1) drawLabels(pen, props);
  context.restore();
  if (props.matrices.length === 1) {
    drawIndices(pen, props, { width, height });
    if (props.sums) drawSums(pen, props, props.sums, { width, height });
  }
  context.save();
  context.beginPath();
  context.rect(margins.left - 2, margins.top - 2, width + 4, height + 4);
  context.clip();
  if (props.hovered) outline(pen, props.camera, props.hovered, pen.foreground, 1);
  if (props.selected) outline(pen, props.camera, props.selected, pen.foreground, 2);
  context.restore();
}

function outline(
  { context, left, top }: Pen,
  camera: Camera,
  cell: Pointed,
  colour: string,
  line: number,
): void {
  // A cell under a few pixels is outlined by a box around it that can be seen.
  const [width, height] = [Math.max(camera.across, 7), Math.max(camera.down, 7)];
  const x = left(cell.matrix, cell.col) + (camera.across - width) / 2;
  const y = top(cell.matrix, cell.row) + (camera.down - height) / 2;
  context.strokeStyle = colour;
  context.lineWidth = line;
  context.strokeRect(
    Math.round(x) - 0.5,
    Math.round(y) - 0.5,
    Math.round(width),
    Math.round(height),
  );
}

function drawNumbers(
  { context, left, top }: Pen,
  props: OverlayProps,
  { width, height }: Size,
): void {
  const { camera, colours, layout, matrices, value } = props;
  context.textAlign = 'right';
  for (const [n, { rows, cols }] of matrices.entries()) {
    const { x, y } = layout.places[n];
    const [rowFrom, colFrom] = [
      Math.max(0, Math.floor(camera.y - y)),
      Math.max(0, Math.floor(camera.x - x)),
    ];
    const rowTo = Math.min(rows, Math.ceil(camera.y + height / camera.down - y));
    const colTo = Math.min(cols, Math.ceil(camera.x + width / camera.across - x));
    for (let row = rowFrom; row < rowTo; row++) {
      for (let col = colFrom; col < colTo; col++) {
        const number = value({ matrix: n, row, col });
        if (number === null) continue;
        context.fillStyle =
          Math.abs(number) === Infinity
            ? css(inkOn(colours.palette.ground))
            : css(inkOn(colourFor(number, colours)));
        context.fillText(
          formatFixed(number, decimals.value),
          left(n, col + 1) - Math.max(4, camera.across * 0.08),
          top(n, row) + camera.down / 2 + 0.5,
          camera.across - 4,
        );
      }
    }
  }
}

function drawLabels(
  { context, foreground, left, top }: Pen,
  { labels, camera, matrices, selected }: OverlayProps,
): void {
  context.textAlign = 'left';
  for (const [n, label] of labels.entries()) {
    const y = top(n, 0) - 8;
    const width = matrices[n].cols * camera.across;
    const number = label.replace(/^.* /, '');
    const isSelected = selected?.matrix === n;
    context.fillStyle = foreground;
    context.font = context.font.replace(/^(bold )?/, isSelected ? 'bold ' : '');
    context.fillText(context.measureText(label).width <= width ? label : number, left(n, 0), y);
  }
  context.font = context.font.replace(/^bold /, '');
}

/** 1, 2, 5, 10, ...: every how many indices leave room for their text. */
function stepFor(pixels: number, room: number): number {
  for (let power = 1; ; power *= 10) {
    for (const step of [1, 2, 5]) if (step * power * pixels >= room) return step * power;
  }
}

function drawIndices(
  pen: Pen,
  { camera, layout, margins, matrices, selected }: OverlayProps,
  { width, height }: Size,
): void {
  const { context, foreground, muted, left, top } = pen;
  const [{ rows, cols }] = matrices;
  const [{ x, y }] = layout.places;
  const mark = (isChosen: boolean): void => {
    context.fillStyle = isChosen ? foreground : muted;
    context.font = context.font.replace(/^(bold )?/, isChosen ? 'bold ' : '');
  };
  const across = stepFor(camera.across, String(cols - 1).length * DIGIT + 8);
  context.textAlign = 'center';
  const colTo = Math.min(cols - 1, camera.x - x + width / camera.across);
  for (
    let col = Math.max(0, Math.ceil((camera.x - x) / across)) * across;
    col <= colTo;
    col += across
  ) {
    const at = left(0, col + 0.5);
    if (at > margins.left + width) break;
    mark(col === selected?.col);
    context.fillText(String(col), at, margins.top - 8);
  }
  const down = stepFor(camera.down, 13);
  context.textAlign = 'right';
  const rowTo = Math.min(rows - 1, camera.y - y + height / camera.down);
  for (let row = Math.max(0, Math.ceil((camera.y - y) / down)) * down; row <= rowTo; row += down) {
    const at = top(0, row + 0.5);
    if (at > margins.top + height) break;
    mark(row === selected?.row);
    context.fillText(String(row), margins.left - 5, at);
  }
  mark(false);
}

function drawSums(
  { context, muted, left, top }: Pen,
  { camera, margins, matrices }: OverlayProps,
  sums: { readonly rows: Float64Array; readonly cols: Float64Array },
  { width, height }: Size,
): void {
  const [{ rows, cols }] = matrices;
  const right = Math.min(margins.left + width, left(0, cols));
  const bottom = Math.min(margins.top + height, top(0, rows));
  context.fillStyle = muted;
  const write = (value: number): string => formatFixed(Math.abs(value) < 1e-14 ? 0 : value, 4);
  context.textAlign = 'left';
  context.fillText('Σ', right + 5, margins.top - 8);
  const down = stepFor(camera.down, 13);
  const rowFrom = Math.max(0, Math.ceil((margins.top - top(0, 0)) / camera.down - 0.5));
  for (
    let row = Math.ceil(rowFrom / down) * down;
    row < rows && top(0, row + 0.5) < margins.top + height;
    row += down
  ) {
    context.fillText(write(sums.rows[row]), right + 5, top(0, row + 0.5), SUM_WIDTH - 8);
  }
  context.textAlign = 'right';
  context.fillText('Σ', margins.left - 5, bottom + 9);
  context.textAlign = 'center';
  const across = stepFor(camera.across, 48);
  const colFrom = Math.max(0, Math.ceil((margins.left - left(0, 0)) / camera.across - 0.5));
  for (
    let col = Math.ceil(colFrom / across) * across;
    col < cols && left(0, col + 0.5) < margins.left + width;
    col += across
  ) {
    context.fillText(
      write(sums.cols[col]),
      left(0, col + 0.5),
      bottom + 9,
      across * camera.across - 2,
    );
  }
}
