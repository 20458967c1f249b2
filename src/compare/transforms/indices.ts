// Entries taken from another place along an axis: reversed, shifted, the first for all, the last left out, a mean.
import {
  type AxisLetters,
  axisLength,
  axisName,
  type Extents,
  type Letter,
  letterStrides,
  offsetTable,
} from '../../engine/axes.ts';
import { sizeOf, type Tensor, zeros } from '../../engine/tensor.ts';
import { gather } from '../operations.ts';
import type { StepOperation } from '../program.ts';
import type { Transform } from './transform.ts';

/** Letters that are moved together, slowest first: one, those of a merged axis, those of all query heads. */
export function groupsOf(axes: readonly AxisLetters[], extents: Extents): Letter[][] {
  const long = axes.flat().filter((letter) => extents[letter] > 1);
  const single = long.map((letter) => [letter]);
  const merged = axes
    .map((axis) => axis.filter((letter) => extents[letter] > 1))
    .filter(({ length }) => length > 1);
  const groups = [...single, ...merged];
  if (long.includes('r') && long.includes('g')) groups.push(['r', 'g']);
  return groups.filter(
    (group, n) => groups.findIndex((each) => each.join() === group.join()) === n,
  );
}

/** "batch entry", "query head", "token". */
export function indexName(group: readonly Letter[]): string {
  const name = group.join() === 'p' ? 'earlier token' : axisName(group);
  return name === 'batch' ? 'batch entry' : name.replace('head × ', 'head and ');
}

export const plural = (name: string): string =>
  name.endsWith('y') && !name.endsWith('key')
    ? `${name.slice(0, -1)}ies`
    : name.replace(/^(\w+ )*?(\w+)( of x'?)?$/, (all, _before, _word, of: string | undefined) =>
        of === undefined ? `${all}s` : `${all.slice(0, -of.length)}s${of}`,
      );

/** For each entry its index along `group` and the offset of its fibre's first entry. */
function positions(
  axes: readonly AxisLetters[],
  group: readonly Letter[],
  extents: Extents,
): { steps: Int32Array; index: Int32Array; start: Int32Array } {
  const strides = letterStrides(axes, extents);
  const steps = offsetTable(group, strides, extents);
  const rest = axes.flat().filter((letter) => !group.includes(letter));
  const starts = offsetTable(rest, strides, extents);
  const index = new Int32Array(starts.length * steps.length);
  const start = new Int32Array(index.length);
  for (const first of starts) {
    for (let n = 0; n < steps.length; n++) {
      index[first + steps[n]] = n;
      start[first + steps[n]] = first;
    }
  }
  return { steps, index, start };
}

/** Entry n along `group` is entry `source(n)` of the operand, or 0 where that is -1. */
export function reindexed(
  axes: readonly AxisLetters[],
  shape: readonly number[],
  group: readonly Letter[],
  extents: Extents,
  source: (n: number, length: number) => number,
): StepOperation {
  const { steps, index, start } = positions(axes, group, extents);
  const table = index.map((n, at) => {
    const from = source(n, steps.length);
    return from < 0 ? -1 : start[at] + steps[from];
  });
  return gather(table, shape);
}

/** The sum along `group` times a factor, in place of every entry of it. */
function spread(
  axes: readonly AxisLetters[],
  group: readonly Letter[],
  extents: Extents,
  factor: (length: number) => number,
): StepOperation {
  const { steps, start } = positions(axes, group, extents);
  const total = (input: Tensor): Tensor => {
    const sums = zeros(input.shape);
    const out = zeros(input.shape);
    const by = factor(steps.length);
    for (let at = 0; at < out.data.length; at++) sums.data[start[at]] += input.data[at];
    for (let at = 0; at < out.data.length; at++) out.data[at] = by * sums.data[start[at]];
    return out;
  };
  return { name: 'sum', forward: ([input]) => total(input), vjp: (_, up) => [total(up)] };
}

/** Sizes of a kernel's blocks of tokens. */
const BLOCKS = [2, 3, 4, 5, 8, 16, 32, 64, 128];

type Source = (n: number, length: number) => number;

/** All moves along one group of letters. */
export function indexTransforms(
  axes: readonly AxisLetters[],
  group: readonly Letter[],
  extents: Extents,
): Transform[] {
  const one = indexName(group);
  const many = plural(one);
  const length = axisLength(group, extents);
  const shape = axes.map((axis) => axisLength(axis, extents));
  if (length < 2 || sizeOf(shape) === 0) return [];
  const slug = one.replaceAll(/[^a-z]+/g, '-');
  const isFeature = /feature/.test(one);
  const base = isFeature ? 1.5 : 1.3;
  const list: Transform[] = [];
  const add = (
    id: string,
    words: string,
    formula: (name: string) => string,
    operation: () => StepOperation,
    cost: number,
  ): void => {
    list.push({
      ...{ id: `${slug}-${id}`, title: (name) => `${name} ${words}`, formula },
      ...{ cost: base + cost, isLinear: true },
      get operation() {
        return operation();
      },
    });
  };
  const move = (id: string, words: string, symbol: string, source: Source, cost = 0): void =>
    add(
      id,
      words,
      (name) => `${name}[${symbol}]`,
      () => reindexed(axes, shape, group, extents, source),
      cost,
    );
  move('reversed', `has its ${many} in reverse order (flipped)`, 'n−1−k', (n, l) => l - 1 - n);
  if (length > 2) {
    move(
      'shifted',
      `is shifted by one ${one} (np.roll, off by one)`,
      '(k−1) mod n',
      (n, l) => (n + l - 1) % l,
    );
    move(
      'shifted',
      `is shifted by one ${one} backwards (np.roll, off by one)`,
      '(k+1) mod n',
      (n, l) => (n + 1) % l,
    );
  }
  move(
    'shifted',
    `is shifted by one ${one}, with 0 in front (off by one)`,
    'k−1, 0 at the start',
    (n) => n - 1,
    0.05,
  );
  move(
    'shifted',
    `is shifted by one ${one} backwards, with 0 at the end (off by one)`,
    'k+1, 0 at the end',
    (n, l) => (n + 1 < l ? n + 1 : -1),
    0.05,
  );
  move('first-for-all', `has the first ${one} in place of all ${many}`, '0', () => 0, 0.05);
  if (group.length === 1 && /^[ijt]$/.test(group[0])) {
    for (const size of BLOCKS.filter((each) => each < length))
      move(
        'first-block-for-all',
        `has its first block of ${size} ${many} in place of all blocks (a pointer is not advanced)`,
        `k mod ${size}`,
        (n) => n % size,
        0.15,
      );
  }
  move('last-for-all', `has the last ${one} in place of all ${many}`, 'n−1', (_, l) => l - 1, 0.1);
  move(
    'last-skipped',
    `lacks the last ${one} (0 there): a loop ends one too early`,
    'k < n−1',
    (n, l) => (n < l - 1 ? n : -1),
    0.02,
  );
  move(
    'first-skipped',
    `lacks the first ${one} (0 there): a loop starts one too late`,
    'k > 0',
    (n) => (n > 0 ? n : -1),
    0.03,
  );
  if (length > 2) {
    move(
      'first-only',
      `has only the first ${one}, 0 in all others`,
      'k = 0',
      (n) => (n === 0 ? 0 : -1),
      0.1,
    );
    move(
      'last-only',
      `has only the last ${one}, 0 in all others`,
      'k = n−1',
      (n, l) => (n === l - 1 ? n : -1),
      0.1,
    );
  }
  if (length >= 4 && length % 2 === 0) {
    move(
      'half-only',
      `has only the first half of its ${many}, 0 in the others`,
      'k < n/2',
      (n, l) => (n < l / 2 ? n : -1),
      0.15,
    );
    move(
      'half-only',
      `has only the second half of its ${many}, 0 in the others`,
      'k >= n/2',
      (n, l) => (n >= l / 2 ? n : -1),
      0.15,
    );
    move(
      'halves-swapped',
      `has the two halves of its ${many} swapped`,
      '(k + n/2) mod n',
      (n, l) => (n + l / 2) % l,
      0.15,
    );
    move('neighbours-swapped', `has neighbouring ${many} swapped`, 'k xor 1', (n) => n ^ 1, 0.2);
  }
  add(
    'mean-for-all',
    `has the mean over the ${many} in place of each`,
    (name) => `mean(${name}) over the ${many}`,
    () => spread(axes, group, extents, (l) => 1 / l),
    0.1,
  );
  add(
    'sum-for-all',
    `has the sum over the ${many} in place of each`,
    (name) => `Σ ${name} over the ${many}`,
    () => spread(axes, group, extents, () => 1),
    0.1,
  );
  return list;
}
