// The whole walk as a slider: forward, then backward, with a visible boundary between them.
import type { JSX } from 'preact';
import type { RunView } from '../../src/stepper/runView.ts';
import { plainCaption } from '../names.tsx';
import { draggedTick, dragTo } from '../state.ts';

export function Slider({
  run,
  tick,
}: {
  readonly run: RunView;
  readonly tick: number;
}): JSX.Element {
  const { ticks, backwardFrom } = run;
  const last = ticks.length - 1;
  const at = draggedTick.value ?? tick;
  const caption = plainCaption(ticks[at] ?? '', run.nodes);
  const part = (from: number, to: number): { flexGrow: number } => ({ flexGrow: to - from });
  const boundary = backwardFrom - 0.5;
  const filled = (from: number, to: number): { width: string } => ({
    width: `${(100 * Math.min(1, Math.max(0, (at - from) / (to - from)))).toFixed(2)}%`,
  });
  return (
    <div class="slider">
      <div class="slider-track" aria-hidden="true">
        <span class="slider-part forward" style={part(0, boundary)}>
          <i style={filled(0, boundary)} />
          <span>forward</span>
        </span>
        <span class="slider-part backward" style={part(boundary, last)}>
          <i style={filled(boundary, last)} />
          <span>backward</span>
        </span>
      </div>
      <input
        type="range"
        min={0}
        max={last}
        step={1}
        value={at}
        aria-label="Step"
        aria-valuetext={`${at} of ${last}, ${caption}`}
        title={caption}
        onInput={(event) => dragTo(Number(event.currentTarget.value))}
      />
    </div>
  );
}
