// Which of the candidates for a statement are run: those first whose own result is what should come out.
import { nodeOf } from '../../engine/graph.ts';
import { sameShape, sizeOf, type Tensor } from '../../engine/tensor.ts';
import { Aligner, isWhole, tellingOf } from '../align/align.ts';
import { piecesOf } from '../align/pieces.ts';
import type { Catalogue } from '../align/catalogue.ts';
import type { Role } from '../forms/form.ts';
import { isMaskOf } from '../sees/masks.ts';
import type { Candidate, Evaluated, FrameReply } from './bench.ts';
import type { Place } from './places.ts';
import type { Standing } from './progress.ts';

/** What is not asked for counts for less; forms and running sums are all that a loop's statement can leave. */
const roleOf = (role: Role, isMeant: boolean): number =>
  isMeant
    ? { node: 0, form: 0.4, partial: EXACT }[role]
    : { node: 0.5, form: 1.5, partial: 2.5 }[role];

/** A type of larger rounding is coarse, and of such numbers so many tensors are looked for everywhere. */
const COARSE = 1e-4;
const MOST_COARSE = 100;
/** Parts of a tensor are many. */
const PIECES = 4;
/** Of one statement at most. */
const MOST_EXACT = 10;
const MOST_PROMISING = 16;
const MOST_PERMUTED = 4;
/** Queries, keys and values that are stacked, or heads. */
const MOST_STACKED = 16;
/** Worse than any that is something. */
const NOTHING_RIGHT = 5;
/** What was missing, in full, or another node that was. */
const EXACT = 0.5;
/** A node that is there already, or a form of one. */
const TOLD = 1.5;

const NEGATED = 0.4;
/** Of tensors that are put together another one in the place of one that is nowhere else. */
const LESS = 0.5;

/** A number that is the scale: where it is asked for is not known. */
const SCALAR = 1;
const isScale = (value: number, scale: number): boolean =>
  scale !== 1 &&
  [scale, 1 / scale, scale * Math.LOG2E].some((each) => Math.abs(value / each - 1) < 1e-6);

/** What dropout keeps, scaled so that the mean stays. */
function isDropout({ shape, data }: Tensor, { config: { dropout } }: Catalogue): boolean {
  if (!dropout || sizeOf(shape) !== dropout.keep.data.length) return false;
  const kept = 1 / (1 - dropout.p);
  return dropout.keep.data.every((keep, n) => Math.abs(data[n] - (keep === 0 ? 0 : kept)) < 1e-5);
}

export interface Sorted {
  /** The result is what should come out. */
  readonly exact: readonly Evaluated[];
  /** It is at least a part of something right. */
  readonly promising: readonly Evaluated[];
  readonly others: readonly (Candidate | Evaluated)[];
  /** Of the promising ones those that leave what was there, in another order. */
  readonly permuted: readonly Evaluated[];
}

const isSame = (one: Tensor, other: Tensor | undefined): boolean =>
  other !== undefined &&
  sameShape(one.shape, other.shape) &&
  one.data.every((value, at) => Object.is(value, other.data[at]));

/**
 * Candidates whose result is a part of something right, at best of what should come out at that place and then of what
 * the program lacks; and all others, by cost.
 */
export function sorted(
  { judged, own: covered }: Standing,
  { meant, isPacked }: Place,
  reply: FrameReply,
): Sorted {
  const key = meant?.key ?? null;
  const aligner = new Aligner(judged.catalogue);
  const meantEntries = judged.catalogue.entries
    .filter((entry) => entry.key === key)
    .map((entry, id) => ({ ...entry, id }));
  const meantAligner = new Aligner({ ...judged.catalogue, entries: meantEntries });
  // Coarse numbers are met everywhere: to look for all of them takes long, and tells little.
  let left = judged.catalogue.type.epsilon > COARSE ? MOST_COARSE : Infinity;
  const { scale } = judged.catalogue.parts;
  const size = key === null ? 0 : sizeOf(nodeOf(judged.catalogue.graph, key.slice(2)).shape);
  const isThere = reply.now.some(
    ({ shape, data }) => shape.length === 0 && isScale(data[0], scale),
  );
  const rankOf = (value: Tensor): number => {
    if (value.shape.length === 0 && isScale(value.data[0], scale))
      return isThere || Number.isInteger(value.data[0]) ? SCALAR : EXACT;
    const isMask = isMaskOf(value, judged.catalogue) || isDropout(value, judged.catalogue);
    let best = isMask ? EXACT : NOTHING_RIGHT;
    const telling = tellingOf(value);
    const meantHere = meantEntries.length > 0 ? meantAligner.align(value, telling) : [];
    const isMeant = meantHere.some(({ entry }) => roleOf(entry.role, true) <= EXACT);
    const found = isMeant || left-- <= 0 ? meantHere : aligner.align(value, telling);
    // Several in one, which are more than what should come out: the gradient of a fused projection.
    const isMore = sizeOf(value.shape) > size;
    const isLooked = found.length === 0 && isMore && left > 0;
    if (isLooked) left -= PIECES;
    const parts = isLooked ? piecesOf(value, aligner, judged.catalogue) : found;
    for (const alignment of parts) {
      const { entry } = alignment;
      // A part of what is there as a whole, such as one head's, is what many statements are to give; what is put together is
      // there.
      const isKnown =
        !isPacked && covered.has(entry.key) && entry.key !== key && isWhole(alignment);
      const known = isKnown ? 1 : 0;
      // Negated it is one as well, and rarely meant.
      const negated = entry.title.startsWith('−') ? NEGATED : 0;
      best = Math.min(best, roleOf(entry.role, entry.key === key) + known + negated);
    }
    return best;
  };
  const ranked: { readonly candidate: Evaluated; readonly rank: number }[] = [];
  const rest: Evaluated[] = [];
  for (const candidate of reply.candidates) {
    const worth = worthOf(candidate, reply, rankOf);
    const rank = isPacked && holdsLess(candidate, reply) ? worth + LESS : worth;
    if (rank < Infinity) ranked.push({ candidate, rank });
    else rest.push(candidate);
  }
  ranked.sort((a, b) => a.rank + a.candidate.cost - b.rank - b.candidate.cost);
  const isExact = ({ rank }: { readonly rank: number }): boolean => rank <= EXACT;
  const exact = ranked.filter(isExact).map(({ candidate }) => candidate);
  const promising = ranked.filter((each) => !isExact(each)).map(({ candidate }) => candidate);
  const others = [
    ...exact.slice(MOST_EXACT),
    ...promising.slice(MOST_PROMISING),
    ...rest,
    ...reply.others,
  ].sort((a, b) => a.cost - b.cost);
  return {
    exact: exact.slice(0, MOST_EXACT),
    promising: promising.slice(0, MOST_PROMISING),
    permuted: [...exact.slice(MOST_EXACT), ...promising, ...rest]
      .filter((each) => isPermuted(each, reply))
      .slice(0, MOST_PERMUTED),
    others,
  };
}

/** Whether a candidate holds one thing less than is there now. */
function holdsLess({ values }: Evaluated, { now }: FrameReply): boolean {
  return now.some((each) => !values.some((value) => isSame(value, each)));
}

/** Whether a candidate leaves the tensors that are there now, each once, in another order; or one that is stacked of them. */
function isPermuted({ values }: Evaluated, { now }: FrameReply): boolean {
  if (values.length !== now.length || now.length === 0) return false;
  if (now.length === 1) return isStackedAnew(values[0], now[0]);
  const left = [...now];
  return values.every((value) => {
    const at = left.findIndex((each) => isSame(value, each));
    if (at >= 0) left.splice(at, 1);
    return at >= 0;
  });
}

/** Whether the parts along the first axis are those of another tensor, in another order. */
function isStackedAnew(one: Tensor, other: Tensor): boolean {
  const [count] = one.shape;
  if (!sameShape(one.shape, other.shape) || !(count > 1 && count <= MOST_STACKED)) return false;
  const size = one.data.length / count;
  const partsOf = ({ data }: Tensor): string[] =>
    Array.from({ length: count }, (_, n) => data.subarray(n * size, (n + 1) * size).join());
  const [parts, own] = [one, other].map(partsOf);
  return parts.join() !== own.join() && parts.sort().join() === own.sort().join();
}

/** How far from right what a candidate leaves is; Infinity where nothing that it changes is right. */
function worthOf(
  { values }: Evaluated,
  { now, executions }: FrameReply,
  rankOf: (value: Tensor) => number,
): number {
  const worth = (some: readonly Tensor[], before: readonly Tensor[]): number => {
    const ranks = some.filter((value, n) => !isSame(value, before[n])).map(rankOf);
    if (ranks.every((rank) => rank === NOTHING_RIGHT)) return Infinity;
    // Where all that it changes is right, what was missing tells.
    const isTold = ranks.every((rank) => rank <= TOLD) && Math.min(...ranks) <= EXACT;
    if (isTold && some.length === before.length) return EXACT;
    // What else the edit changes has to be right as well, and nothing is to be missing.
    const isReshaped = some.some(({ shape }, n) => before[n] && !sameShape(shape, before[n].shape));
    const mean = ranks.reduce((sum, rank) => sum + rank, 0) / ranks.length;
    return mean + (some.length === before.length ? 0 : 2) + (isReshaped ? 0.3 : 0);
  };
  const each = now.length / executions;
  if (values.length !== now.length || !(each > 0)) return worth(values, now);
  // In a later execution what came before is wrong: one in which all is right tells enough.
  return Math.min(
    ...Array.from({ length: executions }, (_, n) =>
      worth(values.slice(n * each, (n + 1) * each), now.slice(n * each, (n + 1) * each)),
    ),
  );
}
