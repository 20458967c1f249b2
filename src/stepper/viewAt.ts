// From a run and a position in its walk to everything there is to see: nodes, edges, the step in detail.
import { backwardMarks, forwardMarks, type Marks } from '../engine/equationMarks.ts';
import { equations } from '../engine/equations.ts';
import { partNames } from '../engine/formula.ts';
import type { Graph, NodeId } from '../engine/graph.ts';
import type { Contribution, Run } from '../engine/run.ts';
import { add, type Tensor } from '../engine/tensor.ts';
import { operationOf } from '../engine/terms.ts';
import { backwardView, forwardView, passingOn } from './detail.ts';
import { gradientRange, picture, THUMBNAIL } from './nodePicture.ts';
import { resultView } from './result.ts';
import { sideBySide } from './sideBySide.ts';
import type { Force, NodeState, StepView, TermsView, ViewOptions } from './stepView.ts';
import {
  captionOf,
  contributionAt,
  contributionsDone,
  levelOf,
  nextPlace,
  type Position,
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
        node.id === 'f' && /^(backward|result)$/.test(timeline.steps[position.step].phase)
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
          gradient:
            total && picture(run, node, total, options, THUMBNAIL, gradientRange(run, node.id)),
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

const namesOf = new WeakMap<Graph, readonly string[]>();

/** What a step computes of the equations: a forward step's value, or what its contributions multiply by. */
function marksOf(graph: Graph, computed: NodeId | null, made: readonly Contribution[]): Marks {
  const names = namesOf.get(graph) ?? [
    ...new Set(equations(graph).flatMap(({ formula }) => partNames(formula))),
  ];
  namesOf.set(graph, names);
  const all = [
    ...(computed === null ? [] : [forwardMarks(names, computed)]),
    ...made.map(({ from, to }) => backwardMarks(names, from, to)),
  ];
  const parts = [...new Set(all.flatMap((each) => each.parts))];
  const links = all.flatMap((each) => each.links).filter((name) => !parts.includes(name));
  return { parts, links: [...new Set(links)] };
}

/** Among terms, what comes next is the next of them. */
function nextTerm(terms: TermsView | null): string | null {
  if (terms === null || terms.current === null || terms.current + 1 >= terms.terms.length)
    return null;
  return `term: ${terms.current + 2} of ${terms.terms.length}`;
}

const words = {
  start: { sentence: 'The inputs are given; nothing has been computed yet.' },
  result: {
    sentence: 'The gradient of each token, put together from what the steps have computed.',
  },
};

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
    worked: null,
    paths: [],
  };
  const own = current
    ? { ...backwardView(run, position, current, options), sentence: passingOn(shown) }
    : phase === 'forward'
      ? forwardView(run, position, node!, options)
      : { ...words[phase === 'result' ? 'result' : 'start'], focus: null, terms: null };
  const forwardEdges = phase === 'forward' ? operationOf(run.graph, node!).inputs : [];
  return {
    ...empty,
    ...own,
    result: phase === 'result' ? resultView(run, options.selection) : null,
    mine: sideBySide(run, own.focus, options.own, options),
    tick: position.step,
    ticks: timeline.ticks.length,
    level: levelOf(position),
    phase,
    caption: captionOf(timeline, position),
    next: nextTerm(own.terms ?? null) ?? (following && captionOf(timeline, following)),
    nodes: nodeStates(run, timeline, position, node, options),
    edges: [
      ...forwardEdges.map((operand, slot) => ({ operand, user: node!, slot })),
      ...shown.map(({ from, to, slot }) => ({ operand: to, user: from, slot })),
    ],
    ...marksOf(run.graph, phase === 'forward' ? node : null, shown),
    selection: options.selection,
    forces: options.energy ? forcesAt(run, timeline, position) : null,
  };
}
