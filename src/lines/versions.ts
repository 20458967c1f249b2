// Versions of one array in time: what an in-place addition added, and whether two writes meet the same entries.
import { sizeOf, strides, type Tensor } from '../engine/tensor.ts';
import type { Event, IndexPart, Recording } from './recording.ts';

/** The part of `whole` that an index picks; null where the index is not of whole numbers and slices. */
export function partAt(whole: Tensor, index: readonly IndexPart[]): Tensor | null {
  const steps = strides(whole.shape);
  const lengths: number[] = [];
  const offsets: Int32Array[] = [];
  let base = 0;
  let axis = 0;
  for (const part of index) {
    if (part === null) continue;
    if (axis >= whole.shape.length) return null;
    if (typeof part === 'number') {
      base += (part < 0 ? part + whole.shape[axis] : part) * steps[axis];
    } else {
      const [start, stop, step] = part;
      const count = Math.max(0, Math.ceil((stop - start) / step));
      lengths.push(count);
      offsets.push(Int32Array.from({ length: count }, (_, n) => (start + n * step) * steps[axis]));
    }
    axis++;
  }
  for (; axis < whole.shape.length; axis++) {
    lengths.push(whole.shape[axis]);
    offsets.push(Int32Array.from({ length: whole.shape[axis] }, (_, n) => n * steps[axis]));
  }
  const data = new Float64Array(sizeOf(lengths));
  let at = 0;
  const walk = (depth: number, where: number): void => {
    if (depth === offsets.length) {
      data[at++] = whole.data[where];
      return;
    }
    for (const offset of offsets[depth]) walk(depth + 1, where + offset);
  };
  walk(0, base);
  return { shape: lengths, data };
}

const sameIndex = (a: Event['index'], b: Event['index']): boolean =>
  a !== undefined && a !== 'fancy' && JSON.stringify(a) === JSON.stringify(b);

/** How many earlier versions are looked through for the one that had the same entries. */
const FAR = 4096;

/** Earlier versions of the array that `event` changed, the newest first. */
export function* earlierVersions({ events }: Recording, event: Event): Generator<Event> {
  let at = event.alias;
  for (let n = 0; at !== undefined && n < FAR; n++) {
    yield events[at];
    at = events[at].alias;
  }
}

/** What stood before where `event` wrote; null where that is not known. */
export function before(recording: Recording, event: Event): Tensor | null {
  const { index } = event;
  if (index === 'fancy') return null;
  for (const earlier of earlierVersions(recording, event)) {
    if (earlier.how === 'write') {
      if (index === undefined) return null;
      if (sameIndex(earlier.index, index)) return recording.tensor(earlier.id);
      continue;
    }
    const whole = recording.tensor(earlier.id);
    if (!whole) return null;
    return index === undefined ? whole : partAt(whole, index);
  }
  return null;
}

/** The statement adds to what it writes: `x += a`, `x -= a`, `x = x + a`. */
function isSum(recording: Recording, event: Event): Event | null {
  const { kind, text } = recording.statements[event.statement];
  if (kind === 'augmented') return /[^*/@%]\s*[+-]=/.test(text) ? event : null;
  if (kind !== 'assign' || event.how !== 'bind') return null;
  const previous = event.reads
    .map((read) => recording.events[read])
    .find(({ name, frame }) => name === event.name && frame === event.frame);
  return previous ?? null;
}

/** What `event` added to the earlier version of its array; null where it did not add or that version is unknown. */
export function increment(recording: Recording, event: Event): Tensor | null {
  const previous = isSum(recording, event);
  if (!previous) return null;
  const tensor = recording.tensor(event.id);
  const old = previous === event ? before(recording, event) : recording.tensor(previous.id);
  if (!tensor || !old || old.data.length !== tensor.data.length) return null;
  const data = tensor.data.map((value, at) => value - old.data[at]);
  return { shape: tensor.shape, data };
}
