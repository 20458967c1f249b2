// The "?" button and the list of keys it opens.
import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { Icon } from '../Icon.tsx';
import { keyHelp } from './keys.ts';

export function KeyHelp(): JSX.Element {
  const [open, setOpen] = useState(false);
  const root = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (!open) return undefined;
    const close = (event: Event): void => {
      const inside = event.target instanceof Node && root.current?.contains(event.target);
      if (event instanceof KeyboardEvent ? event.key === 'Escape' : !inside) setOpen(false);
    };
    document.addEventListener('keydown', close);
    document.addEventListener('pointerdown', close);
    return () => {
      document.removeEventListener('keydown', close);
      document.removeEventListener('pointerdown', close);
    };
  }, [open]);
  return (
    <div class="key-help" ref={root}>
      <button
        type="button"
        class="icon-button"
        aria-expanded={open}
        aria-label="Keyboard shortcuts"
        title="Keyboard shortcuts"
        onClick={() => setOpen(!open)}
      >
        <Icon>
          <path d="M5.6 5.6c.1-1.5 1.1-2.4 2.5-2.4 1.5 0 2.5.9 2.5 2.2 0 2-2.5 2-2.5 4.1" />
          <circle cx="8.1" cy="12.6" r="1" class="solid" />
        </Icon>
      </button>
      {open && (
        <dl class="popup" aria-label="Keys">
          {keyHelp.map(({ keys, does }) => (
            <div key={keys}>
              <dt>{keys}</dt>
              <dd>{does}</dd>
            </div>
          ))}
        </dl>
      )}
    </div>
  );
}
