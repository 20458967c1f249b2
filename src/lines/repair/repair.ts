// From the first wrong statement to edits that make the whole program right.
import { keyOf } from '../../compare/program.ts';
import { sameShape, type Tensor } from '../../engine/tensor.ts';
import { Aligner } from '../align.ts';
import type { Judged } from '../judge.ts';
import type { Recording } from '../recording.ts';
import type { Bench, Candidate, Evaluated, FrameReply, Sources } from './bench.ts';
import { type Place, placesOf } from './places.ts';
import { compareStandings, type Standing, standingOf } from './progress.ts';
import { applyEdits } from './text.ts';

export interface Limits {
  /** For all of it, in seconds. */
  readonly seconds: number;
  /** Runs of the whole program. */
  readonly runs: number;
  /** Mistakes that are repaired one after the other. */
  readonly mistakes: number;
}

export const LIMITS: Limits = { seconds: 90, runs: 400, mistakes: 3 };

/** A program that is right on the person's own numbers. */
export interface Repaired {
  readonly sources: Sources;
  readonly standing: Standing;
  readonly slips: readonly string[];
  readonly cost: number;
}

export interface Search {
  readonly bench: Bench;
  readonly judge: (recording: Recording) => Judged;
  readonly limits: Limits;
  /** In seconds. */
  readonly now: () => number;
  /** Proves the next repaired program; the search goes on after one that is disproved. */
  readonly found: (repaired: Repaired) => Promise<'proven' | 'disproved' | 'enough'>;
}

interface State {
  readonly sources: Sources;
  readonly standing: Standing;
  readonly slips: readonly string[];
  readonly cost: number;
}

/** Everything that was tried, so that it can be said. */
export interface Tried {
  readonly candidates: number;
  readonly runs: number;
}

/** Of one statement: edits whose own result is right, and others. */
const MOST_PROMISING = 16;
const FIRST_OTHERS = 16;
const MOST_OTHERS = 60;
/** Statements of which two edits at once are tried. */
const MOST_PAIRED = 2;
/** Better programs from which the search goes on. */
const MOST_FOLLOWED = 2;
const SECONDS_IN_FRAME = 4;
/** Runs of the program at a time. */
const AT_ONCE = 2;
/** After a fix, so many more candidates are run, and offered if they cost hardly more. */
const AFTER_FOUND = 8;
const NEARLY = 0.6;

/**
 * Repaired programs, the cheapest edit first, handed to `search.found`. `recording` is the person's run as it is,
 * `files` the texts of its files.
 */
export async function repair(recording: Recording, judged: Judged, search: Search): Promise<Tried> {
  const hunt = new Hunt(search);
  await hunt.from(
    { sources: {}, standing: standingOf(recording, judged), slips: [], cost: 0 },
    search.limits.mistakes,
  );
  return { candidates: hunt.candidates, runs: hunt.runs };
}

class Hunt {
  readonly #search: Search;
  readonly #began: number;
  readonly #seen = new Set<string>();
  #isOver = false;
  #isFound = false;
  candidates = 0;
  runs = 0;

  constructor(search: Search) {
    this.#search = search;
    this.#began = search.now();
  }

  get #isSpent(): boolean {
    const { limits, now } = this.#search;
    return this.#isOver || this.runs >= limits.runs || now() - this.#began > limits.seconds;
  }

  /**
   * Looks for one more edit of the program; where it makes it better but not right, for another one after it. What is
   * likely comes first: one edit whose own result is right, then cheap ones whose effect only the whole program shows,
   * and at last two at once, and all others.
   */
  async from(state: State, mistakes: number): Promise<void> {
    const places = placesOf(state.standing);
    const singles = new Map<Place, Sorted>();
    const better: State[] = [];
    for (const place of places) {
      const found = await this.#look(state, place, false);
      if (!found) continue;
      const cheap = singles.size === 0 ? found.others.slice(0, FIRST_OTHERS) : [];
      singles.set(place, found);
      for (const some of [found.promising, cheap])
        better.push(...(await this.#tryAll(state, place, some)));
      if (this.#isSpent) return;
    }
    await this.#goOn(better, mistakes);
    // What comes after the first edit is looked for among the likely ones alone.
    if (state.slips.length > 0) return;
    for (const place of places.slice(0, MOST_PAIRED)) {
      const found = await this.#look(state, place, true);
      if (found) await this.#tryAll(state, place, found.promising);
    }
    for (const [place, { others }] of singles)
      better.push(...(await this.#tryAll(state, place, others.slice(0, MOST_OTHERS))));
    await this.#goOn(better, mistakes);
  }

  async #goOn(better: State[], mistakes: number): Promise<void> {
    if (mistakes <= 1) return;
    better.sort((a, b) => b.standing.covered.size - a.standing.covered.size || a.cost - b.cost);
    for (const next of better.splice(0).slice(0, MOST_FOLLOWED))
      if (!this.#isSpent) await this.from(next, mistakes - 1);
  }

  async #look(state: State, place: Place, pairs: boolean): Promise<Sorted | null> {
    if (this.#isSpent) return null;
    const reply = await this.#frame(state, place, pairs);
    return reply && sorted(state.standing, place, reply);
  }

  async #frame(state: State, place: Place, pairs: boolean): Promise<FrameReply | null> {
    const reply = await this.#search.bench.frame({
      sources: state.sources,
      file: place.file,
      line: place.line,
      occurrences: place.occurrences,
      pairs,
      seconds: SECONDS_IN_FRAME,
    });
    if (reply) this.candidates += reply.tried;
    return reply;
  }

  /** Runs the program with each candidate, in this order, until a fix is found; those that make it better. */
  async #tryAll(state: State, place: Place, candidates: readonly Candidate[]): Promise<State[]> {
    const queue = [...candidates];
    const better: State[] = [];
    let most = Infinity;
    const running: { candidate: Candidate; run: Promise<State | null> }[] = [];
    for (let n = 0; ;) {
      while (running.length < AT_ONCE && n < queue.length && !this.#isSpent) {
        const candidate = queue[n++];
        running.push({ candidate, run: this.#run(state, place, candidate) });
      }
      const first = running.shift();
      if (!first) break;
      const next = await first.run;
      if (!next || this.#isOver || first.candidate.cost > most) continue;
      const how = compareStandings(state.standing, next.standing);
      if (how === 'better') better.push(next);
      if (how !== 'right') continue;
      const verdict = await this.#search.found(next);
      if (verdict === 'disproved') continue;
      if (verdict === 'enough') this.#isOver = true;
      this.#isFound = true;
      // Others are offered where they are as short, or nearly.
      most = Math.min(most, first.candidate.cost + NEARLY);
      queue.splice(n + AFTER_FOUND);
    }
    if (this.#isFound) this.#isOver = true;
    return better;
  }

  async #run(state: State, place: Place, candidate: Candidate): Promise<State | null> {
    const { recording } = state.standing;
    const before =
      state.sources[place.file] ?? recording.files.find(({ path }) => path === place.file)?.source;
    if (before === undefined) return null;
    const sources = { ...state.sources, [place.file]: applyEdits(before, candidate.edits) };
    const key = JSON.stringify(sources);
    if (this.#seen.has(key)) return null;
    this.#seen.add(key);
    this.runs++;
    const recorded = await this.#search.bench.record(sources);
    if (!recorded) return null;
    return {
      sources,
      standing: standingOf(recorded, this.#search.judge(recorded)),
      slips: [...state.slips, candidate.slip],
      cost: state.cost + candidate.cost,
    };
  }
}

/** Worse than any that is something. */
const NOTHING_RIGHT = 5;

const isSame = (one: Tensor, other: Tensor | undefined): boolean =>
  other !== undefined &&
  sameShape(one.shape, other.shape) &&
  one.data.every((value, at) => Object.is(value, other.data[at]));

interface Sorted {
  readonly promising: readonly Candidate[];
  readonly others: readonly Candidate[];
}

/**
 * Candidates whose result is a part of something right, at best of what should come out at that place and then of what
 * the program lacks; and all others, by cost.
 */
function sorted({ judged, covered }: Standing, place: Place, reply: FrameReply): Sorted {
  const { wrong } = judged.localised;
  const meant = wrong.find(({ event, seen }) => event === place.event || seen === place.event);
  const key = meant && meant.kind !== 'other' && meant.node ? keyOf(meant.node, meant.kind) : null;
  const aligner = new Aligner(judged.catalogue);
  const rankOf = (value: Tensor): number => {
    let best = NOTHING_RIGHT;
    for (const { entry } of aligner.align(value)) {
      const known = covered.has(entry.key) && entry.key !== key ? 1 : 0;
      const role = entry.role === 'node' ? 0 : entry.role === 'form' ? 1 : 2;
      best = Math.min(best, role + known + (entry.key === key ? 0 : 0.5));
    }
    return best;
  };
  const each = reply.now.length / reply.executions;
  const worthOf = (values: readonly Tensor[], now: readonly Tensor[]): number => {
    const ranks = values.filter((value, n) => !isSame(value, now[n])).map(rankOf);
    if (ranks.every((rank) => rank === NOTHING_RIGHT)) return Infinity;
    // What else the edit changes has to be right as well, and nothing is to be missing.
    const isReshaped = values.some(({ shape }, n) => now[n] && !sameShape(shape, now[n].shape));
    const mean = ranks.reduce((sum, rank) => sum + rank, 0) / ranks.length;
    return mean + (values.length === now.length ? 0 : 2) + (isReshaped ? 0.3 : 0);
  };
  // In a later execution what came before is wrong: one in which all is right tells enough.
  const worth = ({ values }: Evaluated): number =>
    values.length === reply.now.length && each > 0
      ? Math.min(
          ...Array.from({ length: reply.executions }, (_, n) => [n * each, (n + 1) * each]).map(
            ([from, to]) => worthOf(values.slice(from, to), reply.now.slice(from, to)),
          ),
        )
      : worthOf(values, reply.now);
  const judgedOnes = reply.candidates.map((candidate) => ({ candidate, rank: worth(candidate) }));
  const ranked = judgedOnes
    .filter(({ rank }) => rank < Infinity)
    .sort((a, b) => a.rank + a.candidate.cost - b.rank - b.candidate.cost)
    .map(({ candidate }) => candidate);
  const rest = judgedOnes.filter(({ rank }) => rank === Infinity).map(({ candidate }) => candidate);
  const promising = ranked.slice(0, MOST_PROMISING);
  const others = [...ranked.slice(MOST_PROMISING), ...rest, ...reply.others];
  others.sort((a, b) => a.cost - b.cost);
  return { promising, others };
}
