// The buttons of the walk.
import type { JSX } from 'preact';
import type { Move } from '../../src/stepper/cursor.ts';
import { walk } from '../state.ts';
import { MoveIcon } from './icons.tsx';

interface Button {
  readonly move: Move;
  readonly title: string;
}

const moves: readonly Button[] = [
  { move: 'start', title: 'Start (Home)' },
  { move: 'back', title: 'Step back (←, Shift+F10)' },
  { move: 'over', title: 'Step over: next node (→, F10)' },
  { move: 'into', title: 'Step into: contributions, then terms (↓, F11)' },
  { move: 'out', title: 'Step out (↑, Shift+F11)' },
  { move: 'end', title: 'End (End)' },
];

const breakpoints: readonly Button[] = [
  { move: 'reverse', title: 'Back to the previous breakpoint (Shift+F5)' },
  { move: 'continue', title: 'Continue to the next breakpoint (F5)' },
];

export function Toolbar({ hasBreakpoints }: { hasBreakpoints: boolean }): JSX.Element {
  const button = ({ move, title }: Button): JSX.Element => (
    <button
      key={move}
      type="button"
      class={`icon-button ${move}`}
      title={title}
      aria-label={title}
      onClick={() => walk(move)}
    >
      <MoveIcon move={move} />
    </button>
  );
  return (
    <div class="toolbar" role="toolbar" aria-label="Steps">
      {moves.map(button)}
      {hasBreakpoints && <span class="divider" />}
      {hasBreakpoints && breakpoints.map(button)}
    </div>
  );
}
