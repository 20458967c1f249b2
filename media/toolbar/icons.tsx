// The walk's icons, 16 × 16, in the manner of VS Code's debug toolbar.
import type { JSX } from 'preact';
import { Icon } from '../Icon.tsx';
import type { Move } from '../../src/stepper/cursor.ts';

const arc = 'M2.75 8.25C3.4 5.6 5.5 4 8 4c2.3 0 4.3 1.35 5.1 3.4';

const drawings: Readonly<Record<Move, JSX.Element>> = {
  start: (
    <>
      <path d="M3.25 3v10" />
      <path d="M13 3.6v8.8L6 8z" class="solid" />
    </>
  ),
  end: (
    <>
      <path d="M12.75 3v10" />
      <path d="M3 3.6v8.8L10 8z" class="solid" />
    </>
  ),
  over: (
    <>
      <path d={arc} />
      <path d="M13.4 3.4v4.2H9.3" />
      <circle cx="8" cy="12" r="1.75" class="solid" />
    </>
  ),
  back: (
    <>
      <path d={arc} transform="matrix(-1 0 0 1 16 0)" />
      <path d="M2.6 3.4v4.2h4.1" />
      <circle cx="8" cy="12" r="1.75" class="solid" />
    </>
  ),
  into: (
    <>
      <path d="M8 1.75V9" />
      <path d="M4.75 6L8 9.2 11.25 6" />
      <circle cx="8" cy="13" r="1.75" class="solid" />
    </>
  ),
  out: (
    <>
      <path d="M8 9.5V2.2" />
      <path d="M4.75 5.1L8 1.9l3.25 3.2" />
      <circle cx="8" cy="13" r="1.75" class="solid" />
    </>
  ),
  continue: (
    <>
      <path d="M3.25 3v10" />
      <path d="M6.5 3.4v9.2L13.5 8z" />
    </>
  ),
  reverse: (
    <>
      <path d="M12.75 3v10" />
      <path d="M9.5 3.4v9.2L2.5 8z" />
    </>
  ),
};

export function MoveIcon({ move }: { move: Move }): JSX.Element {
  return <Icon>{drawings[move]}</Icon>;
}
