// From an operand of the scores or of the weighted sum back to what it was projected from: x, a weight, a bias.
import { strides, type Tensor } from '../../../engine/tensor.ts';
import { type Factor, type Layout, lengthOf } from '../values/layout.ts';
import { type Pair, pairOf, rowsOf } from './pairs.ts';
import { matchColumns, stridesOf } from './projections.ts';
import { isGradient, type Value, type Values } from '../values/values.ts';

/** A recorded tensor with its axes told apart. */
export interface Operand {
  readonly value: Value;
  /** Axes of batches and heads, by the axis of the weights that each belongs to. */
  readonly outer: ReadonlyMap<number, Factor>;
  readonly token: Factor;
  readonly feature: Factor;
}

export interface Projection {
  /** The operand, or what it was made from, that the projection gives. */
  readonly of: Operand;
  readonly x: Value;
  /** (batch axes, token, feature) of x. */
  readonly xLayout: Layout;
  /** Axes of the weights that x has too: batches; the others are heads. */
  readonly batch: readonly number[];
  readonly heads: readonly number[];
  readonly weight: Value;
  /** (feature of x, (heads, feature)); a head's stride of 0: shared by query heads. */
  readonly weightLayout: Layout;
  readonly bias?: { readonly value: Value; readonly layout: Layout };
  /** of = factor * (x W + b). */
  readonly factor: number;
  /** How likely it is that these are meant. */
  readonly score: number;
  /** Why it is taken by names and shapes: the program's own numbers do not tell, or tell another. */
  readonly guess?: string;
}

const isRank = (low: number, high: number, { shape }: Tensor): boolean =>
  shape.length >= low && shape.length <= high;

function weightFor(
  { operand, rows, target, from }: Pair,
  weight: Value,
  summed: number,
): Fit | null {
  const { cols } = target;
  const eps = Math.max(operand.value.eps, rows.value.eps);
  const columns = matchColumns(target, from, weight.tensor, summed, eps);
  if (!columns) return null;
  const out = weightColumns(
    columns.starts,
    cols.map(({ size }) => size),
  );
  if (!out) return null;
  const { shape } = weight.tensor;
  return {
    x: rows.value,
    xLayout: { offset: 0, axes: [...rows.rows.map((axis) => [axis]), [rows.feature]] },
    batch: rows.batch,
    heads: rows.heads,
    weight,
    weightLayout: {
      offset: columns.starts[0],
      axes: [[{ size: shape[summed], stride: strides(shape)[summed] }], out],
    },
    factor: columns.factor,
    shift: columns.shift,
  };
}

/** Where the columns of (heads, feature) lie in a weight; heads may share theirs, in groups one after the other or in turns. */
function weightColumns(starts: Int32Array, sizes: readonly number[]): readonly Factor[] | null {
  const direct = stridesOf(starts, sizes);
  if (direct) return direct;
  const [heads, ...rest] = sizes;
  const width = sizes[sizes.length - 1];
  // The two of each pair side by side, and read as two halves (DeepSeek).
  const halves = width % 2 === 0 ? stridesOf(starts, [...sizes.slice(0, -1), 2, width / 2]) : null;
  if (halves) return halves;
  if (rest.length === 0) return null;
  for (let kv = 1; kv < heads; kv++) {
    if (heads % kv !== 0) continue;
    const split =
      stridesOf(starts, [kv, heads / kv, ...rest]) ?? stridesOf(starts, [heads / kv, kv, ...rest]);
    if (split?.some(({ size, stride }) => size > 1 && stride === 0)) return split;
  }
  return null;
}

/** How a vector of `length` entries would hold a bias for each column. */
export interface BiasPlace {
  readonly length: number;
  readonly layout: Layout;
}

/**
 * The recorded vector of which `shift` is `factor` times the entries; undefined where nothing was added, null
 * where no such vector is known.
 */
export function biasOf(
  values: Values,
  shift: Float64Array,
  places: readonly BiasPlace[],
  { factor, allowed }: { readonly factor: number; readonly allowed: number },
): Projection['bias'] | null {
  if (shift.every((value) => Math.abs(value) <= allowed)) return undefined;
  for (const value of values.all) {
    if (value.kind !== 'float' || value.isVirtual || value.tensor.shape.length > 3) continue;
    const { data } = value.tensor;
    for (const { length, layout } of places) {
      if (data.length !== length) continue;
      const fits = gatherOffsets(layout).every(
        (place, n) => Math.abs(factor * data[place] - shift[n]) <= allowed,
      );
      if (fits) return { value, layout };
    }
  }
  return null;
}

/** A bias of the shape of the columns, or of all columns of a fused weight. */
function biasPlaces({ weight, weightLayout }: Fit): BiasPlace[] {
  const [[summed], out] = weightLayout.axes;
  const steps = strides(weight.tensor.shape);
  const free = weight.tensor.shape.flatMap((length, n) =>
    steps[n] === summed.stride ? [] : [{ size: length, stride: steps[n] }],
  );
  const own = {
    length: lengthOf(out.filter(({ stride }) => stride !== 0)),
    layout: { offset: 0, axes: [rowMajor(out)] },
  };
  const layout = sameColumns(weightLayout, free);
  return layout ? [own, { length: lengthOf(free), layout }] : [own];
}

type Fit = Omit<Projection, 'bias' | 'score' | 'of'> & { readonly shift: Float64Array };

/** Columns in their own order, shared ones once. */
function rowMajor(out: readonly Factor[]): Factor[] {
  let stride = lengthOf(out.filter((axis) => axis.stride !== 0));
  return out.map((axis) => {
    if (axis.stride === 0) return { size: axis.size, stride: 0 };
    stride /= axis.size;
    return { size: axis.size, stride };
  });
}

/** The layout of a bias of all columns of a fused weight: the strides of the weight over its free axes alone. */
function sameColumns({ offset, axes }: Layout, free: readonly Factor[]): Layout | null {
  const compact = rowMajor(free);
  const convert = (entry: number): number => {
    let [rest, at] = [entry, 0];
    const order = free.map((factor, n) => ({ ...factor, own: compact[n].stride }));
    for (const { size, stride, own } of order.sort((a, b) => b.stride - a.stride)) {
      const index = Math.floor(rest / stride) % size;
      at += index * own;
      rest -= index * stride;
    }
    return rest === 0 ? at : Number.NaN;
  };
  const start = convert(offset);
  const out = axes[1].map(({ size, stride }) => ({
    size,
    stride: stride === 0 ? 0 : convert(offset + stride) - start,
  }));
  return Number.isNaN(start) || out.some(({ stride }) => Number.isNaN(stride))
    ? null
    : { offset: start, axes: [out] };
}

function gatherOffsets({ offset, axes }: Layout): number[] {
  let all = [offset];
  for (const { size, stride } of axes.flat())
    all = all.flatMap((at) => Array.from({ length: size }, (_, n) => at + n * stride));
  return all;
}

/** What was found of an operand is not looked for again. */
const projections = new WeakMap<Values, Map<string, readonly Projection[]>>();

/** Projections x W + b that give the operand itself, the likeliest first. */
export function projectionsOf(values: Values, operand: Operand, before: number): Projection[] {
  const all = projections.get(values) ?? new Map<string, readonly Projection[]>();
  projections.set(values, all);
  const key = `${values.shaped} ${before} ${placeOf(operand)}`;
  const found = all.get(key) ?? findProjections(values, operand, before);
  all.set(key, found);
  return found.map((each) => ({ ...each, of: operand }));
}

/** Which entries of which value an operand is, as text. */
export function placeOf({ value, outer, token, feature }: Operand): string {
  const axes = [...outer].map(([axis, { size, stride }]) => `${axis}:${size}/${stride}`);
  const own = [token, feature].map(({ size, stride }) => `${size}/${stride}`);
  return [value.id, ...axes, ...own].join(' ');
}

function findProjections(values: Values, operand: Operand, before: number): Projection[] {
  const all = values.all.filter(
    ({ kind, tensor, time, isVirtual, parts }) =>
      kind === 'float' &&
      !isVirtual &&
      time < before &&
      isRank(2, 4, tensor) &&
      !parts.some(isGradient) &&
      tensor.data.every(Number.isFinite),
  );
  // What it was computed from, as far as that is known.
  const known = all.filter((value) => values.descends(operand.value, value));
  const ofIt = (known.length > 1 ? known : all).filter((value) => value !== operand.value);
  const areLeaves = new Set(ofIt.filter((value) => values.isLeaf(value)));
  const leaves = [...areLeaves].slice(0, MOST_LEAVES);
  const computed = ofIt.filter((value) => !areLeaves.has(value)).slice(-MOST_COMPUTED);
  const sources = [...leaves, ...computed];
  const byLeaves = projectionsBy(values, operand, sources, leaves);
  // Nothing that was computed comes before a weight that is none.
  if (byLeaves.length > 0 && byLeaves[0].score >= LEAF_WEIGHT) return byLeaves;
  return byScore([...byLeaves, ...projectionsBy(values, operand, sources, computed)]);
}

/** A program of thousands of tensors, such as the nodes of an engine of its own, has its operands close by. */
const MOST_LEAVES = 256;
const MOST_COMPUTED = 128;

/** What speaks for a projection by a weight that was not computed: more than all else together. */
const LEAF_WEIGHT = 4;

const byScore = (found: Projection[]): Projection[] => found.sort((a, b) => b.score - a.score);

/** What a weight costs beside its columns. */
const EACH = 40;

function projectionsBy(
  values: Values,
  operand: Operand,
  sources: readonly Value[],
  weights: readonly Value[],
): Projection[] {
  const eps = operand.value.eps;
  const size = operand.value.tensor.data.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
  const found: Projection[] = [];
  for (const x of sources) {
    if (values.work.isDone) break;
    for (const rows of rowsOf(x, operand)) {
      const pair = pairOf(operand, rows);
      for (const weight of weights) {
        if (weight === x) continue;
        weight.tensor.shape.forEach((length, summed) => {
          if (length !== rows.feature.size) return;
          if (weight.tensor.data.length / length < operand.feature.size) return;
          values.work.spend(EACH + weight.tensor.data.length / length);
          const fit = weightFor(pair, weight, summed);
          if (!fit) return;
          const allowed = 40 * eps * size;
          const bias = biasOf(values, fit.shift, biasPlaces(fit), { factor: fit.factor, allowed });
          const score =
            (values.isLeaf(weight) ? LEAF_WEIGHT : 0) +
            (Math.abs(fit.factor - 1) < 1e-9 ? 0.5 : 0) +
            (values.isLeaf(x) ? 2 : 0) +
            (bias === null ? -4 : 0) +
            (values.ancestors(operand.value).has(x.id) ? 1 : 0) +
            (weight.grid.length > 0 && x.grid.length === 0 ? -0.5 : 0);
          const { shift: _, ...rest } = fit;
          found.push({ ...rest, ...(bias && { bias }), of: operand, score });
        });
      }
    }
  }
  return byScore(found);
}

/** The operand's axes in another tensor of the same axes in any order, or with heads and features merged. */
export function sameAxes(value: Value, operand: Operand): Operand[] {
  const { shape } = value.tensor;
  const own = strides(shape);
  const outer = [...operand.outer.entries()].filter(([, { size }]) => size > 1);
  const heads = outer.length;
  const found: Operand[] = [];
  const factor = (n: number): Factor => ({ size: shape[n], stride: own[n] });
  const visit = (axis: number, taken: Map<number | 'token' | 'feature', Factor>): void => {
    if (axis === shape.length) {
      if (taken.size !== heads + 2) return;
      const map = new Map(outer.map(([key]) => [key, taken.get(key) as Factor] as const));
      found.push({
        value,
        outer: map,
        token: taken.get('token') as Factor,
        feature: taken.get('feature') as Factor,
      });
      return;
    }
    if (shape[axis] === 1) return visit(axis + 1, taken);
    const places: [number | 'token' | 'feature', Factor][] = [
      ...outer,
      ['token', operand.token],
      ['feature', operand.feature],
    ];
    for (const [key, { size }] of places) {
      if (taken.has(key)) continue;
      if (size === shape[axis]) visit(axis + 1, new Map([...taken, [key, factor(axis)]]));
    }
    // Two axes of heads as one: (kv heads, group).
    for (const [n, [key, { size }]] of outer.entries()) {
      const next = outer[n + 1];
      if (!next || taken.has(key) || taken.has(next[0]) || shape[axis] !== size * next[1].size)
        continue;
      const pair = new Map(taken);
      pair.set(key, { size, stride: own[axis] * next[1].size });
      pair.set(next[0], { size: next[1].size, stride: own[axis] });
      visit(axis + 1, pair);
    }
    // Heads and features side by side in one axis.
    for (const [key, { size }] of outer) {
      const width = operand.feature.size;
      if (taken.has(key) || taken.has('feature') || shape[axis] !== size * width) continue;
      const split = new Map(taken);
      split.set(key, { size, stride: own[axis] * width });
      split.set('feature', { size: width, stride: own[axis] });
      visit(axis + 1, split);
    }
    // So too with two axes of heads.
    for (const [n, [key, { size }]] of outer.entries()) {
      const next = outer[n + 1];
      const width = operand.feature.size;
      if (!next || taken.has(key) || taken.has(next[0]) || taken.has('feature')) continue;
      if (shape[axis] !== size * next[1].size * width) continue;
      const all = new Map(taken);
      all.set(key, { size, stride: own[axis] * next[1].size * width });
      all.set(next[0], { size: next[1].size, stride: own[axis] * width });
      all.set('feature', { size: width, stride: own[axis] });
      visit(axis + 1, all);
    }
  };
  if (shape.length <= 5) visit(0, new Map());
  return found;
}
