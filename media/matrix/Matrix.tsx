// One matrix in detail: a table with numbers where they fit, else a heatmap; the arrow keys move the selected entry.
import type { JSX } from 'preact';
import { useId, useMemo } from 'preact/hooks';
import type { Binding, Extents } from '../../src/engine/axes.ts';
import type { Picture } from '../../src/stepper/picture.ts';
import { decimalsFor, formatFixed, formatOne } from '../numbers.ts';
import { bindingOf, type Cell, cellOf, numbersOf } from './cells.ts';
import { colourOf, css, inkOn } from '../../src/inspect/colour.ts';
import { Heatmap } from './Heatmap.tsx';
import { isSideBySide, stepWidth } from '../page/room.ts';
import { palette } from './theme.ts';

export interface MatrixProps {
  readonly picture: Picture;
  /** For people: "dx before". */
  readonly label: string;
  /** For the title of a cell: "dx". */
  readonly name: string;
  readonly axes: readonly string[];
  readonly extents: Extents;
  readonly range: number;
  /** The selected entry, in the tensor's own index. */
  readonly index: readonly number[];
  readonly onSelect: (selection: Binding) => void;
  /** Numbers of the matrices beside it, for the same number of decimals. */
  readonly largest?: number;
  /** The matrix before it in the row shows the heads of the rows. */
  readonly follows?: boolean;
  /** The width of a cell with its number, where others stand beside it. */
  readonly crowded?: number;
  /** Longest side of a picture without numbers. */
  readonly room: number;
}

const MOST_COLUMNS = 8;
const MOST_ROWS = 12;
/** From here on the numbers have one digit less, to fit beside each other. */
const MANY_COLUMNS = 7;

/** Rows on a page where the graph stands above: there is little height. */
const FEW_ROWS = 6;
/** As many rows and columns have numbers in any case. */
const SMALL = 4;
/** Row heads, a cell with its number, beside others, and the signs between three matrices. */
const [HEADS, CELL, COMPACT_CELL, SIGNS] = [32, 43, 39, 40];
/** A digit of a cell, and what is around its number. */
const [LETTER, AROUND] = [6.6, 6];
/** The sides of a picture among three. */
const [SMALLEST, LARGEST] = [96, 148];
/** What a table of terms needs beside a matrix. */
export const TERMS_WIDTH = 310;

const widthOfNumbers = (cols: number): number => HEADS + CELL * cols;

/** Three matrices with numbers in cells of this width stand in one row. */
const threeFit = (cols: number, cell: number): boolean =>
  HEADS + 3 * cell * cols + SIGNS <= stepWidth.value;

/** The width of the widest cell of matrices whose numbers get the same decimals. */
export function widestCell(pictures: readonly Picture[], largest: number): number {
  const decimals = decimalsOf(pictures[0], largest);
  const letters = (value: number): number => formatFixed(value, decimals).length;
  const longest = pictures.flatMap((picture) => [...numbersOf(picture, 0)]).map(letters);
  return Math.max(COMPACT_CELL, LETTER * Math.max(0, ...longest) + AROUND);
}

/** The room for a picture without numbers of which three stand in a row. */
export const roomAmongThree = (): number =>
  isSideBySide.value
    ? Math.min(LARGEST, Math.max(SMALLEST, Math.floor((stepWidth.value - SIGNS) / 3) - 4))
    : 104;

export const mayHaveNumbers = ({ rows, cols, step }: Picture): boolean =>
  cols <= MOST_COLUMNS && rows <= MOST_ROWS && step[0] * step[1] === 1;

/** `crowded`: three of them stand in a row, in cells of that width. */
function hasNumbers(picture: Picture, crowded = 0): boolean {
  const { rows, cols } = picture;
  if (!mayHaveNumbers(picture)) return false;
  if (isSideBySide.value) return true;
  const isSmall = rows <= SMALL && cols <= SMALL;
  // Small ones keep their numbers where these nearly fit.
  const fits = crowded
    ? threeFit(cols, isSmall ? COMPACT_CELL : crowded)
    : isSmall || widthOfNumbers(cols) + TERMS_WIDTH <= stepWidth.value;
  return rows <= FEW_ROWS && fits;
}

/** About how wide a matrix alone is. */
export const widthOf = (picture: Picture, room: number): number =>
  hasNumbers(picture) ? widthOfNumbers(picture.cols) : room;

const moves: Readonly<Record<string, readonly [number, number]>> = {
  ArrowUp: [-1, 0],
  ArrowDown: [1, 0],
  ArrowLeft: [0, -1],
  ArrowRight: [0, 1],
};

export function Matrix(props: MatrixProps): JSX.Element {
  const { picture, label, axes, extents, index, onSelect, crowded = 0 } = props;
  const id = useId();
  const { row, col } = cellOf(picture, index) ?? { row: 0, col: 0 };
  const select = (cell: Omit<Cell, 'slice'>): void =>
    onSelect(bindingOf(picture, axes, { slice: 0, ...cell }, extents));
  const onKeyDown = (event: KeyboardEvent): void => {
    const move = moves[event.key];
    if (!move || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    event.stopPropagation();
    const clamp = (at: number, length: number): number => Math.min(Math.max(at, 0), length - 1);
    select({ row: clamp(row + move[0], picture.rows), col: clamp(col + move[1], picture.cols) });
  };
  const shared = {
    role: 'grid',
    tabIndex: 0,
    'aria-label': `${label}, ${picture.rows} by ${picture.cols}`,
    'aria-activedescendant': `${id}-${row}-${col}`,
    onKeyDown,
  } as const;
  const isCompact = crowded
    ? !isSideBySide.value || !threeFit(picture.cols, CELL)
    : picture.cols >= MANY_COLUMNS;
  const body = { ...props, id, row, col, select };
  return hasNumbers(picture, crowded) ? (
    <table class={isCompact ? 'matrix compact' : 'matrix'} {...shared}>
      <NumberRows {...body} />
    </table>
  ) : (
    <div class="matrix-large" {...shared} aria-rowcount={picture.rows} aria-colcount={picture.cols}>
      <LargeMatrix {...body} />
    </div>
  );
}

function decimalsOf({ cols }: Picture, largest: number): number {
  const exact = decimalsFor(largest);
  return cols >= MANY_COLUMNS ? Math.min(exact, 2) : exact;
}

interface BodyProps extends MatrixProps {
  readonly id: string;
  readonly row: number;
  readonly col: number;
  readonly select: (cell: { row: number; col: number }) => void;
}

function NumberRows({
  picture,
  range,
  id,
  row,
  col,
  select,
  largest,
  follows,
}: BodyProps): JSX.Element {
  const values = numbersOf(picture, 0);
  const decimals = decimalsOf(picture, largest ?? picture.largest);
  const indices = (length: number): number[] => Array.from({ length }, (_, n) => n);
  const letters = (own: readonly string[]): string => own.join('');
  const isScalar = picture.rowLetters.length + picture.colLetters.length === 0;
  return (
    <>
      {!isScalar && (
        <thead>
          <tr>
            <td class={follows ? 'corner hidden' : 'corner'} aria-hidden="true">
              {picture.rowLetters.length > 0 && <span>{letters(picture.rowLetters)}↓</span>}
              <span>{letters(picture.colLetters)}→</span>
            </td>
            {indices(picture.cols).map((at) => (
              <th key={at} scope="col" class={at === col ? 'chosen' : ''}>
                {at}
              </th>
            ))}
          </tr>
        </thead>
      )}
      <tbody>
        {indices(picture.rows).map((r) => (
          <tr key={r}>
            {!isScalar && (
              <th
                scope="row"
                // A vector's only row has no index to tell.
                role={picture.rowLetters.length > 0 ? undefined : 'presentation'}
                class={`${r === row ? 'chosen' : ''} ${follows ? 'hidden' : ''}`}
              >
                {picture.rowLetters.length > 0 ? r : ''}
              </th>
            )}
            {indices(picture.cols).map((c) => (
              <NumberCell
                key={c}
                id={`${id}-${r}-${c}`}
                value={values[r * picture.cols + c]}
                decimals={decimals}
                range={range}
                chosen={r === row && c === col}
                onSelect={() => select({ row: r, col: c })}
              />
            ))}
          </tr>
        ))}
      </tbody>
    </>
  );
}

interface CellProps {
  readonly id: string;
  readonly value: number;
  readonly decimals: number;
  readonly range: number;
  readonly chosen: boolean;
  readonly onSelect: () => void;
}

function NumberCell({ id, value, decimals, range, chosen, onSelect }: CellProps): JSX.Element {
  const infinite = Math.abs(value) === Infinity;
  const colour = colourOf(value, range, palette.value);
  const style = infinite ? undefined : { backgroundColor: css(colour), color: css(inkOn(colour)) };
  const kind = infinite ? ' infinite' : value === 0 ? ' zero' : '';
  return (
    // Arrow keys on the grid do what a click on a cell does.
    <td
      id={id}
      role="gridcell"
      class={`cell${kind}${chosen ? ' selected' : ''}`}
      aria-selected={chosen}
      data-value={String(value)}
      style={style}
      title={String(value)}
      onClick={onSelect}
    >
      {formatFixed(value, decimals)}
    </td>
  );
}

/** "4", or "4–5" where a cell stands for several entries. */
function span(at: number, step: number, length: number): string {
  const [first, last] = [at * step, Math.min(length, (at + 1) * step) - 1];
  return first === last ? String(first) : `${first}–${last}`;
}

/** Too many cells for numbers: the picture, and of the table only the selected cell. */
function LargeMatrix({ picture, range, id, row, col, select, name, room }: BodyProps): JSX.Element {
  const marks = useMemo(() => [{ slice: 0, row, col }], [row, col]);
  const value = numbersOf(picture, 0)[row * picture.cols + col];
  const cell = Math.min(22, room / Math.max(picture.rows, picture.cols));
  const [down, across] = picture.step;
  return (
    <>
      <Heatmap
        picture={picture}
        range={range}
        width={Math.max(cell * picture.cols, 4)}
        height={Math.max(cell * picture.rows, 4)}
        marks={marks}
        name={name}
        onCell={select}
      />
      <div role="row" aria-rowindex={row + 1} class="large-caption">
        <span
          role="gridcell"
          id={`${id}-${row}-${col}`}
          aria-colindex={col + 1}
          aria-selected="true"
          data-value={String(value)}
        >
          {down * across > 1 && 'largest of '}[
          {picture.rowLetters.length > 0 && `${span(row, down, picture.shape.at(-2) ?? 1)}, `}
          {span(col, across, picture.shape.at(-1) ?? 1)}] = {formatOne(value)}
        </span>
      </div>
    </>
  );
}
