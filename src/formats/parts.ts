// Puts together the parts that the ranks of one torchrun wrote with attention_trace.py: mine.rank0.npz, ...
import type { NodeId } from '../engine/graph.ts';
import {
  add,
  formatShape,
  largestMagnitude,
  sameShape,
  sizeOf,
  type Tensor,
} from '../engine/tensor.ts';
import { FormatError } from './formatError.ts';
import { checkedSize, type NamedTensor } from './namedTensor.ts';
import type { ResolvedName } from './nodeNames.ts';
import { chooseAxes, type Cut } from './partAxes.ts';
import { type Part, type Piece, type SpanKey, totalOf } from './partMeta.ts';
import type { Want } from './want.ts';

/** An entry of the parts that cannot be put together, and why. */
export interface LeftOut {
  readonly name: string;
  readonly reason: string;
}

export interface Joined {
  readonly tensors: readonly NamedTensor[];
  readonly leftOut: readonly LeftOut[];
}

export interface JoinOptions {
  readonly resolve: (name: string, rank: number) => ResolvedName | null;
  /** Whether a node may have this shape, in any layout; without it the axes are those of the node table. */
  readonly fits?: (node: NodeId, shape: readonly number[]) => boolean;
  /** All if left out. */
  readonly want?: Want;
}

/**
 * All tensors of the ranks' parts. Pieces of one span are copies: equal, or, where they are gradients, f, or y as
 * the sum over heads, added up. Throws FormatError, naming `whole`, where a part is missing, spans overlap or leave
 * a gap, or shapes disagree.
 */
export function joinParts(whole: string, parts: readonly Part[], options: JoinOptions): Joined {
  checkRanks(whole, parts);
  const sorted = [...parts].sort((a, b) => a.rank - b.rank);
  const names = new Set(sorted.flatMap(({ tensors }) => tensors.map(({ name }) => name)));
  const tensors: NamedTensor[] = [];
  const leftOut: LeftOut[] = [];
  for (const name of names) {
    const joined = new Join(whole, name, sorted, options).join();
    if ('reason' in joined) leftOut.push(joined);
    else tensors.push(joined);
  }
  for (const { name, reason } of sorted.flatMap((part) => part.leftOut)) {
    if (!names.has(name) && !leftOut.some((each) => each.name === name))
      leftOut.push({ name, reason });
  }
  return { tensors, leftOut };
}

function checkRanks(whole: string, parts: readonly Part[]): void {
  const [{ world, file }] = parts;
  const stranger = parts.find((part) => part.world !== world);
  if (stranger) {
    const found = `a part of ${stranger.world} ranks, ${stranger.file}`;
    throw new FormatError(whole, '', found, `${world} ranks as in ${file}: is it of another run?`);
  }
  const missing = Array.from({ length: world }, (_, rank) => rank).filter(
    (rank) => !parts.some((part) => part.rank === rank),
  );
  if (missing.length > 0) {
    const of = missing.length === 1 ? 'rank' : 'ranks';
    const found = `no part of ${of} ${listed(missing)}`;
    throw new FormatError(whole, '', found, `the parts of all ${world} ranks`);
  }
}

const listed = (ranks: readonly number[]): string =>
  [ranks.slice(0, -1).join(', '), ranks.at(-1)].filter((each) => each !== '').join(' and ');

/** No nodes, but laid out like the scores, or the same for all of them. */
const MASKS = ['mask', 'keep'];

/** Puts together what the ranks have under one name. */
class Join {
  readonly #whole: string;
  readonly #name: string;
  readonly #parts: readonly Part[];
  readonly #pieces: readonly Piece[];
  readonly #options: JoinOptions;
  readonly #resolved: ResolvedName | null;
  #summed = 0;
  #differs = '';

  constructor(whole: string, name: string, parts: readonly Part[], options: JoinOptions) {
    this.#whole = whole;
    this.#name = name;
    this.#parts = parts;
    this.#options = options;
    this.#pieces = parts.flatMap((part) => {
      const found = part.tensors.find((each) => each.name === name);
      return found ? [{ part, tensor: found.tensor }] : [];
    });
    this.#resolved = options.resolve(name, this.#pieces[0].tensor.shape.length);
  }

  join(): NamedTensor | LeftOut {
    const name = this.#name;
    const [{ part }] = this.#pieces;
    const { tensor: _piece, ...first } = part.tensors.find((each) => each.name === name)!;
    const tensor = this.#along(this.#pieces, this.#cuts());
    if (this.#differs) return { name, reason: this.#differs };
    const note = this.#summed > 0 ? { note: `the sum over ${this.#summed} ranks` } : {};
    return { ...first, tensor, ...note };
  }

  #fail(found: string, expected: string): never {
    throw new FormatError(this.#whole, this.#name, found, expected);
  }

  #cuts(): readonly Cut[] {
    const { fits } = this.#options;
    const isMask = MASKS.includes(this.#name);
    const node = this.#resolved?.node ?? (isMask ? 'M' : undefined);
    if (node === undefined) return [];
    const chosen = chooseAxes(
      this.#name,
      node,
      this.#pieces,
      this.#parts,
      isMask ? undefined : fits,
    );
    if ('cuts' in chosen) return chosen.cuts;
    return isMask ? [] : this.#fail(chosen.found, chosen.expected);
  }

  /** Pieces of different spans lie side by side on the first cut's axis; those of one span go to the next cut. */
  #along(pieces: readonly Piece[], [cut, ...cuts]: readonly Cut[]): Tensor {
    if (!cut) return this.#copies(pieces);
    const { key, axis } = cut;
    const total = totalOf(this.#parts, key);
    const groups = new Map<string, Piece[]>();
    const byStart = [...pieces].sort((a, b) => a.part.spans[key]![0] - b.part.spans[key]![0]);
    for (const piece of byStart) {
      const span = piece.part.spans[key]!.join('-');
      groups.set(span, [...(groups.get(span) ?? []), piece]);
    }
    let at = 0;
    let before = '';
    const joined: Tensor[] = [];
    for (const group of groups.values()) {
      const { spans, file } = group[0].part;
      const [from, to] = spans[key]!;
      if (from > at) this.#gap(key, at, from);
      if (from < at)
        this.#fail(`${numbers(key, from, Math.min(to, at))} in ${before} and in ${file}`, 'once');
      joined.push(this.#along(group, cuts));
      [at, before] = [to, file];
    }
    if (at < total) this.#gap(key, at, total);
    return this.#concatenated(joined, axis);
  }

  #gap(key: SpanKey, from: number, to: number): never {
    const lacking = this.#parts.filter(
      (part) => !this.#pieces.some((piece) => piece.part === part),
    );
    const why = lacking.map(({ file }) => `; it is not in ${file}`).join('');
    return this.#fail(
      `no ${numbers(key, from, to)}${why}`,
      `all from 0 to ${totalOf(this.#parts, key) - 1}`,
    );
  }

  #copies(pieces: readonly Piece[]): Tensor {
    const [first, ...others] = pieces;
    for (const { part, tensor } of others) {
      if (sameShape(tensor.shape, first.tensor.shape)) continue;
      const shape = (each: Piece): string =>
        `${formatShape(each.tensor.shape)} in ${each.part.file}`;
      this.#fail(`shape ${shape(first)} and ${shape({ part, tensor })}`, 'one shape');
    }
    const other = others.find(({ tensor }) => !agree(first.tensor, tensor));
    if (!other) return first.tensor;
    if (this.#addsUp(pieces)) {
      this.#summed = pieces.length;
      return pieces.map(({ tensor }) => tensor).reduce(add);
    }
    const ranks = `rank ${other.part.rank} has other numbers than rank ${first.part.rank}`;
    this.#differs ||= `${ranks}; what each rank has whole must be equal`;
    return first.tensor;
  }

  /** What the ranks have a share of each: gradients, f, and y = C W_O where each rank has some heads. */
  #addsUp(pieces: readonly Piece[]): boolean {
    if (!this.#resolved) return false;
    const { node, kind } = this.#resolved;
    const spans = new Set(pieces.map(({ part }) => part.spans.heads?.join('-')));
    const isShared = Object.keys(pieces[0].part.spans).length > 0;
    return isShared && (kind === 'gradient' || node === 'f' || (node === 'y' && spans.size > 1));
  }

  #concatenated(tensors: readonly Tensor[], axis: number): Tensor {
    const [{ shape }] = tensors;
    const at = shape.length + axis;
    const lengths = tensors.map((each) => each.shape[at]);
    const others = (each: readonly number[]): number[] => each.filter((_, n) => n !== at);
    const odd = tensors.find((each) => !sameShape(others(each.shape), others(shape)));
    if (odd)
      this.#fail(
        `shapes ${formatShape(shape)} and ${formatShape(odd.shape)}`,
        `equal ones but for axis ${axis}`,
      );
    const whole = [...shape];
    whole[at] = lengths.reduce((total, length) => total + length, 0);
    const data = new Float64Array(checkedSize(this.#whole, this.#name, whole));
    const inner = sizeOf(shape.slice(at + 1));
    const row = whole[at] * inner;
    let offset = 0;
    for (const each of tensors) {
      const own = each.shape[at] * inner;
      for (let from = 0, to = offset; from < each.data.length; from += own, to += row)
        data.set(each.data.subarray(from, from + own), to);
      offset += own;
    }
    return { shape: whole, data };
  }
}

/** "heads 2 to 3", "queries 4". */
function numbers(key: SpanKey, from: number, to: number): string {
  return to - from === 1 ? `${key} ${from}` : `${key} ${from} to ${to - 1}`;
}

/** Below this many entries two shares may be close by chance. */
const TELLING_SIZE = 8;
/** Between kernels that are not deterministic, in the narrowest type. */
const CLOSE = 2 ** -7;

/** Equal to the bit, or so close in so many entries that they are two computations of the same. */
function agree(a: Tensor, b: Tensor): boolean {
  const allowed = a.data.length < TELLING_SIZE ? 0 : CLOSE * largestMagnitude(a);
  return a.data.every(
    (value, at) => Object.is(value, b.data[at]) || Math.abs(value - b.data[at]) <= allowed,
  );
}
