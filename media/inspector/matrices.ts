// The matrices that are drawn of a tensor, and the way between their cells and the tensor's index.
import type { TensorInfo } from '../../src/inspect/messages.ts';
import { indexOfCell, type Slicing } from '../../src/inspect/plane.ts';
import type { Pointed } from './camera.ts';
import { post } from './door.ts';
import { ahead, looking, multiplesAxis, shapeOf, slice, slicing } from './state.ts';
import type { Matrix } from './tiles.ts';

/** More would be too small to see. */
export const MOST_MATRICES = 64;

export type Selection = Pointed;

export interface Matrices {
  readonly all: readonly Matrix[];
  /** "head 3"; '' where there is one. */
  readonly labels: readonly string[];
  readonly slicing: Slicing;
  /** The axis that the matrices run over; null for one. */
  readonly over: number | null;
  readonly rowAxis: string;
  readonly colAxis: string;
}

export function matricesOf(info: TensorInfo): Matrices {
  const shape = shapeOf(info);
  const own = slicing.value;
  const { rowAxis, colAxis } = own;
  const over = multiplesAxis.value;
  const isEmpty = shape.includes(0);
  const size = {
    rows: isEmpty ? 0 : rowAxis === null ? 1 : shape[rowAxis],
    cols: isEmpty ? 0 : colAxis === null ? 1 : shape[colAxis],
  };
  const count = over === null ? 1 : Math.min(shape[over], MOST_MATRICES);
  const all = Array.from({ length: isEmpty ? 0 : count }, (_, n): Matrix => ({
    tensor: info,
    slicing:
      over === null
        ? own
        : { ...own, fixed: own.fixed.map((at, axis) => (axis === over ? n : at)) },
    reduction: looking.value.reduction,
    ...size,
  }));
  const plain = (axis: number): string => info.axes[axis].name.replace(/ \S+$/, '');
  return {
    all,
    labels: all.map((_, n) => (over === null ? '' : `${plain(over)} ${n}`)),
    slicing: own,
    over,
    rowAxis: rowAxis === null ? '' : info.axes[rowAxis].name,
    colAxis: colAxis === null ? '' : info.axes[colAxis].name,
  };
}

export function indexOfPointed(
  { all, slicing: own }: Matrices,
  { matrix, row, col }: Pointed,
): number[] {
  return indexOfCell(all[matrix]?.slicing ?? own, row, col);
}

/** Null where the entry is in none of the drawn matrices. */
export function cellOfIndex(
  { all, slicing: own, over }: Matrices,
  index: readonly number[],
): Pointed | null {
  const { rowAxis, colAxis, fixed } = own;
  if (index.length !== fixed.length || all.length === 0) return null;
  const isDrawn = fixed.every(
    (at, axis) => axis === rowAxis || axis === colAxis || axis === over || index[axis] === at,
  );
  const matrix = over === null ? 0 : index[over];
  if (!isDrawn || matrix >= all.length) return null;
  return {
    matrix,
    row: rowAxis === null ? 0 : index[rowAxis],
    col: colAxis === null ? 0 : index[colAxis],
  };
}

/** Selects an entry everywhere: here at once, in the panel when the host has heard of it. */
export function selectEntry(info: TensorInfo, index: readonly number[]): void {
  ahead.value = index;
  const { rowAxis, colAxis, fixed } = slicing.value;
  if (index.some((at, axis) => axis !== rowAxis && axis !== colAxis && fixed[axis] !== at))
    slice({ fixed: index });
  post({ type: 'select', tensor: info.id, index });
}
