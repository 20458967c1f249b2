// Two attentions of one layout side by side: their weights, queries and keys with an axis for the two, after the heads.
import { strides, type Tensor } from '../../../engine/tensor.ts';
import { gather, type Factor, type Layout } from '../values/layout.ts';
import { SUMMED } from '../operands/products.ts';
import type { Root } from '../operands/roots.ts';
import { scoreLayout, type Told } from './scores.ts';
import type { Operand, Projection } from '../operands/trace.ts';
import type { Value, Values } from '../values/values.ts';

/** Whether `data` is the first less `lambda` times the second, entry by entry. */
export const isSecondOf = (
  { data }: Tensor,
  first: ArrayLike<number>,
  second: ArrayLike<number>,
  lambda: number,
  allowed: number,
): boolean => data.every((value, n) => Math.abs(value - first[n] + lambda * second[n]) <= allowed);

export interface Pair {
  readonly told: Told;
  readonly query: Root;
  readonly key: Root;
  /** The axis of the two. */
  readonly axis: number;
}

interface Half {
  readonly told: Told;
  readonly query: Root;
  readonly key: Root;
}

/** Both as one; null where they are not alike. */
export function siteOfTwo(values: Values, [one, two]: readonly [Half, Half]): Pair | null {
  const { outer } = one.told.site;
  const { factor } = one.told.site.product;
  const isAlike =
    outer.length === two.told.site.outer.length &&
    Math.abs(two.told.site.product.factor / factor - 1) < 1e-6;
  if (!isAlike) return null;
  const axis = outer.length;
  const places = new Map(outer.map((each, n) => [each, n]));
  const { shape } = one.told.site.weights.tensor;
  const sizes = outer.map((each) => shape[each]);
  const operand = (a: Operand, b: Operand): Operand | null =>
    sideBySide(values, a, b, sizes, outer);
  const weights = stacked(
    values,
    [one.told.site.weights, two.told.site.weights],
    [one, two].map((each) => scoreLayout(each.told)),
    [...sizes, 2, shape[one.told.queryAxis], shape[one.told.keyAxis]],
  );
  const query = rootOfTwo(values, one.query, two.query, operand, places, axis);
  const key = rootOfTwo(values, one.key, two.key, operand, places, axis);
  if (!weights || !query || !key) return null;
  const axes = Array.from({ length: axis + 1 }, (_, n) => n);
  const site = {
    ...{ weights, scores: weights, how: 'crossed' as const, outer: axes },
    product: {
      ...{ left: query.operand.value, right: key.operand.value, factor },
      ...{ leftAxes: [...axes, axis + 1, SUMMED], rightAxes: [...axes, axis + 2, SUMMED] },
    },
    ...{ leftToken: axis + 1, rightToken: axis + 2 },
    ...(one.told.site.cap !== undefined && { cap: one.told.site.cap }),
  };
  const told: Told = {
    ...{ site, query: query.operand, key: key.operand },
    ...{ queryAxis: axis + 1, keyAxis: axis + 2 },
  };
  return { told, query, key, axis };
}

/** Both tensors as ([outer], 2, ...): the layouts have the outer axes in one, in front. */
function stacked(
  values: Values,
  both: readonly Value[],
  layouts: readonly Layout[],
  shape: readonly number[],
): Value | null {
  const [a, b] = layouts.map((layout, n) => gather(both[n].tensor, layout));
  const [blocks] = a.shape;
  const width = a.data.length / blocks;
  if (b.data.length !== a.data.length) return null;
  const data = new Float64Array(2 * a.data.length);
  for (let n = 0; n < blocks; n++) {
    data.set(a.data.subarray(n * width, (n + 1) * width), 2 * n * width);
    data.set(b.data.subarray(n * width, (n + 1) * width), (2 * n + 1) * width);
  }
  return values.addVirtual({ shape: [...shape], data }, [...both]);
}

function sideBySide(
  values: Values,
  a: Operand,
  b: Operand,
  sizes: readonly number[],
  outer: readonly number[],
): Operand | null {
  if (a.token.size !== b.token.size || a.feature.size !== b.feature.size) return null;
  const layout = ({ outer: own, token, feature }: Operand): Layout => ({
    offset: 0,
    axes: [
      outer.map((each, n) => own.get(each) ?? { size: sizes[n], stride: 0 }),
      [token],
      [feature],
    ],
  });
  const shape = [...sizes, 2, a.token.size, a.feature.size];
  const value = stacked(values, [a.value, b.value], [layout(a), layout(b)], shape);
  if (!value) return null;
  const own = strides(shape);
  const at = (n: number): Factor => ({ size: shape[n], stride: own[n] });
  return {
    value,
    outer: new Map(Array.from({ length: sizes.length + 1 }, (_, n) => [n, at(n)])),
    ...{ token: at(sizes.length + 1), feature: at(sizes.length + 2) },
  };
}

function rootOfTwo(
  values: Values,
  one: Root,
  two: Root,
  stack: (a: Operand, b: Operand) => Operand | null,
  places: ReadonlyMap<number, number>,
  axis: number,
): Root | null {
  const operand = stack(one.operand, two.operand);
  if (!operand) return null;
  const [a, b] = [one.projection, two.projection];
  if (a && b) {
    const of = stack(a.of, b.of);
    const projection = of && projectionOfTwo(values, a, b, of, places, axis);
    if (projection) return { operand, projection };
  }
  const start = one.start && two.start ? stack(one.start, two.start) : null;
  return { operand, ...(start && { start }) };
}

function projectionOfTwo(
  values: Values,
  a: Projection,
  b: Projection,
  of: Operand,
  places: ReadonlyMap<number, number>,
  axis: number,
): Projection | null {
  const isAlike =
    a.x === b.x &&
    JSON.stringify(a.xLayout) === JSON.stringify(b.xLayout) &&
    Math.abs(a.factor / b.factor - 1) < 1e-6 &&
    (a.bias === undefined) === (b.bias === undefined);
  if (!isAlike) return null;
  const weight = layoutOfTwo(values, [a.weight, b.weight], [a.weightLayout, b.weightLayout]);
  const bias =
    a.bias && b.bias
      ? layoutOfTwo(values, [a.bias.value, b.bias.value], [a.bias.layout, b.bias.layout])
      : undefined;
  if (!weight || bias === null) return null;
  const placed = (axes: readonly number[]): number[] => axes.flatMap((n) => places.get(n) ?? []);
  const { xLayout, x, factor, score } = a;
  return {
    ...{ of, x, xLayout, factor, score },
    ...{ batch: placed(a.batch), heads: [...placed(a.heads), axis] },
    ...{ weight: weight.value, weightLayout: weight.layout },
    ...(bias && { bias }),
  };
}

/** Two layouts as one, with an axis for the two before the last factor of the last axis. */
function layoutOfTwo(
  values: Values,
  [one, two]: readonly [Value, Value],
  [a, b]: readonly [Layout, Layout],
): { readonly value: Value; readonly layout: Layout } | null {
  const out = a.axes[a.axes.length - 1];
  const [heads, feature] = [out.slice(0, -1), out[out.length - 1]];
  if (one === two) {
    if (JSON.stringify(a.axes) !== JSON.stringify(b.axes)) return null;
    const pair = { size: 2, stride: b.offset - a.offset };
    const axes = [...a.axes.slice(0, -1), [...heads, pair, feature]];
    return { value: one, layout: { offset: a.offset, axes } };
  }
  const isStored = ({ size, stride }: Factor): boolean => size > 1 && stride !== 0;
  const kept = heads.filter(isStored);
  const rows = a.axes.slice(0, -1);
  const blocks = [...rows.flat(), ...kept];
  const shape = [...blocks.map(({ size }) => size), 2, feature.size];
  const layouts = [a, b].map(({ offset, axes }) => {
    const last = axes[axes.length - 1];
    const own = [...axes.slice(0, -1).flat(), ...last.slice(0, -1).filter(isStored)];
    return { offset, axes: [own, [last[last.length - 1]]] };
  });
  const value = stacked(values, [one, two], layouts, shape);
  if (!value) return null;
  const steps = strides(shape);
  const own = blocks.map(({ size }, n) => ({ size, stride: steps[n] }));
  let next = rows.flat().length;
  const shared = heads.map((each) => (isStored(each) ? own[next++] : { ...each, stride: 0 }));
  let row = 0;
  const axes = rows.map((axis) => axis.map(() => own[row++]));
  const pair = { size: 2, stride: steps[shape.length - 2] };
  const last = [...shared, pair, { size: feature.size, stride: 1 }];
  return { value, layout: { offset: 0, axes: [...axes, last] } };
}
