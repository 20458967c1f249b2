// What a walk shows first, computed where the run was: whoever shows it need not look at every number.
import type { Run } from '../engine/run.ts';
import { largestMagnitude, norm, type Tensor } from '../engine/tensor.ts';
import { colourRange } from './colourRange.ts';
import { drawnOf, setDrawn } from './nodePicture.ts';
import type { Picture } from './picture.ts';
import { Session } from './session.ts';

const NUMBERS = [largestMagnitude, norm, colourRange];

interface Seen {
  /** As in NUMBERS; undefined where the walk does not ask for one. */
  readonly numbers: readonly (number | undefined)[];
  readonly pictures?: ReadonlyMap<string, Picture>;
}

/** Of each tensor of a run, in their order, what is known beside its numbers. */
export type Prepared = readonly Seen[];

const tensorsOf = ({ values, gradients, contributions }: Omit<Run, 'graph'>): Set<Tensor> =>
  new Set([...values.values(), ...gradients.values(), ...contributions.map(({ value }) => value)]);

/** Walks the whole way once. */
export function prepare(run: Run): Prepared {
  const session = new Session(run, { title: '', description: '', energy: false });
  session.runView();
  session.timeline.ticks.forEach((_, tick) => {
    session.goToTick(tick);
    session.stepView();
  });
  return [...tensorsOf(run)].map((value) => ({
    numbers: NUMBERS.map((each) => each.known(value)),
    pictures: drawnOf(value),
  }));
}

/** Takes over what another thread has prepared for the same run. */
export function adopt(run: Omit<Run, 'graph'>, prepared: Prepared): void {
  const tensors = [...tensorsOf(run)];
  prepared.forEach(({ numbers, pictures }, n) => {
    NUMBERS.forEach((each, at) => {
      if (numbers[at] !== undefined) each.is(tensors[n], numbers[at]);
    });
    if (pictures) setDrawn(tensors[n], pictures);
  });
}
