// Other ways to read what a program keeps in one array: thirds of a fused projection, heads side by side, flat buffers.
import { type Factor, gather, type Layout, offsets } from './layout.ts';
import { isCalledWeights, normalisedAxes } from '../weights/site.ts';
import { isGradient, type Value, type Values } from './values.ts';

/** Most views of one tensor, and numbers that may be lengths of flat buffers. */
const MOST = 16;
const LENGTHS = 8;
/** A flat buffer of fewer entries has too many ways to be read. */
const SMALLEST = 16;

/** Adds a tensor as some of the entries of another. */
export function addView(values: Values, of: Value, layout: Layout): Value | null {
  const places = offsets(layout.axes.flat()).map((at) => at + layout.offset);
  return values.addVirtual(gather(of.tensor, layout), [of], { of, places });
}

/** Adds, for every tensor that may hold several, its parts: what the program indexes instead of binding it. */
export function addViews(values: Values): void {
  const flat = values.all.filter((value) => isUsable(value) && value.tensor.shape.length === 1);
  const lengths = lengthsOf(values);
  for (const value of flat) addShapes(values, value, lengths);
  const heads = headCounts(values);
  for (const value of values.all.filter(isUsable)) addParts(values, value, heads);
}

/** Most flat buffers that are read with axes, and ways to read one with so many. */
const FLAT = 64;
const EACH = 6;

/** Adds flat buffers as matrices, of programs in the manner of C, in which no array has more than one axis; whether it did. */
export function addMatrices(values: Values): boolean {
  const floats = values.all.filter(
    ({ kind, isVirtual, grid }) => kind === 'float' && !isVirtual && grid.length === 0,
  );
  const hasMatrix = floats.some(({ tensor: { shape } }) => shape.filter((n) => n > 1).length > 1);
  if (hasMatrix) return false;
  const own = lengthsOf(values).filter((length) => length > 1);
  const lengths = new Set([...own, ...own.flatMap((a) => own.map((b) => a * b))]);
  const flat = floats.filter(({ tensor: { shape } }) => shape.length === 1 && shape[0] >= SMALLEST);
  for (const value of flat.slice(0, FLAT)) {
    const { length } = value.tensor.data;
    const pairs = [...lengths].map((a) => [a, length / a]);
    const triples = own.flatMap((a) => own.map((b) => [a, b, length / (a * b)]));
    for (const shapes of [pairs, triples])
      for (const shape of shapes.filter((each) => lengths.has(each.at(-1)!)).slice(0, EACH))
        values.addShaped(value, shape);
  }
  return flat.length > 0;
}

const isUsable = ({ kind, tensor, parts, isVirtual, view }: Value): boolean =>
  kind === 'float' &&
  (!isVirtual || view !== undefined) &&
  !parts.some(isGradient) &&
  tensor.shape.length <= 3 &&
  tensor.data.every(Number.isFinite);

/** Whole numbers that the program has bound, the earliest first. */
function lengthsOf({ numbers }: Values): number[] {
  const all = numbers.flatMap(({ value }) =>
    value !== undefined && Number.isInteger(value) && value > 0 ? [value] : [],
  );
  return [...new Set(all)].slice(0, LENGTHS);
}

/** Flat buffers as (a, b, c, c), scores, or (a, b, width), where a, b and c are numbers of the program. */
function addShapes(values: Values, value: Value, lengths: readonly number[]): void {
  const { length } = value.tensor.data;
  if (length < SMALLEST) return;
  const shapes = lengths.flatMap((a) =>
    lengths.flatMap((b) => {
      const rest = length / (a * b);
      if (!Number.isInteger(rest) || rest < 2) return [];
      const side = Math.round(Math.sqrt(rest));
      const isSquare = side * side === rest && lengths.includes(side);
      const isWidth = lengths.includes(rest) || lengths.includes(rest / 3);
      return [...(isSquare ? [[a, b, side, side]] : []), ...(isWidth ? [[a, b, rest]] : [])];
    }),
  );
  for (const shape of shapes.slice(0, MOST))
    addView(values, value, { offset: 0, axes: rows(shape) });
}

/** Axes in row-major order. */
function rows(shape: readonly number[]): Factor[][] {
  let stride = shape.reduce((a, b) => a * b, 1);
  return shape.map((size) => {
    stride /= size;
    return [{ size, stride }];
  });
}

/** Lengths of the axes of weights that may be heads. */
function headCounts(values: Values): number[] {
  const weights = values.all.filter(
    (value) =>
      value.kind === 'float' &&
      value.tensor.shape.length >= 3 &&
      new Set(value.tensor.data).size > 2 &&
      (normalisedAxes(value).length > 0 || isCalledWeights(value)),
  );
  const counts = weights.flatMap(({ tensor: { shape } }) => shape.slice(0, -2));
  return [...new Set(counts)].filter((count) => count > 1);
}

/** The last axis as one or three parts, each of them as heads by features; the first one too, where tokens are columns. */
function addParts(values: Values, value: Value, heads: readonly number[]): void {
  const { shape } = value.tensor;
  if (shape.length < 2) return;
  if (shape.length === 2) addRows(values, value, heads);
  const lead = rows(shape).slice(0, -1);
  const last = shape[shape.length - 1];
  for (const count of heads) addGroups(values, value, lead, count);
  let left = MOST;
  for (const parts of [3, 1]) {
    for (const count of [...heads, 1]) {
      const width = last / (parts * count);
      if (!Number.isInteger(width) || width < 2 || parts * count === 1) continue;
      const own: Factor[][] = [
        ...(count > 1 ? [[{ size: count, stride: width }]] : []),
        [{ size: width, stride: 1 }],
      ];
      for (let n = 0; n < parts && left-- > 0; n++)
        addView(values, value, { offset: (n * last) / parts, axes: [...lead, ...own] });
    }
  }
}

/** The rows of (features, tokens) as heads by features. */
function addRows(values: Values, value: Value, heads: readonly number[]): void {
  const [features, tokens] = value.tensor.shape;
  for (const count of heads) {
    const width = features / count;
    if (!Number.isInteger(width) || width < 2) continue;
    const axes = [
      [{ size: count, stride: width * tokens }],
      [{ size: width, stride: tokens }],
      [{ size: tokens, stride: 1 }],
    ];
    addView(values, value, { offset: 0, axes });
  }
}

/** Queries of all heads, then keys and then values of fewer heads, each of which a group of query heads shares. */
function addGroups(
  values: Values,
  value: Value,
  lead: readonly (readonly Factor[])[],
  heads: number,
): void {
  const { shape } = value.tensor;
  const last = shape[shape.length - 1];
  for (let kv = 1; kv < heads; kv++) {
    const width = last / (heads + 2 * kv);
    if (heads % kv !== 0 || !Number.isInteger(width) || width < 2) continue;
    const feature = [{ size: width, stride: 1 }];
    const own = (size: number): Factor => ({ size, stride: width });
    const group = { size: heads / kv, stride: 0 };
    addView(values, value, { offset: 0, axes: [...lead, [own(heads)], feature] });
    for (const offset of [heads * width, (heads + kv) * width]) {
      addView(values, value, { offset, axes: [...lead, [own(kv)], feature] });
      addView(values, value, { offset, axes: [...lead, [own(kv), group], feature] });
    }
  }
}
