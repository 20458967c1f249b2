// A box that scrolls when its content is too large, and can then be reached by keyboard.
import type { ComponentChildren, JSX, RefObject } from 'preact';
import { useLayoutEffect, useRef, useState } from 'preact/hooks';

interface ScrollerProps {
  readonly class: string;
  readonly label: string;
  readonly children: ComponentChildren;
  readonly area?: RefObject<HTMLDivElement>;
}

export function Scroller({ class: name, label, children, area }: ScrollerProps): JSX.Element {
  const own = useRef<HTMLDivElement>(null);
  const box = area ?? own;
  const [scrolls, setScrolls] = useState(false);
  useLayoutEffect(() => {
    const target = box.current;
    if (!target) return undefined;
    const measure = (): void =>
      setScrolls(
        target.scrollWidth > target.clientWidth || target.scrollHeight > target.clientHeight,
      );
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(target);
    return () => observer.disconnect();
  });
  const reachable = scrolls ? ({ role: 'group', 'aria-label': label, tabIndex: 0 } as const) : {};
  return (
    <div class={name} ref={box} {...reachable}>
      {children}
    </div>
  );
}
