// What the ends of the colour scale stand for, so that colours do not jump from one step to the next.
import type { RunView } from '../../src/stepper/runView.ts';
import type { StepView } from '../../src/stepper/stepView.ts';

export interface Ranges {
  readonly value: number;
  readonly gradient: number;
}

/** M may hold −1e9 for −∞, and f is no tensor of the picture: neither may bleach all the others. */
const outside = new Set(['M', 'f']);

/** Largest size of a value in the run, and of a gradient in what has been seen of it. */
export function rangesOf(run: RunView, step: StepView, before: Ranges | null): Ranges {
  const values = run.nodes.filter(({ id }) => !outside.has(id)).map(({ value }) => value.largest);
  const received = Object.entries(step.nodes)
    .filter(([id]) => !outside.has(id))
    .map(([, { gradient }]) => gradient?.largest ?? 0);
  return {
    value: Math.max(0, ...values),
    gradient: Math.max(before?.gradient ?? 0, ...received),
  };
}

/** The same setup shown again (another head, a breakpoint), not another one. */
export function sameNumbers(a: RunView, b: RunView): boolean {
  const mark = ({ title, nodes }: RunView): string =>
    JSON.stringify([title, nodes.map(({ id, shape, value }) => [id, shape, value.largest])]);
  return a === b || mark(a) === mark(b);
}
