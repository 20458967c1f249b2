// An operand beside a tensor that it may be projected from: the rows that both have.
import { strides } from '../../../engine/tensor.ts';
import type { Factor } from '../values/layout.ts';
import type { Matrix } from './projections.ts';
import type { Operand } from './trace.ts';
import type { Value } from '../values/values.ts';

export interface Rows {
  readonly value: Value;
  readonly batch: readonly number[];
  readonly heads: readonly number[];
  readonly rows: readonly Factor[];
  readonly feature: Factor;
}

/** The ways to read `value` as tokens by features beside an operand. */
export function rowsOf(value: Value, operand: Operand): Rows[] {
  const { shape } = value.tensor;
  const own = strides(shape);
  const factor = (n: number): Factor => ({ size: shape[n], stride: own[n] });
  const outerAxes = [...operand.outer.keys()];
  const found: Rows[] = [];
  shape.forEach((length, token) => {
    if (length !== operand.token.size) return;
    shape.forEach((features, feature) => {
      if (feature === token || features < 2) return;
      const rest = shape.flatMap((size, n) =>
        n === token || n === feature || size === 1 ? [] : [n],
      );
      const places = rest.map((n) =>
        outerAxes.find((axis) => operand.outer.get(axis)?.size === shape[n]),
      );
      if (places.includes(undefined) || new Set(places).size !== places.length) return;
      const batch = outerAxes.filter((axis) => places.includes(axis));
      found.push({
        value,
        batch,
        heads: outerAxes.filter((axis) => !batch.includes(axis)),
        rows: [...batch.map((axis) => factor(rest[places.indexOf(axis)])), factor(token)],
        feature: factor(feature),
      });
    });
  });
  return found;
}

/** An operand and a tensor with the rows that it has in common with it. */
export interface Pair {
  readonly operand: Operand;
  readonly rows: Rows;
  readonly target: Matrix;
  readonly from: Matrix;
}

/** Tensors as rows by columns, each made once for all operands that are held against it. */
const matrices = new WeakMap<Value, Map<string, Matrix>>();

function matrixOf({ value, rows, feature }: Rows): Matrix {
  const known = matrices.get(value) ?? new Map<string, Matrix>();
  matrices.set(value, known);
  const key = [...rows, feature].map(({ size, stride }) => `${size}/${stride}`).join(' ');
  const { data } = value.tensor;
  const found = known.get(key) ?? { data, offset: 0, rows, cols: [feature] };
  known.set(key, found);
  return found;
}

export function pairOf(operand: Operand, rows: Rows): Pair {
  const factorsAt = (axes: readonly number[]): Factor[] =>
    axes.map((axis) => operand.outer.get(axis) as Factor);
  const target = {
    data: operand.value.tensor.data,
    offset: 0,
    rows: [...factorsAt(rows.batch), operand.token],
    cols: [...factorsAt(rows.heads), operand.feature],
  };
  return { operand, rows, target, from: matrixOf(rows) };
}
