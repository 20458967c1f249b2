// The computation graph: forward is read from left to right, backward from right to left, on the same picture.
import type { JSX } from 'preact';
import { useLayoutEffect, useMemo, useRef } from 'preact/hooks';
import type { RunView } from '../../src/stepper/runView.ts';
import type { Picture } from '../../src/stepper/picture.ts';
import { type Cell, cellOf } from '../matrix/cells.ts';
import { type EntryMark, marksOf } from '../matrix/marks.ts';
import { currentNode, pointedTerm, type Shown } from '../state.ts';
import { Card } from './Card.tsx';
import { Edges } from './Edges.tsx';
import { fitGraph } from './fit.ts';
import { flows, receivers } from './flow.ts';
import { useRoom } from './useRoom.ts';

/** The graph is the same as long as its nodes and edges are: selecting another head does not lay it out again. */
const shapeOf = (run: RunView): string =>
  run.nodes.map(({ id, inputs }) => `${id}:${inputs.join(',')}`).join(' ');

const NO_CELLS: readonly Cell[] = [];

function cellsOf(marks: readonly EntryMark[], picture: Picture | null): readonly Cell[] {
  if (!picture || marks.length === 0) return NO_CELLS;
  return marks.flatMap(({ index }) => cellOf(picture, index) ?? []);
}

const REVEAL_MARGIN = 40;

/** Scrolls along one axis, and only if what is between start and end is out of sight. */
function reveal(
  scroller: HTMLElement,
  side: 'Left' | 'Top',
  extent: 'Width' | 'Height',
  start: number,
  end: number,
): void {
  const room = scroller[`client${extent}`];
  if (scroller[`scroll${extent}`] <= room) return;
  const at = scroller[`scroll${side}`];
  if (start - REVEAL_MARGIN < at) scroller[`scroll${side}`] = start - REVEAL_MARGIN;
  else if (end + REVEAL_MARGIN > at + room) scroller[`scroll${side}`] = end + REVEAL_MARGIN - room;
}

export function Graph({ run, step, ranges }: Shown): JSX.Element {
  const box = useRef<HTMLDivElement>(null);
  const { width, height, most } = useRoom(box);
  const shape = shapeOf(run);
  const { layout, scale } = useMemo(
    () => fitGraph(run.nodes, Math.max(width, 1), height, most),
    [shape, width, height, most],
  );
  const flow = flows(run, step);
  const receiving = receivers(step);
  const marks = marksOf(step, pointedTerm.value);
  const current = currentNode.value;
  const target = step.phase === 'backward' ? (step.focus?.node ?? current) : current;

  // Only where the graph scrolls by itself: the page is never moved.
  useLayoutEffect(() => {
    const area = box.current;
    const place = layout.boxes.find(({ id }) => id === target);
    if (!area || !place) return;
    reveal(area, 'Left', 'Width', place.x * scale, (place.x + place.size.width) * scale);
    reveal(area, 'Top', 'Height', place.y * scale, (place.y + place.size.height) * scale);
    const pane = area.parentElement;
    if (!pane || getComputedStyle(pane).overflowY !== 'auto') return;
    const top = area.offsetTop - pane.offsetTop + place.y * scale;
    reveal(pane, 'Top', 'Height', top, top + place.size.height * scale);
  }, [target, layout, scale]);

  const size = { width: `${layout.width * scale}px`, height: `${layout.height * scale}px` };
  return (
    <div class="graph-scroll" ref={box}>
      <div class="graph-size" style={size}>
        <div
          class={`graph ${layout.style} ${step.phase}`}
          role="group"
          aria-label="Computation graph"
          style={{
            width: `${layout.width}px`,
            height: `${layout.height}px`,
            transform: `scale(${scale})`,
          }}
        >
          <Edges
            routes={layout.routes}
            flows={flow}
            phase={step.phase}
            width={layout.width}
            height={layout.height}
          />
          {layout.boxes.map((place) => {
            const node = run.nodes.find(({ id }) => id === place.id);
            if (!node) return null;
            const state = step.nodes[node.id];
            const own = marks.filter((mark) => mark.node === node.id);
            return (
              <Card
                key={node.id}
                box={place}
                node={node}
                state={state}
                receives={receiving.has(node.id)}
                breakpoint={run.breakpoints.includes(node.id)}
                ranges={ranges}
                extents={run.extents}
                scale={scale}
                valueMarks={cellsOf(
                  own.filter(({ kind }) => kind === 'value'),
                  node.value,
                )}
                gradientMarks={cellsOf(
                  own.filter(({ kind }) => kind === 'gradient'),
                  state.gradient,
                )}
              />
            );
          })}
        </div>
      </div>
    </div>
  );
}
