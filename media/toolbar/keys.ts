// The keys of the walk. F5, F10 and F11 are key bindings of VS Code, which knows whether a program is being debugged.
import type { Move } from '../../src/stepper/cursor.ts';
import { shown, walk } from '../state.ts';
import { post } from '../vscode.ts';

export interface KeyHelp {
  readonly keys: string;
  readonly does: string;
}

export const keyHelp: readonly KeyHelp[] = [
  { keys: '→ or F10', does: 'step over: the next node' },
  { keys: '←  or Shift+F10', does: 'step back: undo the last step' },
  { keys: '↓ or F11', does: 'step into: contributions, then their terms' },
  { keys: '↑ or Shift+F11', does: 'step out: the level above' },
  { keys: 'Home, End', does: 'to the start, to the end' },
  { keys: 'F5, Shift+F5', does: 'to the next, to the previous breakpoint' },
  { keys: 'F keys', does: 'belong to your program while one is being debugged' },
  { keys: 'B', does: 'breakpoint on the focused node' },
  { keys: 'arrow keys in a matrix', does: 'move the selected entry' },
];

/** The move a key stands for; null for every other key. */
function moveOfKey(key: string): Move | null {
  switch (key) {
    case 'ArrowRight':
      return 'over';
    case 'ArrowLeft':
      return 'back';
    case 'ArrowDown':
      return 'into';
    case 'ArrowUp':
      return 'out';
    case 'Home':
      return 'start';
    case 'End':
      return 'end';
    default:
      return null;
  }
}

/** A field that needs the keys for itself; our slider does not. */
function isField(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (target instanceof HTMLInputElement) return target.type !== 'range';
  return target instanceof HTMLSelectElement || target instanceof HTMLTextAreaElement;
}

function onKeyDown(event: KeyboardEvent): void {
  if (event.defaultPrevented || event.altKey || event.ctrlKey || event.metaKey) return;
  if (!shown.value || isField(event.target)) return;
  const move = moveOfKey(event.key);
  if (move) {
    walk(move);
  } else if (event.key === 'b' || event.key === 'B') {
    const node = event.target instanceof Element ? event.target.closest('[data-node]') : null;
    const id = node?.getAttribute('data-node');
    if (!id) return;
    post({ type: 'toggleBreakpoint', node: id });
  } else return;
  event.preventDefault();
  // VS Code listens on the window and might have a key binding of its own.
  event.stopPropagation();
}

export function listenToKeys(): void {
  document.addEventListener('keydown', onKeyDown);
}
