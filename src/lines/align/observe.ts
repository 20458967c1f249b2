// What is known of each recorded tensor by its numbers alone: which part of which form it is, or that it tells nothing.
import { resolveName } from '../../formats/nodeNames.ts';
import { BFLOAT16, FLOAT16, FLOAT32 } from '../../compare/reference/dtypes.ts';
import type { Tensor } from '../../engine/tensor.ts';
import { Aligner, type Alignment, isReordered, tellingOf } from './align.ts';
import type { Catalogue } from './catalogue.ts';
import { Contents } from './contents.ts';
import { Nudges } from './nudges.ts';
import { croppedWays, isAtEnd, isNothingBeyond, type Padding } from './padded.ts';
import { biasedOf, type Piece, piecesOf } from './pieces.ts';
import type { Event, Recording } from '../recorded/recording.ts';
import { isIn, withoutSizes } from '../recorded/sizes.ts';
import { Arrays } from '../recorded/versions.ts';

/**
 * right: a node, or a form of the same worth. partial: right on the way to one. neutral: numbers that tell nothing
 * (masks, sizes, zeros). off: none of these, and computed from something. free: none, and computed from nothing that
 * is known: tables, inputs of something else. unknown: not recorded.
 */
export type Standing = 'right' | 'partial' | 'neutral' | 'off' | 'free' | 'unknown';

export interface Observed {
  readonly event: Event;
  readonly standing: Standing;
  /** What it is, the likeliest first. */
  readonly found: readonly Alignment[];
  /** Several that are joined in one tensor: a fused projection. */
  readonly pieces: readonly Piece[];
  /** Joined of the right parts, in another layout than what it is the gradient of. */
  readonly otherwise?: readonly Piece[];
  /** A tile of weights that is right up to the last key, and weighs keys that lie beyond it. */
  readonly beyond?: readonly Piece[];
  /** What an addition added is a part of a form, whatever the sum is by now. */
  readonly added: boolean;
  /** A bool, or numbers of which masks are made. */
  readonly isMask: boolean;
  /** A list of Python's own numbers that is no form. */
  readonly isRow?: boolean;
}

/** What the numbers of a tensor alone tell. */
export interface Content extends Pick<
  Observed,
  'found' | 'pieces' | 'beyond' | 'isMask' | 'isRow'
> {
  readonly standing: 'right' | 'partial' | 'neutral' | 'off';
}

/** Python's own numbers are sizes, scales and the like. */
const UNTELLING = /^(u?int\d*|bool|float)$/;

/** The event of which `id` is a copy. */
export function originalOf({ events }: Recording, id: number): number {
  let at = id;
  for (let same = events[at].same; same !== undefined; same = events[at].same) at = same;
  return at;
}

export class Observer {
  readonly #recording: Recording;
  readonly #catalogue: Catalogue;
  readonly aligner: Aligner;
  readonly #contents = new Map<number, Content>();
  readonly #known: Contents<Content>;
  /** The numbers of each array that were in memory when it was made. */
  readonly #found = new Map<number, ReadonlySet<number>>();
  /** How many entries the catalogue came with, and a name for those that were added. */
  readonly #own: number;
  #added = '';
  #paddings: readonly Padding[] = [];

  constructor(recording: Recording, catalogue: Catalogue, known = new Contents<Content>()) {
    this.#recording = recording;
    this.#catalogue = catalogue;
    this.#known = known;
    this.#own = catalogue.entries.length;
    this.aligner = new Aligner(catalogue);
  }

  /** All events, in their order. */
  observe(): Observed[] {
    const done: Observed[] = [];
    const arrays = new Arrays(this.#recording);
    const nudges = new Nudges(this.#recording, this.#catalogue);
    const nothing = { found: [], pieces: [], added: false, isMask: false };
    for (const event of this.#recording.events) {
      const change = arrays.take(event);
      const isMoved = nudges.take(event, done);
      done.push(
        isMoved ? { event, ...nothing, standing: 'unknown' } : this.#one(event, done, change),
      );
    }
    return done;
  }

  /** Looks again at what was off, after forms were added, of tiles that end so. */
  refresh(paddings: readonly Padding[]): void {
    const { entries } = this.#catalogue;
    this.#paddings = paddings;
    const { name, same } = this.#known.added(entries.slice(this.#own));
    entries.splice(this.#own, same.length, ...same);
    this.#added = name;
    this.aligner.refresh();
    for (const [id, { standing }] of this.#contents)
      if (standing === 'off') this.#contents.delete(id);
  }

  #one(event: Event, before: readonly Observed[], change: Tensor | null): Observed {
    const tensor = this.#recording.tensor(event.id) ?? this.#recording.pairs?.(event.id);
    const nothing = { event, found: [], pieces: [], added: false, isMask: false };
    if (!tensor)
      return { ...nothing, standing: UNTELLING.test(event.dtype) ? 'neutral' : 'unknown' };
    // Whatever was in memory.
    if (isAsFound(this.#recording, event)) return { ...nothing, standing: 'neutral' };
    const content = this.#contentOf(originalOf(this.#recording, event.id), event, tensor);
    const found = ranked(content.found, event);
    const all = { ...content, event, found, added: false };
    if (content.standing !== 'off') return all;
    if (this.#isPartAsFound(event, tensor)) return { ...nothing, standing: 'neutral' };
    const isFree = event.reads.every((read) => {
      const standing = read < event.id ? before[read].standing : 'unknown';
      return standing === 'neutral' || standing === 'free';
    });
    const isDrawn = isRandom(this.#recording.statements[event.statement]);
    if ((isFree || isDrawn) && event.of === undefined && !isKnownWrite(event))
      return { ...all, standing: 'free' };
    if (change && tellingOf(change).probes.length > 0) {
      const of = this.aligner.align(change);
      if (of.length > 0) return { ...all, found: of, standing: 'off', added: true };
    }
    return { ...all, standing: 'off' };
  }

  /** A part of such memory that a function is given to write to, as long as not all of it is written. */
  #isPartAsFound({ how, reads, shape }: Event, { data }: Tensor): boolean {
    if (how !== 'argument') return false;
    return reads.some((read) => {
      const whole = this.#recording.events[read];
      const isPart = shape.length > 0 && `,${whole.shape.join()}`.endsWith(`,${shape.join()}`);
      if (!isPart || !isAsFound(this.#recording, whole)) return false;
      const found = this.#found.get(read) ?? new Set(this.#recording.tensor(read)?.data);
      this.#found.set(read, found);
      return data.some((value) => found.has(value));
    });
  }

  /** Scales and square roots of widths, whatever type they are held in. */
  #isFactor(value: number): boolean {
    const { parts, config } = this.#catalogue;
    const width = parts.extents['a'] ?? 1;
    const known = [parts.scale, Math.sqrt(width), config.softcap ?? 1];
    return known.some((each) =>
      [each, 1 / each, each * Math.LOG2E].some(
        (one) => Math.abs(value - one) <= 1e-6 * Math.abs(one),
      ),
    );
  }

  /** The unit of a type that is narrower than the program's, else 0. */
  #coarser(dtype: string): number {
    const own = [BFLOAT16, FLOAT16, FLOAT32].find(({ name }) => name === dtype)?.epsilon ?? 0;
    return own > this.#catalogue.type.epsilon ? own : 0;
  }

  #contentOf(id: number, event: Event, tensor: Tensor): Content {
    const known = this.#contents.get(id);
    if (known) return known;
    const content = this.#known.of(this.#added, event.dtype, tensor, () =>
      this.#look(event, tensor),
    );
    this.#contents.set(id, content);
    return content;
  }

  #look({ dtype }: Event, tensor: Tensor): Content {
    const nothing = { found: [], pieces: [], isMask: false };
    if (tensor.data.length === 0) return { ...nothing, standing: 'neutral' };
    const telling = tellingOf(tensor);
    const isRow = dtype === 'float' && tensor.shape.length > 0;
    if (UNTELLING.test(dtype) && !isRow)
      return { ...nothing, standing: 'neutral', isMask: telling.isMask && dtype !== 'int' };
    const isNothing = telling.isMask || telling.size <= this.#catalogue.floor;
    if (isNothing || telling.probes.length === 0) {
      return { ...nothing, standing: 'neutral', isMask: telling.isMask && tensor.data.length > 1 };
    }
    if (tensor.data.length === 1 && this.#isFactor(tensor.data[0]))
      return { ...nothing, standing: 'neutral' };
    const found = this.aligner
      .align(tensor, telling, { epsilon: this.#coarser(dtype) })
      .filter((each) => !isOneDistance(each, tensor));
    if (found.length > 0) {
      const standing = standingOf(found);
      if (standing === 'partial' && isSaturated(tensor)) return { ...nothing, standing: 'neutral' };
      return { found, pieces: [], isMask: false, standing };
    }
    const padded = this.#padded(dtype, tensor);
    if (padded) return padded;
    const pieces = piecesOf(tensor, this.aligner, this.#catalogue);
    if (pieces.length > 0) return { ...nothing, pieces, standing: 'right' };
    const biased = biasedOf(tensor, this.aligner, this.#catalogue);
    if (biased.length > 0)
      return {
        ...nothing,
        pieces: biased,
        standing: biased.some(({ entry }) => entry.role === 'partial') ? 'partial' : 'right',
      };
    // A single number in a narrow type may be anything.
    const isScalar = tensor.data.length === 1;
    const isVague =
      isRow || isSaturated(tensor) || (isScalar && this.#catalogue.type.epsilon > 1e-12);
    const isOwnRow = isRow && tensor.data.length > 1 && !isSaturated(tensor);
    return {
      ...nothing,
      standing: isVague ? 'neutral' : 'off',
      ...(isOwnRow && { isRow: true }),
    };
  }

  /** A last tile that reaches beyond its axes' ends; null where it is none. */
  #padded(dtype: string, tensor: Tensor): Content | null {
    for (const way of croppedWays(tensor, this.#paddings, this.#catalogue.parts.extents)) {
      const telling = tellingOf(way.tensor);
      if (telling.isMask || telling.probes.length === 0) continue;
      const found = this.aligner
        .align(way.tensor, telling, { epsilon: this.#coarser(dtype) })
        .filter((each) => isAtEnd(each, way));
      const pieces = found.map((each) => ({ ...each, ...PADDED, width: tensor.shape.at(-1)! }));
      if (pieces.length === 0) continue;
      const nothing = { found: [], pieces: [], isMask: false };
      const isOfWeights = found.every(({ entry: { key } }) => /^v:Pd?$/.test(key));
      if (isOfWeights && !isNothingBeyond(tensor, way, 'i'))
        return { ...nothing, beyond: pieces, standing: 'off' };
      return { ...nothing, pieces, standing: standingOf(found) };
    }
    return null;
  }
}

/** What a tile is up to where its axes end. */
const PADDED = { outside: '', place: 0 };

/** Weights of rows in which one key has all but rounding: whatever else they are, they tell no more than a mask. */
const isSaturated = ({ data }: Tensor): boolean =>
  data.length > 1 &&
  data.every((value) => Math.abs(value) < SATURATED || Math.abs(value - 1) < SATURATED);
const SATURATED = 1e-9;

const standingOf = (found: readonly Alignment[]): 'right' | 'partial' =>
  found.some((each) => each.entry.role !== 'partial' && !isReordered(each)) ? 'right' : 'partial';

/**
 * A number for each head that is met in ALiBi's bias at one distance: slopes that are off by a power of two are there as
 * well, and no program takes the biases out of one place.
 */
const isOneDistance = ({ entry, ranges }: Alignment, { data }: Tensor): boolean =>
  data.length > 1 &&
  entry.title.startsWith('ALiBi’s bias') &&
  ['i', 'j'].every((letter) => (ranges.get(letter)?.count ?? 1) === 1);

/** Whether an event is memory as it was found. */
export const isAsFound = ({ statements }: Recording, { how, statement }: Event): boolean =>
  how === 'bind' && EMPTY.test(statements[statement].text);

const EMPTY = /\b(empty|empty_like|new_empty)\(/;

const DRAWN =
  /\b(randn?|random|random_sample|standard_normal|normal|uniform|randn_like|rand_like)\(/;
/** Random numbers of the size of something, which is all that was read of it. */
function isRandom({ text, loads }: Recording['statements'][number]): boolean {
  // What is compared is a mask of dropout.
  if (!DRAWN.test(text) || /[<>]/.test(text)) return false;
  const [, value = text] = /^[^=]*=(?!=)(.*)$/s.exec(text) ?? [];
  const rest = withoutSizes(value);
  const sizes = new Set(loads.filter((load) => /\.(shape|size|ndim|dtype|device)$/.test(load)));
  const bases = [...sizes].map((load) => load.slice(0, load.lastIndexOf('.')));
  if (sizes.size === 0 && !/_like\(/.test(text)) return false;
  return bases.every((base) => !isIn(base, rest));
}

const isKnownWrite = ({ how }: Event): boolean =>
  how === 'write' || how === 'update' || how === 'loop-end';

const ROLES = { node: 0, form: 2, partial: 4 };

/** The likeliest alignment first: nodes before forms, and what fits the name, the layout and the kind. */
function ranked(found: readonly Alignment[], event: Event): readonly Alignment[] {
  if (found.length < 2) return found;
  const named = nodeNamed(event);
  const isGradient =
    event.how === 'gradient' || event.name.endsWith('.grad') || named?.kind === 'gradient';
  const cost = ({ entry, axes }: Alignment): number => {
    const { node, kind, role } = entry;
    const fitsName = named !== null && named.node[0] === node[0] && named.kind === kind;
    const isExactly = named?.node === node && named.kind === kind;
    const merged = axes.some(
      (letters) => letters.length > 1 && letters.some((each) => /[hrg]/.test(each)),
    );
    const layout = /^[KQV]h$/.test(node)
      ? merged
        ? 0.4
        : 0
      : /^[KQVC]$/.test(node)
        ? merged
          ? 0
          : 0.4
        : 0;
    return (
      ROLES[role] +
      layout -
      (isExactly ? 1.5 : fitsName ? 1 : 0) +
      (isGradient === (kind === 'gradient') ? 0 : 0.8)
    );
  };
  return [...found].sort((a, b) => cost(a) - cost(b) || a.entry.id - b.entry.id);
}

/** Whether a name says that it is a gradient, of whatever: `self.grad`, `dy`. */
export const isNamedGradient = (event: Event): boolean =>
  /(^|[._[])(d_?)?grads?\b/i.test(event.name) || nodeNamed(event)?.kind === 'gradient';

/** Whether a letter alone is a key: "grads['k']", "grads.k", which may as well be of the weights. */
export const isKeyed = ({ name }: Event): boolean => /(?:\[(['"])[qkvo]\1\]|\.[qkvo])$/i.test(name);

/** Which node a person's name stands for: "grads['wq']" as grads.wq, "self.q" as q. */
export function nodeNamed(event: Event): ReturnType<typeof resolveName> {
  const rank = Math.max(1, event.shape.length);
  const plain = event.name
    .replaceAll(/\[['"]?([A-Za-z_]\w*)['"]?\]/g, '.$1')
    .replaceAll(/\[[^\]]*\]/g, '')
    .replace(/^x([qkv])$/, '$1')
    .replace(/^(self|ctx|cache|saved|params?|weights|w|proj|p)\./, '');
  const found =
    resolveName(plain, {}, rank) ?? resolveName(plain.split('.').slice(-1)[0], {}, rank);
  const isGradient = event.of !== undefined || /(^|[._[])(d_?)?grads?\b/i.test(event.name);
  return found && isGradient ? { node: found.node, kind: 'gradient' } : found;
}
