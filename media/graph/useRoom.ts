// The room there is for the graph, followed as it changes.
import type { RefObject } from 'preact';
import { useLayoutEffect, useState } from 'preact/hooks';

export interface Room {
  readonly width: number;
  /** Infinity where the page scrolls and height is no limit. */
  readonly height: number;
  /** What may be taken of it rather than that the graph is cut. */
  readonly most: number;
}

const pixels = (...lengths: readonly string[]): number =>
  lengths.reduce((sum, length) => sum + (parseFloat(length) || 0), 0);

/** The pane's own height where it is given, else the part of the space above and below that it may take by this property. */
function heightOf(pane: HTMLElement, property: string): number {
  const style = getComputedStyle(pane);
  if (style.overflowY !== 'auto') return Infinity;
  const share = parseFloat(style.getPropertyValue(property));
  const whole = pane.parentElement?.clientHeight ?? 0;
  const height = Number.isNaN(share) ? pane.clientHeight : whole * share;
  return height - pixels(style.paddingTop, style.paddingBottom);
}

function measure(area: HTMLElement): Room {
  const pane = area.parentElement;
  if (!pane) return { width: area.clientWidth, height: Infinity, most: Infinity };
  const others = [...pane.children].filter((child) => child !== area);
  const taken = others.reduce((sum, child) => {
    const { marginTop, marginBottom } = getComputedStyle(child);
    return sum + child.getBoundingClientRect().height + pixels(marginTop, marginBottom);
  }, 0);
  const room = (property: string): number => Math.max(0, heightOf(pane, property) - taken);
  return {
    ...{ width: area.clientWidth, height: room('--most-of-height') },
    most: room('--most-when-cut'),
  };
}

export function useRoom(element: RefObject<HTMLElement>): Room {
  const [room, setRoom] = useState<Room>({ width: 0, height: Infinity, most: Infinity });
  useLayoutEffect(() => {
    const area = element.current;
    const pane = area?.parentElement;
    if (!area || !pane) return undefined;
    const update = (): void => {
      const next = measure(area);
      const sides = ['width', 'height', 'most'] as const;
      setRoom((before) => (sides.every((side) => before[side] === next[side]) ? before : next));
    };
    update();
    const observer = new ResizeObserver(update);
    // What stands around the graph may take another line.
    for (const each of [pane, ...pane.children]) if (each !== area) observer.observe(each);
    if (pane.parentElement) observer.observe(pane.parentElement);
    return () => observer.disconnect();
  }, [element]);
  return room;
}
