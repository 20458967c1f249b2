// Whether infinities, NaN or extremes are on the screen, so that the legend explains them only then.
import type { Picture } from '../../src/stepper/picture.ts';
import type { RunView } from '../../src/stepper/runView.ts';
import type { StepView } from '../../src/stepper/stepView.ts';

export interface Specials {
  readonly infinite: boolean;
  readonly nan: boolean;
  /** Entries lie beyond the ends of their scale. */
  readonly beyond: boolean;
}

/** Pictures do not change; each is searched once. */
const found = new WeakMap<Picture, Omit<Specials, 'beyond'>>();

function inPicture(picture: Picture): Omit<Specials, 'beyond'> {
  const known = found.get(picture);
  if (known) return known;
  const values = picture.slices.map(({ data }) => new Float64Array(data));
  const result = {
    infinite: values.some((data) => data.some((value) => Math.abs(value) === Infinity)),
    nan: values.some((data) => data.some(Number.isNaN)),
  };
  found.set(picture, result);
  return result;
}

export function specialsOf(
  run: RunView,
  step: StepView,
  isBeyond: (picture: Picture) => boolean,
): Specials {
  const pictures = run.nodes.flatMap(({ id, shape, value }) => {
    const { status, gradient } = step.nodes[id];
    if (shape.length === 0) return [];
    return [...(status === 'waiting' ? [] : [value]), ...(gradient ? [gradient] : [])];
  });
  const all = pictures.map(inPicture);
  return {
    infinite: all.some(({ infinite }) => infinite),
    nan: all.some(({ nan }) => nan),
    beyond: pictures.some(isBeyond),
  };
}
