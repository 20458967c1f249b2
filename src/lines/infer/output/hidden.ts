// An output that no statement binds, for the residual connection is added at once: told by the sum, or by its norm.
import { sizeOf, type Tensor } from '../../../engine/tensor.ts';
import { biasBeside, matrixLayout, unused } from '../guess.ts';
import { gather, offsets } from '../values/layout.ts';
import type { Lookup } from '../values/lookup.ts';
import type { Mixed } from './mixed.ts';
import { normsOf } from '../operands/norms.ts';
import { mixedAxes, type Output, tokenReadings } from './output.ts';
import type { Projection } from '../operands/trace.ts';
import { isGradient, type Value, type Values } from '../values/values.ts';

/** The output by a weight that is left over, where it and what went past the attention give what comes after. */
export function hiddenOutput(
  values: Values,
  lookup: Lookup,
  mixed: Mixed,
  outer: readonly number[],
  heads: readonly number[],
  past: Projection,
  taken: readonly Value[],
): Output | null {
  const { rows, cols } = mixedAxes(mixed.tensor, outer, heads);
  const [rowsAt, colsAt] = [offsets(rows), offsets(cols)];
  const x = gather(past.x.tensor, past.xLayout);
  const width = x.shape[x.shape.length - 1];
  if (x.data.length !== rowsAt.length * width) return null;
  for (const weight of unused(values, taken)) {
    const weightLayout = matrixLayout(weight, colsAt.length, width);
    if (!weightLayout) continue;
    const w = gather(weight.tensor, weightLayout).data;
    const own = biasBeside(values, weight);
    const bias = own?.tensor.data.length === width ? own : undefined;
    const data = new Float64Array(x.data.length);
    rowsAt.forEach((row, n) => {
      for (let o = 0; o < width; o++) {
        let sum = bias?.tensor.data[o] ?? 0;
        colsAt.forEach((col, c) => (sum += mixed.tensor.data[row + col] * w[c * width + o]));
        data[n * width + o] = sum;
      }
    });
    const y = { shape: [...rows.map(({ size }) => size), width], data };
    if (!isShownBy(values, lookup, mixed, y, x.data)) continue;
    const made = values.addVirtual(y, [mixed.output, weight]);
    const batch = rows.slice(0, -1).map(({ size }, n) => ({ axis: outer[n], size }));
    const [operand] = made ? tokenReadings(made, batch, rows[rows.length - 1].size) : [];
    if (!made || !operand) continue;
    const layout = { offset: 0, axes: [[{ size: width, stride: 1 }]] };
    return {
      ...{ y: made, operand, weight, weightLayout, score: 0 },
      ...(bias && { bias: { value: bias, layout } }),
    };
  }
  return null;
}

/** Whether y and what went past are recorded as their sum, or as the norm of that. */
function isShownBy(
  values: Values,
  lookup: Lookup,
  { output }: Mixed,
  y: Tensor,
  past: Float64Array,
): boolean {
  const sum = { shape: y.shape, data: y.data.map((value, n) => value + past[n]) };
  if (lookup.find(sum, output.eps).some(({ time }) => time > output.time)) return true;
  const [tokens, width] = y.shape.slice(-2);
  const shape = { outer: [sizeOf(y.shape.slice(0, -2))], tokens, width, eps: output.eps };
  return values.all.some((value) => {
    const { data } = value.tensor;
    const isLater =
      value.kind === 'float' &&
      !value.isVirtual &&
      value.time > output.time &&
      data.length === sum.data.length &&
      !value.parts.some(isGradient) &&
      values.descends(value, output);
    if (!isLater) return false;
    const size = data.reduce((most, each) => Math.max(most, Math.abs(each)), 0);
    const result = { ...shape, data, eps: value.eps };
    for (const { rows } of normsOf(values, { ...shape, data: sum.data }, [], result)) {
      const allowed = 20 * Math.max(value.eps, output.eps) * size;
      if (rows.data.every((each, n) => Math.abs(each - data[n]) <= allowed)) return true;
    }
    return false;
  });
}
