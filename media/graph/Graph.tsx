// The computation graph: forward is read from left to right, backward from right to left, on the same picture.
import type { JSX } from 'preact';
import { useLayoutEffect, useMemo, useRef } from 'preact/hooks';
import type { NodeOutline } from '../../src/stepper/runView.ts';
import type { Phase } from '../../src/stepper/timeline.ts';
import type { Picture } from '../../src/stepper/picture.ts';
import { type Cell, cellOf } from '../matrix/cells.ts';
import { type EntryMark, marksOf } from '../matrix/marks.ts';
import { request } from '../requests.ts';
import { isCut, showsWhole } from '../page/room.ts';
import { currentNode, pointedTerm, type Shown } from '../state.ts';
import { Card } from './Card.tsx';
import { Edges } from './Edges.tsx';
import { fitGraph, isWhole } from './fit.ts';
import { type Flow, flows, receivers } from './flow.ts';
import type { Box } from './layout.ts';
import { useRoom } from './useRoom.ts';

/** The graph is the same as long as its nodes and edges are: selecting another head does not lay it out again. */
const shapeOf = (nodes: readonly NodeOutline[]): string =>
  nodes.map(({ id, inputs }) => `${id}:${inputs.join(',')}`).join(' ');

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

interface GraphAreaProps {
  readonly nodes: readonly NodeOutline[];
  readonly flow: ReadonlyMap<string, Flow>;
  readonly phase: Phase;
  /** The node that is kept in sight. */
  readonly target: string | null;
  readonly card: (place: Box, scale: number) => JSX.Element | null;
}

/** Laid out in the room there is. */
export function GraphArea({ nodes, flow, phase, target, card }: GraphAreaProps): JSX.Element {
  const box = useRef<HTMLDivElement>(null);
  const { width, height, most } = useRoom(box);
  const shape = shapeOf(nodes);
  const { layout, scale } = useMemo(
    () => fitGraph(nodes, Math.max(width, 1), height, most, ...(showsWhole.value ? [0] : [])),
    [shape, width, height, most, showsWhole.value],
  );
  useLayoutEffect(() => {
    isCut.value = width > 0 && !isWhole({ layout, scale }, width, Math.max(height, most));
  }, [layout, scale, width, height, most]);

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
          class={`graph ${layout.style} ${phase}`}
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
            phase={phase}
            width={layout.width}
            height={layout.height}
          />
          {layout.boxes.map((place) => card(place, scale))}
        </div>
      </div>
    </div>
  );
}

export function Graph({ run, step, ranges }: Shown): JSX.Element {
  const receiving = receivers(step);
  const marks = marksOf(step, pointedTerm.value);
  const current = currentNode.value;
  const target = step.phase === 'backward' ? (step.focus?.node ?? current) : current;
  const card = (place: Box, scale: number): JSX.Element | null => {
    const node = run.nodes.find(({ id }) => id === place.id);
    if (!node) return null;
    const state = step.nodes[node.id];
    const own = marks.filter((mark) => mark.node === node.id);
    const value = state.status === 'waiting' ? null : node.value;
    return (
      <Card
        key={node.id}
        {...{ box: place, node, state, value, ranges, scale }}
        receives={receiving.has(node.id)}
        breakpoint={run.breakpoints.includes(node.id)}
        extents={run.extents}
        valueMarks={cellsOf(
          own.filter(({ kind }) => kind === 'value'),
          value,
        )}
        gradientMarks={cellsOf(
          own.filter(({ kind }) => kind === 'gradient'),
          state.gradient,
        )}
        onChoose={() => request({ type: 'goToNode', node: node.id })}
      />
    );
  };
  return (
    <GraphArea
      nodes={run.nodes}
      flow={flows(run.nodes, step)}
      phase={step.phase}
      {...{ target, card }}
    />
  );
}
