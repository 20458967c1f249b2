// Inputs that all sequences share, such as learned latents: a batch for one projection, and nothing for another.
import type { Factor } from '../values/layout.ts';
import type { Root } from './roots.ts';
import { type Projection, projectionsOf } from './trace.ts';
import type { Values } from '../values/values.ts';

/** Roots of one attention with the same batches: what has none is the same in all of them. */
export function withSameBatches<T extends readonly (Root | null)[]>(values: Values, roots: T): T {
  const projections = roots.flatMap((root) => root?.projection ?? []);
  const batches = new Set(projections.flatMap(({ batch }) => batch));
  return roots.map((root) => {
    const own = root?.projection;
    const lacking = [...batches].filter((axis) => own?.heads.includes(axis) && isShared(own, axis));
    if (!root || !own || lacking.length === 0) return root;
    const before = Math.max(0, own.of.value.time);
    const other = projectionsOf(values, own.of, before).find(
      ({ batch, weight }) => weight === own.weight && lacking.every((axis) => batch.includes(axis)),
    );
    return { ...root, projection: other ?? lacking.reduce(repeated, own) };
  }) as unknown as T;
}

/** Columns of the weight along an axis of heads: it comes before that of the features. */
const placeOf = ({ heads }: Projection, axis: number): number => heads.indexOf(axis);

const isShared = (projection: Projection, axis: number): boolean =>
  projection.weightLayout.axes[1].length === projection.heads.length + 1 &&
  projection.weightLayout.axes[1][placeOf(projection, axis)].stride === 0;

/** The same input for each entry of an axis. */
function repeated(projection: Projection, axis: number): Projection {
  const { weightLayout, xLayout, heads } = projection;
  const at = placeOf(projection, axis);
  const [summed, out] = weightLayout.axes;
  const { size } = out[at];
  const batch = [...projection.batch, axis].sort((a, b) => a - b);
  const own: Factor[] = [{ size, stride: 0 }];
  const axes = [...xLayout.axes];
  axes.splice(batch.indexOf(axis), 0, own);
  return {
    ...projection,
    ...{ batch, heads: heads.filter((each) => each !== axis) },
    xLayout: { ...xLayout, axes },
    weightLayout: { ...weightLayout, axes: [summed, out.filter((_, n) => n !== at)] },
  };
}
