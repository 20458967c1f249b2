// Follows VS Code's theme: the palette is computed again when the theme's class on <body> changes.
import { signal } from '@preact/signals';
import { type Palette, paletteFor, parseColour } from '../../src/inspect/colour.ts';

function read(): Palette {
  const style = getComputedStyle(document.body);
  const background = parseColour(style.getPropertyValue('--vscode-editor-background')) ?? [
    31, 31, 31,
  ];
  const foreground = parseColour(style.getPropertyValue('--vscode-foreground')) ?? [204, 204, 204];
  return paletteFor(background, foreground);
}

export const palette = signal<Palette>(read());

/** Variables are on <html>, the kind of theme is a class of <body>; either may change first. */
export function followTheme(): void {
  const observer = new MutationObserver(() => {
    palette.value = read();
  });
  const options = { attributes: true, attributeFilter: ['class', 'style', 'data-vscode-theme-id'] };
  observer.observe(document.documentElement, options);
  observer.observe(document.body, options);
}
