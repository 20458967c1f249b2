// The distinct tensors of a recording, each with the events that show it; pieces of loops and lists side by side.
import { sizeOf, type Tensor } from '../../../engine/tensor.ts';
import type { Event, Recording } from '../../recorded/recording.ts';
import { Iterated } from '../../recorded/iterated.ts';
import { EPSILON, isEntry, isSizeOf, type Kind, kindOf } from './eventKinds.ts';
import { gridOf, isFilled, sideBySide } from './filled.ts';
import { contentKey, eventsByName, group, isGradient } from './keys.ts';
import { isPartOf, takesShapesAlone } from './memory.ts';
import { isDrawn, SCALED_IN_PLACE } from './drawn.ts';
import { takenFrom } from './taken.ts';
import { Work } from './work.ts';

/** Largest tensor and largest number of pieces that are looked into. */
const LARGEST = 2 ** 22;
const PIECES = 1024;

export interface Value {
  readonly id: number;
  /** Of a stack: the lengths of its grid in front of the pieces' shape; ragged pieces end in NaN. */
  readonly tensor: Tensor;
  /** The events that made it: one, or of a stack one for each piece. */
  readonly parts: readonly Event[];
  /** Lengths of the grid of pieces; empty where it is no stack. */
  readonly grid: readonly number[];
  /** All events of this content, earliest first. */
  readonly events: Event[];
  /** Number of the earliest event, or of the last piece of it; of a parameter, which is found at the end, before all. */
  time: number;
  readonly kind: Kind;
  /** Relative error that its number type brings with it. */
  readonly eps: number;
  /** Computed here, as the program may have done inside of an expression; nowhere recorded. */
  readonly isVirtual: boolean;
  /** Of a virtual value that is part of another: where each of its entries lies there. */
  readonly view?: { readonly of: Value; readonly places: Int32Array };
  /** What a virtual value was computed from. */
  readonly from: readonly Value[];
  /** Of a flat buffer that is read as a matrix: the buffer. */
  readonly flat?: Value;
}

/** Zeros make zeros of anything. */
export const isBlank = ({ tensor: { data } }: Value): boolean => data.every((each) => each === 0);

export { isGradient };

export class Values {
  readonly recording: Recording;
  readonly all: Value[] = [];
  /** How many of them are flat buffers with axes. */
  shaped = 0;
  readonly numbers: Event[] = [];
  readonly #byContent = new Map<string, Value[]>();
  readonly #ofEvent = new Map<number, Value>();
  readonly #writes = new Map<string, Event[]>();
  readonly #ancestors = new Map<number, ReadonlySet<number>>();
  readonly #sources = new Map<number, readonly Event[]>();
  readonly #leaves = new Map<number, boolean>();
  readonly #readBy = new Map<string, ReadonlySet<number>>();
  #named?: ReadonlyMap<string, readonly number[]>;

  readonly #iterated: Iterated;
  readonly work: Work;

  constructor(
    recording: Recording,
    within: (event: Event) => boolean = () => true,
    work = new Work(),
  ) {
    this.recording = recording;
    this.work = work;
    this.#iterated = new Iterated(recording);
    const groups = new Map<string, Event[]>();
    for (const event of recording.events) {
      if (!within(event)) continue;
      if (event.how === 'write') {
        const key = `${event.frame} ${event.name.replace(/\[[^[\]]*\]$/, '')}`;
        const writes = this.#writes.get(key);
        if (writes) writes.push(event);
        else this.#writes.set(key, [event]);
      }
      const size = sizeOf(event.shape);
      if (event.shape.length === 0 || size <= 1) {
        if (event.value !== undefined || size === 1) this.numbers.push(event);
        if (event.shape.length === 0) {
          if (isEntry(event)) group(groups, event);
          continue;
        }
      }
      if (size < 1 || size > LARGEST) continue;
      if (event.how !== 'expression') group(groups, event);
      this.#add(event);
    }
    for (const events of groups.values()) this.#stack(events);
  }

  ofEvent(id: number): Value | undefined {
    return this.#ofEvent.get(id);
  }

  #add(event: Event): void {
    const tensor = this.recording.tensor(event.id);
    if (!tensor) return;
    const value = this.#known(tensor) ?? this.#make(tensor, [event], []);
    value.events.push(event);
    this.#ofEvent.set(event.id, value);
  }

  #known(tensor: Tensor): Value | undefined {
    return this.#byContent
      .get(contentKey(tensor))
      ?.find(({ tensor: other }) => other.data.every((x, n) => Object.is(x, tensor.data[n])));
  }

  #make(tensor: Tensor, parts: readonly Event[], grid: readonly number[]): Value {
    const isParameter = parts.every(({ how, name }) => how === 'leaf' && !name.endsWith('.grad'));
    const value: Value = {
      id: this.all.length,
      tensor,
      parts,
      grid,
      events: [],
      time: isParameter ? -1 : parts[parts.length - 1].id,
      kind: kindOf(parts[0].dtype),
      eps: EPSILON[parts[0].dtype] ?? 1e-9,
      isVirtual: false,
      from: [],
    };
    this.all.push(value);
    const key = contentKey(tensor);
    this.#byContent.set(key, [...(this.#byContent.get(key) ?? []), value]);
    return value;
  }

  /** Puts the pieces of one statement side by side: of a loop's iterations, a list's elements, several calls. */
  #stack(events: readonly Event[]): void {
    if (events.length < 2 || events.length > PIECES) return;
    if (isEntry(events[0])) return this.#stackEntries(events);
    const pieces = events.map(({ id }) => this.recording.tensor(id));
    if (pieces.some((piece) => piece === null)) return;
    // A call that only repeats another.
    const contents = new Set(events.map(({ id }) => this.#ofEvent.get(id)));
    if (contents.size === 1 && !contents.has(undefined)) return;
    if (events[0].how === 'update' && isFilled(pieces.at(-2) as Tensor, pieces.at(-1) as Tensor))
      return;
    const tensor = sideBySide(pieces as Tensor[]);
    if (!tensor || tensor.data.length > LARGEST) return;
    const grid = gridOf(events);
    const shape = [...grid, ...tensor.shape.slice(1)];
    const stacked = { shape, data: tensor.data };
    const whole = this.#known(stacked);
    // An array that a loop fills is there as a whole when the loop is over, and each part of it is read before.
    const made = whole ?? this.#make(stacked, events, grid);
    if (!whole) made.events.push(...events);
    // Pieces are there before they are bound once more, as by a backward pass.
    const last = Math.max(...events.map(({ id }) => this.#ofEvent.get(id)?.time ?? id));
    made.time = Math.min(made.time, last);
  }

  /** Puts numbers that loops in each other computed where they belong: such as each query's score of each key. */
  #stackEntries(events: readonly Event[]): void {
    const grid = gridOf(events);
    const data = Float64Array.from(
      events,
      ({ id, value }) => value ?? this.recording.tensor(id)?.data[0] ?? NaN,
    );
    const stacked = { shape: grid, data };
    if (grid.length < 2 || data.some(Number.isNaN) || new Set(data).size < 3) return;
    if (this.#known(stacked)) return;
    const value = this.#make(stacked, events, grid);
    value.events.push(...events);
    for (const { id } of events) this.#ofEvent.set(id, value);
  }

  /** Adds a tensor that the program does not show; it is taken to be made where the latest of `from` was. */
  addVirtual(tensor: Tensor, from: readonly Value[], view?: Value['view']): Value | null {
    if (tensor.data.length > LARGEST) return null;
    const latest = from.reduce((a, b) => (a.time > b.time ? a : b));
    const known = this.#known(tensor);
    if (known) {
      // What is bound only when it is computed once more, as in a backward pass.
      known.time = Math.min(known.time, latest.time + 0.5);
      return known;
    }
    const value = {
      ...{ id: this.all.length, tensor, parts: latest.parts, grid: [], events: [] },
      ...{ time: latest.time + 0.5, kind: 'float' as const, isVirtual: true, from },
      eps: Math.max(...from.map(({ eps }) => eps)),
      ...(view && { view }),
    };
    this.all.push(value);
    this.#byContent.set(contentKey(tensor), [
      value,
      ...(this.#byContent.get(contentKey(tensor)) ?? []),
    ]);
    this.#ancestors.set(
      value.id,
      new Set(from.flatMap((each) => [each.id, ...this.ancestors(each)])),
    );
    return value;
  }

  /** Adds a flat buffer with the axes that its entries have in their order. */
  addShaped(flat: Value, shape: readonly number[]): void {
    const tensor = { shape, data: flat.tensor.data };
    // What is a view of a part has no place of its own in the recording.
    const known = this.#known(tensor);
    if (known && !known.isVirtual) return;
    this.shaped++;
    const value = { ...flat, id: this.all.length, tensor, flat };
    this.all.push(value);
    this.#byContent.set(contentKey(tensor), [value]);
  }

  /** Whether a statement that matches the pattern reads the value. */
  isReadBy(value: Value, pattern: RegExp): boolean {
    const key = String(pattern);
    const read = this.#readBy.get(key) ?? this.#allReadBy(pattern);
    this.#readBy.set(key, read);
    return value.events.some(({ id }) => read.has(id));
  }

  #allReadBy(pattern: RegExp): Set<number> {
    const { events, statements } = this.recording;
    const matching = statements.map(({ text }) => pattern.test(text));
    return new Set(events.flatMap(({ reads, statement }) => (matching[statement] ? reads : [])));
  }

  /** Numbers of the values from which a value was computed, as far as is known. */
  ancestors(value: Value): ReadonlySet<number> {
    const known = this.#ancestors.get(value.id);
    if (known) return known;
    const found = this.ancestorsOf(value.parts, value);
    found.delete(value.id);
    this.#ancestors.set(value.id, found);
    return found;
  }

  /** Numbers of the values from which events, all those of `value` if one is given, were computed. */
  ancestorsOf(events: readonly Event[], value?: Value): Set<number> {
    const found = new Set<number>();
    const seen = new Set<number>();
    const queue = events.flatMap((event) => this.sources(event));
    for (let next = queue.pop(); next; next = queue.pop()) {
      if (seen.has(next.id)) continue;
      seen.add(next.id);
      const own = this.#ofEvent.get(next.id);
      if (own && own !== value) found.add(own.id);
      // What is known of a tensor that this event made is not looked for again.
      const before = own?.parts[0] === next ? this.#ancestors.get(own.id) : undefined;
      if (before && own?.parts.length === 1) for (const id of before) found.add(id);
      else queue.push(...this.sources(next));
    }
    return found;
  }

  /** Whether `value`, or a piece of it, was computed from `from` or a piece of it. */
  descends(value: Value, from: Value): boolean {
    const ancestors = this.ancestors(value);
    if (ancestors.has(from.id)) return true;
    if (from.isVirtual) return from.from.every((each) => this.descends(value, each));
    return from.parts.some((event) => {
      const own = this.#ofEvent.get(event.id);
      return own !== undefined && ancestors.has(own.id);
    });
  }

  /** The events that a statement read to make this one; of an array written in a loop those of all its writes. */
  sources(event: Event): readonly Event[] {
    const known = this.#sources.get(event.id);
    if (known) return known;
    const found = this.#findSources(event);
    this.#sources.set(event.id, found);
    return found;
  }

  #findSources(event: Event): Event[] {
    const { events, statements } = this.recording;
    const isMade = event.how === 'bind' && takesShapesAlone(statements[event.statement].text);
    const reads = isMade ? [] : [...event.reads, ...this.#readByName(event)];
    const ids = reads.filter((id) => !isSizeOf(event, events[id]));
    ids.push(...this.#iterated.of(event));
    if (event.alias !== undefined && event.alias < event.id) ids.push(event.alias);
    if (event.same !== undefined && event.same < event.id) ids.push(event.same);
    if (event.how === 'loop-end') {
      for (const each of this.#writes.get(`${event.frame} ${event.name}`) ?? [])
        ids.push(...this.#throughNumbers(each));
    }
    const read = ids.filter((id) => id !== event.id).map((id) => events[id]);
    return takenFrom(this.recording, event, read) ?? read;
  }

  /** What an entry was computed from, and what the single numbers among that were. */
  #throughNumbers({ reads }: Event): Iterable<number> {
    const { events } = this.recording;
    const found = new Set(reads);
    for (const id of found)
      if (events[id].shape.length === 0 && events[id].how !== 'write')
        for (const read of events[id].reads) if (read < id) found.add(read);
    return found;
  }

  /** What a call that fills an array of its arguments reads: `np.matmul(a, b, out=c)` is said to have read c alone. */
  #readByName({ id, how, statement, frame, name }: Event): number[] {
    const { statements, events } = this.recording;
    if (how !== 'update' || statements[statement].kind !== 'expression') return [];
    this.#named ??= eventsByName(events);
    const named = this.#named;
    return statements[statement].loads.flatMap((load) => {
      if (load === name) return [];
      const own = newestBefore(named.get(`${frame} ${load}`), id);
      const found = own ?? newestBefore(named.get(`0 ${load}`), id);
      return found === undefined ? [] : [found];
    });
  }

  /** Whether its own statement draws random numbers. */
  isRandom(value: Value): boolean {
    return value.parts.some(({ statement }) => isDrawn(this.recording.statements[statement].text));
  }

  /** Whether it is a leaf that was scaled where it is: `w.data.mul_(0.3)`, `w *= 0.3`. */
  isScaled({ parts }: Value): boolean {
    const { statements } = this.recording;
    return parts.every((event) => {
      if (event.how !== 'update' || !SCALED_IN_PLACE.test(statements[event.statement].text.trim()))
        return false;
      const sources = this.sources(event).filter(({ shape }) => shape.length > 0);
      return sources.every(({ id }) => {
        const own = this.ofEvent(id);
        return own !== undefined && event.reads.includes(id) && this.isLeaf(own);
      });
    });
  }

  /** Whether no other tensor was read to make it: drawn, written down or a parameter, scaled or not. */
  isLeaf(value: Value): boolean {
    const known = this.#leaves.get(value.id);
    if (known !== undefined) return known;
    const found = this.#isLeaf(value);
    this.#leaves.set(value.id, found);
    return found;
  }

  #isLeaf(value: Value): boolean {
    if (this.isScaled(value)) return true;
    return value.parts.every(
      (event) =>
        event.how === 'leaf' ||
        this.#isCarved(event) ||
        isDrawn(this.recording.statements[event.statement].text) ||
        this.sources(event).every(
          (source) =>
            source.shape.length === 0 ||
            kindOf(source.dtype) !== 'float' ||
            this.#isDrawnFor(source, event),
        ),
    );
  }

  /** Whether it is a part of one flat buffer that is a leaf, such as of all parameters. */
  #isCarved(event: Event): boolean {
    const own = this.recording.tensor(event.id)?.data;
    const read = this.sources(event).filter(({ shape }) => shape.length > 0);
    if (!own || own.length < 2 || event.how !== 'bind') return false;
    return read.some(({ id, shape }) => {
      const from = shape.length === 1 && shape[0] > own.length ? this.ofEvent(id) : undefined;
      if (!from || !this.isLeaf(from)) return false;
      return isPartOf(own, from.tensor.data);
    });
  }

  /** Whether a call in the statement itself gave leaves that it makes its own of: `w = draw(d, d) / 2`. */
  #isDrawnFor(source: Event, { id, shape }: Event): boolean {
    const value = source.how === 'return' ? this.ofEvent(source.id) : undefined;
    return (
      value !== undefined &&
      value !== this.ofEvent(id) &&
      sizeOf(source.shape) === sizeOf(shape) &&
      this.isLeaf(value)
    );
  }
}

const newestBefore = (ids: readonly number[] | undefined, before: number): number | undefined =>
  ids?.findLast((id) => id < before);
