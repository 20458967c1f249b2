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

/** Of lines around entries. */
const readMark = (): string =>
  getComputedStyle(document.body).getPropertyValue('--vscode-editor-foreground').trim() ||
  '#ffffff';

/** Read when the theme changes only: asked in a step, the browser computes the styles of the page once more. */
export const palette = signal<Palette>(read());
export const markColour = signal(readMark());

/** Variables are on <html>, the kind of theme is a class of <body>; either may change first. */
export function followTheme(): void {
  const observer = new MutationObserver(() => {
    palette.value = read();
    markColour.value = readMark();
  });
  const options = { attributes: true, attributeFilter: ['class', 'style', 'data-vscode-theme-id'] };
  observer.observe(document.documentElement, options);
  observer.observe(document.body, options);
}
