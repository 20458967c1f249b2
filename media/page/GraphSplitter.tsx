// Between the graph and the step beside or below it.
import type { JSX } from 'preact';
import { setUi, ui } from '../state.ts';
import { graphHeight, isSideBySide } from './room.ts';
import { Splitter } from './Splitter.tsx';

export function GraphSplitter({ main }: { readonly main: () => HTMLElement | null }): JSX.Element {
  const beside = isSideBySide.value;
  const { graphWidth } = ui.value;
  const valueAt = ({ clientX, clientY }: PointerEvent): number => {
    const { left, top, width, height } = main()!.getBoundingClientRect();
    return 100 * (beside ? (clientX - left) / width : (clientY - top) / height);
  };
  return (
    <Splitter
      label="Room for the graph"
      orientation={beside ? 'vertical' : 'horizontal'}
      value={beside ? graphWidth : graphHeight.value}
      min={20}
      max={80}
      valueAt={valueAt}
      more={beside ? 'ArrowRight' : 'ArrowDown'}
      onChange={(value) => setUi(beside ? { graphWidth: value } : { graphHeight: value })}
    />
  );
}
