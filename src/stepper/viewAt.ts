// From a run and a position in its walk to everything there is to see: nodes, edges, the step in detail.
import { backwardParts, forwardParts } from '../engine/equations.ts';
import type { NodeId } from '../engine/graph.ts';
import type { Run } from '../engine/run.ts';
import { add, type Tensor } from '../engine/tensor.ts';
import { operationOf } from '../engine/terms.ts';
import { backwardView, forwardView, passingOn } from './detail.ts';
import { picture, THUMBNAIL } from './nodePicture.ts';
import { sideBySide } from './sideBySide.ts';
import type { Force, NodeState, StepView, ViewOptions } from './stepView.ts';
import {
  captionOf,
  contributionAt,
  contributionsDone,
  levelOf,
  nextPlace,
  type Position,
  tickOf,
  type Timeline,
} from './timeline.ts';

function nodeStates(
  run: Run,
  timeline: Timeline,
  position: Position,
  current: NodeId | null,
  options: ViewOptions,
): Record<NodeId, NodeState> {
  const { graph, values, contributions } = run;
  const done = contributions.slice(0, contributionsDone(timeline, position));
  const order = new Map(
    timeline.steps.map((step, n) => [step.phase === 'forward' ? step.node : '', n]),
  );
  return Object.fromEntries(
    graph.nodes.map((node): [NodeId, NodeState] => {
      const computed = node.kind === 'input' || (order.get(node.id) ?? 0) <= position.step;
      const arrived = done.filter(({ to }) => to === node.id).map(({ value }) => value);
      const total =
        node.id === 'f' && timeline.steps[position.step].phase === 'backward'
          ? run.gradients.get('f')!
          : sumOf(arrived);
      return [
        node.id,
        {
          status:
            node.id === current
              ? 'current'
              : computed && values.has(node.id)
                ? 'computed'
                : 'waiting',
          received: arrived.length,
          expected: contributions.filter(({ to }) => to === node.id).length,
          gradient: total && picture(run, node, total, options, THUMBNAIL),
        },
      ];
    }),
  );
}

function sumOf(parts: readonly Tensor[]): Tensor | null {
  return parts.length === 0 ? null : parts.slice(1).reduce(add, parts[0]);
}

/** Forces on the tokens of the first batch entry from what has arrived in dx so far. */
function forcesAt(run: Run, timeline: Timeline, position: Position): Force[] | null {
  const x = run.values.get('x');
  if (!x || x.shape.length < 2) return null;
  const done = run.contributions.slice(0, contributionsDone(timeline, position));
  const gradient = sumOf(done.filter(({ to }) => to === 'x').map(({ value }) => value));
  const [tokens, width] = x.shape.slice(-2);
  return Array.from({ length: tokens }, (_, token): Force => {
    const pair = (values: ArrayLike<number> | undefined, sign: number): [number, number] => [
      sign * (values?.[token * width] ?? 0),
      width > 1 ? sign * (values?.[token * width + 1] ?? 0) : 0,
    ];
    return { at: pair(x.data, 1), force: pair(gradient?.data, -1) };
  });
}

/** Everything that the panel, the Variables view and the command line show at one position. */
export function viewAt(
  run: Run,
  timeline: Timeline,
  position: Position,
  options: ViewOptions,
): StepView {
  const { phase, node, contributions } = timeline.steps[position.step];
  const shown =
    position.contribution === null ? contributions : [contributions[position.contribution]];
  const current = contributionAt(timeline, position);
  const following = nextPlace(timeline, position);
  const empty = {
    focus: null,
    formula: null,
    value: null,
    accumulation: null,
    terms: null,
    paths: [],
  };
  const own = current
    ? { ...backwardView(run, position, current, options), sentence: passingOn(shown) }
    : phase === 'forward'
      ? forwardView(run, position, node!, options)
      : { sentence: 'The inputs are given; nothing has been computed yet.', focus: null };
  const forwardEdges = phase === 'forward' ? operationOf(run.graph, node!).inputs : [];
  return {
    ...empty,
    ...own,
    mine: sideBySide(run, own.focus, options.own, options),
    tick: tickOf(timeline, position),
    ticks: timeline.ticks.length,
    level: levelOf(position),
    phase,
    caption: captionOf(timeline, position),
    next: following ? captionOf(timeline, following) : null,
    nodes: nodeStates(run, timeline, position, node, options),
    edges: [
      ...forwardEdges.map((operand, slot) => ({ operand, user: node!, slot })),
      ...shown.map(({ from, to, slot }) => ({ operand: to, user: from, slot })),
    ],
    parts:
      phase === 'forward'
        ? forwardParts(node!)
        : [...new Set(shown.flatMap(({ from, to }) => backwardParts(from, to)))],
    selection: options.selection,
    forces: options.energy ? forcesAt(run, timeline, position) : null,
  };
}
