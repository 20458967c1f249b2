// The tensors of a file: name, number type, shape, size; one is chosen.
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import type { FileEntry, FileState } from '../../src/inspect/messages.ts';
import { post } from './door.ts';

const UNITS = ['bytes', 'KB', 'MB', 'GB', 'TB'];

/** "1.5 MB" */
function sizeText(bytes: number): string {
  const power =
    bytes === 0 ? 0 : Math.min(UNITS.length - 1, Math.floor(Math.log(bytes) / Math.log(1024)));
  const amount = bytes / 1024 ** power;
  return `${power === 0 ? amount : Number(amount.toPrecision(3))} ${UNITS[power]}`;
}

/** A longer list is searched, not scrolled. */
const MOST_ROWS = 500;

export function FileList({
  file,
  shown,
}: {
  readonly file: FileState;
  readonly shown: string | null;
}): JSX.Element {
  const [filter, setFilter] = useState('');
  const found = file.entries.filter(({ name }) =>
    name.toLowerCase().includes(filter.toLowerCase()),
  );
  const rows = found.slice(0, MOST_ROWS);
  return (
    <nav class="file" aria-label={`Tensors in ${file.name}`}>
      <p class="muted">
        {file.entries.length.toLocaleString('en')}{' '}
        {file.entries.length === 1 ? 'tensor' : 'tensors'}, {sizeText(file.bytes)}
      </p>
      {file.entries.length > 8 && (
        <input
          type="search"
          placeholder="Filter by name"
          aria-label="Filter the tensors by name"
          value={filter}
          onInput={(event) => setFilter(event.currentTarget.value)}
        />
      )}
      <div class="file-rows">
        {rows.map((entry) => (
          <Row key={entry.id} entry={entry} isShown={entry.id === shown} />
        ))}
        {found.length > rows.length && (
          <p class="muted">
            … {(found.length - rows.length).toLocaleString('en')} more: filter by name.
          </p>
        )}
        {found.length === 0 && filter && <p class="muted">No tensor has “{filter}” in its name.</p>}
      </div>
    </nav>
  );
}

function Row({
  entry,
  isShown,
}: {
  readonly entry: FileEntry;
  readonly isShown: boolean;
}): JSX.Element {
  const { id, name, dtype, shape, bytes, compressed } = entry;
  return (
    <button
      type="button"
      class={isShown ? 'entry chosen' : 'entry'}
      aria-current={isShown}
      onClick={() => post({ type: 'show', tensor: id })}
    >
      <span class="entry-name" title={name}>
        {name}
      </span>
      <span class="entry-about figures">
        {dtype} ({shape.join(', ')}) · {sizeText(bytes)}
        {compressed && ', compressed'}
      </span>
    </button>
  );
}
