// Where the graph is cut: all of it at once, as a map.
import type { JSX } from 'preact';
import { isCut, showsWhole } from '../page/room.ts';

export const WholeGraph = (): JSX.Element | null =>
  isCut.value || showsWhole.value ? (
    <button
      type="button"
      class="secondary whole"
      aria-pressed={showsWhole.value}
      onClick={() => (showsWhole.value = !showsWhole.value)}
    >
      Whole graph
    </button>
  ) : null;
