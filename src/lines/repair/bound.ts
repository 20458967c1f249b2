// The setup of a right program in another run of it, with other numbers and sizes: each tensor of the setup is read from
// where the first run had it. Nothing is inferred, so that what is proven is the attention that was asked for.
import type { AxisLetters, Letter } from '../../engine/axes.ts';
import type { HeadConfig, WeightId } from '../../engine/config.ts';
import { nodeOf } from '../../engine/graph.ts';
import { sameShape, type Tensor } from '../../engine/tensor.ts';
import { type Alignment, isReordered, isWhole } from '../align/align.ts';
import type { Catalogue } from '../align/catalogue.ts';
import { eventKeys } from '../infer/entries/builder.ts';
import type { Event, Recording } from '../recorded/recording.ts';
import {
  type Cut,
  type Extents,
  joinedAxis,
  laidOut,
  ownAxes,
  readAs,
  sliced,
} from './boundLayouts.ts';
import { constantsOf, lossesAt, lossWith } from './boundLoss.ts';
import type { Standing } from './progress.ts';

/** Which event of any run: statement, name and kind, and how many of them were before. */
type Place = string;

/** A tensor of the setup: the event that it was, and the letters of that event's axes and of its own. */
interface Read {
  readonly place: Place;
  readonly axes: readonly AxisLetters[];
  readonly own: readonly AxisLetters[];
  readonly cut?: Cut;
}

/** What of a setup is read anew from where its run computes with it. */
const READ: ReadonlySet<string> = new Set([
  'x',
  'xPrime',
  'weights',
  'start',
  'loss',
  'dropout',
  'mask',
]);

export class Bound {
  readonly #config: HeadConfig;
  readonly #extents: Readonly<Extents>;
  readonly #reads: ReadonlyMap<string, Read>;
  /** Events of which each axis is one or more whole letters: they tell the sizes. */
  readonly #sized: ReadonlyMap<Place, readonly AxisLetters[]>;
  /** The same of parts of a node, such as one head's: their axes that are as long as the node's, null for the others. */
  readonly #cut: ReadonlyMap<Place, readonly (AxisLetters | null)[]>;
  readonly #keep: Place | null;
  readonly #y: readonly AxisLetters[];
  readonly #own: Recording;
  readonly #held: Held;

  private constructor(
    own: Recording,
    { config, graph }: Catalogue,
    reads: ReadonlyMap<string, Read>,
    sized: ReadonlyMap<Place, readonly AxisLetters[]>,
    cut: ReadonlyMap<Place, readonly (AxisLetters | null)[]>,
    keep: Place | null,
    held: Held,
  ) {
    this.#cut = cut;
    this.#held = held;
    this.#own = own;
    this.#config = config;
    this.#extents = graph.extents;
    this.#y = nodeOf(graph, 'y').axes;
    this.#reads = reads;
    this.#sized = sized;
    this.#keep = keep;
  }

  /** Of a program that is right by its setup; null where not all of that setup is there in its run. */
  static of({ recording, judged }: Standing): Bound | null {
    const { catalogue, localised } = judged;
    const { config } = catalogue;
    const places = placesIn(recording);
    const held = heldIn(config, recording, places);
    const sized = new Map<Place, readonly AxisLetters[]>();
    const cut = new Map<Place, readonly (AxisLetters | null)[]>();
    const reads = new Map<string, Read>();
    const wanted = tensorsOf(config);
    const take = (alignment: Alignment, read: Omit<Read, 'own'>): void => {
      for (const [entry, { key, tensor }] of wanted) {
        if (reads.has(entry) || alignment.entry.key !== key) continue;
        const own = ownAxes(catalogue, alignment.entry);
        if (isSame(laidOut(alignment.entry, own), tensor)) reads.set(entry, { ...read, own });
      }
    };
    // What is rounded to the program's own type is what it computes with.
    const isOwn = ({ event }: (typeof localised.observed)[number]): number =>
      event.dtype === catalogue.type.name ? 0 : 1;
    const ordered = [...localised.observed].sort((a, b) => isOwn(a) - isOwn(b));
    for (const { event, found, pieces } of ordered) {
      const place = places.get(event)!;
      for (const [n, alignment] of found.entries()) {
        if (n === 0 && !isAll(alignment)) cut.set(place, wholeAxes(alignment));
        if (!isAll(alignment)) continue;
        const { axes } = alignment;
        if (n === 0) sized.set(place, axes);
        take(alignment, { place, axes });
      }
      const axis = joinedAxis(event, pieces);
      if (axis !== null)
        for (const [n, alignment] of pieces.entries()) {
          const before = pieces.slice(0, n).map(({ axes }) => axes[axis]);
          take(alignment, { place, axes: alignment.axes, cut: { axis, before } });
        }
    }
    const { axes: y, shape } = nodeOf(catalogue.graph, 'y');
    // What the loss takes beside y is no node.
    for (const [entry, tensor] of constantsOf(config.loss)) {
      if (reads.has(entry) || !sameShape(tensor.shape, shape)) continue;
      const same = recording.events.filter(({ id }) => holds(recording, id, tensor));
      const event = same.find(({ dtype }) => dtype === catalogue.type.name) ?? same[0];
      if (event) reads.set(entry, { place: places.get(event)!, axes: y, own: y });
    }
    const keep = config.dropout ? keepIn(recording, config.dropout.keep, places) : null;
    const isAllThere = reads.size === wanted.size && (!config.dropout || keep !== null);
    return isAllThere ? new Bound(recording, catalogue, reads, sized, cut, keep, held) : null;
  }

  /** What the setup of another run may be; none where a tensor or a size cannot be told. */
  configsIn(recording: Recording, isResized = true): HeadConfig[] {
    const events = new Map([...placesIn(recording)].map(([event, place]) => [place, event]));
    // Other numbers may take other branches, of the same sizes.
    const extents =
      !isResized || hasShapesOf(recording, this.#own)
        ? { ...this.#extents }
        : this.#extentsIn(events);
    if (!extents) return [];
    const tensors = new Map<string, Tensor>();
    for (const [entry, { place, axes, own, cut }] of this.#reads) {
      const event = events.get(place);
      const whole = event && recording.tensor(event.id);
      const part = whole && cut ? sliced(whole, cut, axes[cut.axis], extents) : whole;
      const tensor = part && readAs(part.data, axes, own, extents);
      if (!tensor) return [];
      tensors.set(entry, tensor);
    }
    const hasOtherSizes = Object.keys(extents).some(
      (letter) => extents[letter] !== this.#extents[letter],
    );
    const { mask } = this.#config;
    if (typeof mask === 'object' && hasOtherSizes) return [];
    const others = othersIn(this.#config, this.#held, (place, { shape }) => {
      const event = place === undefined ? undefined : events.get(place);
      if (!event) return null;
      return sameShape(event.shape, shape) ? recording.tensor(event.id) : null;
    });
    if (hasOtherSizes && others === null) return [];
    const kept = this.#keep === null ? undefined : events.get(this.#keep);
    const keep = kept && recording.tensor(kept.id);
    if (this.#keep !== null && !keep) return [];
    const config = this.#with({ ...this.#config, ...others }, tensors, extents, keep ?? null);
    const losses = lossesAt(config.loss, this.#y, this.#extents, extents);
    return losses.map((loss) => ({ ...config, loss }));
  }

  #with(
    config: HeadConfig,
    tensors: ReadonlyMap<string, Tensor>,
    extents: Extents,
    keep: Tensor | null,
  ): HeadConfig {
    const all = <Key extends string>(given: Readonly<Partial<Record<Key, unknown>>>, at = '') =>
      Object.fromEntries(Object.keys(given).map((key) => [key, tensors.get(at + key)!]));
    const heads = extents['h'] ?? (extents['r'] ?? 1) * (extents['g'] ?? 1);
    const { dropout, start } = config;
    return {
      ...config,
      ...all({ ...(config.x && { x: 1 }), ...(config.xPrime && { xPrime: 1 }) }),
      weights: all<WeightId>(config.weights, 'weights.'),
      ...(start && { start: all(start, 'start.') }),
      ...(config.head === 'multihead' && { heads, kvHeads: extents['r'] ?? heads }),
      loss: lossWith(config.loss, tensors),
      ...(dropout &&
        keep && {
          dropout: {
            ...dropout,
            keep: { shape: keep.shape, data: keep.data.map((each) => (each === 0 ? 0 : 1)) },
          },
        }),
    };
  }

  /** Null where two events contradict each other, or not every letter is told. */
  #extentsIn(events: ReadonlyMap<Place, Event>): Extents | null {
    const extents: Extents = {};
    if (!this.#tell(extents, events)) return null;
    for (const [letter, size] of Object.entries(this.#extents))
      if (size === 1) extents[letter] ??= 1;
    const isTold = (): boolean =>
      Object.keys(this.#extents).every((letter) => Number.isInteger(extents[letter]));
    // What no whole node tells, such as the width of a head, its parts may.
    return isTold() || (this.#tell(extents, events, this.#cut) && isTold()) ? extents : null;
  }

  /** Adds the sizes that whole nodes have, and `parts` of them; whether no node contradicts another. */
  #tell(
    extents: Extents,
    events: ReadonlyMap<Place, Event>,
    parts: ReadonlyMap<Place, readonly (AxisLetters | null)[]> = new Map(),
  ): boolean {
    const products: [axis: AxisLetters, length: number, isNode: boolean][] = [];
    for (const [place, axes] of [...this.#sized, ...parts]) {
      const shape = events.get(place)?.shape;
      if (!shape || shape.length !== axes.length) continue;
      axes.forEach((axis, n) => axis && products.push([axis, shape[n], !parts.has(place)]));
    }
    for (let before = -1; before < Object.keys(extents).length;) {
      before = Object.keys(extents).length;
      for (const [axis, length, isNode] of products) {
        const open = axis.filter((letter) => extents[letter] === undefined);
        const known = axis.reduce((size, letter) => size * (extents[letter] ?? 1), 1);
        if (open.length === 1) extents[open[0]] = length / known;
        else if (open.length === 0 && known !== length && isNode) return false;
      }
    }
    return true;
  }
}

/** Whether it ran as the other one did: then each size is what it was, though it is to be seen in no shape of a flat array. */
const hasShapesOf = (one: Recording, other: Recording): boolean =>
  one.events.length === other.events.length &&
  one.events.every(({ statement, shape }, n) => {
    const as = other.events[n];
    return statement === as.statement && sameShape(shape, as.shape);
  });

function placesIn(recording: Recording): Map<Event, Place> {
  return new Map(
    [...eventKeys(recording)].map(([event, { statement, name, how, occurrence }]) => [
      event,
      `${statement} ${how} ${name} ${occurrence}`,
    ]),
  );
}

const isAll = (alignment: Alignment): boolean =>
  alignment.entry.role !== 'partial' && isWhole(alignment) && !isReordered(alignment);

/** Of a part of a node the axes of which it has all entries. */
const wholeAxes = ({ entry, ranges, axes }: Alignment): (AxisLetters | null)[] =>
  axes.map((letters) => {
    const isFull = (letter: Letter): boolean =>
      ranges.get(letter)!.count === entry.lengths[entry.letters.indexOf(letter)];
    return letters.length > 0 && letters.every(isFull) ? letters : null;
  });

const isTensor = (value: unknown): value is Tensor =>
  typeof value === 'object' && value !== null && 'shape' in value && 'data' in value;

/** Of tensors of a setup that are no input, such as slopes, where a run holds the same numbers; undefined where it does not. */
type Held = ReadonlyMap<Tensor, Place | undefined>;

function heldIn(config: HeadConfig, recording: Recording, places: ReadonlyMap<Event, Place>): Held {
  const found = new Map<Tensor, Place | undefined>();
  othersIn(config, found, (_, tensor) => {
    const event = recording.events.find(
      ({ id, shape }) => sameShape(shape, tensor.shape) && holds(recording, id, tensor),
    );
    found.set(tensor, event && places.get(event));
    return tensor;
  });
  return found;
}

/** What of a setup is not read from its inputs, with each tensor as `read` gives it; null where one was not given: it stays. */
function othersIn(
  config: HeadConfig,
  held: Held,
  read: (place: Place | undefined, tensor: Tensor) => Tensor | null,
): Partial<HeadConfig> | null {
  let isAllRead = true;
  const anew = (value: unknown, depth = 2): unknown => {
    if (isTensor(value)) {
      const tensor = read(held.get(value), value);
      isAllRead &&= tensor !== null;
      return tensor ?? value;
    }
    if (depth === 0 || typeof value !== 'object' || value === null || Array.isArray(value))
      return value;
    return Object.fromEntries(
      Object.entries(value).map(([key, each]) => [key, anew(each, depth - 1)]),
    );
  };
  const others = Object.entries(config).filter(([key]) => !READ.has(key));
  const result = Object.fromEntries(others.map(([key, value]) => [key, anew(value)]));
  return isAllRead ? result : null;
}

/** The tensors of a setup, with the node that each is; a target belongs to y's gradient. */
function tensorsOf({
  x,
  xPrime,
  weights,
  start,
  loss,
}: HeadConfig): Map<string, { key: string; tensor: Tensor }> {
  const found = new Map<string, { key: string; tensor: Tensor }>();
  const add = (at: string, all: object): void => {
    for (const [id, tensor] of Object.entries(all) as [string, Tensor | undefined][])
      if (tensor) found.set(at + id, { key: `v:${id}`, tensor });
  };
  add('', { x, xPrime });
  add('weights.', weights);
  add('start.', start ?? {});
  for (const [entry, tensor] of constantsOf(loss)) found.set(entry, { key: 'g:y', tensor });
  return found;
}

/** Whether an event is this tensor, in its own layout. */
function holds(recording: Recording, id: number, { shape, data }: Tensor): boolean {
  const own = recording.tensor(id);
  return own?.data.length === data.length && isSame({ shape, data: own.data }, { shape, data });
}

const CLOSE = 1e-6;

function isSame(one: Tensor, other: Tensor): boolean {
  if (!sameShape(one.shape, other.shape)) return false;
  const size = other.data.reduce((most, each) => Math.max(most, Math.abs(each)), 0);
  return one.data.every((each, n) => Math.abs(each - other.data[n]) <= CLOSE * size);
}

/** Where what dropout keeps is recorded, as it is or scaled, in the setup's own layout. */
function keepIn(
  recording: Recording,
  keep: Tensor,
  places: ReadonlyMap<Event, Place>,
): Place | null {
  const event = recording.events.find(({ id, shape }) => {
    if (!sameShape(shape, keep.shape)) return false;
    const tensor = recording.tensor(id);
    return tensor?.data.every((each, n) => (each === 0) === (keep.data[n] === 0));
  });
  return event ? places.get(event)! : null;
}
