// The border between two parts of the page, moved by pointer or by the arrow keys.
import type { JSX } from 'preact';

export interface SplitterProps {
  readonly label: string;
  /** Which way the border itself runs. */
  readonly orientation: 'horizontal' | 'vertical';
  /** Now, in percent; null where it is as large as its content. */
  readonly value: number | null;
  /** Percent as it is on the screen. */
  readonly measure?: () => number;
  readonly min: number;
  readonly max: number;
  /** From a place of the pointer to percent. */
  readonly valueAt: (event: PointerEvent) => number;
  readonly onChange: (value: number) => void;
  /** Which arrow key makes it more. */
  readonly more: 'ArrowUp' | 'ArrowDown' | 'ArrowRight';
}

const STEP = 4;
const opposite = { ArrowUp: 'ArrowDown', ArrowDown: 'ArrowUp', ArrowRight: 'ArrowLeft' } as const;

export function Splitter(props: SplitterProps): JSX.Element {
  const { label, orientation, value, measure, min, max, valueAt, onChange, more } = props;
  const set = (wanted: number): void => onChange(Math.round(Math.min(max, Math.max(min, wanted))));
  const onKeyDown = (event: KeyboardEvent): void => {
    const by = event.key === more ? STEP : event.key === opposite[more] ? -STEP : 0;
    if (by === 0 || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    event.stopPropagation();
    set((value ?? measure?.() ?? min) + by);
  };
  const follow = (event: PointerEvent): void => {
    if (event.currentTarget instanceof Element && event.buttons > 0) set(valueAt(event));
  };
  return (
    <div
      class={`splitter ${orientation}`}
      role="separator"
      tabIndex={0}
      aria-label={label}
      aria-orientation={orientation}
      aria-valuenow={Math.round(value ?? min)}
      aria-valuemin={min}
      aria-valuemax={max}
      title={`${label}: drag, or use the arrow keys`}
      onKeyDown={onKeyDown}
      onPointerDown={(event) => {
        event.preventDefault();
        event.currentTarget.setPointerCapture(event.pointerId);
      }}
      onPointerMove={follow}
    />
  );
}
