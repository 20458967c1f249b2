// Versions of one array in time: what an in-place addition added, and whether two writes meet the same entries.
import { parseStatement } from '../expressions/parse.ts';
import { sizeOf, strides, type Tensor } from '../../engine/tensor.ts';
import type { Event, IndexPart, Recording } from './recording.ts';

/** Entries of a tensor that an index picks, as offsets in their order; null where it is not of whole numbers and slices. */
export function offsetsAt(
  shape: readonly number[],
  index: readonly IndexPart[],
): Int32Array | null {
  const steps = strides(shape);
  const lengths: number[] = [];
  const offsets: Int32Array[] = [];
  let base = 0;
  let axis = 0;
  for (const part of index) {
    if (part === null) continue;
    if (axis >= shape.length) return null;
    if (typeof part === 'number') {
      base += (part < 0 ? part + shape[axis] : part) * steps[axis];
    } else {
      const [start, stop, step] = part;
      const count = Math.max(0, Math.ceil((stop - start) / step));
      lengths.push(count);
      offsets.push(Int32Array.from({ length: count }, (_, n) => (start + n * step) * steps[axis]));
    }
    axis++;
  }
  for (; axis < shape.length; axis++) {
    lengths.push(shape[axis]);
    offsets.push(Int32Array.from({ length: shape[axis] }, (_, n) => n * steps[axis]));
  }
  const places = new Int32Array(sizeOf(lengths));
  let at = 0;
  const walk = (depth: number, where: number): void => {
    if (depth === offsets.length) {
      places[at++] = where;
      return;
    }
    for (const offset of offsets[depth]) walk(depth + 1, where + offset);
  };
  walk(0, base);
  return places;
}

/** The statement adds to what it writes: `x += a`, `x -= a`, `x = x + a`. */
function summedWith(recording: Recording, event: Event): Event | null {
  const { kind, text } = recording.statements[event.statement];
  if (kind === 'augmented') return /[^*/@%]\s*[+-]=/.test(text) ? event : null;
  if (kind !== 'assign' || event.how !== 'bind') return null;
  // Twice what was there is that and itself again.
  const value = parseStatement(text)?.value;
  if (value?.kind === 'binary' && !/^[+-]$/.test(value.operator)) return null;
  const previous = event.reads
    .map((read) => recording.events[read])
    .find(({ name, frame }) => name === event.name && frame === event.frame);
  return previous ?? null;
}

/** What the program's arrays hold, replayed event by event: so it is known what an in-place statement found. */
export class Arrays {
  readonly #recording: Recording;
  /** The first event of each array. */
  readonly #roots: Int32Array;
  readonly #contents = new Map<number, { shape: readonly number[]; data: Float64Array } | null>();

  constructor(recording: Recording) {
    this.#recording = recording;
    this.#roots = new Int32Array(recording.events.length);
  }

  /**
   * Takes the next event; returns what it added to the earlier content of its array, or null where it did not add or that
   * is not known. Events are to be taken in their order.
   */
  take(event: Event): Tensor | null {
    const { id, alias, how, index } = event;
    const { events } = this.#recording;
    const isSame = alias !== undefined && (how !== 'bind' || event.same !== undefined);
    const root = isSame ? this.#roots[alias] : id;
    this.#roots[id] = root;
    const isInPlace = how === 'write' || how === 'update' || how === 'loop-end';
    const summed = summedWith(this.#recording, event);
    if (!isInPlace) {
      if (!summed || summed === event) return null;
      const [own, old] = [this.#recording.tensor(id), this.#recording.tensor(summed.id)];
      return own && old && difference(own, old.data);
    }
    const tensor = this.#recording.tensor(id);
    const before = this.#content(root, events[root]);
    if (!tensor || !before) {
      this.#contents.set(root, how === 'write' || !tensor ? null : copy(tensor));
      return null;
    }
    if (how !== 'write') {
      const change = summed === event ? difference(tensor, before.data) : null;
      if (before.data.length === tensor.data.length) before.data.set(tensor.data);
      else this.#contents.set(root, copy(tensor));
      return change;
    }
    const where = index === undefined || index === 'fancy' ? null : offsetsAt(before.shape, index);
    if (!where || where.length !== tensor.data.length) {
      this.#contents.set(root, null);
      return null;
    }
    const old = Float64Array.from(where, (at) => before.data[at]);
    where.forEach((at, n) => (before.data[at] = tensor.data[n]));
    return summed === event ? difference(tensor, old) : null;
  }

  /** The first event of an event’s array. Of events that were taken. */
  rootOf(event: number): number {
    return this.#roots[event];
  }

  #content(root: number, event: Event): { shape: readonly number[]; data: Float64Array } | null {
    const known = this.#contents.get(root);
    if (known !== undefined) return known;
    const tensor = event.how === 'write' ? null : this.#recording.tensor(root);
    const content = tensor && copy(tensor);
    this.#contents.set(root, content);
    return content;
  }
}

const copy = ({ shape, data }: Tensor): Tensor => ({ shape, data: data.slice() });

function difference({ shape, data }: Tensor, old: Float64Array): Tensor | null {
  if (data.length !== old.length) return null;
  return { shape, data: data.map((value, at) => value - old[at]) };
}
