// Looks for the edits of the program that reproduce a person's tensor: one edit, one and a factor, two edits.
import type { Letter } from '../../engine/axes.ts';
import { largestMagnitude, sameShape, type Tensor } from '../../engine/tensor.ts';
import { namesOf } from './constants.ts';
import type { Context, Edit, Family, Site } from '../edits/edit.ts';
import { formulas, sameMistake } from '../mistakes/family.ts';
import { STAGES } from '../edits/families.ts';
import { scale as scaleFamily, scaleEdit } from '../edits/scale.ts';
import { best, costOf, fingerprint, isTold, meanError, MOST_STRANGER } from './evidence.ts';
import { constantRatio, difference } from '../judge/judge.ts';
import {
  entriesOf,
  givenKey,
  isMisfit,
  type Key,
  type Program,
  referenceProgram,
  type State,
} from '../program/program.ts';
import { placesOf, sitesOf, stagesFor, type Target } from './places.ts';
import { dependentsOf } from './reach.ts';
import { isRoundingOf, MOST_PRECISION } from '../reference/tolerances.ts';
import { apart, seen } from '../judge/view.ts';

export interface Hypothesis {
  readonly edits: readonly Edit[];
  /** Of each edit, what made it: on the whole of a problem it is made anew. */
  readonly families: readonly Family[];
  readonly state: State;
  /** Largest difference over the largest entry of the person's tensor. */
  readonly residual: number;
}

export interface Found extends Hypothesis {
  readonly runnerUp: Hypothesis | null;
  /** Other mistakes that the numbers do not tell from it, the commonest first. */
  readonly others: readonly Hypothesis[];
}

export interface Score {
  /** How many of the given tensors that an edit reaches it explains, less those that it no longer does. */
  readonly gain: number;
  /** How many that are right would be wrong: no edit that spoils any is the cause. */
  readonly spoilt: number;
  /** How many of the given tensors it leaves unexplained, which takes a while to find out. */
  readonly left: () => number;
}

/** Of the program of a hypothesis. */
export type Judge = (program: Program) => Score;

/** Work for single edits of the first stage (twice that for the second): a second or two; for pairs half a second. */
export const SINGLES_WORK = 5e8;
const PAIRS_WORK = 1.5e8;
/** What each stage may have used up at its end; in a large problem the second would take long to get anywhere. */
const SHARES = [1, 2];
const LARGE_SHARES = [2, 2.5];
/** With an explanation found, better ones are looked for as long. */
const ENOUGH_WORK = 3e8;
/** Simulating it takes about as long as some hypotheses. */
const MOST_SIMULATED = 12;
/** Reproduced so much more exactly than before, up to a small eps that the person adds somewhere. */
const NEARLY = 1e-6;
/** Entries, of the tensor or of all nodes, beyond which the first plain explanation is taken. */
const LARGE = 50_000;
const LARGE_GRAPH = 500_000;
const PLAIN_COST = 1.25;
/** Entries that thousands of pairs of edits may reproduce by chance, where the precision is no better. */
const FEW = 2;
const EXACT = 1e-10;
const MOST_OF_ONE_SLIP = 1.75;
/** Edits that take part in pairs, the nearest to the person's tensor first. */
const MOST_IN_PAIRS = 300;

const isComplete = ({ spoilt, left }: Score): boolean => spoilt === 0 && left() === 0;

/** A family that does not fit a setup has no edits for it. */
function editsOf(family: Family, site: Site): readonly Edit[] {
  try {
    return family(site);
  } catch (error) {
    if (isMisfit(error)) return [];
    throw error;
  }
}

/**
 * What a search may do: `budget` of the usual work; known mistakes only where it `isBrief`; two at a time; one slip alone
 * where the tensor `isAgain` looked at, in another form; formulas that have no name only where it `isFirst`: nothing has
 * been found wrong before; what mixes along the letters of `mixing` before all else: slices have shown that it is hardly
 * another.
 */
export interface Effort {
  readonly budget?: number;
  readonly isBrief?: boolean;
  readonly inPairs?: boolean;
  readonly isAgain?: boolean;
  readonly isFirst?: boolean;
  readonly mixing?: ReadonlySet<Letter>;
}

/** Edits, the last on top of those that `from` has. */
interface Candidate {
  readonly from: State;
  readonly edits: readonly Edit[];
  readonly families: readonly Family[];
}

/** Known mistakes that miss: for factors, and for pairs. */
interface Near extends Hypothesis {
  readonly prediction: Tensor;
}

export const search = (
  context: Context,
  target: Target,
  judge: Judge,
  effort: Effort = {},
): Found | null => new Search(context, target, judge, effort).found();

class Search {
  readonly #context: Context;
  readonly #target: Target;
  readonly #judge: Judge;
  readonly #effort: Effort;
  readonly #budget: number;
  readonly #sites: readonly Site[];
  readonly #stages: readonly (readonly Family[])[];
  readonly #isLarge: boolean;
  readonly #scale: number;
  /** How far the right program is from the tensor. */
  readonly #own: number;
  /** Computed out of the tensor itself, or of what was computed from it, anything comes out right. */
  readonly #later: ReadonlySet<Key>;
  readonly #beganWork: number;
  readonly #scores = new Map<Hypothesis, Score>();
  readonly #near: Near[] = [];
  readonly #marks = new Set<string>();
  #accepted: Hypothesis[] = [];
  /** With all that is wrong explained so cheaply, what costs more can be neither told nor mentioned. */
  #dearest = Infinity;
  /** Whatever comes nearest, to be told. */
  #nearest: Hypothesis | null = null;
  #isKnown = true;
  #tried = 0;
  #simulated = 0;

  constructor(context: Context, target: Target, judge: Judge, effort: Effort) {
    [this.#context, this.#target, this.#judge, this.#effort] = [context, target, judge, effort];
    const { key, user, predicted } = target;
    this.#budget = effort.budget ?? 1;
    this.#scale = largestMagnitude(user) || largestMagnitude(predicted) || 1;
    this.#own = difference(predicted, user).maxAbs / this.#scale;
    this.#isLarge = user.data.length > LARGE || entriesOf(context.graph) > LARGE_GRAPH;
    this.#later = new Set([...dependentsOf(key, referenceProgram(context.graph))].map(givenKey));
    this.#beganWork = context.state.meter.work;
    this.#sites = sitesOf(context, target);
    this.#stages = stagesFor(target);
  }

  found(): Found | null {
    const { isBrief = false } = this.#effort;
    const isUsual = this.#stages === STAGES;
    this.#takeFrom(this.#known());
    if (this.#accepted.length === 0) this.#acceptNearest();
    const known = this.#best();
    const isReadOff = known?.edits.some((edit) => edit.isReadOff) === true;
    if ((known && !isReadOff) || isBrief || !isUsual) return known;
    // What no known mistake explains, or only such as would spoil what is right.
    this.#accepted = [];
    this.#dearest = Infinity;
    this.#takeFrom(this.#formulas());
    return this.#best() ?? known;
  }

  #takeFrom(candidates: Iterable<Candidate>): void {
    for (const candidate of candidates) this.#test(candidate);
  }

  /** One edit by the stages, one and a factor, two. It looks at what has been accepted of those that it has given. */
  *#known(): Generator<Candidate> {
    const { isBrief = false } = this.#effort;
    for (const [stage, families] of this.#stages.entries()) {
      for (const isAsked of this.#passes()) yield* this.#singles(stage, families, isAsked);
      if (this.#accepted.length > 0) return;
      if (stage === 0) yield* this.#withFactors();
      if (isBrief) return;
      this.#isKnown = false;
    }
    if (this.#accepted.length > 0 || !this.#mayPair()) return;
    if (this.#isRatio()) yield* this.#formulas(MOST_OF_ONE_SLIP);
    if (this.#accepted.length === 0) yield* this.#pairs();
  }

  /** What is tried one after the other. */
  #passes(): ((edit: Edit) => boolean)[] {
    const { mixing } = this.#effort;
    if (!mixing) return [() => true];
    const isMixed = ({ mixes = [] }: Edit): boolean => mixes.some((letter) => mixing.has(letter));
    return [isMixed, (edit) => !isMixed(edit)];
  }

  *#singles(
    stage: number,
    families: readonly Family[],
    isAsked: (edit: Edit) => boolean,
  ): Generator<Candidate> {
    const isLarge = this.#isLarge;
    const most = this.#budget * SINGLES_WORK * (isLarge ? LARGE_SHARES : SHARES)[stage];
    const where = this.#stages === STAGES ? this.#sites : this.#sites.slice(0, 1);
    let before: Family | null = null;
    for (const [family, site] of placesOf(families, where, isLarge)) {
      if (this.#isLate(most) || this.#isSettled()) return;
      // The same mistake at another place may be the plainer one.
      if (family !== before && this.#accepted.length > 0 && this.#isLate(ENOUGH_WORK)) return;
      before = family;
      const edits = editsOf(family, site).filter(isAsked);
      // Of a large problem few are got through.
      for (const edit of isLarge ? edits.sort((a, b) => a.cost - b.cost) : edits) {
        yield this.#single(edit, family);
        if (this.#isLate(most) || this.#isSettled()) return;
      }
    }
  }

  #single(edit: Edit, family: Family): Candidate {
    return { from: this.#context.state, edits: [edit], families: [family] };
  }

  /** One factor throughout: many pairs of edits make it, of which one slip tells more. */
  #isRatio(): boolean {
    const { user, predicted, precision } = this.#target;
    return constantRatio(user, predicted, precision) !== null;
  }

  *#formulas(mostCost = Infinity): Generator<Candidate> {
    const { isFirst = true, isAgain = false } = this.#effort;
    const inPairs = !isAgain && mostCost === Infinity;
    for (const edit of formulas(this.#sites[0], inPairs)) {
      if (edit.cost > mostCost) continue;
      // What comes after a first mistake may follow from it: any formula that fits would be another.
      if (isFirst || !edit.id.startsWith('formula-')) yield this.#single(edit, sameMistake(edit));
    }
  }

  /** One edit and one factor. */
  *#withFactors(): Generator<Candidate> {
    const { user, precision } = this.#target;
    const [first] = this.#sites;
    for (const { edits, families, state, prediction } of this.#near) {
      const ratio = constantRatio(user, prediction, precision);
      if (ratio === null) continue;
      const most = Math.max(precision, 1e-9);
      const [name] = namesOf(ratio, this.#context, first.node.id, first.kind, most);
      if (!name) continue;
      const factor = scaleEdit(first, name.value, name);
      yield { from: state, edits: [...edits, factor], families: [...families, scaleFamily] };
    }
  }

  #mayPair(): boolean {
    const { inPairs = true, isBrief = false } = this.#effort;
    const { user, precision } = this.#target;
    const isTelling = user.data.length > FEW || precision < EXACT;
    return inPairs && !this.#isLarge && !isBrief && isTelling && this.#stages === STAGES;
  }

  *#pairs(): Generator<Candidate> {
    const { meter } = this.#context.state;
    const list = this.#near
      .map((each) => ({ ...each, mean: meanError(each.prediction, this.#target.user) }))
      .sort((a, b) => a.mean - b.mean)
      .slice(0, MOST_IN_PAIRS);
    const start = meter.work;
    // Diagonals: the pairs of the nearest edits come first.
    for (let sum = 1; sum < 2 * list.length; sum++) {
      for (let a = Math.max(0, sum - list.length + 1); a < list.length && a <= sum; a++) {
        const b = sum - a;
        if (a === b || b >= list.length) continue;
        if (meter.work - start > this.#budget * PAIRS_WORK || this.#accepted.length > 8) return;
        const [one, two] = [list[a], list[b]];
        if (a > b && one.edits[0].node !== two.edits[0].node) continue;
        const edits = [...one.edits, ...two.edits];
        yield { from: one.state, edits, families: [...one.families, ...two.families] };
      }
    }
  }

  #isLate(most: number): boolean {
    return this.#context.state.meter.work - this.#beganWork > most;
  }

  /** Where each test takes long, the first plain explanation of all that is wrong is taken. */
  #isSettled(): boolean {
    return (
      this.#isLarge &&
      this.#accepted.some(
        (each) => costOf(each.edits) <= PLAIN_COST && isComplete(this.#scored(each)),
      )
    );
  }

  #scored(each: Hypothesis): Score {
    const known = this.#scores.get(each) ?? this.#judge(each.state.program);
    this.#scores.set(each, known);
    return known;
  }

  #best(): Found | null {
    const scored = (each: Hypothesis): Score => this.#scored(each);
    return best(this.#accepted, this.#nearest, scored, this.#isLarge ? 4 : 40);
  }

  #acceptNearest(): void {
    const nearest = this.#nearest;
    if (nearest && nearest.residual <= NEARLY && this.#own >= nearest.residual / NEARLY)
      this.#accepted.push(nearest);
  }

  #test({ from, edits, families }: Candidate): void {
    if (costOf(edits) > this.#dearest) return;
    const { isExcluded } = this.#context;
    if (isExcluded && edits.some(({ id }) => isExcluded(id))) return;
    this.#tried++;
    const { user, key, view, precision } = this.#target;
    const made = this.#made(from, edits[edits.length - 1]);
    if (!made || !sameShape(made.prediction.shape, user.shape)) return;
    const { edited, prediction } = made;
    const { graph } = this.#context;
    const residual = apart(graph, key, view, prediction, user) / this.#scale;
    const hypothesis = { edits, families, state: edited, residual };
    // An edit that changes nothing explains nothing.
    if (
      this.#own >= 4 * residual &&
      (residual <= precision || this.#isRounding(edited, residual)) &&
      isTold(this.#target, this.#scale, Math.max(residual, precision), this.#tried)
    )
      this.#accept(hypothesis);
    else if (edits.length === 1) {
      if (!this.#nearest || residual < this.#nearest.residual) this.#nearest = hypothesis;
      if (this.#isKnown)
        this.#keep({ ...hypothesis, prediction: seen(graph, key, view, prediction) });
    }
  }

  #accept(hypothesis: Hypothesis): void {
    this.#accepted.push(hypothesis);
    const dearest = costOf(hypothesis.edits) + MOST_STRANGER;
    if (dearest < this.#dearest && isComplete(this.#scored(hypothesis))) this.#dearest = dearest;
  }

  /** What an edited program makes of the target; null where it makes nothing, or the same. */
  #made(from: State, last: Edit): { edited: State; prediction: Tensor } | null {
    const { key } = this.#target;
    try {
      const edited = from.under(last.apply(from.program));
      if (!edited.reaches(key)) return null;
      const prediction = edited.predict(key);
      for (const each of edited.region(key)) if (this.#later.has(each)) return null;
      return { edited, prediction };
    } catch (error) {
      // Two edits may not fit each other, or an operand may lack.
      if (isMisfit(error)) return null;
      throw error;
    }
  }

  /** Those of large tensors fill the memory, and are too many to be tried in pairs. */
  #keep(near: Near): void {
    const { user, precision } = this.#target;
    if (this.#isLarge && constantRatio(user, near.prediction, precision) === null) return;
    const mark = fingerprint(near.prediction);
    if (this.#marks.has(mark)) return;
    this.#marks.add(mark);
    this.#near.push(near);
  }

  /** Whether that is the rounding of the mistaken program, where it is larger than the right one's. */
  #isRounding(edited: State, residual: number): boolean {
    const { precision, key } = this.#target;
    if (residual > MOST_PRECISION * precision || this.#simulated++ >= MOST_SIMULATED) return false;
    return isRoundingOf(this.#context, edited, key, residual * this.#scale);
  }
}
