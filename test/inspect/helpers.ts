// Small things that the inspector's tests share.
import type { Breathe, TensorSource } from '../../src/inspect/source.ts';
import { fromTensor } from '../../src/inspect/source.ts';

export const noBreath: Breathe = () => undefined;

/** 0, 1, 2, ... in row-major order. */
export function counting(...shape: number[]): TensorSource {
  const size = shape.reduce((product, length) => product * length, 1);
  return fromTensor({ shape, data: Float64Array.from({ length: size }, (_, n) => n) });
}

/** The same tensor as `source`, stored in Fortran order. */
export function fortran(source: TensorSource): TensorSource {
  const { shape } = source;
  const strides = shape.map((_, axis) => shape.slice(0, axis).reduce((a, b) => a * b, 1));
  const all = source.entries.read(0, source.entries.size) as Float64Array;
  const data = new Float64Array(all.length);
  all.forEach((value, offset) => {
    let rest = offset;
    let at = 0;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      at += (rest % shape[axis]) * strides[axis];
      rest = Math.floor(rest / shape[axis]);
    }
    data[at] = value;
  });
  const { entries } = fromTensor({ shape: [data.length], data });
  return { shape, strides, dtype: source.dtype, entries };
}
