// What is added to the scores of tiles: a bias of all queries and keys, or distances.
import { alibiSlopes } from '../../../engine/heads/mask.ts';
import type { Tensor } from '../../../engine/tensor.ts';
import { namesOf } from '../values/names.ts';
import { isGradient, type Value, type Values } from '../values/values.ts';

/** What may be added to scores, as (block, row, column): recorded matrices of their size, and ALiBi's distances. */
export function addedTo(
  values: Values,
  { shape, data }: Tensor,
  outer: readonly number[],
): Float64Array[] {
  const [, rows, cols] = shape;
  const found: Float64Array[] = [];
  for (const value of values.all) {
    const { tensor, kind, isVirtual, parts } = value;
    const own = tensor.shape;
    const isSized = own.length >= 2 && own[own.length - 2] === rows && own[own.length - 1] === cols;
    if (!isSized || kind !== 'float' || isVirtual || parts.some(isGradient)) continue;
    if (!values.isLeaf(value)) continue;
    if (data.length % tensor.data.length !== 0 || new Set(tensor.data).size < 3) continue;
    found.push(data.map((_, n) => tensor.data[n % tensor.data.length]));
  }
  const heads = outer[outer.length - 1] ?? 1;
  if (heads < 2) return found;
  if (!values.recording.statements.some(({ text }) => /slope|alibi|\bm\b/i.test(text)))
    return found;
  const distances = [alibiSlopes(heads), ...slopesOf(values, heads)].map((slopes) =>
    data.map((_, n) => {
      const [i, j, block] = [n % cols, Math.floor(n / cols) % rows, Math.floor(n / (rows * cols))];
      return -slopes[block % heads] * Math.abs(cols - rows + j - i);
    }),
  );
  return [...found, ...distances];
}

const MOST = 4;

/** Vectors of a number above 0 for each head, those first that are called slopes. */
function slopesOf(values: Values, heads: number): Float64Array[] {
  const isCalled = (value: Value): boolean =>
    namesOf(value).some((name) => /slope|alibi|^m$/i.test(name));
  return values.all
    .filter(
      ({ kind, tensor: { shape, data }, isVirtual, grid }) =>
        kind === 'float' &&
        !isVirtual &&
        grid.length === 0 &&
        shape.filter((length) => length > 1).length === 1 &&
        data.length === heads &&
        data.every((each) => each > 0 && each <= 1) &&
        new Set(data).size === heads,
    )
    .sort((a, b) => Number(isCalled(b)) - Number(isCalled(a)))
    .slice(0, MOST)
    .map(({ tensor: { data } }) => data);
}
