// What Python's values are here, and how arguments are read.
import { scalar, type Tensor } from '../../engine/tensor.ts';
import { NotComputed, stack } from './arrays.ts';

/** `a:b:c`, also as `slice(a, b, c)`. */
export interface Slice {
  readonly bounds: readonly (number | null)[];
}

export type Value = number | string | null | Tensor | Slice | readonly Value[];

export interface Given {
  readonly args: readonly Value[];
  readonly named: Readonly<Record<string, Value>>;
}

export const isSlice = (value: Value): value is Slice =>
  typeof value === 'object' && value !== null && 'bounds' in value;

export const isList = (value: Value): value is readonly Value[] => Array.isArray(value);

export function tensorOf(value: Value | undefined): Tensor {
  if (typeof value === 'number') return scalar(value);
  if (value === undefined || value === null || typeof value === 'string')
    throw new NotComputed('no array');
  if (isSlice(value)) throw new NotComputed('no array');
  return isList(value) ? stack(value.map(tensorOf), 0) : value;
}

export function numberOf(value: Value | undefined): number {
  if (typeof value === 'number') return value;
  const tensor = tensorOf(value);
  if (tensor.data.length !== 1) throw new NotComputed('no number');
  return tensor.data[0];
}

export const numbersOf = (values: readonly Value[]): number[] =>
  values.flatMap((value) =>
    isList(value)
      ? numbersOf(value)
      : typeof value === 'number'
        ? value
        : [...tensorOf(value).data],
  );

/** Whether a keyword is set to True. */
const isSet = (value: Value | undefined): boolean =>
  value !== undefined && value !== null && value !== 0;

export const axesOf = ({ args, named }: Given, at = 1): number[] | null => {
  const found = named.axis ?? named.dim ?? args[at] ?? null;
  return found === null ? null : numbersOf([found]);
};

export const oneAxis = (given: Given, otherwise: number, at = 1): number =>
  axesOf(given, at)?.[0] ?? otherwise;

export const keeps = ({ args, named }: Given): boolean =>
  isSet(named.keepdims ?? named.keepdim ?? args[2]);

/** Sizes, given one by one or as a tuple. */
export const shapeIn = (values: readonly Value[]): number[] => numbersOf(values);

/** NumPy takes a dtype after the shape, PyTorch takes sizes alone. */
export const sizesAlone = (args: readonly Value[]): readonly Value[] =>
  args.filter((value) => typeof value !== 'string' && value !== null);
