// Entries taken from another place along an axis: reversed, shifted, the first for all, the last left out, a mean.
import {
  type AxisLetters,
  axisLength,
  axisName,
  type Extents,
  type Letter,
} from '../../../engine/axes.ts';
import { sizeOf } from '../../../engine/tensor.ts';
import { fibres, gather } from '../operations.ts';
import { formulaOperation } from './formulaOperation.ts';
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

/** Each letter by its name, the two of a query head as one. */
export const indexNames = (letters: readonly Letter[]): string[] =>
  (letters.join('').match(/rg|./g) ?? []).map((each) => indexName(each.split('')));

export const plural = (name: string): string =>
  name.endsWith('y') && !name.endsWith('key')
    ? `${name.slice(0, -1)}ies`
    : name.replace(/^(\w+ )*?(\w+)( of x'?)?$/, (all, _before, _word, of: string | undefined) =>
        of === undefined ? `${all}s` : `${all.slice(0, -of.length)}s${of}`,
      );

/** Entry n along `group` is entry `source(n)` of the operand, or 0 where that is -1. */
export function reindexed(
  axes: readonly AxisLetters[],
  shape: readonly number[],
  group: readonly Letter[],
  extents: Extents,
  source: (n: number, length: number) => number,
): StepOperation {
  const { starts, steps } = fibres(axes, group, extents);
  const table = new Int32Array(starts.length * steps.length);
  steps.forEach((step, n) => {
    const from = source(n, steps.length);
    for (const start of starts) table[start + step] = from < 0 ? -1 : start + steps[from];
  });
  return gather(table, shape);
}

/** Sizes of a kernel's blocks of tokens. */
const BLOCKS = [2, 3, 4, 5, 8, 16, 32, 64, 128];

/**
 * A line each: id cost [when]: what is said of it, # being one and ## all of them | where entry k comes from.
 */
const MOVES = `
reversed 0: has its ## in reverse order (flipped) | n−1−k
shifted 0 [long]: is shifted by one # (np.roll, off by one) | (k−1) mod n
shifted 0 [long]: is shifted by one # backwards (np.roll, off by one) | (k+1) mod n
shifted 0.05: is shifted by one #, with 0 in front (off by one) | k−1, 0 at the start
shifted 0.05: is shifted by one # backwards, with 0 at the end (off by one) | k+1, 0 at the end
first-for-all 0.05: has the first # in place of all ## | 0
first-block-for-all 0.15 [token]: has its first block of {B} ## in place of all blocks (a pointer is not advanced) | k mod {B}
last-for-all 0.1: has the last # in place of all ## | n−1
last-skipped 0.02: lacks the last # (0 there): a loop ends one too early | k < n−1
first-skipped 0.03: lacks the first # (0 there): a loop starts one too late | k > 0
first-only 0.1 [long]: has only the first #, 0 in all others | k = 0
last-only 0.1 [long]: has only the last #, 0 in all others | k = n−1
half-only 0.15 [even]: has only the first half of its ##, 0 in the others | k < n/2
half-only 0.15 [even]: has only the second half of its ##, 0 in the others | k >= n/2
halves-swapped 0.15 [even]: has the two halves of its ## swapped | (k + n/2) mod n
neighbours-swapped 0.2 [even]: has neighbouring ## swapped | k xor 1
`
  .trim()
  .split('\n')
  .map((line) => /^(\S+) ([\d.]+)(?: \[(\w+)\])?: (.*) \| (.*)$/.exec(line)!.slice(1));

/** Where entry k of n comes from, by how that is written; beyond the axis stands 0. */
const SOURCES: Readonly<Record<string, (k: number, n: number, B: number) => number>> = {
  'n−1−k': (k, n) => n - 1 - k,
  '(k−1) mod n': (k, n) => (k + n - 1) % n,
  '(k+1) mod n': (k, n) => (k + 1) % n,
  'k−1, 0 at the start': (k) => k - 1,
  'k+1, 0 at the end': (k) => k + 1,
  '0': () => 0,
  'k mod {B}': (k, _, B) => k % B,
  'n−1': (_, n) => n - 1,
  'k < n−1': (k, n) => (k < n - 1 ? k : n),
  'k > 0': (k, n) => (k > 0 ? k : n),
  'k = 0': (k, n) => (k === 0 ? k : n),
  'k = n−1': (k, n) => (k === n - 1 ? k : n),
  'k < n/2': (k, n) => (k < n / 2 ? k : n),
  'k >= n/2': (k, n) => (k >= n / 2 ? k : n),
  '(k + n/2) mod n': (k, n) => (k + n / 2) % n,
  'k xor 1': (k) => k ^ 1,
};

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
  const base = one.includes('feature') ? 1.5 : 1.3;
  const isToken = group.length === 1 && /^[ijt]$/.test(group[0]);
  const sizes = isToken ? BLOCKS.filter((each) => each < length) : [];
  const when: Readonly<Record<string, boolean>> = {
    long: length > 2,
    even: length >= 4 && length % 2 === 0,
  };
  const moves = MOVES.filter(([, , need]) => when[need] ?? true).flatMap(
    ([id, cost, need, words, written]) =>
      (need === 'token' ? sizes : [0]).map((B): Transform => {
        const said = words.replaceAll('##', many).replaceAll('#', one).replace('{B}', String(B));
        return {
          ...{ id: `${slug}-${id}`, cost: base + Number(cost), isLinear: true },
          title: (name) => `${name} ${said}`,
          formula: (name) => `${name}[${written.replace('{B}', String(B))}]`,
          get operation() {
            return reindexed(axes, shape, group, extents, (k, n) => {
              const from = SOURCES[written](k, n, B);
              return from < n ? from : -1;
            });
          },
        };
      }),
  );
  const sums = (['mean', 'sum'] as const).map((how): Transform => ({
    ...{ id: `${slug}-${how}-for-all`, cost: base + 0.1, isLinear: true },
    title: (name) => `${name} has the ${how} over the ${many} in place of each`,
    formula: (name) => `${how === 'sum' ? `Σ ${name}` : `mean(${name})`} over the ${many}`,
    get operation() {
      return formulaOperation('sum', `0 * X + ${how}_k(X)`, axes, extents, group);
    },
  }));
  return [...moves, ...sums];
}
