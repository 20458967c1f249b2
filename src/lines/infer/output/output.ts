// From the heads' weighted sums to the output y: an output projection where there is one.
import { sizeOf, strides, type Tensor } from '../../../engine/tensor.ts';
import type { Factor, Layout } from '../values/layout.ts';
import type { Mixed } from './mixed.ts';
import type { Lookup } from '../values/lookup.ts';
import { matchColumns, type Matrix, stridesOf } from '../operands/projections.ts';
import { type Operand, biasOf, type Projection } from '../operands/trace.ts';
import { isGradientName, namesOf, weightRole } from '../values/names.ts';
import { isBlank, isGradient, type Value, type Values } from '../values/values.ts';

export interface Output {
  readonly y: Value;
  /** (batch axes, query, output feature) of y. */
  readonly operand: Operand;
  readonly weight: Value;
  /** ((heads, value feature), output feature). */
  readonly weightLayout: Layout;
  readonly bias?: Projection['bias'];
  readonly score: number;
  /** Taken by names and shapes: the program's own numbers do not tell. */
  readonly isGuess?: boolean;
}

/** Ways to read a weight as (heads * features) by outputs: axes beside each other merged. */
function matrices(
  { tensor: { shape, data } }: Value,
  merged: number,
): { tensor: Tensor; summed: number }[] {
  const found: { tensor: Tensor; summed: number }[] = [];
  for (let from = 0; from < shape.length; from++) {
    for (let to = from + 1; to <= shape.length; to++) {
      if (sizeOf(shape.slice(from, to)) !== merged) continue;
      const rest = [...shape.slice(0, from), ...shape.slice(to)];
      if (sizeOf(rest) < 2) continue;
      const whole = [...shape.slice(0, from), merged, ...shape.slice(to)];
      found.push({ tensor: { shape: whole, data }, summed: from });
    }
  }
  return found;
}

/** The ways to read a tensor as ([batch axes], tokens, features). */
export function tokenReadings(
  value: Value,
  batch: readonly { readonly axis: number; readonly size: number }[],
  tokens: number,
): Operand[] {
  const { shape } = value.tensor;
  const own = strides(shape);
  const factor = (n: number): Factor => ({ size: shape[n], stride: own[n] });
  const found: Operand[] = [];
  shape.forEach((length, token) => {
    if (length !== tokens) return;
    shape.forEach((features, feature) => {
      if (feature === token || features < 2) return;
      const rest = shape.flatMap((size, n) =>
        n === token || n === feature || size === 1 ? [] : [n],
      );
      if (rest.length !== batch.filter(({ size }) => size > 1).length) return;
      const outer = new Map<number, Factor>();
      for (const { axis, size } of batch) {
        const at = rest.findIndex((n) => shape[n] === size);
        if (at >= 0) outer.set(axis, factor(rest.splice(at, 1)[0]));
        else if (size !== 1) return;
      }
      found.push({ value, outer, token: factor(token), feature: factor(feature) });
    });
  });
  return found;
}

/** Layout of the weighted sums, ([outer], query, feature), as rows (batch, query) by columns (heads, feature). */
export function mixedAxes(
  mixed: Tensor,
  outer: readonly number[],
  heads: readonly number[],
): { rows: Factor[]; cols: Factor[] } {
  const own = strides(mixed.shape);
  const at = (n: number): Factor => ({ size: mixed.shape[n], stride: own[n] });
  const places = outer.map((axis, n) => [axis, at(n)] as const);
  const isHead = (axis: number): boolean => heads.includes(axis);
  return {
    rows: [...places.filter(([axis]) => !isHead(axis)).map(([, each]) => each), at(outer.length)],
    cols: [
      ...places.filter(([axis]) => isHead(axis)).map(([, each]) => each),
      at(outer.length + 1),
    ],
  };
}

/** How many tensors after the weighted sums may be y. */
const LATER = 24;

/** A leaf, or what is called the output's weight. */
const isProjectionWeight = (values: Values, value: Value): boolean =>
  !namesOf(value).some((name) => isGradientName(name)) &&
  (values.isLeaf(value) || namesOf(value).some((name) => weightRole(name) === 'O'));

/**
 * The recorded tensors that are the weighted sums times a weight, plus a bias: the likeliest first. Where none is, what
 * those of `streams`, which go past the attention, leave of later tensors that they were added to.
 */
export function outputsOf(
  values: Values,
  lookup: Lookup,
  mixed: Mixed,
  outer: readonly number[],
  heads: readonly number[],
  streams: readonly Value[] = [],
): Output[] {
  const { rows, cols } = mixedAxes(mixed.tensor, outer, heads);
  const merged = sizeOf(cols.map(({ size }) => size));
  const batch = outer.flatMap((axis, n) =>
    heads.includes(axis) ? [] : [{ axis, size: mixed.tensor.shape[n] }],
  );
  const tokens = mixed.tensor.shape[outer.length];
  const weights = values.all.filter(
    (value) =>
      value.kind === 'float' &&
      !value.isVirtual &&
      value.tensor.shape.length >= 2 &&
      value.tensor.data.length % merged === 0 &&
      !isBlank(value) &&
      isProjectionWeight(values, value),
  );
  const later = values.all
    .filter(
      (value) =>
        value.kind === 'float' &&
        !value.isVirtual &&
        value.time > mixed.output.time &&
        !value.parts.some(isGradient) &&
        tokenReadings(value, batch, tokens).length > 0 &&
        values.descends(value, mixed.output),
    )
    .sort((a, b) => a.time - b.time)
    .slice(0, LATER);
  const exact = { data: mixed.tensor.data, offset: 0, rows, cols };
  // Heads that were put side by side in a wrong way have the right numbers and a width of their own.
  const misplaced = lookup.find(mixed.tensor, mixed.output.eps).flatMap((value) =>
    tokenReadings(value, batch, tokens)
      .filter(({ feature }) => feature.size === merged)
      .map(({ outer: own, token, feature }) => ({
        ...{ data: value.tensor.data, offset: 0, rows: [...own.values(), token] },
        cols: splitAs(feature, cols),
      })),
  );
  const fitsTo = (y: Value, own: Pick<Value, 'tensor' | 'eps'>, x: Matrix): Output[] =>
    tokenReadings(y, batch, tokens).flatMap((operand) =>
      weights.flatMap((weight) => {
        if (weight.time >= y.time || values.descends(weight, mixed.output)) return [];
        return matrices(weight, merged).flatMap(
          (matrix) => fitted(values, operand, own, x, weight, matrix, mixed.output.eps) ?? [],
        );
      }),
    );
  const fitsOf = (y: Value, own: Pick<Value, 'tensor' | 'eps'>): Output[] => {
    const whole = fitsTo(y, own, exact);
    return whole.length > 0 ? whole : misplaced.flatMap((x) => fitsTo(y, own, x));
  };
  const found = later.flatMap((y) => fitsOf(y, y));
  if (found.length > 0) return found.sort((a, b) => b.score - a.score || a.y.time - b.y.time);
  for (const sum of later) {
    for (const stream of streams) {
      if (!isSummand(values, stream, sum)) continue;
      const rest = lessOf(sum.tensor, stream.tensor);
      const eps = Math.max(sum.eps, stream.eps);
      if (!isAdded(rest, sum.tensor, eps)) continue;
      const [fit] = fitsOf(sum, { tensor: rest, eps }).filter(({ score }) => score >= 0);
      const y = fit && values.addVirtual(rest, [sum, stream]);
      if (y) return [{ ...fit, y, operand: { ...fit.operand, value: y } }];
    }
  }
  return [];
}

/** Whether nearly all entries were added to: a numerical gradient moves one of them a little. */
function isAdded({ data }: Tensor, sum: Tensor, eps: number): boolean {
  const size = sum.data.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return data.filter((value) => Math.abs(value) > 4 * eps * size).length >= 0.8 * data.length;
}

/** What a sum is more than one of its summands. */
export const lessOf = ({ shape, data }: Tensor, summand: Tensor): Tensor => ({
  shape,
  data: data.map((value, n) => value - summand.data[n]),
});

/** Whether a tensor that goes past the attention may have been added to give another. */
export const isSummand = (values: Values, stream: Value, sum: Value): boolean =>
  stream.time < sum.time &&
  stream.tensor.shape.join() === sum.tensor.shape.join() &&
  values.descends(sum, stream);

/** A merged axis as the axes of `cols`. */
function splitAs({ stride }: Factor, cols: readonly Factor[]): Factor[] {
  return cols.map(({ size }, n) => ({
    size,
    stride: stride * sizeOf(cols.slice(n + 1).map((each) => each.size)),
  }));
}

function fitted(
  values: Values,
  operand: Operand,
  own: Pick<Value, 'tensor' | 'eps'>,
  x: Matrix,
  weight: Value,
  { tensor, summed }: { tensor: Tensor; summed: number },
  epsOfX: number,
): Output | null {
  const eps = Math.max(own.eps, epsOfX);
  const { data } = own.tensor;
  const target = {
    ...{ data, offset: 0, rows: [...operand.outer.values(), operand.token] },
    cols: [operand.feature],
  };
  const columns = matchColumns(target, x, tensor, summed, eps);
  if (!columns || Math.abs(columns.factor - 1) > 100 * eps) return null;
  const out = stridesOf(columns.starts, [operand.feature.size]);
  if (!out) return null;
  const step = strides(tensor.shape)[summed];
  const axes = x.cols.map(({ size }, n) => ({
    size,
    stride: step * sizeOf(x.cols.slice(n + 1).map((each) => each.size)),
  }));
  const size = data.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
  const width = operand.feature.size;
  const place = { length: width, layout: { offset: 0, axes: [[{ size: width, stride: 1 }]] } };
  const bias = biasOf(values, columns.shift, [place], { factor: 1, allowed: 40 * eps * size });
  return {
    ...{ y: operand.value, operand, weight },
    weightLayout: { offset: columns.starts[0], axes: [axes, out] },
    ...(bias && { bias }),
    score: (values.isLeaf(weight) ? 4 : 0) + (bias === null ? -6 : 0) + (bias ? 1 : 0),
  };
}
