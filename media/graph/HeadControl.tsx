// Which heads the pictures show: all of them as small multiples, or one.
import type { JSX } from 'preact';
import type { Binding, Extents } from '../../src/engine/axes.ts';
import { request } from '../requests.ts';
import { settings } from '../state.ts';
import { post } from '../vscode.ts';

const MOST_BUTTONS = 8;

/** Query head n as letters: h, or KV head r and member g of its group. */
function headBinding(head: number, { g }: Extents): Binding {
  return g === undefined ? { h: head } : { r: Math.floor(head / g), g: head % g };
}

function selectedHead({ h, r = 0, g = 0 }: Binding, extents: Extents): number {
  return extents['g'] === undefined ? (h ?? 0) : r * extents['g'] + g;
}

export function HeadControl({
  heads,
  extents,
  selection,
}: {
  readonly heads: number;
  readonly extents: Extents;
  readonly selection: Binding;
}): JSX.Element {
  const all = settings.value.allHeads;
  const chosen = all ? 'all' : String(selectedHead(selection, extents));
  const choose = (choice: string): void => {
    const showAll = choice === 'all';
    if (showAll !== all) post({ type: 'settings', settings: { allHeads: showAll } });
    if (!showAll) request({ type: 'select', selection: headBinding(Number(choice), extents) });
  };
  const choices = ['all', ...Array.from({ length: heads }, (_, n) => String(n))];
  return (
    <div class="head-control" role="group" aria-label="Head">
      <span class="muted">head</span>
      {heads <= MOST_BUTTONS ? (
        <span class="segments">
          {choices.map((choice) => (
            <button
              key={choice}
              type="button"
              aria-pressed={choice === chosen}
              aria-label={choice === 'all' ? 'all heads' : `head ${choice}`}
              onClick={() => choose(choice)}
            >
              {choice}
            </button>
          ))}
        </span>
      ) : (
        <select
          aria-label="Head"
          value={chosen}
          onChange={(event) => choose(event.currentTarget.value)}
        >
          {choices.map((choice) => (
            <option key={choice} value={choice}>
              {choice}
            </option>
          ))}
        </select>
      )}
    </div>
  );
}
