// The mask that a program applies, or means to: by its weights' zeros, by its scores, or by a mask that it made.
import { sizeOf, strides, type Tensor } from '../../../engine/tensor.ts';
import { isNothing } from './biased.ts';
import { gather, type Layout } from '../values/layout.ts';
import { isWritten, type Named, nameOf, paddingOf, type Pattern, patternOf } from './masks.ts';
import type { Model } from '../model.ts';
import { maskLayouts, scoreLayout } from './scores.ts';
import { isUninitialised } from '../values/memory.ts';
import { isOfEntries } from '../values/eventKinds.ts';
import type { Value, Values } from '../values/values.ts';

export interface FoundMask extends Named {
  readonly from: Value | null;
  /** For a given mask: what the query may see, ([outer], query, key). */
  readonly pattern?: Pattern;
  /** A recorded tensor that says the same. */
  readonly recorded?: { readonly value: Value; readonly layout: Layout; readonly hides: boolean };
}

/** So low that a softmax gives nothing: -inf, -1e9, the least number of a type. */
const LOW = -1e4;

type Test = (value: number) => boolean;
const isHigh: Test = (value) => value > LOW;
const isNonzero: Test = (value) => value !== 0 && !Number.isNaN(value);
const isZero: Test = (value) => value === 0;

/** Numbers of blocks, queries and keys, those that no mask hides left out. */
function extentsOf({ told: { site, queryAxis, keyAxis }, nulls }: Model): [number, number, number] {
  const { shape } = site.weights.tensor;
  const keys = shape[keyAxis] - (nulls?.K.count ?? 0);
  return [sizeOf(site.outer.map((axis) => shape[axis])), shape[queryAxis], keys];
}

/** A layout of the scores without keys that no mask hides. */
const withoutNulls = (
  { offset, axes: [outer, query, [key]] }: Layout,
  { nulls }: Model,
): Layout => ({
  offset,
  axes: [outer, query, [{ ...key, size: key.size - (nulls?.K.count ?? 0) }]],
});

/** Tensors of the weights' shape around the softmax in which a mask shows. */
function masked(model: Model): { value: Value; isVisible: Test }[] {
  const { values, told, mixed } = model;
  const { weights } = told.site;
  const shape = weights.tensor.shape.join();
  const isDropped = findDropout(model) !== null;
  const found: { value: Value; isVisible: Test }[] = [{ value: weights, isVisible: isNonzero }];
  for (const value of values.all) {
    const isAlike = value.kind === 'float' && value.tensor.shape.join() === shape;
    if (value === weights || !isAlike || isUninitialised(value, values.recording)) continue;
    const isBefore = value.time < weights.time && value.tensor.data.some((each) => each <= LOW);
    if (isBefore) found.push({ value, isVisible: isHigh });
    const isAfter =
      !isDropped &&
      // A factor that an online softmax rescales with is 0 in its first step.
      !isOfEntries(value) &&
      value.time > weights.time &&
      value.time < (mixed?.output.time ?? Infinity) &&
      values.descends(value, weights);
    if (!isAfter) continue;
    const isLow = value.tensor.data.some((each) => each <= LOW);
    found.push({ value, isVisible: isLow ? isHigh : isNonzero });
  }
  return found;
}

/** A tensor of truth values, zeros and ones, or zeros and very low numbers, of the shape of a mask. */
function maskTensors(model: Model): { value: Value; layout: Layout; isVisible: Test[] }[] {
  const { values, told } = model;
  const { shape } = told.site.weights.tensor;
  return values.all.flatMap((value) => {
    const { data } = value.tensor;
    if (value.isVirtual || value.tensor.shape.length > shape.length) return [];
    if (isUninitialised(value, values.recording)) return [];
    const isBinary = data.every((each) => each === 0 || each === 1);
    const isAdditive = !isBinary && data.every((each) => each === 0 || each <= LOW);
    if (!isBinary && !isAdditive) return [];
    if (data.every((each) => each === data[0])) return [];
    const own = maskLayouts(value.tensor, told).map((each) => withoutNulls(each, model));
    return [...own, ...corner(value.tensor, model)].map((layout) => ({
      ...{ value, layout },
      isVisible: isAdditive ? [isHigh] : [isNonzero, isZero],
    }));
  });
}

/** The first queries and keys of a larger square mask. */
function corner({ shape }: Tensor, model: Model): Layout[] {
  const [, queries, keys] = extentsOf(model);
  const [rows, cols] = shape.slice(-2);
  const isSquare = shape.length >= 2 && rows === cols && sizeOf(shape) === rows * cols;
  if (!isSquare || queries !== keys || rows <= keys) return [];
  const [step] = strides([rows, cols]);
  const weights = model.told.site.weights.tensor.shape;
  const outer = model.told.site.outer.map((axis) => ({ size: weights[axis], stride: 0 }));
  return [
    { offset: 0, axes: [outer, [{ size: queries, stride: step }], [{ size: keys, stride: 1 }]] },
  ];
}

const same = (a: Pattern, b: Pattern): boolean =>
  a.visible.every((each, n) => each === b.visible[n]);

/** The mask: applied to the scores, applied anywhere else, or only made. */
export function findMask(model: Model, past: number): FoundMask {
  const extents = extentsOf(model);
  const shown = withoutNulls(scoreLayout(model.told), model);
  const tensors = maskTensors(model);
  const faint = hiddenFaintly(model, extents, shown);
  if (faint) return { ...nameOf(faint.pattern, past), ...faint };
  let other: FoundMask | undefined;
  let readings: Reading[] | undefined;
  for (const { value, isVisible } of masked(model)) {
    const pattern = patternOf(value.tensor.data, shown, extents, isVisible);
    const named = nameOf(pattern, past);
    if (named.mask === 'none' && named.window === undefined) continue;
    if (named.mask !== 'given') return { ...named, from: value };
    readings ??= readingsOf(tensors, extents);
    const recorded = readings.find((each) => same(pattern, each.pattern))?.recorded;
    if (recorded) return { ...named, from: value, pattern, recorded };
    if (isOfSeveral(pattern, readings, past) || (readings.length === 0 && isWritten(pattern, past)))
      return { ...named, from: value, pattern };
    other ??= { ...named, from: value, pattern, ...nearest(pattern, readings) };
  }
  for (const { recorded, pattern } of readings ?? readingsOf(tensors, extents)) {
    const named = nameOf(pattern, past);
    const isUsual = named.mask !== 'given' && !named.off;
    if (isUsual && (named.mask !== 'none' || named.window !== undefined))
      return { ...named, from: recorded.value, ...(other && { off: 'is another in the weights' }) };
  }
  return other ?? withoutEffect(model, tensors, extents) ?? { mask: 'none', from: null };
}

/** A number that is added to the scores of what is hidden, and leaves it a weight in float64. */
const FAINT = -50;

/** What is hidden by a number such as Swin's -100, of every sequence or of each window again and again. */
function hiddenFaintly(
  { values, told: { site } }: Model,
  extents: [number, number, number],
  shown: Layout,
): { readonly from: Value; readonly pattern: Pattern } | null {
  const { data } = site.weights.tensor;
  if (!data.some((weight) => weight > 0 && isNothing(weight))) return null;
  const pattern = patternOf(data, shown, extents, (weight) => !isNothing(weight));
  const [blocks, queries, keys] = extents;
  const from = values.all.find(({ kind, isVirtual, tensor }) => {
    const isFit =
      kind === 'float' && !isVirtual && (blocks * queries * keys) % tensor.data.length === 0;
    if (!isFit || !tensor.data.every((each) => each === 0 || each <= FAINT)) return false;
    return readsAs(tensor, pattern);
  });
  return from ? { from, pattern } : null;
}

/** Whether the masks of a tensor, taken again and again, each for so many blocks as there are heads, are those. */
function readsAs({ data }: Tensor, { blocks, queries, keys, visible }: Pattern): boolean {
  const size = queries * keys;
  const count = data.length / size;
  if (!Number.isInteger(count)) return false;
  const reads = (heads: number): boolean =>
    visible.every((each, at) => {
      const mask = Math.floor(at / size / heads) % count;
      return (data[mask * size + (at % size)] === 0) === (each === 1);
    });
  return Array.from({ length: blocks / count }, (_, n) => n + 1).some(
    (heads) => (blocks / count) % heads === 0 && reads(heads),
  );
}

/** A mask of keys that the weights were computed with and that hides nothing in them. */
function withoutEffect(
  { values, told }: Model,
  tensors: ReturnType<typeof maskTensors>,
  extents: [number, number, number],
): FoundMask | undefined {
  for (const { value, layout } of tensors) {
    const names = value.events.map(({ name }) => name).join(' ');
    if (!/mask|pad|valid|visible|hidden|ignore/i.test(names)) continue;
    if (!values.descends(told.site.weights, value)) continue;
    const hides = /pad|hid|ignore|future/i.test(names);
    const pattern = patternOf(value.tensor.data, layout, extents, hides ? isZero : isNonzero);
    if (!paddingOf(pattern)) continue;
    const recorded = { value, layout, hides };
    return { mask: 'given', from: value, pattern, recorded, off: 'hides nothing in the weights' };
  }
  return undefined;
}

/** A recorded mask read in one of the ways in which it may be meant. */
interface Reading {
  readonly recorded: NonNullable<FoundMask['recorded']>;
  readonly pattern: Pattern;
}

const readingsOf = (
  tensors: ReturnType<typeof maskTensors>,
  extents: [number, number, number],
): Reading[] =>
  tensors.flatMap(({ value, layout, isVisible }) =>
    isVisible.map((test) => ({
      recorded: { value, layout, hides: test === isZero },
      pattern: patternOf(value.tensor.data, layout, extents, test),
    })),
  );

/**
 * Whether masks that were made each for itself show together what a query sees: one of them of keys alone, or one that has
 * a name, such as causal beside documents.
 */
function isOfSeveral({ visible }: Pattern, readings: readonly Reading[], past: number): boolean {
  const parts = readings
    .map(({ pattern }) => pattern)
    .filter((part) => visible.every((each, n) => each <= part.visible[n]));
  const isKnown = (part: Pattern): boolean => {
    const { mask, off } = nameOf(part, past);
    return paddingOf(part) !== null || (mask !== 'given' && off === undefined);
  };
  return (
    parts.some(isKnown) &&
    visible.every((each, n) => each === Number(parts.every((part) => part.visible[n] === 1)))
  );
}

/** The recorded mask that says most nearly what the weights show. */
function nearest(
  { visible }: Pattern,
  readings: readonly Reading[],
): Pick<FoundMask, 'recorded' | 'off' | 'pattern'> {
  let most = visible.length / 2;
  let found: Pick<FoundMask, 'recorded' | 'off' | 'pattern'> = { off: 'is no recorded tensor' };
  for (const { recorded, pattern } of readings) {
    const equal = pattern.visible.filter((each, n) => each === visible[n]).length;
    if (equal <= most) continue;
    most = equal;
    found = { recorded, pattern, off: 'is another in the weights' };
  }
  return found;
}

export interface FoundDropout {
  readonly p: number;
  readonly keep: Value;
  readonly layout: Layout;
  readonly from: Value;
}

/** The share that a program's own number says is dropped: by its name, else by what of the weights is kept. */
function namedRate({ numbers }: Values, kept: number): number | undefined {
  const found = numbers.find(
    ({ name, value }) =>
      /drop|keep|^p$|rate|p_/i.test(name) && value !== undefined && value > 0 && value < 1,
  );
  if (found?.value === undefined) return undefined;
  const { name, value } = found;
  const isKept = /keep/i.test(name) || (!/drop/i.test(name) && kept > 0.5 === value > 0.5);
  return isKept ? 1 - value : value;
}

/** Dropout of the weights, where those that mix the values are some of the softmax's, times a number. */
export function findDropout(model: Model): FoundDropout | null {
  const { values, told, mixed } = model;
  const { weights } = told.site;
  if (!mixed || mixed.weights === weights) return null;
  const layout = scoreLayout(told);
  const used = gather(mixed.weights.tensor, layout).data;
  const whole = gather(weights.tensor, layout).data;
  if (!used.some((value, n) => value === 0 && whole[n] !== 0)) return null;
  const at = used.findIndex((value) => value !== 0);
  const factor = used[at] / whole[at];
  const kept =
    used.filter((value) => value !== 0).length / whole.filter((each) => each !== 0).length;
  const named = namedRate(values, kept);
  const p = named ?? 1 - 1 / factor;
  if (!(p >= 0 && p < 1)) return null;
  const extents = extentsOf(model);
  const dropped = patternOf(mixed.weights.tensor.data, layout, extents, isNonzero);
  // What is set to 0 in a pattern, or by no chance, and not made larger, is masked.
  const isPlain = Math.abs(factor - 1) < 1e-4;
  if (isPlain && (named === undefined || nameOf(dropped).mask !== 'given' || paddingOf(dropped)))
    return null;
  const isKept = (pattern: Pattern): boolean =>
    pattern.visible.every((each, n) => whole[n] === 0 || each === dropped.visible[n]);
  for (const value of values.all) {
    if (value.isVirtual || value.time >= mixed.weights.time || value === weights) continue;
    for (const own of maskLayouts(value.tensor, told)) {
      const pattern = patternOf(value.tensor.data, own, extents, isNonzero);
      if (pattern.visible.some((each) => each === 0) && isKept(pattern))
        return { p: rounded(p), keep: value, layout: own, from: mixed.weights };
    }
  }
  return { p: rounded(p), keep: mixed.weights, layout, from: mixed.weights };
}

const rounded = (p: number): number => {
  const near = Number(p.toPrecision(4));
  return Math.abs(near - p) < 1e-5 ? near : p;
};
