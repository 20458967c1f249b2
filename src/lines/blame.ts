// Whose fault a wrong result is: its own statement's, or that of an operand which is not what it is taken for.
import { strides, type Tensor } from '../engine/tensor.ts';
import type { Alignment, Range } from './align.ts';
import { handedOn } from './flow.ts';
import type { Field, Suspect } from './suspects.ts';

export interface Blame {
  readonly event: number;
  readonly note: string;
}

/** Weighs nothing in a softmax. */
const MASKED = -50;

export function blameOf(field: Field, suspect: Suspect): Blame {
  return (
    wrongMask(field, suspect) ?? staleOperand(field, suspect) ?? { event: suspect.event, note: '' }
  );
}

/** The event that was computed, of one that is handed on. */
function originOf({ recording }: Field, id: number): number {
  let at = id;
  for (let from = handedOn(recording, recording.events[at]); from !== null; ) {
    at = from;
    from = handedOn(recording, recording.events[at]);
  }
  return at;
}

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
    const isHiding = event.how === 'write' && event.dtype !== 'bool';
    if (isMask || isHiding) found.push(source);
    queue.push(...flow.sources[source]);
  }
  return found;
}

/** The earliest of the masks that a mask was made from which hides other keys than it should; null if itself does not. */
function originOfMask(field: Field, masks: readonly number[], isWrong: (id: number) => boolean): number | null {
  const wrong = masks.filter(isWrong).sort((a, b) => a - b);
  return wrong.length > 0 ? originOf(field, wrong[0]) : null;
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
function wrongMask(field: Field, { event }: Suspect): Blame | null {
  const { recording, observed, flow, catalogue } = field;
  const { visible, parts } = catalogue;
  const tensor = recording.tensor(event);
  if (!tensor || !tensor.data.some((value) => value <= MASKED)) return null;
  for (const source of flow.sources[event]) {
    const scores = observed[source].found.find(({ entry }) => /^v:[SZM]$/.test(entry.key));
    const before = recording.tensor(source);
    if (!scores || !before || before.data.length !== tensor.data.length) continue;
    const { shape } = recording.events[source];
    const where = visible ? offsetsOf(scores, shape, visible.letters, parts.extents) : null;
    const shouldBe = Uint8Array.from(tensor.data, (_, at) => (where ? visible!.data[where[at]] : 1));
    let isOther = false;
    for (let at = 0; at < tensor.data.length; at++) {
      const isSeen = tensor.data[at] > MASKED;
      if (isSeen !== (shouldBe[at] === 1)) isOther = true;
      if (isSeen && shouldBe[at] === 1 && tensor.data[at] !== before.data[at]) return null;
    }
    if (!isOther) return null;
    const masks = masksOf(field, event);
    const isWrong = (id: number): boolean => hidesOther(recording.tensor(id), shouldBe, shape);
    const origin = originOfMask(field, masks, isWrong);
    return { event: origin ?? event, note: 'the mask hides other keys than it should' };
  }
  return null;
}

/** Whether a mask of 0 and 1 is neither `shouldBe` nor its complement, under NumPy's broadcasting. */
function hidesOther(mask: Tensor | null, shouldBe: Uint8Array, shape: readonly number[]): boolean {
  if (!mask || mask.data.length < 2) return false;
  const full = Array.from({ length: shape.length }, (_, axis) => {
    const own = axis - (shape.length - mask.shape.length);
    return own < 0 ? 1 : mask.shape[own];
  });
  // Parts of what was made for longer inputs are taken from its beginning.
  if (mask.shape.length > shape.length || full.some((length, axis) => length !== 1 && length < shape[axis]))
    return true;
  const steps = strides(full);
  let [isSame, isComplement] = [true, true];
  for (let at = 0; at < shouldBe.length; at++) {
    let rest = at;
    let from = 0;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      if (full[axis] !== 1) from += (rest % shape[axis]) * steps[axis];
      rest = Math.floor(rest / shape[axis]);
    }
    const isSet = mask.data[from] !== 0;
    if (isSet !== (shouldBe[at] === 1)) isSame = false;
    if (isSet === (shouldBe[at] === 1)) isComplement = false;
  }
  return !isSame && !isComplement;
}

const LOOPED = /^[bhrgij]$/;

function fixedLetters({ found: [best] }: Field['observed'][number]): Map<string, number> {
  const fixed = new Map<string, number>();
  if (!best) return fixed;
  best.entry.letters.forEach((letter, n) => {
    const range: Range = best.ranges.get(letter)!;
    if (LOOPED.test(letter) && range.count === 1 && best.entry.lengths[n] > 1)
      fixed.set(letter, range.start);
  });
  return fixed;
}

/** An operand of another head or sequence than the rest, the same as in the iteration before: it was not updated. */
function staleOperand(field: Field, { event }: Suspect): Blame | null {
  const { recording, observed, flow } = field;
  const { events } = recording;
  const sources = flow.sources[event].filter((source) => observed[source].standing === 'right');
  for (const letter of ['h', 'r', 'g', 'b', 'j', 'i']) {
    const places = sources.flatMap((source) => {
      const value = fixedLetters(observed[source]).get(letter);
      return value === undefined ? [] : [{ source, value }];
    });
    if (new Set(places.map(({ value }) => value)).size < 2) continue;
    for (const { source, value } of places) {
      const own = events[source];
      if (own.loops.length === 0 || handedOn(recording, own) !== null) continue;
      const isRepeated = events.some(
        (other) =>
          other.id < source &&
          other.statement === own.statement &&
          other.name === own.name &&
          other.frame === own.frame &&
          other.loops.join() !== own.loops.join() &&
          fixedLetters(observed[other.id]).get(letter) === value,
      );
      if (!isRepeated) continue;
      const what = { b: 'sequence', i: 'key', j: 'query' }[letter] ?? 'head';
      return { event: source, note: `${own.name} is that of ${what} ${value}, as in an earlier iteration` };
    }
  }
  return null;
}
