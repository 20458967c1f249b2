// Functions and methods that lay arrays out anew: reshape, transpose, split, join.
import { sizeOf, type Tensor } from '../../engine/tensor.ts';
import { axisOf, broadcast, build, NotComputed, permute, reshape, swapped } from './arrays.ts';
import {
  axesOf,
  type Given,
  isList,
  numberOf,
  numbersOf,
  oneAxis,
  shapeIn,
  sizesAlone,
  tensorOf,
  type Value,
} from './values.ts';

export function transpose(given: Given): Tensor {
  const a = tensorOf(given.args[0]);
  const order = given.named.axes ?? given.named.dims;
  const rest = numbersOf(order === undefined ? given.args.slice(1) : [order]);
  if (rest.length === 0) return permute(a, [...a.shape.keys()].reverse());
  // PyTorch exchanges two axes of as many as there may be.
  return rest.length === 2 && (a.shape.length > 2 || rest.some((axis) => axis < 0))
    ? swapped(a, rest[0], rest[1])
    : permute(a, rest);
}

export const inOrder = (given: Given): Tensor =>
  permute(tensorOf(given.args[0]), numbersOf(given.args.slice(1)));

export const reshaped = ({ args, named }: Given): Tensor => {
  const given = named.shape ?? named.newshape;
  return reshape(
    tensorOf(args[0]),
    shapeIn(given === undefined ? args.slice(1).filter((one) => typeof one !== 'string') : [given]),
  );
};

export function diagonal({ args }: Given): Tensor {
  const a = tensorOf(args[0]);
  if (a.shape.length === 1) {
    const [n] = a.shape;
    return build([n, n], (at) => (at % (n + 1) === 0 ? a.data[at % n] : 0));
  }
  if (a.shape.length !== 2) throw new NotComputed('diag');
  const n = Math.min(...a.shape);
  return build([n], (at) => a.data[at * (a.shape[1] + 1)]);
}

export function counted({ args }: Given): Tensor {
  const values = numbersOf(sizesAlone(args));
  const [start, stop, step] = values.length === 1 ? [0, values[0], 1] : [...values, 1];
  return build([Math.max(0, Math.ceil((stop - start) / step))], (at) => start + at * step);
}

export const squeezed = (given: Given): Tensor => {
  const a = tensorOf(given.args[0]);
  const axes = axesOf(given)?.map((axis) => axisOf(axis, a.shape.length));
  const isGone = (at: number): boolean => a.shape[at] === 1 && (axes?.includes(at) ?? true);
  return { shape: a.shape.filter((_, at) => !isGone(at)), data: a.data };
};

function split(a: Tensor, lengths: readonly number[], axis: number): Tensor[] {
  const at = axisOf(axis, a.shape.length);
  const order = [at, ...[...a.shape.keys()].filter((n) => n !== at)];
  const first = permute(a, order);
  const back = order.map((_, n) => order.indexOf(n));
  const block = a.data.length / Math.max(1, a.shape[at]);
  let from = 0;
  return lengths.map((length) => {
    const data = first.data.slice(from * block, (from + length) * block);
    from += length;
    return permute({ shape: [length, ...first.shape.slice(1)], data }, back);
  });
}

/** `np.split` takes how many parts there are, `torch.split` and `a.split` how long they are, `chunk` how many. */
export const parted =
  (isCount: boolean) =>
  (given: Given): Value => {
    const a = tensorOf(given.args[0]);
    const axis = axisOf(oneAxis(given, 0, 2), a.shape.length);
    const [first] = numbersOf([given.args[1]]);
    const all = a.shape[axis];
    if (isList(given.args[1])) {
      if (isCount) throw new NotComputed('split');
      return split(a, numbersOf([given.args[1]]), axis);
    }
    const length = isCount ? all / first : first;
    if (!(length > 0 && Number.isInteger(length) && Number.isInteger(all / length)))
      throw new NotComputed('split');
    return split(
      a,
      Array.from({ length: all / length }, () => length),
      axis,
    );
  };

export const unbound = (given: Given): Value => {
  const a = tensorOf(given.args[0]);
  const axis = axisOf(oneAxis(given, 0), a.shape.length);
  const parts = split(
    a,
    Array.from({ length: a.shape[axis] }, () => 1),
    axis,
  );
  return parts.map((part) => ({
    shape: part.shape.filter((_, at) => at !== axis),
    data: part.data,
  }));
};

export const expandedTo = ({ args }: Given): Tensor => {
  const a = tensorOf(args[0]);
  const lengths = shapeIn(args.slice(1));
  const skip = lengths.length - a.shape.length;
  return broadcast(
    a,
    lengths.map((length, at) => (length < 0 ? a.shape[at - skip] : length)),
  );
};

export const joined =
  (join: (all: readonly Tensor[], axis: number) => Tensor, otherwise: number) =>
  (given: Given): Tensor => {
    const [all] = given.args;
    if (all === undefined || !isList(all) || all.length === 0)
      throw new NotComputed('nothing to join');
    return join(all.map(tensorOf), oneAxis(given, otherwise));
  };

export function moved({ args }: Given): Tensor {
  const a = tensorOf(args[0]);
  const [from, to] = [1, 2].map((n) => axisOf(numberOf(args[n]), a.shape.length));
  const order = [...a.shape.keys()].filter((axis) => axis !== from);
  order.splice(to, 0, from);
  return permute(a, order);
}

export function flattened({ args }: Given): Tensor {
  const a = tensorOf(args[0]);
  const [start, end] = [args[1] ?? 0, args[2] ?? -1].map((n) =>
    axisOf(numberOf(n), a.shape.length),
  );
  return reshape(a, [
    ...a.shape.slice(0, start),
    sizeOf(a.shape.slice(start, end + 1)),
    ...a.shape.slice(end + 1),
  ]);
}

export function sizes(args: readonly Value[]): Value {
  const { shape } = tensorOf(args[0]);
  return args[1] === undefined ? shape : shape[axisOf(numberOf(args[1]), shape.length)];
}
