// The heatmap: pan by dragging, zoom by wheel and keys, exact numbers when near; a click or arrow selects an entry.
import { effect } from '@preact/signals';
import type { JSX } from 'preact';
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';
import type { TensorInfo } from '../../src/inspect/messages.ts';
import { palette } from '../matrix/theme.ts';
import type { Pointed } from './camera.ts';
import {
  cellOfIndex,
  indexOfPointed,
  type Matrices,
  matricesOf,
  type Selection,
  selectEntry,
} from './matrices.ts';
import { coloursFor } from './palette.ts';
import { Scene } from './scene.ts';
import { looking, scale, selected } from './state.ts';
import { sumsFor } from './sums.ts';
import { arrivals } from './tiles.ts';
import { hovered, level, scene as currentScene } from './picture.ts';
import { Announcement } from './Readout.tsx';

const KEY_PAN = 60;
const KEY_ZOOM = 1.5;
/** Pixels that the pointer may move in a click. */
const CLICK = 4;

export function Picture({ info }: { readonly info: TensorInfo }): JSX.Element {
  const box = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const overlay = useRef<HTMLCanvasElement>(null);
  const scene = useRef<Scene | null>(null);
  const latest = useRef(info);
  latest.current = info;

  useLayoutEffect(() => {
    if (!canvas.current || !overlay.current || !box.current) return;
    const made = new Scene(canvas.current, overlay.current, (drawn) => {
      level.value = drawn;
    });
    scene.current = made;
    currentScene.value = made;
    const observer = new ResizeObserver(([{ contentRect }]) =>
      made.resize({ width: Math.floor(contentRect.width), height: Math.floor(contentRect.height) }),
    );
    observer.observe(box.current);
    const stop = effect(() => {
      if (arrivals.value > 0) made.schedule();
    });
    return () => {
      stop();
      observer.disconnect();
      made.dispose();
      currentScene.value = null;
    };
  }, []);

  const matrices = matricesOf(info);
  const entry = selected.value;
  const cell = entry && cellOfIndex(matrices, entry);
  const colours = scale.value && coloursFor(scale.value, palette.value);
  const sums = sumsFor(info, matrices);
  useEffect(() => {
    scene.current?.show({
      ...{ matrices: matrices.all, labels: matrices.labels, colours, selected: cell, sums },
      ...{ rowAxis: matrices.rowAxis, colAxis: matrices.colAxis },
    });
  });

  const onKeyDown = (event: KeyboardEvent): void => {
    const made = scene.current;
    if (!made || event.altKey || event.ctrlKey || event.metaKey) return;
    const arrow = arrows[event.key];
    if (arrow && event.shiftKey) made.pan(arrow[1] * KEY_PAN, arrow[0] * KEY_PAN);
    else if (arrow)
      moveSelection(info, matrices, cell ?? { matrix: 0, row: 0, col: 0 }, arrow, made);
    else if (event.key === '+' || event.key === '=') zoomBy(made, KEY_ZOOM);
    else if (event.key === '-' || event.key === '_') zoomBy(made, 1 / KEY_ZOOM);
    else if (event.key === '0') made.fit();
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  const pointer = usePointer(
    scene,
    (found) => {
      hovered.value = found;
    },
    (found) => selectEntry(latest.current, indexOfPointed(matricesOf(latest.current), found)),
  );
  useWheel(box, scene);

  const [{ rows, cols } = { rows: 0, cols: 0 }] = matrices.all;
  const label = `${info.name}, heatmap of ${matrices.all.length > 1 ? `${matrices.all.length} matrices of ` : ''}${rows} rows and ${cols} columns`;
  return (
    <div
      ref={box}
      class="picture"
      role="application"
      aria-roledescription="heatmap"
      aria-label={label}
      aria-keyshortcuts="ArrowUp ArrowDown ArrowLeft ArrowRight Plus Minus 0"
      tabIndex={0}
      onKeyDown={onKeyDown}
      {...pointer}
      style={{ height: `${heightFor(matrices, rows, cols)}px` }}
    >
      <canvas ref={canvas} class="cells" aria-hidden="true" />
      <canvas ref={overlay} class="over" aria-hidden="true" />
      <Announcement info={info} />
    </div>
  );

  function zoomBy(made: Scene, factor: number): void {
    made.zoom(factor);
    if (cell && factor > 1) made.reveal(cell);
  }
}

const arrows: Readonly<Record<string, readonly [number, number]>> = {
  ArrowUp: [-1, 0],
  ArrowDown: [1, 0],
  ArrowLeft: [0, -1],
  ArrowRight: [0, 1],
};

function moveSelection(
  info: TensorInfo,
  matrices: Matrices,
  from: Selection,
  arrow: readonly [number, number],
  made: Scene,
): void {
  const { rows, cols } = matrices.all[from.matrix] ?? { rows: 1, cols: 1 };
  const clamp = (at: number, length: number): number => Math.min(Math.max(at, 0), length - 1);
  const cell = {
    ...from,
    row: clamp(from.row + arrow[0], rows),
    col: clamp(from.col + arrow[1], cols),
  };
  made.reveal(cell);
  selectEntry(info, indexOfPointed(matrices, cell));
}

/** As high as the cells at full width want, within what the page can spare. */
function heightFor(matrices: Matrices, rows: number, cols: number): number {
  const isEditor = document.body.dataset['place'] === 'editor';
  const most = isEditor
    ? Math.max(240, window.innerHeight * 0.62)
    : Math.max(180, Math.min(460, window.innerHeight * 0.5));
  const width = document.body.clientWidth * (isEditor ? 0.7 : 1) - 48;
  const count = matrices.all.length;
  const perRow = count === 1 ? 1 : Math.ceil(Math.sqrt((count * rows) / Math.max(cols, 1))) || 1;
  const cell = Math.min(24, (width / Math.max(cols * perRow, 1)) * (cols > 4 * rows ? 4 : 1));
  const wanted =
    Math.ceil(count / perRow) * (rows * cell + (count > 1 ? 22 : 0)) +
    (looking.value.sums ? 40 : 22);
  return Math.round(Math.min(most, Math.max(64, wanted)));
}

type SceneRef = { readonly current: Scene | null };

function usePointer(
  scene: SceneRef,
  onHover: (cell: Pointed | null) => void,
  clicked: (cell: Pointed) => void,
) {
  const drag = useRef<{ x: number; y: number; moved: number } | null>(null);
  const place = (event: PointerEvent): { x: number; y: number } => {
    const bounds = (event.currentTarget as HTMLElement).getBoundingClientRect();
    return { x: event.clientX - bounds.left, y: event.clientY - bounds.top };
  };
  return {
    onPointerDown: (event: PointerEvent) => {
      if (event.button !== 0) return;
      (event.currentTarget as HTMLElement).setPointerCapture(event.pointerId);
      drag.current = { x: event.clientX, y: event.clientY, moved: 0 };
    },
    onPointerMove: (event: PointerEvent) => {
      const { x, y } = place(event);
      const found = scene.current?.at(x, y) ?? null;
      if (drag.current) {
        const [dx, dy] = [event.clientX - drag.current.x, event.clientY - drag.current.y];
        drag.current = {
          x: event.clientX,
          y: event.clientY,
          moved: drag.current.moved + Math.abs(dx) + Math.abs(dy),
        };
        if (drag.current.moved > CLICK) scene.current?.pan(-dx, -dy);
      }
      scene.current?.hover(found);
      onHover(found);
    },
    onPointerUp: (event: PointerEvent) => {
      const { x, y } = place(event);
      const wasClick = drag.current && drag.current.moved <= CLICK;
      drag.current = null;
      const found = wasClick ? scene.current?.at(x, y) : null;
      if (found) clicked(found);
    },
    onPointerLeave: () => {
      scene.current?.hover(null);
      onHover(null);
    },
  };
}

/** Preact listens to wheels passively; zooming must keep the page from scrolling. */
function useWheel(box: { readonly current: HTMLElement | null }, scene: SceneRef): void {
  useEffect(() => {
    const { current } = box;
    if (!current) return;
    const onWheel = (event: WheelEvent): void => {
      const bounds = current.getBoundingClientRect();
      const point = scene.current?.inside(event.clientX - bounds.left, event.clientY - bounds.top);
      event.preventDefault();
      scene.current?.zoom(Math.exp(-event.deltaY * 0.002), point);
    };
    current.addEventListener('wheel', onWheel, { passive: false });
    return () => current.removeEventListener('wheel', onWheel);
  }, []);
}
