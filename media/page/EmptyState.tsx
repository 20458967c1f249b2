// Nothing to show: says why and offers what to do.
import type { JSX } from 'preact';
import type { Empty } from '../state.ts';
import { post } from '../vscode.ts';

export function EmptyState({ message, canOpenExample }: Empty): JSX.Element {
  return (
    <main class="empty">
      <svg viewBox="0 0 120 64" width="120" height="64" aria-hidden="true" focusable="false">
        <path d="M28 16H42Q52 16 52 24T62 32H76M28 48H42Q52 48 52 40T62 32M76 32H92" />
        <rect x="6" y="6" width="22" height="20" rx="3" />
        <rect x="6" y="38" width="22" height="20" rx="3" />
        <rect x="92" y="22" width="22" height="20" rx="3" />
      </svg>
      <h1>This setup cannot be computed yet</h1>
      {message.split('\n').map((line) => (
        <p key={line}>{line}</p>
      ))}
      <p class="buttons">
        {canOpenExample && (
          <button type="button" class="primary" onClick={() => post({ type: 'openExample' })}>
            Open the exercise
          </button>
        )}
        <button type="button" class="secondary" onClick={() => post({ type: 'openSetup' })}>
          Open the setup
        </button>
      </p>
    </main>
  );
}
