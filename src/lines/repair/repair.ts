// From the first wrong statement to edits that make the whole program right.
import type { Judged } from '../judge.ts';
import type { Recording } from '../recorded/recording.ts';
import type { Bench, Candidate, Evaluated, Sources } from './bench.ts';
import { type Place, placesOf } from './places.ts';
import { compareStandings, type Standing, standingOf } from './progress.ts';
import { type Sorted, sorted } from './select.ts';
import { applyEdits } from './text.ts';

export interface Limits {
  /** For all of it, in seconds of work. */
  readonly seconds: number;
  /** Runs of the whole program. */
  readonly runs: number;
  /** Mistakes that are repaired one after the other. */
  readonly mistakes: number;
}

export const LIMITS: Limits = { seconds: 40, runs: 500, mistakes: 3 };

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
  /** In seconds of work. */
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

/** What came of one look at a statement; not of all its candidates, where there are too many at first. */
interface Looked extends Sorted {
  readonly isAll: boolean;
}

interface LookOptions {
  readonly pairs?: boolean;
  /** The cheapest alone, and how many of them were looked at before. */
  readonly most?: number;
  readonly already?: number;
}

/** Everything that was tried, so that it can be said. */
export interface Tried {
  /** How many edits were looked at, and how many runs of the whole program. */
  readonly candidates: number;
  readonly runs: number;
  /** Nothing was found within the limits, and there was more to try. */
  readonly isStopped: boolean;
}

/** Of the first statement, likely ones that are run before others are looked at; of each, cheap ones of the rest. */
const FIRST_PROMISING = 6;
/** Less than any token that is exchanged. */
const CHEAP = 0.95;
const FIRST_OTHERS = 16;
const FIRST_UNSEEN = 3;
/** Of a statement in loops that is looked at by all that they write. */
const FIRST_INDEXED = 6;
/** Of a statement that no tensor tells of. */
const FIRST_SILENT = 8;
const MOST_OTHERS = 60;
/** Statements of which two edits at once are tried. */
const MOST_PAIRED = 2;
/** Of an edit that makes nothing better, others that left the same numbers: the cheapest, and one of each other kind. */
const MOST_BESIDE = 4;
/** Of an edit after which the next one does not hold on other numbers. */
const MOST_INSTEAD = 3;
/** Better programs from which the search goes on. */
const MOST_FOLLOWED = 2;
const SECONDS_IN_FRAME = 3;
/** Candidates of a statement that are looked at before those of others. */
const FIRST_LOOKED = 800;
/** Runs of the program at a time. */
const AT_ONCE = 2;
/** After a fix, so many more candidates are run, and offered if they cost hardly more. */
const AFTER_FOUND = 4;
const NEARLY = 0.6;

/**
 * What comes when, in statements: each next one is a step later. What is likely comes first: edits whose result is what
 * should come out, then those whose result is right at all, and at last two at once, and all others.
 */
const LATER = { statement: 1, rest: 5, promising: 9, pairs: 18, others: 24 };
/** After an edit that makes little better the next one comes that much later; after one that makes all but right, sooner; later where another one made more right. */
const FOLLOWED = { least: 0.5, most: 4, worse: 6 };

/**
 * Repaired programs, the cheapest edit first, handed to `search.found`. `recording` is the person's run as it is,
 * `files` the texts of its files.
 */
export async function repair(recording: Recording, judged: Judged, search: Search): Promise<Tried> {
  const hunt = new Hunt(search);
  await hunt.from({ sources: {}, standing: standingOf(recording, judged), slips: [], cost: 0 });
  return hunt.tried;
}

interface Task {
  readonly when: number;
  readonly run: () => Promise<void>;
}

class Hunt {
  readonly #search: Search;
  readonly #began: number;
  readonly #seen = new Set<string>();
  readonly #agenda: Task[] = [];
  readonly #doubted = new Set<State>();
  #isOver = false;
  #isFound = false;
  /** Of all that was better. */
  #mostRight = 0;
  candidates = 0;
  runs = 0;

  constructor(search: Search) {
    this.#search = search;
    this.#began = search.now();
  }

  get #isSpent(): boolean {
    return this.#isOver || this.#isBeyond;
  }

  get #isBeyond(): boolean {
    const { limits, now } = this.#search;
    return this.runs >= limits.runs || now() - this.#began > limits.seconds;
  }

  get tried(): Tried {
    const { candidates, runs } = this;
    return { candidates, runs, isStopped: !this.#isFound && this.#isBeyond };
  }

  /** Looks for one more edit of the program; where it makes it better but not right, for another one after it. */
  async from(state: State): Promise<void> {
    this.#open(state, 0);
    while (this.#agenda.length > 0 && !this.#isSpent) {
      const next = this.#agenda.reduce((a, b) => (b.when < a.when ? b : a));
      this.#agenda.splice(this.#agenda.indexOf(next), 1);
      await next.run();
    }
  }

  #open(state: State, begin: number): void {
    const places = placesOf(state.standing);
    for (const [n, place] of places.entries()) {
      const when = begin + n * LATER.statement;
      this.#agenda.push({ when, run: () => this.#first(state, place, when, n === 0) });
      if (n < MOST_PAIRED && state.slips.length === 0)
        this.#agenda.push({
          when: when + LATER.pairs,
          run: async () => {
            const found = await this.#look(state, place, { pairs: true });
            const likely = found ? [...found.exact, ...found.promising] : [];
            await this.#tryAndGoOn(state, place, likely, when + LATER.pairs);
          },
        });
    }
  }

  /** The cheapest edits of a statement; where there are many, all of them later. */
  async #first(state: State, place: Place, when: number, isFirst: boolean): Promise<void> {
    const found = await this.#look(state, place, { most: FIRST_LOOKED });
    if (!found) return;
    if (found.isAll) return this.#all(state, place, found, when, isFirst);
    this.#agenda.push({
      when: when + LATER.rest,
      run: async () => {
        const all = await this.#look(state, place, { already: FIRST_LOOKED });
        if (all) await this.#all(state, place, all, when + LATER.rest, isFirst);
      },
    });
    await this.#tryAndGoOn(state, place, likelyOf(found, place, isFirst), when);
  }

  /** The likely edits of a statement; the others are put off. */
  async #all(
    state: State,
    place: Place,
    found: Looked,
    when: number,
    isFirst: boolean,
  ): Promise<void> {
    const { promising, others } = found;
    const later = (by: number, some: readonly (Candidate | Evaluated)[]): void => {
      this.#agenda.push({
        when: when + by,
        run: () => this.#tryAndGoOn(state, place, some, when + by),
      });
    };
    const cheap = isFirst || place.isUnseen ? others.slice(0, FIRST_OTHERS) : [];
    later(LATER.promising, [...promising, ...cheap]);
    // What comes after the first edit is looked for among the likely ones alone.
    if (state.slips.length === 0) later(LATER.others, others.slice(0, MOST_OTHERS));
    await this.#tryAndGoOn(state, place, likelyOf(found, place, isFirst), when);
  }

  async #tryAndGoOn(
    state: State,
    place: Place,
    candidates: readonly (Candidate | Evaluated)[],
    when: number,
  ): Promise<void> {
    const better = await this.#tryAll(state, place, candidates, when);
    if (state.slips.length + 1 >= this.#search.limits.mistakes) return;
    better.sort((a, b) => b.standing.covered.size - a.standing.covered.size || a.cost - b.cost);
    for (const next of better.slice(0, MOST_FOLLOWED)) {
      const { size } = next.standing.covered;
      this.#mostRight = Math.max(this.#mostRight, size);
      const later = FOLLOWED.most - (FOLLOWED.most - FOLLOWED.least) * gained(state, next);
      this.#open(next, when + later + (size < this.#mostRight ? FOLLOWED.worse : 0));
    }
  }

  /** Both edits were right on the person's own numbers alone: the first may have been by chance. */
  #doubt(state: State, when: number): void {
    if (!state.instead || this.#doubted.has(state)) return;
    this.#doubted.add(state);
    const { of, place, edits } = state.instead;
    this.#agenda.push({
      when,
      run: () => this.#tryAndGoOn(of, place, edits.slice(0, MOST_INSTEAD), when),
    });
  }

  /** What is likely of the candidates for a statement; null where it was not reached. */
  async #look(
    state: State,
    place: Place,
    { pairs = false, most, already = 0 }: LookOptions,
  ): Promise<Looked | null> {
    if (this.#isSpent) return null;
    const reply = await this.#search.bench.frame({
      sources: state.sources,
      file: place.file,
      line: place.line,
      ...(place.column !== undefined && { column: place.column }),
      ...(place.until !== undefined && { until: place.until }),
      ...(place.around === true && { around: true }),
      occurrences: place.occurrences,
      pairs,
      seconds: SECONDS_IN_FRAME,
      ...(most !== undefined && { most }),
    });
    if (!reply) return null;
    const isAll = most === undefined || reply.looked < most;
    this.candidates += reply.looked - already;
    return { ...sorted(state.standing, place, reply), isAll };
  }

  /** Runs the program with each candidate, in this order, until a fix is found; those that make it better. */
  async #tryAll(
    state: State,
    place: Place,
    candidates: readonly (Candidate | Evaluated)[],
    when: number,
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
      if (how === 'neither') queue.push(...besides(first.candidate));
      if (how !== 'right') continue;
      const verdict = await this.#search.found(next);
      if (verdict === 'disproved') {
        this.#doubt(state, when);
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

/** What is right, and of a statement that is blamed what is partly right, and what alone is left away and may tell elsewhere. */
function likelyOf(
  { exact, promising, others, permuted }: Sorted,
  { occurrences, around, isUnseen: isSilent }: Place,
  isFirst: boolean,
): readonly (Candidate | Evaluated)[] {
  if (isSilent) return [...exact, ...others.slice(0, FIRST_SILENT)];
  // What a part is added to shows in the end alone.
  const isRepeated = occurrences.length > 1 || around === true;
  const summed = isRepeated ? others.filter(isAccumulated).slice(0, 1) : [];
  const indexed = around
    ? others.filter(({ slip }) => slip === 'index').slice(0, FIRST_INDEXED)
    : [];
  const unseen = [...others.filter(isUnseen).slice(0, FIRST_UNSEEN), ...indexed];
  if (!isFirst) return [...exact, ...permuted, ...summed, ...unseen];
  const cheap = others.filter(({ cost }) => cost < CHEAP).slice(0, FIRST_PROMISING);
  return [...exact, ...permuted, ...summed, ...promising.slice(0, FIRST_PROMISING), ...cheap];
}

/** `=` where `+=` stood, or the other way about. */
const isAccumulated = ({ slip, edits }: Candidate | Evaluated): boolean =>
  slip === 'assignment' && edits.length === 1 && (edits[0][2] === '+=' || edits[0][2] === '=');

/** It leaves something away that no number shows where it stands, such as what cuts a graph of gradients. */
const isUnseen = (candidate: Candidate | Evaluated): boolean =>
  candidate.cost < CHEAP && !('values' in candidate);

/** Of what was missing before an edit, the share that is there after it. */
function gained({ standing }: State, next: State): number {
  const all = 2 * standing.judged.catalogue.graph.nodes.length;
  const [before, after] = [standing, next.standing].map(({ covered }) => all - covered.size);
  return before > 0 ? Math.min(1, Math.max(0, 1 - after / before)) : 1;
}

function besides(candidate: Candidate | Evaluated): Candidate[] {
  const all = alternativesOf(candidate);
  const kinds = new Set([candidate.slip]);
  return all
    .filter(({ slip }, n) => {
      const isOther = !kinds.has(slip);
      kinds.add(slip);
      return n < 2 || isOther;
    })
    .slice(0, MOST_BESIDE);
}

const alternativesOf = (candidate: Candidate | Evaluated): readonly Candidate[] =>
  'alternatives' in candidate ? candidate.alternatives : [];
