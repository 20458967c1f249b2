// From the first wrong statement to edits that make the whole program right.
import type { Judged } from '../judge.ts';
import type { Recording } from '../recording.ts';
import type { Bench, Candidate, Evaluated, FrameReply, Sources } from './bench.ts';
import { type Place, placesOf } from './places.ts';
import { compareStandings, type Standing, standingOf } from './progress.ts';
import { type Sorted, sorted } from './select.ts';
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

interface State extends Repaired {
  /** Other edits that might have been the last one: the program that it was made to, and where. */
  readonly instead?: {
    readonly of: State;
    readonly place: Place;
    readonly edits: readonly Candidate[];
  };
}

/** Everything that was tried, so that it can be said. */
export interface Tried {
  readonly candidates: number;
  readonly runs: number;
}

/** Of the first statement, likely ones that are run before others are looked at; of each, cheap ones of the rest. */
const FIRST_PROMISING = 6;
/** Less than any token that is exchanged. */
const CHEAP = 0.95;
const FIRST_OTHERS = 16;
const MOST_OTHERS = 60;
/** Statements of which two edits at once are tried. */
const MOST_PAIRED = 2;
/** Of an edit that makes nothing better, others that left the same numbers. */
const MOST_BESIDE = 2;
/** Of an edit after which the next one does not hold on other numbers. */
const MOST_INSTEAD = 3;
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
  #disproved = 0;
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
   * likely comes first: one edit whose result is what should come out, then one whose result is right at all, and at
   * last two at once, and all others.
   */
  async from(state: State, mistakes: number): Promise<void> {
    const places = placesOf(state.standing);
    const looked: { readonly place: Place; readonly found: Sorted }[] = [];
    for (const place of places) {
      const found = await this.#look(state, place, false);
      if (!found) continue;
      const likely = looked.length === 0 ? likelyOf(found) : [];
      looked.push({ place, found });
      await this.#tryAndGoOn(state, place, [...found.exact, ...likely], mistakes);
      if (this.#isSpent) return;
    }
    for (const [n, { place, found }] of looked.entries()) {
      const cheap = n === 0 ? found.others.slice(0, FIRST_OTHERS) : [];
      await this.#tryAndGoOn(state, place, [...found.promising, ...cheap], mistakes);
      if (this.#isSpent) return;
    }
    // What comes after the first edit is looked for among the likely ones alone.
    if (state.slips.length > 0) return;
    for (const place of places.slice(0, MOST_PAIRED)) {
      const found = await this.#look(state, place, true);
      const likely = found ? [...found.exact, ...found.promising] : [];
      await this.#tryAndGoOn(state, place, likely, mistakes);
    }
    for (const { place, found } of looked)
      await this.#tryAndGoOn(state, place, found.others.slice(0, MOST_OTHERS), mistakes);
  }

  async #tryAndGoOn(
    state: State,
    place: Place,
    candidates: readonly (Candidate | Evaluated)[],
    mistakes: number,
  ): Promise<void> {
    const better = await this.#tryAll(state, place, candidates);
    if (mistakes <= 1) return;
    better.sort((a, b) => b.standing.covered.size - a.standing.covered.size || a.cost - b.cost);
    for (const next of better.slice(0, MOST_FOLLOWED)) {
      if (this.#isSpent) return;
      const disproved = this.#disproved;
      await this.from(next, mistakes - 1);
      if (this.#disproved === disproved || !next.instead) continue;
      // Both edits were right on the person's own numbers alone: the first may have been by chance.
      const { of, place: there, edits } = next.instead;
      for (const other of await this.#tryAll(of, there, edits.slice(0, MOST_INSTEAD)))
        if (!this.#isSpent) await this.from(other, mistakes - 1);
    }
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
      ...(place.until !== undefined && { until: place.until }),
      ...(place.around === true && { around: true }),
      occurrences: place.occurrences,
      pairs,
      seconds: SECONDS_IN_FRAME,
    });
    if (reply) this.candidates += reply.tried;
    return reply;
  }

  /** Runs the program with each candidate, in this order, until a fix is found; those that make it better. */
  async #tryAll(
    state: State,
    place: Place,
    candidates: readonly (Candidate | Evaluated)[],
  ): Promise<State[]> {
    const queue: (Candidate | Evaluated)[] = [...candidates];
    const better: State[] = [];
    let most = Infinity;
    const running: { candidate: Candidate | Evaluated; run: Promise<State | null> }[] = [];
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
      // Where it was evaluated they give the same, elsewhere they may not.
      if (how === 'neither') queue.push(...alternativesOf(first.candidate).slice(0, MOST_BESIDE));
      if (how !== 'right') continue;
      const verdict = await this.#search.found(next);
      if (verdict === 'disproved') {
        this.#disproved++;
        queue.splice(n, 0, ...alternativesOf(first.candidate));
        continue;
      }
      if (verdict === 'enough') this.#isOver = true;
      this.#isFound = true;
      // Others are offered where they are as short, or nearly.
      most = Math.min(most, first.candidate.cost + NEARLY);
      queue.splice(n + AFTER_FOUND);
    }
    if (this.#isFound) this.#isOver = true;
    return better;
  }

  async #run(state: State, place: Place, candidate: Candidate | Evaluated): Promise<State | null> {
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
      instead: { of: state, place, edits: alternativesOf(candidate) },
    };
  }
}

/** Of a statement that is blamed: what is partly right, and what alone is left away and may tell elsewhere. */
const likelyOf = ({ promising, others }: Sorted): readonly (Candidate | Evaluated)[] => [
  ...promising.slice(0, FIRST_PROMISING),
  ...others.filter(({ cost }) => cost < CHEAP).slice(0, FIRST_PROMISING),
];

const alternativesOf = (candidate: Candidate | Evaluated): readonly Candidate[] =>
  'alternatives' in candidate ? candidate.alternatives : [];
