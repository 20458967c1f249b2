// How much room the page has: the same limits as in page.css.
import { computed, signal } from '@preact/signals';
import { comparison, ui } from '../state.ts';

/** Graph and step stand side by side. */
const sideBySide = window.matchMedia('(min-width: 900px)');
/** The equations are open without being asked for. */
const roomy = window.matchMedia('(min-width: 900px) and (min-height: 720px)');

/** The graph may take more of the height: of a tall page, or of a narrow one, where the step's numbers are scrolled to anyway. */
const graphFirst = window.matchMedia('(max-width: 440px), (min-height: 780px)');

const isGraphFirst = signal(graphFirst.matches);
export const isSideBySide = signal(sideBySide.matches);
export const isRoomy = signal(roomy.matches);

const pageWidth = signal(window.innerWidth);
const PADDING = 32;

/** What the step's part of the page has in width. */
export const stepWidth = computed(() => {
  const share = isSideBySide.value ? 1 - ui.value.graphWidth / 100 : 1;
  return pageWidth.value * share - PADDING;
});

/** Percent of the height; a comparison's verdicts on top leave less of the whole. */
export const graphHeight = computed(() => ui.value.graphHeight ?? (comparison.value ? 58 : 52));
/** Percent that may be taken rather than that the graph is cut; a comparison's numbers matter more. */
const graphHeightWhenCut = computed(() =>
  isGraphFirst.value && ui.value.graphHeight === null && !comparison.value ? 58 : graphHeight.value,
);

/** What the graph's part of the page takes, for page.css. */
export const graphShares = computed(() => ({
  '--graph-width': ui.value.graphWidth,
  '--graph-height': graphHeight.value / 100,
  '--graph-height-when-cut': graphHeightWhenCut.value / 100,
}));

/** A part of the graph is out of sight. */
export const isCut = signal(false);
/** All of it was asked for, however small. */
export const showsWhole = signal(false);

window.addEventListener('resize', () => (pageWidth.value = window.innerWidth));
sideBySide.addEventListener('change', ({ matches }) => (isSideBySide.value = matches));
graphFirst.addEventListener('change', ({ matches }) => (isGraphFirst.value = matches));
roomy.addEventListener('change', ({ matches }) => (isRoomy.value = matches));
