// Functions and methods of NumPy, PyTorch and Python by name: `np.exp(a)` and `a.exp()` are one.
import type { Tensor } from '../../engine/tensor.ts';
import {
  build,
  concatenate,
  einsum,
  entrywise,
  expanded,
  matmul,
  NotComputed,
  reduce,
  repeated,
  reshape,
  stack,
  swapped,
  tiled,
} from './arrays.ts';
import {
  counted,
  diagonal,
  expandedTo,
  flattened,
  inOrder,
  joined,
  moved,
  parted,
  reshaped,
  sizes,
  squeezed,
  transpose,
  unbound,
} from './arranged.ts';
import {
  axesOf,
  type Given,
  isList,
  keeps,
  numberOf,
  oneAxis,
  shapeIn,
  sizesAlone,
  tensorOf,
  type Value,
} from './values.ts';

const folding =
  (fold: (values: Float64Array) => number) =>
  (given: Given): Tensor =>
    reduce(tensorOf(given.args[0]), axesOf(given), keeps(given), fold);

const mapping =
  (fn: (...values: number[]) => number) =>
  ({ args }: Given): Tensor =>
    entrywise(args.map(tensorOf), fn);

const total = (values: Float64Array): number => values.reduce((sum, value) => sum + value, 0);
const largest = (values: Float64Array): number =>
  values.reduce((a, b) => Math.max(a, b), -Infinity);
const smallest = (values: Float64Array): number =>
  values.reduce((a, b) => Math.min(a, b), Infinity);

function logSumExp(values: Float64Array): number {
  const peak = largest(values);
  return peak === -Infinity
    ? peak
    : peak + Math.log(total(values.map((one) => Math.exp(one - peak))));
}

/** The softmax along an axis, which may be counted from the end. */
export function softmaxAlong(a: Tensor, axis: number): Tensor {
  const sums = reduce(a, [axis], true, logSumExp);
  return entrywise([a, sums], (value, sum) => Math.exp(value - sum));
}

const softmax = (given: Given): Tensor => softmaxAlong(tensorOf(given.args[0]), oneAxis(given, -1));

const filled =
  (value: number) =>
  ({ args, named }: Given): Tensor =>
    build(shapeIn(named.size === undefined ? sizesAlone(args) : [named.size]), () => value);

const like =
  (value: number) =>
  ({ args }: Given): Tensor =>
    build(tensorOf(args[0]).shape, () => value);

const triangle =
  (isKept: (row: number, column: number, k: number) => boolean) =>
  ({ args, named }: Given): Tensor => {
    const a = tensorOf(args[0]);
    const k = numberOf(named.k ?? named.diagonal ?? args[1] ?? 0);
    const [rows, columns] = a.shape.slice(-2);
    return build(a.shape, (at) =>
      isKept(Math.floor(at / columns) % rows, at % columns, k) ? a.data[at] : 0,
    );
  };

function power({ args }: Given): Tensor {
  return entrywise(args.slice(0, 2).map(tensorOf), (base, exponent) => base ** exponent);
}

const itself = ({ args }: Given): Tensor => tensorOf(args[0]);

const isTrue = (value: boolean): number => (value ? 1 : 0);

/** Without "np." and the like, and without the underscore of what works in place. */
export const CALLS: ReadonlyMap<string, (given: Given) => Value> = new Map<
  string,
  (given: Given) => Value
>([
  ...(
    ['exp', 'log', 'sqrt', 'tanh', 'abs', 'sin', 'cos', 'log1p', 'log2', 'floor', 'expm1'] as const
  ).map((name): [string, (given: Given) => Value] => [name, mapping(Math[name])]),
  ...[
    'array',
    'asarray',
    'tensor',
    'as_tensor',
    'from_numpy',
    'ascontiguousarray',
    'copy',
    'clone',
  ].map((name): [string, (given: Given) => Value] => [name, itself]),
  ...['detach', 'contiguous', 'cpu', 'numpy', 'double', 'float', 'to', 'astype', 'float64'].map(
    (name): [string, (given: Given) => Value] => [name, itself],
  ),
  ...['float32', 'type', 'requires_grad', 'type_as', 'item', 'copy_'].map(
    (name): [string, (given: Given) => Value] => [name, itself],
  ),
  ['fabs', mapping(Math.abs)],
  ['exp2', mapping((x) => 2 ** x)],
  ['square', mapping((x) => x * x)],
  ['neg', mapping((x) => -x)],
  ['negative', mapping((x) => -x)],
  ['reciprocal', mapping((x) => 1 / x)],
  ['rsqrt', mapping((x) => 1 / Math.sqrt(x))],
  ['sigmoid', mapping((x) => 1 / (1 + Math.exp(-x)))],
  ['bool', mapping((x) => isTrue(x !== 0))],
  ['logical_not', mapping((x) => isTrue(x === 0))],
  ['logical_and', mapping((x, y) => isTrue(x !== 0 && y !== 0))],
  ['logical_or', mapping((x, y) => isTrue(x !== 0 || y !== 0))],
  ['int', mapping(Math.trunc)],
  ['long', mapping(Math.trunc)],
  ['add', mapping((x, y) => x + y)],
  ['sub', mapping((x, y) => x - y)],
  ['subtract', mapping((x, y) => x - y)],
  ['mul', mapping((x, y) => x * y)],
  ['multiply', mapping((x, y) => x * y)],
  ['div', mapping((x, y) => x / y)],
  ['divide', mapping((x, y) => x / y)],
  ['true_divide', mapping((x, y) => x / y)],
  ['maximum', mapping(Math.max)],
  ['minimum', mapping(Math.min)],
  ['where', mapping((condition, x, y) => (condition !== 0 ? x : y))],
  ['masked_fill', mapping((x, mask, value) => (mask !== 0 ? value : x))],
  ['pow', power],
  ['power', power],
  ['sum', folding(total)],
  ['mean', folding((values) => total(values) / values.length)],
  ['amax', folding(largest)],
  ['amin', folding(smallest)],
  ['logsumexp', folding(logSumExp)],
  ['prod', folding((values) => values.reduce((a, b) => a * b, 1))],
  ['max', extreme(largest, Math.max)],
  ['min', extreme(smallest, Math.min)],
  ['softmax', softmax],
  ['log_softmax', (given) => mapping(Math.log)({ args: [softmax(given)], named: {} })],
  ['matmul', product(matmul)],
  ['mm', product(matmul)],
  ['bmm', product(matmul)],
  ['mv', product(matmul)],
  ['dot', product(matmul)],
  [
    'inner',
    product((a, b) =>
      matmul(a, a.shape.length > 1 || b.shape.length > 1 ? transpose({ args: [b], named: {} }) : b),
    ),
  ],
  ['outer', product((a, b) => matmul(reshape(a, [-1, 1]), reshape(b, [1, -1])))],
  ['ger', product((a, b) => matmul(reshape(a, [-1, 1]), reshape(b, [1, -1])))],
  ['vdot', product((a, b) => matmul(reshape(a, [-1]), reshape(b, [-1])))],
  ['einsum', contracted],
  ['transpose', transpose],
  ['t', transpose],
  ['permute', inOrder],
  ['swapaxes', ({ args }) => swapped(tensorOf(args[0]), numberOf(args[1]), numberOf(args[2]))],
  ['swapdims', ({ args }) => swapped(tensorOf(args[0]), numberOf(args[1]), numberOf(args[2]))],
  ['moveaxis', moved],
  ['movedim', moved],
  ['reshape', reshaped],
  ['view', reshaped],
  ['ravel', ({ args }) => reshape(tensorOf(args[0]), [-1])],
  ['flatten', flattened],
  ['concatenate', joined(concatenate, 0)],
  ['cat', joined(concatenate, 0)],
  ['concat', joined(concatenate, 0)],
  ['stack', joined(stack, 0)],
  ['hstack', joined((all) => concatenate(all, all[0].shape.length > 1 ? 1 : 0), 0)],
  [
    'vstack',
    joined(
      (all) =>
        concatenate(
          all.map((one) => (one.shape.length < 2 ? expanded(one, 0) : one)),
          0,
        ),
      0,
    ),
  ],
  ['zeros', filled(0)],
  ['ones', filled(1)],
  ['zeros_like', like(0)],
  ['ones_like', like(1)],
  ['full', ({ args }) => build(shapeIn([args[0]]), () => numberOf(args[1]))],
  ['full_like', ({ args }) => build(tensorOf(args[0]).shape, () => numberOf(args[1]))],
  [
    'eye',
    ({ args }) =>
      build([numberOf(args[0]), numberOf(args[0])], (at) =>
        isTrue(at % (numberOf(args[0]) + 1) === 0),
      ),
  ],
  ['tri', ({ args, named }) => tri(args, named)],
  ['tril', triangle((row, column, k) => column <= row + k)],
  ['triu', triangle((row, column, k) => column >= row + k)],
  ['diag', diagonal],
  [
    'slice',
    ({ args }) => ({
      bounds:
        args.length === 1
          ? [null, numberOf(args[0])]
          : args.map((arg) => (arg === null ? null : numberOf(arg))),
    }),
  ],
  ['new_full', ({ args }) => build(shapeIn([args[1]]), () => numberOf(args[2]))],
  ['arange', counted],
  [
    'repeat_interleave',
    (given) =>
      repeated(tensorOf(given.args[0]), numberOf(given.args[1]), axesOf(given, 2)?.[0] ?? null),
  ],
  ['tile', ({ args }) => tiled(tensorOf(args[0]), shapeIn(args.slice(1)))],
  ['expand', expandedTo],
  ['broadcast_to', expandedTo],
  ['expand_dims', (given) => expanded(tensorOf(given.args[0]), oneAxis(given, 0))],
  ['unsqueeze', (given) => expanded(tensorOf(given.args[0]), oneAxis(given, 0))],
  ['squeeze', squeezed],
  ['split', parted(false)],
  ['chunk', parted(true)],
  ['unbind', unbound],
  ['size', ({ args }) => sizes(args)],
  [
    'len',
    ({ args }) =>
      args[0] !== undefined && isList(args[0]) ? args[0].length : tensorOf(args[0]).shape[0],
  ],
]);

function product(multiply: (a: Tensor, b: Tensor) => Tensor): (given: Given) => Tensor {
  return ({ args }) => multiply(tensorOf(args[0]), tensorOf(args[1]));
}

/** Of one array along an axis, or of several entry by entry. */
function extreme(
  fold: (values: Float64Array) => number,
  fn: (...values: number[]) => number,
): (given: Given) => Value {
  return (given) => {
    const [first, second] = given.args;
    const isOfTwo =
      second !== undefined &&
      second !== null &&
      (typeof first === 'number' || typeof second !== 'number');
    if (isOfTwo) return mapping(fn)(given);
    // With an axis PyTorch gives places too.
    return folding(fold)(given);
  };
}

function contracted({ args }: Given): Tensor {
  const [spec, ...operands] = args;
  if (typeof spec !== 'string') throw new NotComputed('einsum');
  return einsum(spec, operands.map(tensorOf));
}

function tri(args: readonly Value[], named: Given['named']): Tensor {
  const rows = numberOf(args[0]);
  const columns = typeof args[1] === 'number' ? args[1] : rows;
  const k = numberOf(named.k ?? args[2] ?? 0);
  return build([rows, columns], (at) => isTrue(at % columns <= Math.floor(at / columns) + k));
}
