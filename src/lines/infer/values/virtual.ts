// Products that a program may compute inside of an expression without binding them: x W for each x and W.
import { strides, type Tensor } from '../../../engine/tensor.ts';
import { offsets, type Factor } from './layout.ts';
import { isOfEntries } from './eventKinds.ts';
import { isGradient, type Value, type Values } from './values.ts';

const MOST = 120;

interface Made {
  readonly tensor: Tensor;
  readonly from: readonly Value[];
}

/** x W, and x W + b, for all leaves x, W and b among `values` that fit; those of so many entries, if asked for. */
export function* productsOf(
  values: Values,
  among: readonly Value[],
  entries?: number,
): Generator<Made> {
  const leaves = among.filter(
    (value) =>
      value.kind === 'float' &&
      !value.isVirtual &&
      value.tensor.shape.length >= 1 &&
      value.tensor.shape.length <= 4 &&
      values.isLeaf(value) &&
      !value.parts.some(isGradient),
  );
  const biases = leaves.filter(({ tensor }) => tensor.shape.length === 1);
  const matrices = leaves.filter(({ tensor }) => tensor.shape.length >= 2);
  for (const x of matrices) {
    for (const weight of matrices) {
      if (x === weight) continue;
      for (const [n, length] of x.tensor.shape.entries()) {
        for (const [m, other] of weight.tensor.shape.entries()) {
          if (length !== other || length < 2) continue;
          const size = (x.tensor.data.length / length) * (weight.tensor.data.length / length);
          if (entries !== undefined && size !== entries) continue;
          const product = multiply(x, n, weight, m);
          if (!product) continue;
          yield { tensor: product, from: [x, weight] };
          const width = product.shape[product.shape.length - 1];
          for (const bias of biases) {
            if (bias.tensor.data.length !== width) continue;
            const data = product.data.map((value, at) => value + bias.tensor.data[at % width]);
            yield { tensor: { shape: product.shape, data }, from: [x, weight, bias] };
          }
        }
      }
    }
  }
}

/** Adds such products as values of their own. */
export function addProducts(values: Values): void {
  let left = MOST;
  for (const { tensor, from } of productsOf(values, values.all)) {
    if (left-- <= 0) return;
    values.addVirtual(tensor, from);
  }
}

const LARGEST = 2 ** 20;

/** Sum over axis n of x and axis m of the weight: the other axes of x, then those of the weight. */
function multiply(
  { tensor: x }: Value,
  n: number,
  { tensor: weight }: Value,
  m: number,
): Tensor | null {
  const others = (shape: readonly number[], without: number): Factor[] => {
    const own = strides(shape);
    return shape.flatMap((size, axis) => (axis === without ? [] : [{ size, stride: own[axis] }]));
  };
  const [rows, cols] = [others(x.shape, n), others(weight.shape, m)];
  const [rowsAt, colsAt] = [offsets(rows), offsets(cols)];
  if (rowsAt.length * colsAt.length > LARGEST) return null;
  const [stepX, stepW] = [strides(x.shape)[n], strides(weight.shape)[m]];
  const data = new Float64Array(rowsAt.length * colsAt.length);
  let at = 0;
  for (const row of rowsAt) {
    for (const col of colsAt) {
      let sum = 0;
      for (let k = 0; k < x.shape[n]; k++)
        sum += x.data[row + k * stepX] * weight.data[col + k * stepW];
      data[at++] = sum;
    }
  }
  return { shape: [...rows, ...cols].map(({ size }) => size), data };
}

/** Numbers over their sum along the last axis. */
function overSums({ shape, data }: Tensor): Tensor {
  const width = shape[shape.length - 1];
  const out = new Float64Array(data.length);
  for (let at = 0; at < data.length; at += width) {
    let sum = 0;
    for (let n = at; n < at + width; n++) if (!Number.isNaN(data[n])) sum += data[n];
    for (let n = at; n < at + width; n++) out[n] = data[n] / sum;
  }
  return { shape, data: out };
}

function exponentials({ shape, data }: Tensor): Tensor {
  const width = shape[shape.length - 1];
  const out = new Float64Array(data.length);
  for (let at = 0; at < data.length; at += width) {
    const row = data.subarray(at, at + width);
    const largest = row.reduce((a, b) => Math.max(a, b), -Infinity);
    for (let n = 0; n < width; n++) out[at + n] = Math.exp(row[n] - largest);
  }
  return { shape, data: out };
}

const EXPONENTIAL = /\bexp2?_?\(/;

/** Adds the softmax over the last axis of scores, or of exponentials, that a statement reads which does not bind it. */
export function addSoftmaxes(values: Values): void {
  for (const value of [...values.all]) {
    const { shape, data } = value.tensor;
    const isScores =
      value.kind === 'float' && !value.isVirtual && shape.length >= 2 && shape.length <= 4;
    if (!isScores || data.length > LARGEST) continue;
    if (isExponential(values, value)) {
      values.addVirtual(overSums(value.tensor), [value]);
      continue;
    }
    // An online softmax takes the exponentials one by one, each with the largest score so far.
    if (!values.isReadBy(value, isOfEntries(value) ? /softmax|\bexp\b/i : /softmax/i)) continue;
    values.addVirtual(overSums(exponentials(value.tensor)), [value]);
  }
}

/** Whether it is made of exponentials, of which a statement reads some to divide them. */
function isExponential(values: Values, value: Value): boolean {
  const { text } = values.recording.statements[value.parts[0].statement];
  if (!EXPONENTIAL.test(text) || !values.isReadBy(value, /\//)) return false;
  const { data } = value.tensor;
  return data.some((each) => each > 0) && !data.some((each) => each < 0);
}

/** The product in a sum of a tensor and a product, as in `return x + p @ v`: what the sum is more than the tensor. */
export function addSummands(values: Values): void {
  const { events, statements } = values.recording;
  for (const value of [...values.all]) {
    const [event] = value.parts;
    if (value.kind !== 'float' || value.isVirtual || value.grid.length > 0) continue;
    if (value.tensor.shape.length < 2 || isGradient(event)) continue;
    const { text } = statements[event.statement];
    if (!/@|\b(matmul|einsum|bmm|dot)\(/.test(text)) continue;
    for (const read of event.reads) {
      const { name } = events[read];
      const other = values.ofEvent(read);
      if (!/^[\w.]+$/.test(name) || other?.tensor.shape.join() !== value.tensor.shape.join())
        continue;
      const own = name.replaceAll('.', String.raw`\.`);
      const isSummand = new RegExp(String.raw`(=|return|^)\s*${own}\s*\+[^=]|\+\s*${own}\s*$`).test(
        text.trim(),
      );
      if (!isSummand) continue;
      const data = value.tensor.data.map((each, n) => each - other.tensor.data[n]);
      values.addVirtual({ shape: value.tensor.shape, data }, [value, other]);
    }
  }
}

/** The sum of which a value is a summand. */
export const sumOf = ({ isVirtual, from, tensor }: Value): Value | undefined =>
  isVirtual &&
  from?.length === 2 &&
  from.every((each) => each.tensor.shape.join() === tensor.shape.join())
    ? from[0]
    : undefined;
