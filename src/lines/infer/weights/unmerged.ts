// Batches and heads that a program keeps in one axis, as bmm wants them, told apart again.
import type { Site } from './site.ts';
import type { Value, Values } from '../values/values.ts';

/** The sites with one outer axis as two, whose first has the length of an axis of some leaf beside its tokens: the batches. */
export function unmergedSites(values: Values, site: Site): Site[] {
  const { shape } = site.weights.tensor;
  const tokens = [shape[site.leftToken], shape[site.rightToken]];
  const lengths = new Set(
    values.all
      .filter(
        (value) =>
          value.tensor.shape.length === 3 &&
          value.tensor.shape.some((length) => tokens.includes(length)) &&
          values.isLeaf(value),
      )
      .flatMap(({ tensor }) => tensor.shape),
  );
  return site.outer.flatMap((axis) =>
    [...lengths]
      .filter((batch) => batch > 1 && batch < shape[axis] && shape[axis] % batch === 0)
      .flatMap((batch) => split(values, site, axis, batch) ?? []),
  );
}

function split(values: Values, site: Site, axis: number, batch: number): Site | null {
  const { product, weights } = site;
  const later = (n: number): number => (n > axis ? n + 1 : n);
  const apart = (value: Value, at: number): Value | null => {
    if (at < 0) return value;
    const { shape, data } = value.tensor;
    const own = [...shape.slice(0, at), batch, shape[at] / batch, ...shape.slice(at + 1)];
    const places = Int32Array.from(data, (_, n) => n);
    return values.addVirtual({ shape: own, data }, [value], { of: value, places });
  };
  const axes = (own: readonly number[]): number[] =>
    own.flatMap((n) => (n === axis ? [axis, axis + 1] : [later(n)]));
  const whole = apart(weights, axis);
  const left = apart(product.left, product.leftAxes.indexOf(axis));
  const right = apart(product.right, product.rightAxes.indexOf(axis));
  if (!whole || !left || !right) return null;
  return {
    ...site,
    weights: whole,
    scores: site.scores === weights ? whole : site.scores,
    product: {
      ...product,
      ...{ left, right, leftAxes: axes(product.leftAxes), rightAxes: axes(product.rightAxes) },
    },
    leftToken: later(site.leftToken),
    rightToken: later(site.rightToken),
    outer: site.outer.flatMap((n) => (n === axis ? [axis, axis + 1] : [later(n)])),
  };
}
