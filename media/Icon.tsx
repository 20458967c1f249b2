// The frame of every icon: 16 by 16, drawn in the text's colour, silent for screen readers.
import type { ComponentChildren, JSX } from 'preact';

export function Icon({ children }: { readonly children: ComponentChildren }): JSX.Element {
  return (
    <svg
      class="icon"
      viewBox="0 0 16 16"
      width="16"
      height="16"
      aria-hidden="true"
      focusable="false"
    >
      {children}
    </svg>
  );
}
