// Whose fault a wrong result is: its own statement's, or that of an operand which is not what it is taken for.
import { offsetsIn } from './lettered.ts';
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
    const isHidden = event.how === 'write' && event.dtype !== 'bool';
    if (isMask || isHidden) found.push(originOf(field, source));
    else queue.push(...flow.sources[source]);
  }
  return found;
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

/** Logits that are right but for which of them are hidden: the mask is to blame. */
function wrongMask(field: Field, { event }: Suspect): Blame | null {
  const { recording, observed, flow, catalogue } = field;
  const { visible, parts } = catalogue;
  const tensor = recording.tensor(event);
  if (!tensor) return null;
  const hides = tensor.data.some((value) => value <= MASKED);
  for (const source of flow.sources[event]) {
    const scores = observed[source].found.find(({ entry }) => /^v:[SZM]$/.test(entry.key));
    const before = recording.tensor(source);
    if (!scores || !before || before.data.length !== tensor.data.length) continue;
    const masks = masksOf(field, event);
    if (!hides && masks.length === 0) continue;
    const where = visible
      ? offsetsOf(scores, recording.events[source].shape, visible.letters, parts.extents)
      : null;
    let isOther = false;
    for (let at = 0; at < tensor.data.length; at++) {
      const isSeen = tensor.data[at] > MASKED;
      const shouldBe = where ? visible!.data[where[at]] === 1 : true;
      if (isSeen !== shouldBe) isOther = true;
      if (isSeen && shouldBe && tensor.data[at] !== before.data[at]) return null;
    }
    if (!isOther || !hides) return null;
    const note = 'the mask hides other keys than it should';
    return { event: masks[0] ?? event, note };
  }
  return null;
}

const LOOPED = /^[bhrg]$/;

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
  for (const letter of ['h', 'r', 'g', 'b']) {
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
      const what = letter === 'b' ? 'sequence' : 'head';
      return { event: source, note: `${own.name} is that of ${what} ${value}, as in an earlier iteration` };
    }
  }
  return null;
}

void offsetsIn;
