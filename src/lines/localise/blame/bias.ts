// A table that is added to the scores, such as a relative position's bias, and is another than it should be.
import type { Letter } from '../../../engine/axes.ts';
import { hasNode } from '../../../engine/graph.ts';
import { strides, type Tensor } from '../../../engine/tensor.ts';
import type { Lettered } from '../../recorded/lettered.ts';
import { isInteger } from '../../recorded/recording.ts';
import { valueOf } from '../../forms/form.ts';
import type { Field, Suspect } from '../suspects.ts';
import { type Blame, originOf } from './common.ts';

/** What is added to the scores, NaN where the query may not see the key; null where nothing is. */
function biasOf({ catalogue: { graph, parts, config } }: Field): Lettered | null {
  if (config.alibi !== undefined || parts.logits !== 'M') return null;
  const { letters, data } = valueOf(parts, 'M');
  const before = valueOf(parts, hasNode(graph, 'Z') ? 'Z' : 'S').data;
  const bias = data.map((value, at) => (Number.isFinite(value) ? value - before[at] : NaN));
  return bias.some((value) => Math.abs(value) > 1e-9) ? { letters, data: bias } : null;
}

/** The part of the bias that an event's operands are of, as large as `shape`; null where it does not fit. */
function partOf(
  { catalogue, observed, flow }: Field,
  id: number,
  { letters, data }: Lettered,
  shape: readonly number[],
): Tensor | null {
  const { extents } = catalogue.parts;
  const fixed = new Map<Letter, number>();
  for (const source of flow.sources[id])
    for (const { ranges, entry } of observed[source].found.slice(0, 1))
      for (const [letter, { start, count }] of ranges)
        if (count === 1 && extents[letter] > 1 && entry.letters.includes(letter))
          fixed.set(letter, start);
  const open = letters.filter((letter) => !fixed.has(letter) && extents[letter] > 1);
  const kept = open.slice(Math.max(0, open.length - shape.length));
  if (kept.length !== shape.length || kept.some((letter, n) => extents[letter] !== shape[n]))
    return null;
  const steps = strides(letters.map((letter) => extents[letter]));
  const base = letters.reduce((sum, letter, n) => sum + (fixed.get(letter) ?? 0) * steps[n], 0);
  const own = strides(shape);
  const size = shape.reduce((total, length) => total * length, 1);
  const part = Float64Array.from({ length: size }, (_, at) =>
    kept.reduce(
      (where, letter, n) =>
        where + (Math.floor(at / own[n]) % shape[n]) * steps[letters.indexOf(letter)],
      base,
    ),
  ).map((where) => data[where]);
  return { shape, data: part };
}

const plain = (shape: readonly number[]): number[] => shape.filter((length) => length !== 1);

/** Tables are held to be alike up to this share of the largest entry: they may be of a narrow type. */
const NEAR = 1e-3;

function agrees(own: ArrayLike<number>, { data }: Tensor, at: (n: number) => number): boolean {
  const size = data.reduce((most, value) => Math.max(most, Math.abs(value) || 0), 0);
  return data.every(
    (value, n) => Number.isNaN(value) || Math.abs(own[at(n)] - value) <= NEAR * size,
  );
}

/** The offset of the entry with query and key exchanged; null where they are not as many. */
function exchange(shape: readonly number[]): ((n: number) => number) | null {
  const [rows, columns] = shape.slice(-2);
  if (shape.length < 2 || rows !== columns) return null;
  return (n) => {
    const inner = n % (rows * rows);
    return n - inner + (inner % rows) * rows + Math.floor(inner / rows);
  };
}

/** Whether entries that are alike in one are alike in the other: it can still be made of it. */
function isMadeOf({ shape, data }: Tensor, own: Tensor): boolean {
  const size = own.data.length;
  if (data.length % size !== 0 || plain(own.shape).length > shape.length) return true;
  for (let start = 0; start < data.length; start += size) {
    const known = new Map<number, number>();
    for (let n = 0; n < size; n++) {
      const value = data[start + n];
      if (Number.isNaN(value)) continue;
      const other = known.get(own.data[n]) ?? value;
      if (Math.abs(other - value) > NEAR * Math.max(Math.abs(other), Math.abs(value))) return false;
      known.set(own.data[n], other);
    }
  }
  return true;
}

/** Whether a table differs along each of its last two axes: of one axis alone positions are. */
function isOfPairs({ shape, data }: Tensor): boolean {
  const [rows = 1, columns = 1] = plain(shape).slice(-2);
  if (plain(shape).length < 2) return false;
  const at = (i: number, j: number): number => data[i * columns + j];
  let [down, across] = [false, false];
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < columns; j++) {
      if (at(i, j) !== at(0, j)) down = true;
      if (at(i, j) !== at(i, 0)) across = true;
    }
  return down && across;
}

/** What a table was made of, of no more than sizes and other tables, in the order of time. */
function madeOf({ observed, flow }: Field, table: number): number[] {
  const seen = new Set([table]);
  for (const id of seen)
    for (const source of flow.sources[id])
      if (/^(free|neutral)$/.test(observed[source].standing)) seen.add(source);
  return [...seen].sort((a, b) => a - b);
}

/** The statement that made a table that is added to right scores and is not what is to be added to them. */
export function wrongBias(field: Field, { event }: Suspect): Blame | null {
  const { recording, observed, flow } = field;
  const bias = biasOf(field);
  if (!bias) return null;
  for (const source of flow.sources[event]) {
    const tensor = recording.tensor(source);
    if (observed[source].standing !== 'free' || !tensor || !isOfPairs(tensor)) continue;
    const shape = plain(tensor.shape);
    const wanted = partOf(field, event, bias, shape);
    if (!wanted || agrees(tensor.data, wanted, (n) => n)) continue;
    const { name } = recording.events[source];
    const pairs = madeOf(field, source).filter((id) => {
      const own = recording.tensor(id);
      const isAsLarge = own && plain(own.shape).slice(-2).join() === shape.slice(-2).join();
      return isAsLarge && isOfPairs(own) && recording.events[id].how !== 'argument';
    });
    const exchanged = exchange(shape);
    if (exchanged && agrees(tensor.data, wanted, exchanged) && isLookedUp(field, source)) {
      const note = `${name} has the queries’ positions for the keys’ and the keys’ for the queries’`;
      const lookup = isTurned(field, source) ? originOf(field, source) : undefined;
      return { event: lookup ?? pairs[0] ?? source, note };
    }
    const lost = pairs.find((id) => !isMadeOf(wanted, recording.tensor(id)!));
    const index = pairs.findLast((id) => isInteger(recording.events[id]));
    const at = lost ?? (isLookedUp(field, source) ? index : undefined) ?? source;
    return { event: originOf(field, at), note: `${name} is not what is to be added to the scores` };
  }
  return null;
}

/** Whether a table's numbers were picked out of another one by whole numbers. */
function isLookedUp({ recording, flow }: Field, id: number): boolean {
  const own = recording.tensor(id);
  return flow.sources[id].some((source) => {
    const other = recording.tensor(source);
    if (!own || !other || /int|bool/.test(recording.events[source].dtype)) return false;
    const known = new Set(other.data);
    return other.data.length > 1 && own.data.every((value) => known.has(value));
  });
}

/** Whether a table (heads, queries, keys) has at each place the row of another place's number: it was looked up so. */
function isTurned({ recording, flow }: Field, id: number): boolean {
  const own = recording.tensor(id)!;
  const sources = flow.sources[id].map((source) => recording.tensor(source));
  const size = own.shape.slice(-2).reduce((total, length) => total * length, 1);
  const heads = own.data.length / size;
  const index = sources.find((each) => each?.data.length === size);
  const table = sources.find((each) => each && each !== index && each.shape.at(-1) === heads);
  if (!index || !table) return false;
  return own.data.some((value, at) => {
    const row = index.data[at % size];
    return value !== table.data[row * heads + Math.floor(at / size)];
  });
}
