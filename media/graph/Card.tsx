// One node of the graph: its name, shape, value and gradient, and its breakpoint.
import type { JSX } from 'preact';
import type { Extents } from '../../src/engine/axes.ts';
import type { Picture } from '../../src/stepper/picture.ts';
import type { NodeOutline } from '../../src/stepper/runView.ts';
import { Verdicts } from '../compare/Verdicts.tsx';
import type { NodeState } from '../../src/stepper/stepView.ts';
import { bindingOf, type Cell, shapeText } from '../matrix/cells.ts';
import { Heatmap } from '../matrix/Heatmap.tsx';
import { endOf, type Ranges } from '../matrix/ranges.ts';
import { Name, plainName } from '../names.tsx';
import { formatOne } from '../numbers.ts';
import { request } from '../requests.ts';
import { post } from '../vscode.ts';
import type { Box } from './layout.ts';

export interface CardProps {
  readonly box: Box;
  readonly node: NodeOutline;
  readonly state: NodeState;
  /** Null while it is not computed. */
  readonly value: Picture | null;
  readonly receives: boolean;
  /** Null where none can be set. */
  readonly breakpoint: boolean | null;
  readonly ranges: Ranges | null;
  readonly extents: Extents;
  readonly scale: number;
  readonly valueMarks: readonly Cell[];
  readonly gradientMarks: readonly Cell[];
  readonly onChoose: () => void;
}

const statusWords: Readonly<Record<NodeState['status'], string>> = {
  waiting: 'not computed yet',
  computed: 'computed',
  current: 'current step',
};

function ariaLabel({ node, state, breakpoint }: CardProps): string {
  const axes = node.axes.map((axis, n) => `${axis} ${node.shape[n]}`).join(', ');
  const gradient =
    state.received > 0 ? `, gradient: ${state.received} of ${state.expected} contributions` : '';
  const stop = breakpoint ? ', breakpoint' : '';
  return `${plainName(node.id)}, ${axes || 'scalar'}, ${statusWords[state.status]}${gradient}${stop}`;
}

function titleOf(node: NodeOutline): string {
  const axes = node.axes.map((axis, n) => `${axis}: ${node.shape[n]}`).join(' × ');
  return `${plainName(node.id)} — ${node.summary}\n${axes || 'a scalar'}\nClick: go to this node`;
}

/** About the width of a digit in the cards' text. */
const DIGIT = 7.6;

/** A shape that is longer than its card is set narrower, not smaller. */
function Shape({ text, room }: { readonly text: string; readonly room: number }): JSX.Element {
  const squeeze = Math.min(1, room / (text.length * DIGIT));
  const style = squeeze < 1 ? { transform: `scaleX(${squeeze})` } : undefined;
  return (
    <span class="card-shape" style={style}>
      {text}
    </span>
  );
}

export function Card(props: CardProps): JSX.Element {
  const {
    box,
    node,
    state,
    value,
    receives,
    breakpoint,
    ranges,
    extents,
    scale,
    valueMarks,
    gradientMarks,
    onChoose,
  } = props;
  const { heat, stacked, width, height } = box.size;
  const scalar = node.shape.length === 0;
  const classes = [
    'card',
    state.status,
    receives ? 'receives' : '',
    stacked ? 'stacked' : '',
    box.size.shape === 'nowhere' ? 'chip' : '',
    node.kind,
    breakpoint ? 'stops' : '',
  ];
  const select = (picture: Picture, cell: Cell): void => {
    request({ type: 'select', selection: bindingOf(picture, node.axes, cell, extents) });
  };
  const drawing = (picture: Picture, kind: 'value' | 'gradient'): JSX.Element =>
    scalar ? (
      <span class="scalar">{formatOne(new Float64Array(picture.slices[0].data)[0])}</span>
    ) : (
      <Heatmap
        picture={picture}
        range={endOf(picture, ranges, kind)}
        width={heat.width}
        height={heat.height}
        scale={scale}
        largestCell={14}
        marks={kind === 'value' ? valueMarks : gradientMarks}
        name={`${kind === 'value' ? '' : 'd'}${plainName(node.id)}`}
        onCell={(cell) => select(picture, cell)}
      />
    );
  const heatStyle = { width: `${heat.width}px`, height: `${heat.height}px` };
  const counter = state.expected > 1 && state.received > 0;
  // A narrow card says "8×" beside the name of eight matrices, and their shape below.
  const leading = stacked && box.size.shape === 'below' ? node.shape.slice(0, -2).join('×') : '';
  const hasRoomForLeading = width >= 56;
  return (
    <div
      class={classes.join(' ')}
      style={{ left: `${box.x}px`, top: `${box.y}px`, width: `${width}px`, height: `${height}px` }}
      data-node={node.id}
    >
      <button
        type="button"
        class="card-button"
        aria-label={ariaLabel(props)}
        aria-current={state.status === 'current' ? 'step' : undefined}
        title={titleOf(node)}
        onClick={onChoose}
      />
      <div class="card-title" aria-hidden="true">
        <Name id={node.id} />
        {box.size.shape === 'beside' && <Shape text={shapeText(node.shape)} room={width - 42} />}
        {leading && hasRoomForLeading && !counter && <span class="card-shape">{leading}×</span>}
        {counter && (
          <span
            class="counter"
            title={`${state.received} of ${state.expected} contributions have arrived`}
          >
            {state.received}/{state.expected}
          </span>
        )}
      </div>
      <div class="heats" aria-hidden="true">
        <div class={value ? 'heat value' : 'heat value missing'} style={heatStyle}>
          {value && drawing(value, 'value')}
        </div>
        <div class={state.gradient ? 'heat gradient' : 'heat gradient missing'} style={heatStyle}>
          {state.gradient && drawing(state.gradient, 'gradient')}
        </div>
      </div>
      {box.size.shape === 'below' && (
        <div class="card-foot" aria-hidden="true">
          <Shape text={shapeText(leading ? node.shape.slice(-2) : node.shape)} room={width - 8} />
        </div>
      )}
      <Verdicts node={node.id} />
      {breakpoint !== null && (
        <button
          type="button"
          class="breakpoint"
          tabIndex={-1}
          aria-pressed={breakpoint}
          aria-label={`Breakpoint on ${plainName(node.id)}`}
          title={breakpoint ? 'Remove breakpoint (B)' : 'Add breakpoint (B)'}
          onClick={() => post({ type: 'toggleBreakpoint', node: node.id })}
        />
      )}
    </div>
  );
}
