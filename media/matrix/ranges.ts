// What the ends of the colour scale stand for: each tensor's own range, or one for all values and one for all gradients.
import type { Picture } from '../../src/stepper/picture.ts';
import type { RunView } from '../../src/stepper/runView.ts';
import type { StepView } from '../../src/stepper/stepView.ts';

export interface Ranges {
  readonly value: number;
  readonly gradient: number;
}

/** `shared` is null where every tensor has a scale of its own. */
export const endOf = (picture: Picture, shared: Ranges | null, kind: keyof Ranges): number =>
  shared ? shared[kind] : picture.range;

/** f is no tensor of the picture: it may not bleach all the others. */
const outside = new Set(['f']);

/** One scale for all: the largest range of a value in the run, and of a gradient in what has been seen of it. */
export function rangesOf(run: RunView, step: StepView, before: Ranges | null): Ranges {
  const values = run.nodes.filter(({ id }) => !outside.has(id)).map(({ value }) => value.range);
  const received = Object.entries(step.nodes)
    .filter(([id]) => !outside.has(id))
    .map(([, { gradient }]) => gradient?.range ?? 0);
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
