// Logits that are right but for which of them are hidden.
import { strides, type Tensor } from '../../engine/tensor.ts';
import type { Alignment } from '../align.ts';
import type { Catalogue } from '../catalogue.ts';
import { handedOn } from '../flow.ts';
import { offsetsIn } from '../lettered.ts';
import type { Field, Suspect } from '../suspects.ts';
import { type Blame, MASKED, originOf } from './common.ts';

/** Sources that are masks, through other names and through what tells nothing. */
function masksOf(field: Field, id: number): number[] {
  const { observed, flow } = field;
  const found: number[] = [];
  const seen = new Set<number>();
  const queue = [...flow.sources[id]];
  for (const source of queue) {
    if (seen.has(source)) continue;
    seen.add(source);
    const { standing, isMask, event } = observed[source];
    if (standing !== 'neutral') continue;
    const isWritten = event.how === 'write' && event.dtype !== 'bool';
    if ((isMask && !isCounting(field, source)) || isWritten) found.push(source);
    queue.push(...flow.sources[source]);
  }
  return found;
}

/** Positions of tokens, which are nought and one in the first tile alone. */
function isCounting({ observed, recording: { events } }: Field, id: number): boolean {
  const { dtype, statement, name } = events[id];
  if (!/^u?int\d+$/.test(dtype)) return false;
  return observed.some(
    ({ event, isMask }) => event.statement === statement && event.name === name && !isMask,
  );
}

/** The event that was computed, of one that is handed on: also where it comes out like one of what it joins. */
function joinOf(field: Field, id: number): number {
  const { recording, observed } = field;
  for (let at = id; ;) {
    const from = handedOn(recording, recording.events[at]);
    if (from === null || joinedIn(recording, observed, at).length > 1) return at;
    at = from;
  }
}

/** The earliest of the masks that a mask was made from which hides other keys than it should; null if itself does not. */
function originOfMask(
  field: Field,
  masks: readonly number[],
  isWrong: (id: number) => boolean,
): number | null {
  const { events } = field.recording;
  // Of an array that was written the last version counts.
  const isLast = (id: number): boolean =>
    !masks.some(
      (other) => events[other].alias === id && /^(write|update)$/.test(events[other].how),
    );
  const wrong = masks.filter((id) => isLast(id) && isWrong(id)).sort((a, b) => a - b);
  if (wrong.length === 0) return null;
  const origin = joinOf(field, wrong[0]);
  // Of what is joined the one that hides nothing.
  const empty = joinedIn(field.recording, field.observed, origin);
  const plain = empty.find((id) => isPlain(field.recording.tensor(id)));
  return empty.length > 1 && plain !== undefined ? originOf(field, plain) : origin;
}

/** For each entry of a tensor that is aligned so, its offset among all entries with the letters `inner`. */
function offsetsOf(
  { axes, ranges, entry }: Alignment,
  shape: readonly number[],
  inner: readonly string[],
  extents: Readonly<Record<string, number>>,
): Int32Array {
  const steps = new Map<string, number>();
  let stride = 1;
  for (const letter of [...inner].reverse()) {
    steps.set(letter, stride);
    stride *= extents[letter];
  }
  const stepOf = (letter: string): number => steps.get(letter) ?? 0;
  let base = 0;
  const along = new Set(axes.flat());
  for (const letter of entry.letters) {
    const { start } = ranges.get(letter)!;
    if (!along.has(letter)) base += start * stepOf(letter);
  }
  const perAxis = shape.map((length, axis) =>
    Int32Array.from({ length }, (_, n) => {
      let rest = n;
      let offset = 0;
      for (const letter of [...axes[axis]].reverse()) {
        const { start, step, count } = ranges.get(letter)!;
        offset += (start + (rest % count) * step) * stepOf(letter);
        rest = Math.floor(rest / count);
      }
      return offset;
    }),
  );
  let all = Int32Array.of(base);
  for (const table of perAxis) {
    const next = new Int32Array(all.length * table.length);
    all.forEach((value, at) => {
      for (let n = 0; n < table.length; n++) next[at * table.length + n] = value + table[n];
    });
    all = next;
  }
  return all;
}

/** Logits that are right but for which of them are hidden: the mask is to blame, unless it is right. */
export function wrongMask(field: Field, { event }: Suspect): Blame | null {
  const { recording, observed, flow, catalogue } = field;
  const { visible, parts } = catalogue;
  const tensor = recording.tensor(event);
  if (!tensor || !tensor.data.some((value) => value <= MASKED)) return null;
  const sources = flow.sources[event].flatMap((source) =>
    observed[source].standing === 'neutral' ? [source, ...flow.sources[source]] : [source],
  );
  for (const source of sources) {
    const scores = observed[source].found.find(({ entry }) => /^v:[SZM]$/.test(entry.key));
    const before = recording.tensor(source);
    if (!scores || !before || before.data.length !== tensor.data.length) continue;
    const { shape } = recording.events[source];
    const where = visible ? offsetsOf(scores, shape, visible.letters, parts.extents) : null;
    const shouldBe = Uint8Array.from(tensor.data, (_, at) =>
      where ? visible!.data[where[at]] : 1,
    );
    let isOther = false;
    for (let at = 0; at < tensor.data.length; at++) {
      const isSeen = tensor.data[at] > MASKED;
      if (isSeen !== (shouldBe[at] === 1)) isOther = true;
      if (isSeen && shouldBe[at] === 1 && tensor.data[at] !== before.data[at]) return null;
    }
    if (!isOther) return null;
    const masks = masksOf(field, event);
    const isWrong = (id: number): boolean => {
      const mask = recording.tensor(id);
      if (!hidesOther(mask, shouldBe, shape) || isPlain(mask)) return false;
      return !isPadding(mask, catalogue) && !isIngredient(field, id, masks, shouldBe, shape);
    };
    const origin = originOfMask(field, masks, isWrong);
    return { event: origin ?? event, note: 'the mask hides other keys than it should' };
  }
  return null;
}

/**
 * Whether a mask is one of several that are joined into one, and hides nothing that should be seen: what it does not hide
 * is left to the others. `x & y` of what may be seen, `x | y` of what is hidden.
 */
function isIngredient(
  { recording, flow, observed }: Field,
  id: number,
  masks: readonly number[],
  shouldBe: Uint8Array,
  shape: readonly number[],
): boolean {
  const isJoined = flow.users[id].some(
    (user) => masks.includes(user) && joinedIn(recording, observed, user).length > 1,
  );
  const seen = isJoined ? seenBy(recording.tensor(id), shape) : null;
  if (!seen) return false;
  const hides = (isSeen: boolean): boolean =>
    seen.every((each, at) => (each === 1) === isSeen || shouldBe[at] === 0);
  return hides(true) || hides(false);
}

/** The masks that a statement read to make another one. */
const joinedIn = (
  { events }: Field['recording'],
  observed: Field['observed'],
  id: number,
): number[] =>
  events[id].reads.filter(
    (read) =>
      observed[read].isMask || (events[read].dtype === 'bool' && events[read].shape.length > 0),
  );

/** A mask broadcast to `shape`, 1 where it is set; null where it does not fit. */
function seenBy(mask: Tensor | null, shape: readonly number[]): Uint8Array | null {
  if (!mask || mask.shape.length > shape.length) return null;
  const full = shape.map((_, axis) => mask.shape[axis - (shape.length - mask.shape.length)] ?? 1);
  if (full.some((length, axis) => length !== 1 && length < shape[axis])) return null;
  const steps = strides(full);
  const size = shape.reduce((total, length) => total * length, 1);
  return Uint8Array.from({ length: size }, (_, at) => {
    let [rest, from] = [at, 0];
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      if (full[axis] !== 1) from += (rest % shape[axis]) * steps[axis];
      rest = Math.floor(rest / shape[axis]);
    }
    return mask.data[from] !== 0 ? 1 : 0;
  });
}

/** Nothing but ones or zeros, of which masks are cut. */
const isPlain = (mask: Tensor | null): boolean =>
  mask?.data.every((value) => value === mask.data[0]) ?? false;

/** Whether a mask of 0 and 1 is neither `shouldBe` nor its complement, under NumPy's broadcasting. */
function hidesOther(mask: Tensor | null, shouldBe: Uint8Array, shape: readonly number[]): boolean {
  if (!mask || mask.data.length < 2) return false;
  const seen = seenBy(mask, shape);
  if (!seen) return true;
  return (
    seen.some((each, at) => each !== shouldBe[at]) && seen.some((each, at) => each === shouldBe[at])
  );
}

/** Whether a mask tells, of some letters, which keys are seen: keys of each sequence, keys alone. */
function isPadding(mask: Tensor | null, { visible, parts }: Catalogue): boolean {
  if (!mask || !visible) return false;
  const { letters, data } = visible;
  const shape = mask.shape.filter((length) => length !== 1);
  const chosen: string[] = [];
  const matches = (): boolean => {
    const fold = offsetsIn(letters, chosen, parts.extents);
    const seen = new Uint8Array(mask.data.length);
    data.forEach((value, at) => {
      if (value) seen[fold[at]] = 1;
    });
    const same = mask.data.every((value, at) => (value !== 0) === (seen[at] === 1));
    return same || mask.data.every((value, at) => (value !== 0) !== (seen[at] === 1));
  };
  const choose = (axis: number): boolean =>
    axis === shape.length
      ? matches()
      : letters.some((letter) => {
          if (chosen.includes(letter) || parts.extents[letter] !== shape[axis]) return false;
          chosen[axis] = letter;
          const found = choose(axis + 1);
          chosen.length = axis;
          return found;
        });
  return choose(0);
}
