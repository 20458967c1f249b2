// A fix has to hold on other numbers and other sizes as well: the fixed program is run with them and judged anew.
import type { HeadConfig } from '../../engine/config.ts';
import { buildGraph } from '../../engine/heads/build.ts';
import { type InferOptions, meant as meantBy } from '../infer/meant.ts';
import { type Known, rebound, withChoices } from '../infer/rebind.ts';
import { judge } from '../judge.ts';
import type { Recording } from '../recorded/recording.ts';
import type { Catalogue } from '../align/catalogue.ts';
import { sizeOf } from '../../engine/tensor.ts';
import { offsetsIn } from '../recorded/lettered.ts';
import { hasBlindQuery } from '../sees/masks.ts';
import { Bound } from './bound.ts';
import type { Bench, Sources, Variation, Variations } from './bench.ts';
import { Edited } from './edited.ts';
import type { Verified } from './fix.ts';
import { rightTensors, type Standing, standingOf } from './progress.ts';
import type { Repaired } from './repair.ts';
import { applyEdits } from './text.ts';

/** Sizes that are changed one by one, and then all together. */
const MOST_SIZES = 5;
/** Beyond it no further variation is begun, in seconds; fewer sizes than these are not enough. */
const SECONDS = 6;
const ENOUGH_SIZES = 2;
/** So many ways to another size are tried before it is taken that the program has none. */
const FIRST_SIZES = 12;
/** The person's own included. */
const ENOUGH_SEEDS = 3;
const MOST_SECONDS = 15;
/** Of another run of which it has to be inferred what it computes: more take long, and other sizes are left to try. */
const MOST_EVENTS = 2500;

/**
 * What was run to prove a fix; null where the fixed program is wrong on other numbers. `before` is the run of the program
 * as it was, `now` in seconds of work.
 */
export async function prove(
  repaired: Repaired,
  before: Recording,
  bench: Bench,
  now: () => number,
  { known = newKnown(), asked = {}, until = Infinity }: ProofOptions = {},
): Promise<Verified | null> {
  return new Proof(repaired, before, bench, now, { known, asked, until }).result();
}

export interface ProofOptions {
  readonly known?: KnownOfProofs;
  /** Which of several attentions of the program it is. */
  readonly asked?: InferOptions | undefined;
  /** When the bench ends, as `now` tells it: what was not run by then proves nothing. */
  readonly until?: number;
}

/** What one proof leaves for the next one of the same program. */
export interface KnownOfProofs {
  /** Exit codes of the program as it was, by what varied. Null where it did not end. */
  readonly exits: Map<string, number | null>;
  /** What varied where an edit was wrong: the next one is likely to be wrong there as well. */
  readonly telling: Set<string>;
}

export const newKnown = (): KnownOfProofs => ({ exits: new Map(), telling: new Set() });

class Proof {
  readonly #repaired: Repaired;
  readonly #bench: Bench;
  readonly #now: () => number;
  readonly #began: number;
  readonly #before: Recording;
  readonly #known: KnownOfProofs;
  readonly #bound: Bound | null;
  readonly #asked: InferOptions;
  readonly #until: number;
  readonly #edited: Edited;
  #variedBefore: Variations | null = null;
  #alone: Alone | null | undefined;

  constructor(
    repaired: Repaired,
    before: Recording,
    bench: Bench,
    now: () => number,
    { known, asked, until }: Required<ProofOptions>,
  ) {
    this.#known = known;
    this.#bound = Bound.of(repaired.standing);
    this.#asked = asked ?? {};
    this.#until = until;
    this.#repaired = repaired;
    this.#before = before;
    this.#bench = bench;
    this.#now = now;
    this.#began = now();
    this.#edited = new Edited(before, repaired.sources);
  }

  async result(): Promise<Verified | null> {
    const { standing, sources } = this.#repaired;
    const verified = { tensors: rightTensors(standing), seeds: 1, sizes: 1 };
    // Where the fixed program's own numbers tell nothing of what it computes, others do not either; where they tell
    // something else, the fix holds by chance, unless its setup is there in other runs as well.
    if (!this.#bound && !this.#inferred) return verified;
    if (!this.#bound && !this.#own) return null;
    const { seeds, sizes } = await this.#bench.vary(sources);
    for (const variation of this.#tellingFirst(seeds)) {
      if (verified.seeds >= ENOUGH_SEEDS) break;
      const found = await this.#try([{ variation, of: 'seeds' }]);
      if (found === 'wrong') return null;
      if (found === 'right') verified.seeds++;
    }
    const kept: Varied[] = [];
    for (const [tried, variation] of this.#tellingFirst(sizes).entries()) {
      // On a slow machine one size at least is tried all the same: a number that is a size by chance holds for every seed.
      const isFirst = kept.length === 0 && tried < FIRST_SIZES;
      const limit = isFirst ? Infinity : kept.length < ENOUGH_SIZES ? MOST_SECONDS : SECONDS;
      if (kept.length >= MOST_SIZES || this.#now() - this.#began > limit) break;
      if (kept.some(({ variation: { at } }) => at === variation.at)) continue;
      const next: Varied = { variation, of: 'sizes' };
      const found = await this.#try([next]);
      if (found === 'wrong') return null;
      if (found === 'right') kept.push(next);
    }
    if (kept.length > 1 && this.#now() - this.#began <= MOST_SECONDS) {
      const found = await this.#try(kept);
      if (found === 'wrong') return null;
    }
    const isCutShort = kept.length === 0 && this.#now() > this.#until;
    const isVaried = verified.seeds > 1 || kept.length > 0;
    if (isCutShort || (!isVaried && !this.#own)) return null;
    return { ...verified, sizes: verified.sizes + kept.length };
  }

  /** What the fixed program is seen to compute, without the person's setup: looked for only where it is asked. */
  get #inferred(): Alone | null {
    if (this.#alone === undefined)
      this.#alone = judgedAlone(this.#repaired.standing.recording, this.#asked);
    return this.#alone;
  }

  /** The same where it is right by that. */
  get #own(): Alone | null {
    return this.#inferred?.judged.localised.verdict === 'match' ? this.#inferred : null;
  }

  #tellingFirst(variations: readonly Variation[]): Variation[] {
    // What the edit brings in may be right for a size of this program by chance.
    const { names } = this.#edited;
    const isTelling = (each: Variation): number =>
      this.#known.telling.has(this.#keyOf(each)) || each.names?.some((name) => names.has(name))
        ? 0
        : 1;
    return [...variations].sort((a, b) => isTelling(a) - isTelling(b));
  }

  #keyOf(variation: Variation): string {
    const sources: Sources = { ...textsOf(this.#before), ...this.#repaired.sources };
    return placeOf(variation, (file) => sources[file]);
  }

  async #try(all: readonly Varied[]): Promise<'right' | 'wrong' | 'useless'> {
    const found = await this.#tried(all);
    if (found === 'wrong')
      for (const { variation } of all) this.#known.telling.add(this.#keyOf(variation));
    return found;
  }

  /** useless: it does not run so, and did not before; nothing changes; or what it computes then cannot be told. */
  async #tried(all: readonly Varied[]): Promise<'right' | 'wrong' | 'useless'> {
    const { sources, standing } = this.#repaired;
    const some = all.map(({ variation }) => variation);
    const recording = await this.#run(sources, some);
    if (recording && this.#edited.isBrokenBefore(recording, standing.recording)) return 'useless';
    if (!recording || recording.exit.code !== standing.recording.exit.code)
      return (await this.#ranBefore(all)) ? 'wrong' : 'useless';
    const isResized = all[0].of === 'sizes';
    if (isResized && !hasOtherShapes(recording, standing.recording)) return 'useless';
    if (!isResized && !hasOtherNumbers(recording, standing.recording)) return 'useless';
    const configs = this.#bound?.configsIn(recording, isResized) ?? [];
    const judged = configs.flatMap((config) => judgedWith(config, recording) ?? []);
    if (judged.some((each) => isRightAs(standing, each))) return 'right';
    const bound = judged[0] ?? null;
    // Seen alone, any gradient of y is one of some loss.
    if (judged.length > 0 && judged.every((each) => this.#edited.isLossWrong(each))) return 'wrong';
    const isLong = recording.events.length > MOST_EVENTS;
    const isUntold = !bound && isResized && (isLong || this.#edited.givesLoss(standing));
    if (this.#now() > this.#until || isUntold) return 'useless';
    const own = this.#own;
    const told = own
      ? judgedAgainst(own, recording, isResized, this.#asked)
      : { found: 'wrong' as const, by: null };
    const by = bound ?? told.by;
    if (told.found !== 'wrong') return told.found;
    if (!own && (!by || (isResized && tellsLess(standing, by)))) return 'useless';
    return by && this.#edited.isWrongElsewhere(by) ? 'useless' : 'wrong';
  }

  /** Whether the program as it was takes these numbers: then the fix is for its own alone. */
  async #ranBefore(all: readonly Varied[]): Promise<boolean> {
    this.#variedBefore ??= await this.#bench.vary({});
    const known = this.#variedBefore;
    const texts = textsOf(this.#before);
    const same = all.map(({ variation, of }) => {
      const key = this.#keyOf(variation);
      return known[of].find((each) => placeOf(each, (file) => texts[file]) === key);
    });
    if (same.includes(undefined)) return false;
    const key = JSON.stringify(same);
    const { exits } = this.#known;
    if (!exits.has(key)) {
      const recording = await this.#run({}, same as Variation[]);
      exits.set(key, recording?.exit.code ?? null);
    }
    return exits.get(key) === this.#repaired.standing.recording.exit.code;
  }

  #run(sources: Sources, variations: readonly Variation[]): Promise<Recording | null> {
    const args = variations.find((each) => each.args)?.args;
    return this.#bench.record(varied({ ...textsOf(this.#before), ...sources }, variations), args);
  }
}

const textsOf = ({ files }: Recording): Sources =>
  Object.fromEntries(files.map(({ path, source }) => [path, source]));

interface Varied {
  readonly variation: Variation;
  readonly of: 'seeds' | 'sizes';
}

/** Whether at other sizes a right program may be taken for a wrong one: it is not the fix that fails there. */
const tellsLess = (one: Standing, other: Standing): boolean =>
  hasTie(one, other) ||
  (hasBlindQuery(other.judged.catalogue) && !hasBlindQuery(one.judged.catalogue));

/** Whether two sizes that were different are one now: then which axis is which cannot be told for sure. */
function hasTie(one: Standing, other: Standing): boolean {
  const [was, is] = [one, other].map(({ judged: { catalogue } }) => catalogue.graph.extents);
  const letters = Object.keys(is);
  return letters.some((a) => letters.some((b) => is[a] === is[b] && was[a] !== was[b]));
}

/**
 * Whether two runs of one program are the same attention: what was proven of one that scales by another width, or hides
 * other keys, is not proven of this one.
 */
function isSameAttention(one: Standing, other: Standing, isResized: boolean): boolean {
  const [a, b] = [one, other].map(({ judged: { catalogue } }) => catalogue);
  const { config: was } = a;
  const { config: is } = b;
  const isNamed = typeof was.mask === 'string' && typeof is.mask === 'string';
  if (isNamed && was.mask !== is.mask && !hidesAs(was, b)) return false;
  const width = ({ graph }: Catalogue): number => graph.extents['a'] ?? 1;
  const byWidth = ({ parts, graph }: Catalogue): boolean =>
    isNear(parts.scale, 1 / Math.sqrt(graph.extents['a'] ?? 1));
  // Of a width that is as it was nothing else can follow.
  if (!isResized || width(a) === width(b)) return isNear(a.parts.scale, b.parts.scale);
  return byWidth(a) === byWidth(b);
}

/**
 * Whether a run hides just what a causal mask of another would at its sizes, though it bears another name: of as many
 * queries as keys both causal masks are one, and a window may be one, too.
 */
function hidesAs(
  { mask, window }: HeadConfig,
  { visible, graph: { extents } }: Catalogue,
): boolean {
  const isCausal = mask === 'causal' || mask === 'causal-bottom-right';
  if (!isCausal || window !== undefined || !visible) return false;
  const later = mask === 'causal' ? 0 : extents['i'] - extents['j'];
  const [keys, queries] = (['i', 'j'] as const).map((letter) =>
    offsetsIn(visible.letters, [letter], extents),
  );
  return visible.data.every((seen, at) => (seen !== 0) === keys[at] - later <= queries[at]);
}

/** The same for two texts that are alike in the lines that it changes. */
function placeOf({ edits, args }: Variation, textOf: (file: string) => string | undefined): string {
  const places = Object.entries(edits ?? {}).flatMap(([file, some]) => {
    const characters = Array.from(textOf(file) ?? '');
    return some.map(([start, , text]) => {
      const line = characters.lastIndexOf('\n', start - 1) + 1;
      return [characters.slice(line, start).join(''), text];
    });
  });
  return JSON.stringify([places, args]);
}

const isNear = (one: number, other: number): boolean => Math.abs(one / other - 1) < 1e-4;

/** A run, and the setup by which it is judged. */
interface Alone extends Standing {
  readonly known: Known;
}

/** Judged by what it is seen to compute, without the person's setup: that is of other numbers. */
function judgedAlone(recording: Recording, asked: InferOptions): Alone | null {
  try {
    const chosen = meantBy(recording, asked);
    return chosen && { known: chosen.found, ...standingOf(recording, chosen.judged) };
  } catch {
    return null;
  }
}

/** Whether another run is all right by its setup, and shows as much. */
const isRightAs = (own: Standing, other: Standing): boolean =>
  other.judged.localised.verdict === 'match' && other.covered.size >= own.covered.size;

/** By what it is seen to compute, beside what the first run was seen to compute: `by` is by the first run's choices. */
function judgedAgainst(
  own: Alone,
  recording: Recording,
  isResized: boolean,
  asked: InferOptions,
): { readonly found: 'right' | 'wrong' | 'useless'; readonly by: Standing | null } {
  const config = isResized ? null : rebound(own.known, recording);
  const like = config && judgedWith(config, recording);
  if (like && isRightAs(own, like)) return { found: 'right', by: like };
  const anew = judgedAlone(recording, asked);
  if (!anew) return { found: 'useless', by: like };
  const isOff = anew.judged.localised.verdict === 'diverges';
  const isOther = isOff || !isSameAttention(own, anew, isResized);
  if (!isOther)
    return { found: anew.covered.size >= own.covered.size ? 'right' : 'useless', by: anew };
  // At other sizes less may be told of the scale and the like, which no size decides.
  const meant = isResized
    ? judgedWith(withChoices(anew.known.config, own.known.config), recording)
    : like;
  if (isOff && isResized && meant && isRightAs(own, meant)) return { found: 'right', by: meant };
  return { found: isResized && tellsLess(own, anew) ? 'useless' : 'wrong', by: meant };
}

function judgedWith(config: HeadConfig, recording: Recording): Standing | null {
  try {
    return judgedBy(config, recording);
  } catch {
    return null;
  }
}

const judgedBy = (config: HeadConfig, recording: Recording): Standing =>
  standingOf(recording, judge(recording, config, buildGraph(config)));

/** Whether a tensor that was recorded has another shape. */
function hasOtherShapes(one: Recording, other: Recording): boolean {
  const shapes = (recording: Recording): string =>
    JSON.stringify(recording.events.slice(0, 400).map(({ shape }) => shape));
  return shapes(one) !== shapes(other);
}

/** Whether a good part of what was recorded has other numbers. */
function hasOtherNumbers(one: Recording, other: Recording): boolean {
  let [same, all] = [0, 0];
  one.events.slice(0, 400).forEach(({ shape }, id) => {
    if (sizeOf(shape) < 2 || id >= other.events.length) return;
    const [a, b] = [one.tensor(id)?.data, other.tensor(id)?.data];
    if (!a || !b || !a.some((value) => !Number.isInteger(value))) return;
    all++;
    if (a.length === b.length && a.every((value, at) => Object.is(value, b[at]))) same++;
  });
  return all > 0 && same < 0.5 * all;
}

type Edits = readonly (readonly [number, number, string])[];

/** Two sizes may be written by the same number: the first one stands. */
const joined = (some: Edits, more: Edits): Edits => [
  ...some,
  ...more.filter(([from, to]) => !some.some(([start, end]) => from < end && start < to)),
];

/** `sources` are the texts of all files that vary. */
function varied(sources: Sources, variations: readonly Variation[]): Sources {
  const edits = new Map<string, Edits>();
  for (const variation of variations)
    for (const [file, some] of Object.entries(variation.edits ?? {}))
      edits.set(file, joined(edits.get(file) ?? [], some));
  const result: Record<string, string> = { ...sources };
  for (const [file, some] of edits)
    if (sources[file] !== undefined) result[file] = applyEdits(sources[file], some);
  return result;
}
