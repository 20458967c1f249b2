// A picture as a canvas: the small heatmaps of the graph's cards and matrices too large for numbers.
import type { JSX } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import type { Picture } from '../../src/stepper/picture.ts';
import { formatOne } from '../numbers.ts';
import { arrange, cellAt } from './arrange.ts';
import type { Cell } from './cells.ts';
import { numbersOf } from './cells.ts';
import { drawPicture } from './draw.ts';
import { markColour, palette } from './theme.ts';

export interface HeatmapProps {
  readonly picture: Picture;
  readonly range: number;
  readonly width: number;
  readonly height: number;
  /** How much the surroundings are scaled up: the canvas has that many more pixels. */
  readonly scale?: number;
  readonly marks?: readonly Cell[];
  readonly largestCell?: number;
  /** "K", "dK": for the title of a cell. */
  readonly name: string;
  readonly onCell?: (cell: Cell) => void;
}

const NO_MARKS: readonly Cell[] = [];

export function Heatmap(props: HeatmapProps): JSX.Element {
  const {
    picture,
    range,
    width,
    height,
    scale = 1,
    marks = NO_MARKS,
    largestCell = Infinity,
    name,
    onCell,
  } = props;
  const canvas = useRef<HTMLCanvasElement>(null);
  const colours = palette.value;
  const mark = markColour.value;
  useLayoutEffect(() => {
    if (!canvas.current) return;
    const density = scale * (window.devicePixelRatio || 1);
    const options = {
      range,
      palette: colours,
      width,
      height,
      density,
      marks,
      markColour: mark,
      largestCell,
    };
    drawPicture(canvas.current, picture, options);
  }, [picture, range, width, height, scale, marks, largestCell, colours, mark]);

  const cellOfEvent = (event: MouseEvent): Cell | null => {
    const { rows, cols, slices } = picture;
    const bounds = canvas.current?.getBoundingClientRect();
    if (!bounds || bounds.width === 0) return null;
    const arrangement = arrange(
      { rows, cols, count: slices.length },
      { width, height },
      largestCell,
    );
    const x = ((event.clientX - bounds.left) / bounds.width) * width;
    const y = ((event.clientY - bounds.top) / bounds.height) * height;
    return cellAt(arrangement, picture, x, y);
  };
  const describe = (event: MouseEvent): void => {
    const cell = cellOfEvent(event);
    if (!canvas.current) return;
    canvas.current.title = cell ? titleOf(picture, name, cell) : '';
  };
  const click = (event: MouseEvent): void => {
    const cell = cellOfEvent(event);
    if (!cell || !onCell) return;
    event.stopPropagation();
    onCell(cell);
  };
  return (
    // The same cells are reached by keyboard in the matrix of the step.
    <canvas
      ref={canvas}
      class={onCell ? 'heatmap pointable' : 'heatmap'}
      style={{ width: `${width}px`, height: `${height}px` }}
      onMouseMove={describe}
      onClick={click}
      aria-hidden="true"
    />
  );
}

/** "K[1, 0] = 0.31", or the extreme of a block where the picture is reduced. */
function titleOf(picture: Picture, name: string, { slice, row, col }: Cell): string {
  const { step, shape, slices, cols } = picture;
  const value = formatOne(numbersOf(picture, slice)[row * cols + col]);
  const at = [row * step[0], col * step[1]].slice(2 - Math.min(2, shape.length));
  const where =
    at.length > 0
      ? `[${slices[slice].label ? `${slices[slice].label}: ` : ''}${at.join(', ')}]`
      : '';
  const reduced = step[0] * step[1] > 1 ? `, the largest of ${step[0]} × ${step[1]} entries` : '';
  return `${name}${where} = ${value}${reduced}`;
}
