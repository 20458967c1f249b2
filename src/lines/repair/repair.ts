// From the first wrong statement to edits that make the whole program right.
import { keyOf } from '../../compare/program.ts';
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

export const LIMITS: Limits = { seconds: 40, runs: 400, mistakes: 3 };

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

const MOST_SOURCES_TRIED = 90;
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

  /** Looks for one more edit of the program; where it makes it better but not right, for another one after it. */
  async from(state: State, mistakes: number): Promise<void> {
    const better: State[] = [];
    for (const pairs of [false, true]) {
      for (const place of placesOf(state.standing)) {
        if (this.#isSpent) return;
        const reply = await this.#frame(state, place, pairs);
        if (!reply) continue;
        const share = pairs ? 0.5 : 1;
        const found = await this.#tryAll(
          state,
          place,
          reply,
          Math.ceil(MOST_SOURCES_TRIED * share),
        );
        better.push(...found);
        if (this.#isOver) return;
        if (found.length > 0) break;
      }
      if (better.length > 0) break;
    }
    if (mistakes <= 1) return;
    better.sort((a, b) => b.standing.covered.size - a.standing.covered.size || a.cost - b.cost);
    for (const next of better.slice(0, 3)) {
      if (this.#isSpent) return;
      await this.from(next, mistakes - 1);
    }
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

  /** Runs the program with each candidate, those first whose result is what should have come out. */
  async #tryAll(state: State, place: Place, reply: FrameReply, most: number): Promise<State[]> {
    const { promising, others } = sorted(state.standing, place, reply);
    const queue = [...promising, ...others.slice(0, most)];
    const better: State[] = [];
    let until = Infinity;
    const running: { candidate: Candidate; run: Promise<State | null> }[] = [];
    for (let n = 0; ;) {
      while (running.length < AT_ONCE && n < queue.length && !this.#isSpent) {
        const candidate = queue[n++];
        running.push({ candidate, run: this.#run(state, place, candidate) });
      }
      const first = running.shift();
      if (!first) break;
      const next = await first.run;
      if (this.#isOver || first.candidate.cost > until) continue;
      const how = next ? compareStandings(state.standing, next.standing) : 'neither';
      if (next && how === 'right') {
        const verdict = await this.#search.found(next);
        if (verdict === 'disproved') continue;
        if (verdict === 'enough') this.#isOver = true;
        this.#isFound = true;
        // Others are offered where they are as short, or nearly.
        until = Math.min(until, first.candidate.cost + NEARLY);
        queue.splice(n + AFTER_FOUND);
      } else if (next && how === 'better') better.push(next);
      if (n >= promising.length && better.length > 0) n = queue.length;
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

/**
 * Candidates whose result is a part of something right, at best of what should come out at that place and then of what
 * the program lacks; and all others, by cost.
 */
function sorted(
  { judged, covered }: Standing,
  place: Place,
  reply: FrameReply,
): { promising: Candidate[]; others: Candidate[] } {
  const { wrong } = judged.localised;
  const meant = wrong.find(({ event, seen }) => event === place.event || seen === place.event);
  const key = meant && meant.kind !== 'other' && meant.node ? keyOf(meant.node, meant.kind) : null;
  const aligner = new Aligner(judged.catalogue);
  const worth = ({ values }: Evaluated): number => {
    let best = Infinity;
    for (const value of values)
      for (const { entry } of aligner.align(value)) {
        const known = covered.has(entry.key) && entry.key !== key ? 1.5 : 0;
        const role = entry.role === 'node' ? 0 : entry.role === 'form' ? 1 : 2;
        best = Math.min(best, role + known + (entry.key === key ? 0 : 0.5));
      }
    return best;
  };
  const judgedOnes = reply.candidates.map((candidate) => ({ candidate, rank: worth(candidate) }));
  const promising = judgedOnes
    .filter(({ rank }) => rank < Infinity)
    .sort((a, b) => a.rank + a.candidate.cost - b.rank - b.candidate.cost)
    .map(({ candidate }) => candidate);
  const rest = judgedOnes.filter(({ rank }) => rank === Infinity).map(({ candidate }) => candidate);
  const others = [...rest, ...reply.others].sort((a, b) => a.cost - b.cost);
  return { promising, others };
}
