// Weights whose scores have a tensor of numbers added that is no mask: distances, relative positions, a table's rows.
import { sizeOf, strides, type Tensor } from '../../../engine/tensor.ts';
import { offsets } from '../values/layout.ts';
import type { Value, Values } from '../values/values.ts';

/** A weight that is nothing: hidden by -inf, or by a number such as Swin's -100. */
export const isNothing = (weight: number): boolean => !(weight > 1e-30);

/** The logarithms of the weights without what may be added to their scores, for each tensor that may be. */
export function* withoutBias(values: Values, weights: Value): Generator<Tensor> {
  const { shape } = weights.tensor;
  const ancestors = values.ancestors(weights);
  lookUps(values, weights);
  for (const bias of [...values.all]) {
    const { tensor, kind } = bias;
    if (kind !== 'float' || (bias.isVirtual ? !isLookedUp(bias) : !ancestors.has(bias.id)))
      continue;
    const own = [
      ...Array.from({ length: shape.length - tensor.shape.length }, () => 1),
      ...tensor.shape,
    ];
    const fits =
      own.length === shape.length && own.every((length, n) => length === 1 || length === shape[n]);
    const isMatrix = own[own.length - 1] > 1 && own[own.length - 2] > 1;
    if (!fits || !isMatrix || new Set(tensor.data).size < 3 || isComputed(values, bias)) continue;
    const steps = strides(own).map((step, n) => (own[n] === 1 ? 0 : step));
    const at = offsets(shape.map((size, n) => ({ size, stride: steps[n] })));
    const data = weights.tensor.data.map((value, n) =>
      isNothing(value) ? -Infinity : Math.log(value) - tensor.data[at[n]],
    );
    yield { shape, data };
  }
}

/** Whether a tensor was made of tensors of numbers: a bias is given, made of positions, or looked up. */
const isComputed = (values: Values, value: Value): boolean =>
  !value.isVirtual &&
  !values.isLeaf(value) &&
  values.all.some(
    (each) =>
      values.ancestors(value).has(each.id) &&
      each.kind === 'float' &&
      each.tensor.shape.length > 1 &&
      values.isLeaf(each) &&
      !holds(each.tensor, value.tensor),
  );

/** Whether all entries of a tensor are some of a table's. */
function holds(table: Tensor, { data }: Tensor): boolean {
  if (table.data.length > data.length) return false;
  const all = new Set(table.data);
  return data.every((value) => all.has(value));
}

/** What rows of a table that numbers choose give, laid out as scores: no statement may bind it. */
export const isLookedUp = ({ isVirtual, from }: Value): boolean =>
  isVirtual && from.length === 2 && from[1].kind === 'integer';

const MOST = 12;

/** Adds what is looked up for each table and matrix of numbers that the weights were made of. */
export function lookUps(values: Values, weights: Value): void {
  const ancestors = values.ancestors(weights);
  const [queries, keys] = weights.tensor.shape.slice(-2);
  const known = values.all.filter(({ id, isVirtual }) => ancestors.has(id) && !isVirtual);
  const indices = known.filter(
    ({ kind, tensor: { shape } }) =>
      kind === 'integer' && shape.length === 2 && shape[0] === queries && shape[1] === keys,
  );
  const tables = known.filter(
    (value) => value.kind === 'float' && value.tensor.shape.length === 2 && values.isLeaf(value),
  );
  let left = MOST;
  for (const index of indices) {
    for (const table of tables) {
      const [rows, heads] = table.tensor.shape;
      const isIn = index.tensor.data.every((row) => row >= 0 && row < rows);
      if (!isIn || !weights.tensor.shape.includes(heads) || left-- <= 0) continue;
      const shape = [heads, queries, keys];
      const pairs = queries * keys;
      const data = Float64Array.from(
        { length: sizeOf(shape) },
        (_, n) => table.tensor.data[index.tensor.data[n % pairs] * heads + Math.floor(n / pairs)],
      );
      values.addVirtual({ shape, data }, [table, index]);
    }
  }
}
