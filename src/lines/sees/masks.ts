// Masks as people write them: which axes they have, and which of two numbers hides.
import type { Extents, Letter } from '../../engine/axes.ts';
import { sizeOf, type Tensor } from '../../engine/tensor.ts';
import type { Catalogue } from '../align/catalogue.ts';
import { lengthsOf, type Lettered, offsetsIn } from '../recorded/lettered.ts';

/** Orders of some of the letters that have these lengths. */
export function* arrangements(
  letters: readonly Letter[],
  extents: Extents,
  shape: readonly number[],
): Generator<readonly Letter[]> {
  const [first, ...rest] = shape;
  if (first === undefined) return yield [];
  for (const letter of letters) {
    if (extents[letter] !== first) continue;
    const others = letters.filter((each) => each !== letter);
    for (const inner of arrangements(others, extents, rest)) yield [letter, ...inner];
  }
}

/** What is seen along these letters; null where it depends on others. */
export function along(
  { letters, data }: Lettered,
  extents: Extents,
  some: readonly Letter[],
): Float64Array | null {
  const where = offsetsIn(letters, some, extents);
  const found = new Float64Array(sizeOf(lengthsOf(some, extents))).fill(NaN);
  for (let n = 0; n < data.length; n++) {
    const at = where[n];
    if (!Number.isNaN(found[at]) && found[at] !== data[n]) return null;
    found[at] = data[n];
  }
  return found;
}

/** How hidden and seen are written: 0 and 1, the other way round, or to be added; null where it is none. */
export function writingOf(
  data: Float64Array,
  seen: Float64Array,
): readonly [number, number] | null {
  const valueOf = (wanted: number): number => data[seen.indexOf(wanted)];
  const [hidden, shown] = [valueOf(0), valueOf(1)];
  const fits = data.every((value, n) => value === (seen[n] === 1 ? shown : hidden));
  return fits && hidden !== undefined && shown !== undefined ? [hidden, shown] : null;
}

function isOfTwo(data: Float64Array): boolean {
  const [first] = data;
  const other = data.find((value) => value !== first);
  return other !== undefined && data.every((value) => value === first || value === other);
}

/** Whether a tensor of two different numbers hides just what is hidden, or shows just that. */
export function isMaskOf({ shape, data }: Tensor, { visible, graph }: Catalogue): boolean {
  if (!visible || shape.length < 2 || !isOfTwo(data)) return false;
  const long = shape.filter((length) => length > 1);
  for (const letters of arrangements(visible.letters, graph.extents, long)) {
    const seen = along(visible, graph.extents, letters);
    if (seen && writingOf(data, seen)) return true;
  }
  return false;
}

/** Whether a query sees no key: a plain softmax gives NaN there, and what is made of that differs between programs. */
export function hasBlindQuery({ visible, graph: { extents } }: Catalogue): boolean {
  if (!visible || !visible.letters.includes('i')) return false;
  const queries = visible.letters.filter((letter) => letter !== 'i');
  const rows = offsetsIn(visible.letters, queries, extents);
  const seeing = new Set<number>();
  visible.data.forEach((seen, at) => {
    if (seen !== 0) seeing.add(rows[at]);
  });
  return rows.some((row) => !seeing.has(row));
}
