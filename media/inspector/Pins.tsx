// Pinned tensors: small pictures that stay while stepping and flash when their numbers change.
import { effect } from '@preact/signals';
import type { JSX } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { StatisticsAnswer, TensorInfo } from '../../src/inspect/messages.ts';
import { defaultSlicing } from '../../src/inspect/plane.ts';
import { levelCount } from '../../src/inspect/pyramid.ts';
import { chooseScale } from '../../src/inspect/scale.ts';
import { palette } from '../matrix/theme.ts';
import { formatOne } from '../numbers.ts';
import { ask } from './ask.ts';
import { post } from './door.ts';
import { coloursFor, cssFor } from './palette.ts';
import { shapeOf } from './state.ts';
import { arrivals, tileAt } from './tiles.ts';

const FLASH = 900; // ms

export function Pins({
  pins,
  shown,
}: {
  readonly pins: readonly TensorInfo[];
  readonly shown: string | null;
}): JSX.Element | null {
  if (pins.length === 0) return null;
  return (
    <section class="pins" aria-label="Pinned tensors">
      <h2>Pinned</h2>
      <ul>
        {pins.map((info) => (
          <Pin key={info.id} info={info} isShown={info.id === shown} />
        ))}
      </ul>
    </section>
  );
}

function Pin({
  info,
  isShown,
}: {
  readonly info: TensorInfo;
  readonly isShown: boolean;
}): JSX.Element {
  const [known, setKnown] = useState<StatisticsAnswer | null>(null);
  const [flashes, setFlashes] = useState(false);
  const version = useRef(info.version);
  useEffect(() => {
    if (info.version === 0) {
      setKnown(null);
      return;
    }
    return ask({ kind: 'statistics', tensor: info.id, version: info.version }, (answer) => {
      if (answer?.kind === 'statistics') setKnown(answer);
    });
  }, [info.id, info.version]);
  useEffect(() => {
    if (version.current === info.version) return;
    version.current = info.version;
    setFlashes(true);
    const timer = setTimeout(() => setFlashes(false), FLASH);
    return () => clearTimeout(timer);
  }, [info.version]);
  return (
    <li class={flashes ? 'pin flash' : 'pin'} data-version={info.version}>
      <button
        type="button"
        class="pin-show"
        aria-pressed={isShown}
        onClick={() => post({ type: 'show', tensor: info.id })}
      >
        <Thumbnail info={info} known={known} />
        <span class="pin-name">{info.name}</span>
        <span class="muted figures">
          {known ? `norm ${formatOne(known.statistics.norm)}` : info.note}
        </span>
      </button>
      <button
        type="button"
        class="quiet"
        title={`Unpin ${info.name}`}
        onClick={() => post({ type: 'pin', tensor: info.id, pinned: false })}
      >
        ✕ <span class="hidden">Unpin {info.name}</span>
      </button>
    </li>
  );
}

const SIDE = 28;

/** The last two axes, everything else at 0. */
function Thumbnail({
  info,
  known,
}: {
  readonly info: TensorInfo;
  readonly known: StatisticsAnswer | null;
}): JSX.Element {
  const canvas = useRef<HTMLCanvasElement>(null);
  useLayoutEffect(
    () =>
      effect(() => {
        const context = canvas.current?.getContext('2d');
        const drawn = arrivals.value >= 0 && known && context && info.version > 0;
        if (!drawn) return;
        const shape = shapeOf(info);
        const [rows, cols] = shape.includes(0) ? [0, 0] : [shape.at(-2) ?? 1, shape.at(-1) ?? 1];
        if (rows * cols === 0) return;
        const matrix = {
          tensor: info,
          slicing: defaultSlicing(shape),
          reduction: 'mean' as const,
          rows,
          cols,
        };
        const tile = tileAt(matrix, { level: levelCount(matrix) - 1, down: 0, across: 0 });
        if (!tile) return;
        const colours = coloursFor(chooseScale(known.statistics), palette.value);
        const cell = Math.min(SIDE / tile.rows, SIDE / tile.cols);
        context.clearRect(0, 0, SIDE, SIDE);
        // One mark per pixel at most: the tile may have more cells than the picture has pixels.
        const step = Math.max(1, Math.floor(1 / cell));
        for (let row = 0; row < tile.rows; row += step) {
          for (let col = 0; col < tile.cols; col += step) {
            context.fillStyle = cssFor(tile.data[row * tile.cols + col], colours);
            context.fillRect(
              col * cell,
              row * cell,
              Math.max(1, cell * step),
              Math.max(1, cell * step),
            );
          }
        }
      }),
    [info.id, info.version, known, palette.value],
  );
  return <canvas ref={canvas} width={SIDE} height={SIDE} aria-hidden="true" />;
}
