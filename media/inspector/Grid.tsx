// The drawn matrix as numbers: a grid of which only what is in sight exists, for eyes, keys and screen readers.
import { effect } from '@preact/signals';
import type { JSX } from 'preact';
import { useEffect, useReducer, useRef, useState } from 'preact/hooks';
import type { TensorInfo } from '../../src/inspect/messages.ts';
import { css, inkOn } from '../../src/inspect/colour.ts';
import { palette } from '../matrix/theme.ts';
import { formatFixed } from '../numbers.ts';
import { cellOfIndex, indexOfPointed, matricesOf, selectEntry } from './matrices.ts';
import { type Colours, colourFor, coloursFor } from './palette.ts';
import { decimals, scale, selected } from './state.ts';
import { sumsFor } from './sums.ts';
import { arrivals, entryAt } from './tiles.ts';

const ROW = 22;
const COLUMN = 68;
/** Browsers give up on elements that are much longer; beyond it scrolling goes by larger steps. */
const MOST_PIXELS = 8_000_000;

const moves: Readonly<Record<string, readonly [number, number]>> = {
  ArrowUp: [-1, 0],
  ArrowDown: [1, 0],
  ArrowLeft: [0, -1],
  ArrowRight: [0, 1],
  PageUp: [-10, 0],
  PageDown: [10, 0],
  Home: [0, -Infinity],
  End: [0, Infinity],
};

/** Where a side of `count` cells of `size` pixels is scrolled to, and back. */
function track(count: number, size: number) {
  const pixels = Math.min(count * size, MOST_PIXELS);
  const ratio = pixels > 0 ? (count * size) / pixels : 1;
  return {
    pixels,
    first: (scroll: number) => Math.floor((scroll * ratio) / size),
    scrollTo: (cell: number) => (cell * size) / ratio,
  };
}

export function Grid({ info }: { readonly info: TensorInfo }): JSX.Element {
  const box = useRef<HTMLDivElement>(null);
  const [view, setView] = useState({ left: 0, top: 0, width: 300, height: 300 });
  const [, redraw] = useReducer((n: number) => n + 1, 0);
  useEffect(() => effect(() => redraw(arrivals.value)), []);
  const measure = (): void => {
    const { current } = box;
    if (current)
      setView({
        left: current.scrollLeft,
        top: current.scrollTop,
        width: current.clientWidth,
        height: current.clientHeight,
      });
  };
  useEffect(() => {
    const observer = new ResizeObserver(measure);
    if (box.current) observer.observe(box.current);
    return () => observer.disconnect();
  }, []);

  const matrices = matricesOf(info);
  const entry = selected.value;
  const found = entry && cellOfIndex(matrices, entry);
  const shownMatrix = found?.matrix ?? 0;
  const matrix = matrices.all[shownMatrix];
  const { rows, cols } = matrix ?? { rows: 0, cols: 0 };
  const head = Math.max(36, String(rows).length * 8 + 14);
  const [down, across] = [track(rows, ROW), track(cols, COLUMN)];
  const cell = found ?? { matrix: shownMatrix, row: 0, col: 0 };

  // The selected cell is brought into sight when it changes, not when somebody scrolls away from it.
  const at = `${cell.matrix},${cell.row},${cell.col}`;
  useEffect(() => {
    const { current } = box;
    if (!current || !found) return;
    const [x, y] = [across.scrollTo(cell.col), down.scrollTo(cell.row)];
    const [width, height] = [current.clientWidth - head - COLUMN, current.clientHeight - 2 * ROW];
    if (y < current.scrollTop) current.scrollTop = y;
    else if (y > current.scrollTop + height) current.scrollTop = y - height;
    if (x < current.scrollLeft) current.scrollLeft = x;
    else if (x > current.scrollLeft + width) current.scrollLeft = x - width;
  }, [at]);

  const colours = scale.value && coloursFor(scale.value, palette.value);
  const sums = sumsFor(info, { ...matrices, all: matrix ? [matrix] : [] });
  const firstRow = Math.max(0, Math.min(down.first(view.top), rows - 1));
  const firstCol = Math.max(0, Math.min(across.first(view.left), cols - 1));
  const rowList = span(firstRow, Math.ceil(view.height / ROW) + 1, rows);
  const colList = span(firstCol, Math.ceil(view.width / COLUMN) + 1, cols);
  const id = (row: number, col: number): string => `entry-${row}-${col}`;

  const onKeyDown = (event: KeyboardEvent): void => {
    const move = moves[event.key];
    if (!move || event.altKey || event.ctrlKey || event.metaKey || rows * cols === 0) return;
    event.preventDefault();
    event.stopPropagation();
    const clamp = (value: number, length: number): number =>
      Math.min(Math.max(value, 0), length - 1);
    const next = {
      matrix: shownMatrix,
      row: clamp(cell.row + move[0], rows),
      col: clamp(cell.col + move[1], cols),
    };
    selectEntry(info, indexOfPointed(matrices, next));
  };
  const left = (col: number): number => head + (col - firstCol) * COLUMN + view.left;
  return (
    <div
      ref={box}
      class="grid"
      role="grid"
      tabIndex={0}
      aria-label={`${info.name}${matrices.labels[shownMatrix] ? `, ${matrices.labels[shownMatrix]}` : ''}, numbers`}
      aria-rowcount={rows + 1 + (sums ? 1 : 0)}
      aria-colcount={cols + 1 + (sums ? 1 : 0)}
      aria-activedescendant={
        rowList.includes(cell.row) && colList.includes(cell.col)
          ? id(cell.row, cell.col)
          : undefined
      }
      onScroll={measure}
      onKeyDown={onKeyDown}
    >
      <div
        class="grid-room"
        role="presentation"
        style={{
          width: `${head + across.pixels + (sums ? COLUMN : 0)}px`,
          height: `${down.pixels + ROW * (sums ? 2 : 1)}px`,
        }}
      >
        <div
          class="grid-row head"
          role="row"
          aria-rowindex={1}
          style={{ transform: `translateY(${view.top}px)` }}
        >
          <span
            class="corner"
            role="columnheader"
            aria-colindex={1}
            style={{ left: `${view.left}px`, width: `${head}px` }}
          >
            <span class="hidden">{`${matrices.rowAxis || 'row'} by ${matrices.colAxis || 'entry'}`}</span>
          </span>
          {colList.map((col) => (
            <span
              key={col}
              role="columnheader"
              aria-colindex={col + 2}
              class={col === cell.col ? 'chosen' : ''}
              style={{ left: `${left(col)}px` }}
            >
              {col}
            </span>
          ))}
          {sums && colList.at(-1) === cols - 1 && (
            <span role="columnheader" aria-colindex={cols + 2} style={{ left: `${left(cols)}px` }}>
              Σ
            </span>
          )}
        </div>
        {rowList.map((row) => (
          <div
            key={row}
            class="grid-row"
            role="row"
            aria-rowindex={row + 2}
            style={{ transform: `translateY(${view.top + (row - firstRow + 1) * ROW}px)` }}
          >
            <span
              class={`row-head${row === cell.row ? ' chosen' : ''}`}
              role="rowheader"
              aria-colindex={1}
              style={{ left: `${view.left}px`, width: `${head}px` }}
            >
              {row}
            </span>
            {matrix &&
              colList.map((col) => (
                <NumberCell
                  key={col}
                  id={id(row, col)}
                  left={left(col)}
                  column={col + 2}
                  value={entryAt(matrix, row, col)}
                  colours={colours}
                  chosen={found !== null && row === cell.row && col === cell.col}
                  onChoose={() =>
                    selectEntry(info, indexOfPointed(matrices, { matrix: shownMatrix, row, col }))
                  }
                />
              ))}
            {sums && colList.at(-1) === cols - 1 && (
              <Sum value={sums.rows[row]} left={left(cols)} column={cols + 2} />
            )}
          </div>
        ))}
        {sums && rowList.at(-1) === rows - 1 && (
          <div
            class="grid-row sums"
            role="row"
            aria-rowindex={rows + 2}
            style={{ transform: `translateY(${view.top + (rows - firstRow + 1) * ROW}px)` }}
          >
            <span
              class="row-head"
              role="rowheader"
              aria-colindex={1}
              style={{ left: `${view.left}px`, width: `${head}px` }}
            >
              Σ
            </span>
            {colList.map((col) => (
              <Sum key={col} value={sums.cols[col]} left={left(col)} column={col + 2} />
            ))}
          </div>
        )}
      </div>
    </div>
  );
}

const span = (first: number, count: number, length: number): number[] =>
  Array.from({ length: Math.max(0, Math.min(count, length - first)) }, (_, n) => first + n);

const Sum = ({
  value,
  left,
  column,
}: {
  value: number;
  left: number;
  column: number;
}): JSX.Element => (
  <span
    role="gridcell"
    class="number sum"
    aria-colindex={column}
    style={{ left: `${left}px` }}
    title={String(value)}
  >
    {formatFixed(Math.abs(value) < 1e-14 ? 0 : value, 4)}
  </span>
);

interface CellProps {
  readonly id: string;
  readonly left: number;
  readonly column: number;
  readonly value: number | null;
  readonly colours: Colours | null;
  readonly chosen: boolean;
  readonly onChoose: () => void;
}

function NumberCell({
  id,
  left,
  column,
  value,
  colours,
  chosen,
  onChoose,
}: CellProps): JSX.Element {
  const infinite = value !== null && Math.abs(value) === Infinity;
  const colour = value !== null && !infinite && colours ? colourFor(value, colours) : null;
  const style = colour ? { backgroundColor: css(colour), color: css(inkOn(colour)) } : {};
  return (
    <span
      id={id}
      role="gridcell"
      aria-colindex={column}
      aria-selected={chosen}
      class={`number${infinite ? ' infinite' : ''}${chosen ? ' selected' : ''}`}
      style={{ left: `${left}px`, ...style }}
      title={value === null ? '' : String(value)}
      onClick={onChoose}
    >
      {value === null ? '…' : formatFixed(value, decimals.value)}
    </span>
  );
}
