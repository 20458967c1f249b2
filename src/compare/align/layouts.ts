// Ways to lay the same entries out: axes in another order, merged, split, of length one, KV heads repeated.
import {
  type AxisLetters,
  axisName,
  bindingAt,
  type Extents,
  type Letter,
  letterStrides,
  offsetAt,
  offsetTable,
  shapeOf,
} from '../../engine/axes.ts';
import { sameShape, type Tensor } from '../../engine/tensor.ts';

export interface Layout {
  /** What differs, in words; '' for none. */
  readonly words: string;
  /** The shape does not tell it apart from the plain one: only the content can. */
  readonly ambiguous: boolean;
  /** Where the person's tensor has the entry that the node has at `offset`; undefined where that is no one place. */
  readonly placeOf?: (offset: number) => number;
  /** The tensor as the node has it; null if the content contradicts (repeated heads that differ). */
  undo(user: Tensor, kind: 'value' | 'gradient'): Tensor | null;
}

/** All orders of the axes; letters of one axis stay together. */
function* orders(axes: readonly AxisLetters[]): Generator<AxisLetters[]> {
  if (axes.length <= 1) {
    yield [...axes];
    return;
  }
  for (let n = 0; n < axes.length; n++) {
    for (const rest of orders([...axes.slice(0, n), ...axes.slice(n + 1)]))
      yield [axes[n], ...rest];
  }
}

/** Axes as people permute them: merged features split into heads and widths, heads of a group kept together. */
function movable(axes: readonly AxisLetters[]): AxisLetters[] {
  return axes.flatMap((axis): AxisLetters[] => {
    const last = axis[axis.length - 1];
    const isWidth = axis.length > 1 && (last === 'a' || last === 'v');
    return isWidth ? [axis.slice(0, -1), [last]] : [axis];
  });
}

/** Whether a shape comes from merging neighbouring letters; axes of length one count for nothing. */
function mergesTo(shape: readonly number[], letters: readonly Letter[], extents: Extents): boolean {
  const lengths = letters.map((letter) => extents[letter]).filter((length) => length !== 1);
  let at = 0;
  for (const length of shape) {
    if (length === 1) continue;
    let product = 1;
    while (product < length && at < lengths.length) product *= lengths[at++];
    if (product !== length) return false;
  }
  return at === lengths.length;
}

/** A loop: Float64Array.from with a function is ten times slower. */
export function pick(data: Float64Array, table: Int32Array): Float64Array {
  const out = new Float64Array(table.length);
  for (let at = 0; at < out.length; at++) out[at] = table[at] < 0 ? 0 : data[table[at]];
  return out;
}

function describe(
  shape: readonly number[],
  order: readonly AxisLetters[],
  axes: readonly AxisLetters[],
  extents: Extents,
): string {
  const plain = movable(axes).flat().join(' ');
  const own = order.flat().join(' ');
  const names = order
    .filter((axis) => axis.some((letter) => extents[letter] !== 1))
    .map((axis) => axisName(axis));
  if (own !== plain) return `axes in the order (${names.join(', ')})`;
  const size = (list: readonly number[]): number => list.filter((length) => length !== 1).length;
  const target = shapeOf(axes, extents);
  if (size(shape) > size(target)) return 'features split into heads';
  if (size(shape) < size(target)) return `axes merged to (${shape.join(', ')})`;
  if (shape.length === target.length) return 'an axis of length one at another place';
  return shape.length > target.length ? 'an axis of length one more' : 'an axis of length one less';
}

/** The ways in which a tensor of `shape` can hold a node's entries, the plainest first. */
export function layoutsOf(
  shape: readonly number[],
  axes: readonly AxisLetters[],
  extents: Extents,
): Layout[] {
  const letters = axes.flat();
  const target = shapeOf(axes, extents);
  const same = sameShape(shape, target);
  const layouts: Layout[] = [];
  const seen = new Set<string>();
  const consider = (order: readonly AxisLetters[], from: readonly Letter[]): void => {
    if (!mergesTo(shape, from, extents)) return;
    const sized = (list: readonly Letter[]): string =>
      list.filter((letter) => extents[letter] !== 1).join(' ');
    const isPlain = sized(from) === sized(letters);
    if (seen.has(sized(from))) return;
    seen.add(sized(from));
    layouts.push({
      words: isPlain && same ? '' : describe(shape, order, axes, extents),
      ambiguous: same && !isPlain,
      placeOf: (offset) => offsetAt([from], extents, bindingAt(axes, extents, offset)),
      undo(user) {
        if (isPlain) return { shape: target, data: user.data };
        const table = offsetTable(letters, letterStrides([from], extents), extents);
        return { shape: target, data: pick(user.data, table) };
      },
    });
  };
  for (const order of orders(movable(axes))) consider(order, order.flat());
  if (letters.includes('r') && !letters.includes('g') && extents['g'] > 1) {
    layouts.push(...repeated(shape, axes, extents));
  }
  return layouts.sort((a, b) => Number(a.ambiguous) - Number(b.ambiguous));
}

/** KV heads repeated for every query head: the values of a group are equal, their gradients add up. */
function repeated(
  shape: readonly number[],
  axes: readonly AxisLetters[],
  extents: Extents,
): Layout[] {
  const expanded = axes.map((axis) =>
    axis.flatMap((letter) => (letter === 'r' ? ['r', 'g'] : [letter])),
  );
  const members = extents['g'];
  const inner = letterStrides(expanded, extents).get('g') ?? 1;
  const target = shapeOf(axes, extents);
  return layoutsOf(shape, expanded, extents)
    .filter((layout) => !layout.ambiguous)
    .map((layout) => ({
      words: `KV heads repeated for each query head${layout.words ? `, ${layout.words}` : ''}`,
      ambiguous: false,
      undo(user, kind) {
        const full = layout.undo(user, kind);
        if (!full) return null;
        const data = new Float64Array(full.data.length / members);
        let equal = true;
        for (let at = 0; at < full.data.length; at++) {
          const outer = Math.floor(at / (inner * members));
          const to = outer * inner + (at % inner);
          if (kind === 'gradient') data[to] += full.data[at];
          else if (Math.floor(at / inner) % members === 0) data[to] = full.data[at];
          else if (data[to] !== full.data[at]) equal = false;
        }
        return equal ? { shape: target, data } : null;
      },
    }));
}
