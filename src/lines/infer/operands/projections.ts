// Projections found by numbers: which recorded tensor times which weight, plus a bias, gives a third one.
import { sizeOf, strides, type Tensor } from '../../../engine/tensor.ts';
import { type Factor, type Layout, offsets } from '../values/layout.ts';

/** A tensor as rows by columns, wherever its entries lie. */
export interface Matrix {
  readonly data: Float64Array;
  readonly offset: number;
  readonly rows: readonly Factor[];
  readonly cols: readonly Factor[];
}

export interface Columns {
  /** Entry of the weight at feature 0 for each column of the target. */
  readonly starts: Int32Array;
  /** target = factor * product + shift of its column. */
  readonly factor: number;
  readonly shift: Float64Array;
}

const SAMPLE = 16;

const flat = ({ data, offset }: Matrix, rows: Int32Array, cols: Int32Array): Float64Array[] =>
  Array.from(cols, (col) => Float64Array.from(rows, (row) => data[offset + row + col]));

/** Some of the rows, spread evenly. */
function sampled(rows: Int32Array): Int32Array {
  if (rows.length <= SAMPLE) return rows;
  return Int32Array.from(
    { length: SAMPLE },
    (_, n) => rows[Math.floor((n * rows.length) / SAMPLE)],
  );
}

interface Centred {
  readonly mean: number;
  readonly norm: number;
  readonly vector: Float64Array;
}

function centred(column: Float64Array): Centred {
  const { length } = column;
  let sum = 0;
  for (let n = 0; n < length; n++) sum += column[n];
  const mean = sum / length;
  const vector = new Float64Array(length);
  let square = 0;
  for (let n = 0; n < length; n++) {
    const value = (vector[n] = column[n] - mean);
    square += value * value;
  }
  return { mean, norm: Math.sqrt(square), vector };
}

/**
 * The columns of x W that are the columns of `target` up to one factor and a shift for each column, its bias.
 * `x` has the target's rows; `weight` is summed along its axis `summed`. Null where a column fits nowhere.
 */
export function matchColumns(
  target: Matrix,
  x: Matrix,
  weight: Tensor,
  summed: number,
  eps: number,
): Columns | null {
  if (target.rows.reduce((count, { size }) => count * size, 1) < 3) return null;
  if (!mayMatch(target, x, weight, summed, eps)) return null;
  const targetRows = sampled(offsets(target.rows));
  const xRows = sampled(offsets(x.rows));
  const targets = flat(target, targetRows, offsets(target.cols)).map(centred);
  const features = flat(x, xRows, offsets(x.cols));
  const steps = strides(weight.shape);
  const others = weight.shape.flatMap((size, n) =>
    n === summed ? [] : [{ size, stride: steps[n] }],
  );
  const starts = offsets(others);
  const products = Array.from(starts, (start) => {
    const column = new Float64Array(xRows.length);
    features.forEach((feature, c) => {
      const by = weight.data[start + c * steps[summed]];
      for (let row = 0; row < column.length; row++) column[row] += by * feature[row];
    });
    return centred(column);
  });
  return matched(targets, products, starts, eps);
}

const FEW = 4;

/** Whether two differences of a column can be those of another up to a factor: mostly they are not. */
function isAlong(
  { vector, norm }: Centred,
  columns: Float64Array,
  at: number,
  eps: number,
): boolean {
  const last = vector.length - 1;
  const [a, b] = [vector[0] - vector[1], vector[last - 1] - vector[last]];
  const c = columns[at] - columns[at + 1];
  const d = columns[at + last - 1] - columns[at + last];
  let size = 0;
  for (let row = at; row <= at + last; row++) size += Math.abs(columns[row]);
  return Math.abs(a * d - b * c) <= 1e3 * eps * norm * size + 1e-3 * Math.abs(a * d);
}

/** The first column of a target that is not one number, on a few rows; null where all rows are the same. */
const fewOfTarget = new WeakMap<Matrix, Centred | null>();

/** Where the columns of a weight begin, by the axis that is summed. */
const columnStarts = new WeakMap<Tensor, Map<number, Int32Array>>();

/** Of so many rows a few, spread evenly. */
const fewOf = (rows: Int32Array): number[] => {
  const few = Math.min(FEW, rows.length);
  return Array.from({ length: few }, (_, n) => rows[Math.floor((n * rows.length) / few)]);
};

function tellingColumn(target: Matrix): Centred | null {
  const { data, offset } = target;
  const rows = offsets(target.rows);
  const cols = offsets(target.cols);
  for (const at of [fewOf(rows), sampled(rows)]) {
    for (const col of cols) {
      const found = centred(Float64Array.from(at, (row) => data[offset + row + col]));
      if (found.norm > 0) return found;
    }
  }
  return null;
}

/** So many rows' features side by side. */
function someRows(x: Matrix, count: number): Float64Array {
  const features = offsets(x.cols);
  const all = offsets(x.rows);
  const at = count <= FEW ? fewOf(all) : sampled(all);
  const rows = new Float64Array(at.length * features.length);
  at.forEach((row, n) => {
    for (let c = 0; c < features.length; c++)
      rows[n * features.length + c] = x.data[x.offset + row + features[c]];
  });
  return rows;
}

function startsOf(weight: Tensor, summed: number): Int32Array {
  const own = columnStarts.get(weight) ?? new Map<number, Int32Array>();
  columnStarts.set(weight, own);
  const steps = strides(weight.shape);
  const found =
    own.get(summed) ??
    offsets(weight.shape.flatMap((size, n) => (n === summed ? [] : [{ size, stride: steps[n] }])));
  own.set(summed, found);
  return found;
}

/** x on some rows, and its products. */
interface Some {
  readonly rows: Float64Array;
  readonly products: Map<Tensor, Map<number, Float64Array>>;
}

const someOfMatrix = new WeakMap<Matrix, Map<number, Some>>();

function someOf(x: Matrix, few: number): Some {
  const all = someOfMatrix.get(x) ?? new Map<number, Some>();
  someOfMatrix.set(x, all);
  const found = all.get(few) ?? { rows: someRows(x, few), products: new Map() };
  all.set(few, found);
  return found;
}

/** x W on some rows, a column after another: many operands are held against the same products. */
function someProducts(x: Matrix, few: number, weight: Tensor, summed: number): Float64Array {
  const { rows, products } = someOf(x, few);
  const ofWeight = products.get(weight) ?? new Map<number, Float64Array>();
  products.set(weight, ofWeight);
  const known = ofWeight.get(summed);
  if (known) return known;
  const starts = startsOf(weight, summed);
  const count = weight.shape[summed];
  const step = strides(weight.shape)[summed];
  const found = new Float64Array(few * starts.length);
  for (let n = 0; n < starts.length; n++) {
    for (let row = 0; row < few; row++) {
      let sum = 0;
      for (let c = 0; c < count; c++)
        sum += rows[row * count + c] * weight.data[starts[n] + c * step];
      found[n * few + row] = sum;
    }
  }
  ofWeight.set(summed, found);
  return found;
}

/** Whether some column of x W is proportional to one of the target on a few rows: mostly none is. */
function mayMatch(target: Matrix, x: Matrix, weight: Tensor, summed: number, eps: number): boolean {
  let own = fewOfTarget.get(target);
  if (own === undefined) {
    own = tellingColumn(target);
    fewOfTarget.set(target, own);
  }
  if (own === null) return false;
  const few = own.vector.length;
  const columns = someProducts(x, few, weight, summed);
  for (let at = 0; at < columns.length; at += few) {
    if (!isAlong(own, columns, at, eps)) continue;
    if (proportion(own, centred(columns.subarray(at, at + few)), eps) !== null) return true;
  }
  return false;
}

/** One factor for all columns; the first column that fits a target counts, taken in the order of the last one. */
function matched(
  targets: readonly Centred[],
  products: readonly Centred[],
  starts: Int32Array,
  eps: number,
): Columns | null {
  const largest = Math.max(...targets.map(({ norm }) => norm));
  if (!(largest > 0)) return null;
  const found = new Int32Array(targets.length);
  const shift = new Float64Array(targets.length);
  let factor: number | undefined;
  let guess = 0;
  for (let n = 0; n < targets.length; n++) {
    const target = targets[n];
    let at = -1;
    for (let m = 0; m < products.length && at < 0; m++) {
      const place = (guess + m) % products.length;
      const ratio = proportion(target, products[place], eps);
      if (ratio === null || (factor !== undefined && Math.abs(ratio / factor - 1) > 50 * eps))
        continue;
      factor ??= ratio;
      at = place;
    }
    if (at < 0 || factor === undefined) return null;
    found[n] = starts[at];
    shift[n] = target.mean - factor * products[at].mean;
    guess = at + 1;
  }
  return factor === undefined ? null : { starts: found, factor, shift };
}

/** The factor between two columns; null where they are not proportional. */
function proportion(target: Centred, product: Centred, eps: number): number | null {
  if (!(product.norm > 0) || !(target.norm > 0)) return null;
  let dot = 0;
  for (let row = 0; row < target.vector.length; row++)
    dot += target.vector[row] * product.vector[row];
  const factor = dot / product.norm ** 2;
  if (factor === 0 || !Number.isFinite(factor)) return null;
  const allowed = 8 * eps * (target.norm + Math.abs(target.mean) + Math.abs(factor * product.mean));
  for (let row = 0; row < target.vector.length; row++)
    if (!(Math.abs(target.vector[row] - factor * product.vector[row]) <= allowed)) return null;
  return factor;
}

/**
 * The strides along `sizes` by which `starts`, the entries of a weight in row-major order of the columns, are
 * reached from the first; null where they are none. A stride of 0 is a weight that is used again.
 */
export function stridesOf(
  starts: Int32Array,
  sizes: readonly number[],
): Layout['axes'][number] | null {
  const own = strides(sizes);
  const factors = sizes.map((size, n) => ({
    size,
    stride: size > 1 ? starts[own[n]] - starts[0] : 0,
  }));
  const expected = offsets(factors);
  return sizeOf(sizes) === starts.length && starts.every((at, n) => at === starts[0] + expected[n])
    ? factors
    : null;
}
