// Logits that are right but for which of them are hidden.
import { sameShape, type Tensor } from '../../../engine/tensor.ts';
import type { Alignment } from '../../align/align.ts';
import { BEFORE_MASK } from '../../forms/scores.ts';
import { handedOn } from '../../recorded/flow.ts';
import { offsetsInForm } from '../../recorded/gathered.ts';
import { isInteger } from '../../recorded/recording.ts';
import { type Field, operandsOf, type Suspect } from '../suspects.ts';
import { asWritten } from './asWritten.ts';
import { isPositions } from './candidates.ts';
import { type Blame, MASKED, originOf } from './common.ts';
import { foldOf, hidesOther, isPart, isPlain, keptIn, seenBy } from './maskParts.ts';
import { givingCall, wrongCall } from './calls.ts';

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
  const { statement, name } = events[id];
  if (!isInteger(events[id])) return false;
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

/** Which keys a tensor leaves in: of `before` some are hidden, or it is their weights; null where it is neither. */
function seenIn({ data, shape }: Tensor, before: Tensor): Uint8Array | null {
  if (data.length !== before.data.length) return null;
  if (data.some((value) => value <= MASKED))
    return Uint8Array.from(data, (value) => (value > MASKED ? 1 : 0));
  const seen = Uint8Array.from(data, (value) => (value > 0 ? 1 : 0));
  const width = shape.at(-1) ?? 1;
  if (data.some((value) => value < 0)) return null;
  const isOfTile = (): boolean =>
    [1, Math.LN2].some((base) => areShifted(data, before.data, width, base));
  return seen.includes(0) && (areWeights(data, before.data, seen, width) || isOfTile())
    ? seen
    : null;
}

/** Whether rows are the softmax of those of `logits` that are seen. */
function areWeights(
  data: Float64Array,
  logits: Float64Array,
  seen: Uint8Array,
  width: number,
): boolean {
  for (let start = 0; start < data.length; start += width) {
    let [peak, total] = [-Infinity, 0];
    for (let at = start; at < start + width; at++) if (seen[at]) peak = Math.max(peak, logits[at]);
    for (let at = start; at < start + width; at++)
      if (seen[at]) total += Math.exp(logits[at] - peak);
    for (let at = start; at < start + width; at++)
      if (seen[at] && Math.abs(data[at] - Math.exp(logits[at] - peak) / total) > NEAR) return false;
  }
  return true;
}

/** Whether what is seen of each row are exponentials of `logits` less one number: weights of some keys, as of a tile. */
function areShifted(
  data: Float64Array,
  logits: Float64Array,
  width: number,
  base: number,
): boolean {
  let compared = 0;
  for (let start = 0; start < data.length; start += width) {
    let shift = NaN;
    for (let at = start; at < start + width; at++) {
      if (data[at] === 0) continue;
      const own = logits[at] * base - Math.log(data[at]);
      if (Math.abs(own - shift) > NEAR) return false;
      if (!Number.isNaN(shift)) compared++;
      shift = own;
    }
  }
  return compared >= LEAST_COMPARED;
}

const LEAST_COMPARED = 2;

const NEAR = 1e-3;

/** Logits, or their weights, that are right but for which are hidden: the mask is to blame, unless it is right. */
export function wrongMask(field: Field, suspect: Suspect): Blame | null {
  const { event } = suspect;
  const { recording, observed, flow, catalogue } = field;
  const { visible, parts } = catalogue;
  const tensor = recording.tensor(event);
  if (!tensor || tensor.data.every((value) => value > MASKED && value !== 0)) return null;
  const sources = flow.sources[event].flatMap((source) =>
    observed[source].standing === 'neutral' ? [source, ...flow.sources[source]] : [source],
  );
  for (const source of sources) {
    const { found } = observed[source];
    const weights = found.find(({ entry }) => entry.title.endsWith(BEFORE_MASK));
    const scores = weights ?? found.find(({ entry }) => /^v:[SZM]$/.test(entry.key));
    const before = recording.tensor(source);
    if (!scores || !before) continue;
    const seen = weights ? keptIn(tensor, before) : seenIn(tensor, before);
    if (!seen) continue;
    const { shape } = recording.events[source];
    const where = visible ? offsetsOf(scores, shape, visible.letters, parts.extents) : null;
    const shouldBe = Uint8Array.from(tensor.data, (_, at) =>
      where ? visible!.data[where[at]] : 1,
    );
    const isOfLogits = tensor.data.some((value) => value <= MASKED);
    const isKept = (at: number): boolean => tensor.data[at] === before.data[at];
    if (isOfLogits && seen.some((each, at) => each && shouldBe[at] === 1 && !isKept(at)))
      return null;
    if (seen.every((each, at) => each === shouldBe[at])) return null;
    const masks = masksOf(field, event);
    const isWrong = (id: number): boolean => {
      const mask = recording.tensor(id);
      if (!mask || !hidesOther(mask, shouldBe, shape) || isPlain(mask)) return false;
      if (isPart(mask, shouldBe, shape, catalogue)) return false;
      return !isIngredient(field, id, masks, shouldBe, shape);
    };
    const origin = originOfMask(field, masks, isWrong);
    const note = 'the mask hides other keys than it should';
    const what = { note, node: isOfLogits ? parts.logits : 'P', kind: 'value' as const };
    const call = origin === null ? wrongCall(field, suspect) : null;
    const counted = origin === null ? countedAt(field, suspect) : null;
    if (counted && !(call && isOfArgument(field, counted.event))) return { ...counted, ...what };
    if (call) return { ...call, ...what };
    return { event: elsewhereRight(field, origin, isWrong) ?? origin ?? event, ...what };
  }
  return null;
}

/** Weights that were made again and never masked: what is hidden weighs in whatever takes them. */
export function unmaskedWeights(field: Field, { event }: Suspect): Blame | null {
  const { recording, observed, flow, catalogue } = field;
  if (masksOf(field, event).some((id) => !isPlain(recording.tensor(id)))) return null;
  for (const source of flow.sources[event]) {
    const weights = observed[source].found;
    const open = weights.find(({ entry }) => entry.title.endsWith(BEFORE_MASK));
    const isMasked = weights.some(({ entry }) => entry.key === 'v:P' && entry !== open?.entry);
    if (!open || isMasked || !catalogue.visible) continue;
    const note = 'the mask is missing: the weights of what it hides are not 0';
    return { event: originOf(field, source), note, node: 'P', kind: 'value' };
  }
  return null;
}

/** Scores of what is hidden that were made 0, which weigh as others do: they were multiplied by the mask. */
export function multipliedMask(field: Field, { event }: Suspect): Blame | null {
  const { recording, observed, flow, catalogue } = field;
  const { logits } = catalogue.parts;
  if (!catalogue.visible || logits !== 'M') return null;
  const queue = [event];
  for (const id of queue) {
    if (queue.length > MOST_LOOKED_AT) return null;
    const scores = observed[id].found.find(({ entry }) => entry.key === 'v:M' && entry.hidden);
    if (scores && isZeroWhereHidden(recording.tensor(id)!, scores)) {
      const origin = originOf(field, id);
      const isChanged = flow.sources[origin].some((source) => {
        const before = recording.tensor(source);
        const isScores = observed[source].found.some(({ entry }) => /^v:[SZ]$/.test(entry.key));
        const isAlike = before !== null && sameShape(before.shape, recording.events[id].shape);
        return isScores && isAlike && !isZeroWhereHidden(before, scores);
      });
      const note = 'what is hidden becomes 0 here, which weighs exp(0): −∞ belongs there';
      if (isChanged) return { event: origin, note, node: logits, kind: 'value' };
    }
    const isOnTheWay = (source: number): boolean =>
      !queue.includes(source) &&
      (observed[source].standing === 'off' ||
        observed[source].found.some(({ entry: { key } }) => /^v:[SZMP]$/.test(key)));
    queue.push(...flow.sources[id].filter(isOnTheWay));
  }
  return null;
}

const MOST_LOOKED_AT = 60;

/** Whether all that is hidden is 0, and there are several such. */
function isZeroWhereHidden({ data, shape }: Tensor, scores: Alignment): boolean {
  if (scores.axes.length !== shape.length) return false;
  const offsets = offsetsInForm(scores, shape);
  const hidden = [...data].filter((_, at) => scores.entry.hidden?.[offsets[at]] === 1);
  return hidden.length > 0 && hidden.every((value) => value === 0);
}

const MOST_RUNS = 8;

/** The positions that a mask is made of in the statement itself: of the first run that tells, where all is hidden none does. */
function countedAt(field: Field, suspect: Suspect): Blame | null {
  const { recording, observed, leads } = field;
  const own = recording.events[suspect.event];
  const runs = observed.filter(
    ({ event: { id, statement, name }, standing }) =>
      statement === own.statement && name === own.name && id >= own.id && standing === 'off',
  );
  for (const { event } of runs.slice(0, MOST_RUNS)) {
    if (operandsOf(field, leads, event.id) === null) continue;
    const found = asWritten(field, { ...suspect, event: event.id }, (operand) =>
      isPositions(field, operand),
    );
    if (found) return found;
  }
  return null;
}

/** Whether positions were counted from a number that the function was given. */
function isOfArgument({ recording: { events, statements } }: Field, id: number): boolean {
  const { frame, statement } = events[id];
  const { loads } = statements[statement];
  return events.some(
    ({ frame: its, how, value, name }) =>
      its === frame && how === 'argument' && value !== undefined && loads.includes(name),
  );
}

/** The call that gave something else to a function which makes a right mask when it is called from elsewhere. */
function elsewhereRight(
  field: Field,
  origin: number | null,
  isWrong: (id: number) => boolean,
): number | null {
  const { events } = field.recording;
  if (origin === null || events[origin].frame === 0) return null;
  const { statement, name, frame, shape } = events[origin];
  const isRight = events.some(
    (each) =>
      each.statement === statement &&
      each.name === name &&
      each.frame !== frame &&
      each.shape.join() === shape.join() &&
      !isWrong(each.id),
  );
  return isRight ? givingCall(field, frame) : null;
}

/**
 * Whether a mask is one of several that are joined into one, and hides nothing that should be seen: what it does not hide
 * is left to the others. `x & y` of what may be seen, `x | y` of what is hidden. Where all others are right in their part
 * it has to hide the rest.
 */
function isIngredient(
  { recording, flow, observed, catalogue }: Field,
  id: number,
  masks: readonly number[],
  shouldBe: Uint8Array,
  shape: readonly number[],
): boolean {
  const joins = flow.users[id].filter(
    (user) => masks.includes(user) && joinedIn(recording, observed, user).length > 1,
  );
  const seen = joins.length > 0 ? seenBy(recording.tensor(id), shape) : null;
  if (!seen) return false;
  const hides = (isSeen: boolean): boolean =>
    seen.every((each, at) => (each === 1) === isSeen || shouldBe[at] === 0);
  if (!hides(true) && !hides(false)) return false;
  return joins.every((join) => {
    const others = joinedIn(recording, observed, join).filter((other) => other !== id);
    const known = others.map((other) =>
      foldOf(recording.tensor(other), shouldBe, shape, catalogue),
    );
    if (known.some((fold) => fold === null)) return true;
    return shouldBe.every((wanted, at) => {
      const left = known.every((fold) => fold![at] === 1);
      return !left || (seen[at] === 1) === (hides(true) === (wanted === 1));
    });
  });
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
