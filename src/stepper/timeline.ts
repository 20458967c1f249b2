// The steps of one run in order: forward node by node, then backward node by node with its contributions.
import type { NodeId } from '../engine/graph.ts';
import { hasResult } from './result.ts';
import { type Graph, operationNodes } from '../engine/graph.ts';
import type { Contribution, Passing } from '../engine/run.ts';

/** `result`: the end of the exercise, its gradients put together. */
export type Phase = 'start' | 'forward' | 'backward' | 'result';

export interface Step<P extends Passing = Contribution> {
  readonly phase: Phase;
  /** The node that computes its value (forward) or passes its gradient on (backward); null at the start and in the result. */
  readonly node: NodeId | null;
  /** Backward: what it passes on, in order. Empty otherwise. */
  readonly contributions: readonly P[];
}

/** A place in the walk, after which it happened: a step, one of its contributions, one of the terms of that. */
export interface Position {
  readonly step: number;
  /** Place among the step's contributions; null when the step is seen as a whole. */
  readonly contribution: number | null;
  /** Place among the terms of the selected entry; null when they are not entered. */
  readonly term: number | null;
}

export type Level = 'node' | 'contribution' | 'term';

export interface Timeline<P extends Passing = Contribution> {
  readonly steps: readonly Step<P>[];
  /** The positions of the slider: every step as a whole. What is inside a step stands at its place. */
  readonly ticks: readonly Position[];
}

export const START: Position = { step: 0, contribution: null, term: null };

export function levelOf({ contribution, term }: Position): Level {
  if (term !== null) return 'term';
  return contribution === null ? 'node' : 'contribution';
}

export function buildTimeline<P extends Passing>({
  graph,
  contributions,
}: {
  readonly graph: Graph;
  readonly contributions: readonly P[];
}): Timeline<P> {
  const nodes = operationNodes(graph);
  const steps: Step<P>[] = [
    { phase: 'start', node: null, contributions: [] },
    ...nodes.map(({ id }): Step<P> => ({ phase: 'forward', node: id, contributions: [] })),
    ...[...nodes].reverse().map(({ id }): Step<P> => ({
      phase: 'backward',
      node: id,
      contributions: contributions.filter((each) => each.from === id),
    })),
    ...(hasResult(graph) ? [{ phase: 'result', node: null, contributions: [] } as const] : []),
  ];
  const ticks = steps.map((_, step): Position => ({ step, contribution: null, term: null }));
  return { steps, ticks };
}

/** Where `over` goes, terms aside: the next contribution inside a step, else the next step; null at the end. */
export function nextPlace({ steps }: Timeline, { step, contribution }: Position): Position | null {
  if (contribution !== null && contribution + 1 < steps[step].contributions.length) {
    return { step, contribution: contribution + 1, term: null };
  }
  return step + 1 < steps.length ? { step: step + 1, contribution: null, term: null } : null;
}

/** The contribution a position is about: the entered one, else the step's last; null in the forward pass. */
export function contributionAt(
  { steps }: Timeline,
  { step, contribution }: Position,
): Contribution | null {
  const own = steps[step].contributions;
  return own[contribution ?? own.length - 1] ?? null;
}

/** A node's value, or its gradient. */
export interface SeenAt {
  readonly node: NodeId;
  readonly kind: 'value' | 'gradient';
}

/** What a position is about: the value that is computed, or the gradients that receive a contribution. */
export function seenAt(timeline: Timeline, { step, contribution }: Position): readonly SeenAt[] {
  const { phase, node, contributions } = timeline.steps[step];
  if (phase === 'forward') return node === null ? [] : [{ node, kind: 'value' }];
  const arriving = contribution === null ? contributions : [contributions[contribution]];
  return arriving.map(({ to }) => ({ node: to, kind: 'gradient' }));
}

/** "backward: y → P". */
export function captionOf(timeline: Timeline<Passing>, position: Position): string {
  const { phase, node, contributions } = timeline.steps[position.step];
  if (phase === 'start') return 'start: only the inputs are known';
  if (phase === 'result') return 'result: the gradients, factor by factor';
  if (phase === 'forward') return `forward: ${node}`;
  const shown =
    position.contribution === null ? contributions : [contributions[position.contribution]];
  return `backward: ${node} → ${[...new Set(shown.map(({ to }) => to))].join(', ')}`;
}

/** How many contributions have been made at a position. */
export function contributionsDone(timeline: Timeline, { step, contribution }: Position): number {
  const before = timeline.steps
    .slice(0, step)
    .reduce((count, each) => count + each.contributions.length, 0);
  return (
    before + (contribution === null ? timeline.steps[step].contributions.length : contribution + 1)
  );
}
