// While a large setup is computed: what, how far, and a way to stop.
import type { JSX } from 'preact';
import { computing, growing } from '../state.ts';
import { post } from '../vscode.ts';

/** Before the first picture on a page of its own, later as a bar over the picture that is there. */
export function Computing({ alone }: { readonly alone: boolean }): JSX.Element | null {
  const now = computing.value;
  if (!now) return alone ? <p class="waiting">Reading the setup…</p> : null;
  const { what, part, share } = now;
  const beginning = growing.value ? 'beginning' : 'reading the setup';
  const percent = Math.round(100 * share);
  return (
    <div class={alone ? 'computing alone' : 'computing'} role="status">
      <p>
        Computing <b>{what}</b>
      </p>
      <progress max={100} value={percent} aria-label="Computed">
        {percent} %
      </progress>
      <p class="figures muted">
        {percent} %, {part ? `${part.phase}: ${part.node}` : beginning}
      </p>
      <button type="button" class="secondary" onClick={() => post({ type: 'cancel' })}>
        Cancel
      </button>
    </div>
  );
}
