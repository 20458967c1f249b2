// A learned bias of the scores, by the places of query and key: looked up, and its gradient added up where it was.
import { type AxisLetters, type Extents, letterStrides, offsetTable } from '../axes.ts';
import type { PositionBias } from '../config.ts';
import { evaluate } from '../evaluate.ts';
import {
  accumulates,
  atIndex,
  atMost,
  below,
  call,
  equals,
  type Formula,
  fraction,
  minus,
  modulo,
  number,
  plus,
  position,
  product,
  sum,
  symbol,
  where,
} from '../formula.ts';
import { laidOut } from '../lettered.ts';
import type { Operation } from '../operation.ts';
import { zeros } from '../tensor.ts';

/** The letter of a table's buckets. */
export const BUCKET = 'w';

const floor = (formula: Formula): Formula => call('floor', formula);
/** The smaller of a formula and a number. */
const atMostOf = (formula: Formula, most: number): Formula =>
  minus(number(most), call('relu', minus(number(most), formula)));

/** The row of the table for query j and key i; null where the table has an entry for each pair of them. */
export function bucketFormula(
  bias: PositionBias,
  { past, buckets }: { readonly past: number; readonly buckets: number },
): Formula | null {
  if (bias.kind === 'learned') return null;
  const [key, query] = [
    position('i'),
    past === 0 ? position('j') : plus(position('j'), number(past)),
  ];
  // A window of an image has no earlier tokens.
  return bias.kind === 't5'
    ? t5Bucket(bias, minus(key, query), minus(query, key), buckets)
    : swinBucket(bias.window, key, position('j'));
}

/**
 * Raffel et al. 2020, T5: a bucket for each distance up to half of them, then by the logarithm of the distance; with
 * `bidirectional` one half of the buckets for keys before the query, the other for those after it.
 */
function t5Bucket(
  { bidirectional, maxDistance }: PositionBias & { kind: 't5' },
  after: Formula,
  before: Formula,
  buckets: number,
): Formula {
  const count = bidirectional ? buckets / 2 : buckets;
  const exact = Math.floor(count / 2);
  const distance = bidirectional ? call('abs', after) : call('relu', before);
  // log(max(distance, exact) / exact)
  const beyond = fraction(call('relu', minus(distance, number(exact))), number(exact));
  // In the order of T5's code: whole steps are whole.
  const share = fraction(
    call('log', plus(number(1), beyond)),
    number(Math.log(maxDistance / exact)),
  );
  const steps = product(share, number(count - exact));
  const far = atMostOf(plus(number(exact), floor(steps)), count - 1);
  const own = plus(
    product(below(distance, number(exact)), distance),
    product(atMost(number(exact), distance), far),
  );
  return bidirectional ? plus(product(number(count), below(number(0), after)), own) : own;
}

/** Liu et al. 2021, Swin: by the differences of rows and columns of the tokens of a window, row by row. */
function swinBucket(
  [height, width]: readonly [number, number],
  key: Formula,
  query: Formula,
): Formula {
  const row = (token: Formula): Formula => floor(fraction(token, number(width)));
  const column = (token: Formula): Formula => modulo(token, number(width));
  const apart = (of: (token: Formula) => Formula, size: number): Formula =>
    plus(minus(of(query), of(key)), number(size - 1));
  return plus(product(apart(row, height), number(2 * width - 1)), apart(column, width));
}

/** Zb = Z + B, B looked up in its table. */
export function positionBias(
  axes: readonly AxisLetters[],
  tableAxes: readonly AxisLetters[],
  extents: Extents,
  bucket: Formula | null,
): Operation {
  const source = sources(axes, tableAxes, extents, bucket);
  const users = (entry: number): number[] =>
    Array.from(source.keys()).filter((at) => source[at] === entry);
  return {
    name: 'position bias',
    summary: 'Adds a learned number to each score, by how far apart query and key stand.',
    forward([scores, table]) {
      const out = zeros(scores.shape);
      for (let at = 0; at < source.length; at++)
        out.data[at] = scores.data[at] + table.data[source[at]];
      return out;
    },
    vjp({ inputs: [, table] }, upstream) {
      const own = zeros(table.shape);
      for (let at = 0; at < source.length; at++) own.data[source[at]] += upstream.data[at];
      return [upstream, own];
    },
    partial: (_, slot, outputOffset, inputOffset) =>
      Number((slot === 0 ? outputOffset : source[outputOffset]) === inputOffset),
    reach: (_, slot, inputOffset) => (slot === 0 ? [inputOffset] : users(inputOffset)),
    formula({ output, inputs: [scores, table] }) {
      const entry = symbol(table, tableAxes);
      const upstream = symbol(`d${output}`, axes);
      const score = symbol(scores, axes);
      const passed = accumulates(symbol(`d${scores}`, axes), upstream);
      const gradient = symbol(`d${table}`, tableAxes);
      const kept = tableAxes.flat();
      const over = axes.flat().filter((letter) => !kept.includes(letter));
      if (!bucket) {
        return {
          forward: equals(symbol(output, axes), plus(score, entry)),
          backward: [passed, accumulates(gradient, sum(over, upstream))],
        };
      }
      const own = symbol('bucket', [['j'], ['i']]);
      const isOwn = call('not', minus(position(BUCKET), own));
      const definition = equals(own, bucket);
      return {
        forward: equals(
          symbol(output, axes),
          where(plus(score, atIndex(BUCKET, own, entry)), definition),
        ),
        backward: [
          passed,
          accumulates(gradient, where(sum(over, product(isOwn, upstream)), definition)),
        ],
      };
    },
  };
}

/** The offset in the table for each score. */
function sources(
  axes: readonly AxisLetters[],
  tableAxes: readonly AxisLetters[],
  extents: Extents,
  bucket: Formula | null,
): Int32Array {
  const strides = letterStrides(tableAxes, extents);
  const letters = axes.flat();
  const table = offsetTable(
    letters,
    new Map([...strides].filter(([letter]) => letter !== BUCKET)),
    extents,
  );
  if (!bucket) return table;
  const rows = bucketsOf(bucket, extents);
  const own = offsetTable(letters, letterStrides([['j'], ['i']], extents), extents);
  const step = strides.get(BUCKET)!;
  return table.map((offset, at) => offset + rows[own[at]] * step);
}

/** The bucket of each query and key, (j, i). */
export function bucketsOf(bucket: Formula, extents: Extents): Float64Array {
  const lengths = [extents['j'], extents['i']];
  return laidOut(
    evaluate(bucket, () => undefined, extents),
    ['j', 'i'],
    lengths,
  ).data;
}
