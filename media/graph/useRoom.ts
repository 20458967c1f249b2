// The room there is for the graph, followed as it changes.
import type { RefObject } from 'preact';
import { useLayoutEffect, useState } from 'preact/hooks';

export interface Room {
  readonly width: number;
  /** Infinity where the page scrolls and height is no limit. */
  readonly height: number;
}

function measure(area: HTMLElement): Room {
  const pane = area.parentElement;
  if (!pane || getComputedStyle(pane).overflowY !== 'auto')
    return { width: area.clientWidth, height: Infinity };
  const style = getComputedStyle(pane);
  const padding = parseFloat(style.paddingTop) + parseFloat(style.paddingBottom);
  const others = [...pane.children].filter((child) => child !== area);
  const taken = others.reduce((sum, child) => {
    const { marginTop, marginBottom } = getComputedStyle(child);
    return (
      sum + child.getBoundingClientRect().height + parseFloat(marginTop) + parseFloat(marginBottom)
    );
  }, padding);
  return { width: area.clientWidth, height: Math.max(0, pane.clientHeight - taken) };
}

export function useRoom(element: RefObject<HTMLElement>): Room {
  const [room, setRoom] = useState<Room>({ width: 0, height: Infinity });
  useLayoutEffect(() => {
    const area = element.current;
    const pane = area?.parentElement;
    if (!area || !pane) return undefined;
    const update = (): void => {
      const next = measure(area);
      setRoom((before) =>
        before.width === next.width && before.height === next.height ? before : next,
      );
    };
    update();
    const observer = new ResizeObserver(update);
    observer.observe(pane);
    return () => observer.disconnect();
  }, [element]);
  return room;
}
