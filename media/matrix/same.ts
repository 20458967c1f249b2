// Pictures that a new message repeats are kept as they were, so that nothing is drawn twice.
import type { Picture } from '../../src/stepper/picture.ts';
import type { NodeState, StepView } from '../../src/stepper/stepView.ts';

function sameData(a: ArrayBuffer, b: ArrayBuffer): boolean {
  if (a.byteLength !== b.byteLength) return false;
  const [left, right] = [new Float64Array(a), new Float64Array(b)];
  return left.every((value, n) => Object.is(value, right[n]));
}

function samePicture(a: Picture, b: Picture): boolean {
  return (
    a.rows === b.rows &&
    a.cols === b.cols &&
    a.largest === b.largest &&
    a.slices.length === b.slices.length &&
    a.slices.every(
      ({ label, data }, n) => label === b.slices[n].label && sameData(data, b.slices[n].data),
    )
  );
}

/** The new step, with the earlier one's gradients where they are equal. */
export function keepPictures(step: StepView, before: StepView | null): StepView {
  if (!before) return step;
  const nodes = Object.entries(step.nodes).map(([id, state]): [string, NodeState] => {
    const old = before.nodes[id]?.gradient;
    const keep = state.gradient && old && samePicture(state.gradient, old);
    return [id, keep ? { ...state, gradient: old } : state];
  });
  return { ...step, nodes: Object.fromEntries(nodes) };
}
