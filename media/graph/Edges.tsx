// The edges, drawn under the cards; the current ones thick, pointing the way in which numbers move now.
import type { JSX } from 'preact';
import type { Phase } from '../../src/stepper/timeline.ts';
import { nameParts } from '../names.tsx';
import { litPart } from '../state.ts';
import { stepsOf } from '../step/lit.tsx';
import { edgeKey, type Flow } from './flow.ts';
import { arrowhead, pathOf } from './path.ts';
import type { Route } from './routes.ts';

const HEAD: Readonly<Record<Flow, readonly [number, number]>> = {
  waiting: [6, 5],
  data: [6, 6],
  gradient: [6, 6],
  current: [9, 10],
};

const order: readonly Flow[] = ['waiting', 'data', 'gradient', 'current'];

interface EdgesProps {
  readonly routes: readonly Route[];
  readonly flows: ReadonlyMap<string, Flow>;
  readonly phase: Phase;
  readonly width: number;
  readonly height: number;
}

export function Edges({ routes, flows, phase, width, height }: EdgesProps): JSX.Element {
  const flowOf = ({ user, slot }: Route): Flow => flows.get(edgeKey(user, slot)) ?? 'waiting';
  const lit = litPart.value === null ? [] : stepsOf(litPart.value);
  const isLit = ({ user, operand }: Route): boolean =>
    lit.some(({ from, to }) => from === user && to === operand);
  // The current edges last: they lie on top.
  const sorted = [...routes].sort((a, b) => order.indexOf(flowOf(a)) - order.indexOf(flowOf(b)));
  return (
    <svg
      class="edges"
      width={width}
      height={height}
      viewBox={`0 0 ${width} ${height}`}
      aria-hidden="true"
    >
      {sorted.map((route) => {
        const flow = flowOf(route);
        const backward = flow === 'gradient' || (flow === 'current' && phase === 'backward');
        const points = backward ? [...route.points].reverse() : route.points;
        const [length, breadth] = HEAD[flow];
        return (
          <g
            key={`${route.user} ${route.slot}`}
            class={`edge ${flow} ${backward ? 'backward' : 'forward'}${isLit(route) ? ' lit' : ''}`}
          >
            <path d={pathOf(points, length)} />
            <polygon points={arrowhead(points, length, breadth)} />
            {flow === 'current' && phase === 'backward' && <GradientLabel route={route} />}
            {route.note && (
              <text class="note" x={route.note.x} y={route.note.y} dominant-baseline="middle">
                {route.note.text}
              </text>
            )}
          </g>
        );
      })}
    </svg>
  );
}

function GradientLabel({ route }: { route: Route }): JSX.Element {
  const { base, subscript } = nameParts(`d${route.operand}`);
  const { x, y, anchor } = route.label;
  return (
    <text x={x} y={y} text-anchor={anchor} dominant-baseline="middle">
      {base}
      {subscript && (
        <tspan class="subscript" dy="3">
          {subscript}
        </tspan>
      )}
    </text>
  );
}
