// Looks for the edits of the program that reproduce a person's tensor: one edit, one and a factor, two edits.
import { nodeOf } from '../engine/graph.ts';
import { isZero, largestMagnitude, sameShape, type Tensor } from '../engine/tensor.ts';
import { namesOf } from './constants.ts';
import type { Context, Edit, Family, Site } from './edits/edit.ts';
import { formulas, sameMistake } from './mistakes/family.ts';
import { OF_NO_NUMBERS, OF_ZEROS, STAGES } from './edits/families.ts';
import { scale as scaleFamily, scaleEdit } from './edits/scale.ts';
import { fingerprint, isTold, meanError } from './evidence.ts';
import { constantRatio, difference } from './judge.ts';
import {
  entriesOf,
  givenKey,
  isMisfit,
  type Key,
  type Kind,
  type Program,
  referenceProgram,
  type State,
} from './program.ts';
import { placesOf } from './places.ts';
import { dependentsOf } from './reach.ts';
import { Tolerances } from './tolerances.ts';
import { apart, seen, type View } from './view.ts';

export interface Hypothesis {
  readonly edits: readonly Edit[];
  readonly state: State;
  /** Largest difference over the largest entry of the person's tensor. */
  readonly residual: number;
}

export interface Found extends Hypothesis {
  readonly runnerUp: Hypothesis | null;
  /** Other mistakes that the numbers do not tell from it, the commonest first. */
  readonly others: readonly Hypothesis[];
}

export interface Target {
  readonly key: Key;
  readonly user: Tensor;
  /** What the program makes of the person's own tensors. */
  readonly predicted: Tensor;
  /** What given tensors that come out right were computed from: no place for a mistake. */
  readonly settled: ReadonlySet<Key>;
  /** Accepted relative difference of a reproduction. */
  readonly precision: number;
  /** How both, and each reproduction, are looked at: without what cannot matter. */
  readonly view: View;
}

export interface Score {
  /** How many of the given tensors that an edit reaches it explains, less those that it no longer does. */
  readonly gain: number;
  /** How many that are right would be wrong: no edit that spoils any is the cause. */
  readonly spoilt: number;
  /** How many of the given tensors it leaves unexplained, which takes a while to find out. */
  left(): number;
}

/** Of the program of a hypothesis. */
export type Judge = (program: Program) => Score;

/** Work for single edits of the first stage (twice that for the second) and for pairs: a second or two each. */
export const SINGLES_WORK = 5e8;
const PAIRS_WORK = 3e8;
/** What each stage may have used up at its end; in a large problem the second would take long to get anywhere. */
const SHARES = [1, 2];
const LARGE_SHARES = [2, 2.5];
/** With an explanation found, better ones are looked for as long. */
const ENOUGH_WORK = 3e8;
/** So much larger than the right program's the rounding of a mistaken one may be. */
const MOST_PRECISION = 64;
/** Simulating it takes about as long as some hypotheses. */
const MOST_SIMULATED = 12;
/** The last resort on a machine that is very slow. */
const LONGEST_MS = 60_000;
/** Reproduced so much more exactly than before, up to a small eps that the person adds somewhere. */
const NEARLY = 1e-6;
/** Entries, of the tensor or of all nodes, beyond which the first plain explanation is taken. */
const LARGE = 50_000;
const LARGE_GRAPH = 500_000;
const PLAIN_COST = 1.25;
/** Entries that thousands of pairs of edits may reproduce by chance, where the precision is no better. */
const FEW = 2;
const EXACT = 1e-10;
/** Edits that take part in pairs, the nearest to the person's tensor first. */
const MOST_IN_PAIRS = 300;

/** Others that give the same numbers are told if they are hardly stranger. */
const MOST_STRANGER = 0.35;
const MOST_OTHERS = 2;

const isComplete = (score: Score): boolean => score.spoilt === 0 && score.left() === 0;

const costOf = (edits: readonly Edit[]): number => edits.reduce((sum, { cost }) => sum + cost, 0);

/** A family that does not fit a setup has no edits for it. */
function editsOf(family: Family, site: Site): readonly Edit[] {
  try {
    return family(site);
  } catch (error) {
    if (isMisfit(error)) return [];
    throw error;
  }
}

/** Which family an edit is of: on the whole of a problem it is made anew. */
const madeBy = new WeakMap<Edit, Family>();

/**
 * What a search may do: `budget` of the usual work; known mistakes only where it `isBrief`; two at a time; formulas only
 * where it `isFirst`: nothing has been found wrong before; those that mix heads, batch entries or tokens before all
 * others where it `isMixing`: slices have shown that it is hardly another.
 */
export interface Effort {
  readonly budget?: number;
  readonly isBrief?: boolean;
  readonly inPairs?: boolean;
  readonly isFirst?: boolean;
  readonly isMixing?: boolean;
}

export function search(
  context: Context,
  target: Target,
  judge: Judge,
  { budget = 1, isBrief = false, inPairs = true, isFirst = true, isMixing = false }: Effort = {},
): Found | null {
  const { state } = context;
  const { meter } = state;
  const { key, user, predicted, precision } = target;
  const scale = largestMagnitude(user) || largestMagnitude(predicted) || 1;
  const own = difference(predicted, user).maxAbs / scale;
  const isLarge = user.data.length > LARGE || entriesOf(context.graph) > LARGE_GRAPH;
  const accepted: Hypothesis[] = [];
  /** Known mistakes that miss, for pairs; whatever comes nearest, to be told. */
  const near: (Hypothesis & { readonly prediction: Tensor })[] = [];
  let nearest: Hypothesis | null = null;
  let isKnown = true;
  const marks = new Set<string>();
  let tried = 0;
  const test = (from: State, edits: readonly Edit[], last: Edit): void => {
    tried++;
    let prediction: Tensor;
    let edited: State;
    try {
      edited = from.under(last.apply(from.program));
      if (!edited.reaches(key)) return;
      prediction = edited.predict(key);
      // Computed out of the tensor itself, or of what was computed from it, anything comes out right.
      for (const each of edited.region(key)) if (later.has(each)) return;
    } catch (error) {
      // Two edits may not fit each other, or an operand may lack.
      if (isMisfit(error)) return;
      throw error;
    }
    if (!sameShape(prediction.shape, user.shape)) return;
    const residual = apart(context.graph, key, target.view, prediction, user) / scale;
    const hypothesis = { edits, state: edited, residual };
    // An edit that changes nothing explains nothing.
    if (
      own >= 4 * residual &&
      (residual <= precision || isRounding(edited, residual)) &&
      isTold(target, scale, Math.max(residual, precision), tried)
    )
      accepted.push(hypothesis);
    else if (edits.length === 1) {
      if (!nearest || residual < nearest.residual) nearest = hypothesis;
      // Those of large tensors fill the memory, and are too many to be tried in pairs.
      if (!isKnown) return;
      prediction = seen(context.graph, key, target.view, prediction);
      if (isLarge && constantRatio(user, prediction, precision) === null) return;
      const mark = fingerprint(prediction);
      if (marks.has(mark)) return;
      marks.add(mark);
      near.push({ ...hypothesis, prediction });
    }
  };
  /** Whether that is the rounding of the mistaken program, where it is larger than the right one's. */
  const isRounding = (edited: State, residual: number): boolean => {
    if (residual > MOST_PRECISION * precision || simulated++ >= MOST_SIMULATED) return false;
    return isRoundingOf(context, edited, key, residual * scale);
  };
  let simulated = 0;
  const later = new Set([...dependentsOf(key, referenceProgram(context.graph))].map(givenKey));
  const began = Date.now();
  const beganWork = meter.work;
  const sites = sitesOf(context, target);
  const isLate = (most: number): boolean =>
    meter.work - beganWork > most || Date.now() - began > LONGEST_MS;
  // Where each test takes long, the first plain explanation of all that is wrong is taken.
  const isSettled = (): boolean =>
    isLarge &&
    accepted.some((each) => costOf(each.edits) <= PLAIN_COST && isComplete(scored(each)));
  const scores = new Map<Hypothesis, Score>();
  const scored = (each: Hypothesis): Score => {
    const known = scores.get(each) ?? judge(each.state.program);
    scores.set(each, known);
    return known;
  };
  const stages = stagesFor(target);
  for (const [stage, families] of stages.entries()) {
    const most = budget * SINGLES_WORK * (isLarge ? LARGE_SHARES : SHARES)[stage];
    const where = stages === STAGES ? sites : sites.slice(0, 1);
    let before: Family | null = null;
    for (const [family, site] of placesOf(families, where, { isLarge, isMixing })) {
      if (isLate(most) || isSettled()) break;
      // The same mistake at another place may be the plainer one.
      if (family !== before && accepted.length > 0 && isLate(ENOUGH_WORK)) break;
      before = family;
      for (const edit of editsOf(family, site)) {
        madeBy.set(edit, family);
        test(state, [edit], edit);
        if (isLate(most) || isSettled()) break;
      }
    }
    if (accepted.length > 0) break;
    if (stage === 0) withFactors();
    if (isBrief) break;
    isKnown = false;
  }
  const isTelling = user.data.length > FEW || precision < EXACT;
  if (accepted.length === 0 && inPairs && !isLarge && !isBrief && isTelling && stages === STAGES)
    pairs();
  if (accepted.length === 0 && nearest) {
    const { residual } = nearest as Hypothesis;
    if (residual <= NEARLY && own >= residual / NEARLY) accepted.push(nearest);
  }
  const most = isLarge ? 4 : 40;
  const known = best(accepted, nearest, scored, most);
  // What comes after a first mistake may follow from it: any formula that fits would be another.
  const isReadOff = known?.edits.some((edit) => edit.isReadOff) === true;
  if ((known && !isReadOff) || isBrief || !isFirst || stages !== STAGES) return known;
  // What no known mistake explains, or only such as would spoil what is right.
  accepted.length = 0;
  for (const edit of formulas(sites[0])) {
    madeBy.set(edit, sameMistake(edit));
    test(state, [edit], edit);
  }
  return best(accepted, nearest, scored, most) ?? known;

  /** One edit and one factor. */
  function withFactors(): void {
    if (accepted.length > 0) return;
    const [first] = sites;
    for (const { edits, state: edited, prediction } of near) {
      const ratio = constantRatio(user, prediction, precision);
      const names =
        ratio === null
          ? []
          : namesOf(ratio, context, first.node.id, first.kind, Math.max(precision, 1e-9));
      if (names.length === 0) continue;
      const factor = scaleEdit(first, names[0].value, names[0]);
      madeBy.set(factor, scaleFamily);
      test(edited, [...edits, factor], factor);
    }
  }

  function pairs(): void {
    const closeness = (each: Tensor): number => meanError(each, user) / scale;
    const list = near
      .map((each) => ({ ...each, mean: closeness(each.prediction) }))
      .sort((a, b) => a.mean - b.mean)
      .slice(0, MOST_IN_PAIRS);
    const start = meter.work;
    // Diagonals: the pairs of the nearest edits come first.
    for (let sum = 1; sum < 2 * list.length; sum++) {
      for (let a = Math.max(0, sum - list.length + 1); a < list.length && a <= sum; a++) {
        const b = sum - a;
        if (a === b || b >= list.length) continue;
        if (meter.work - start > budget * PAIRS_WORK || accepted.length > 8) return;
        const [one, two] = [list[a], list[b]];
        if (a > b && one.edits[0].node !== two.edits[0].node) continue;
        test(one.state, [...one.edits, ...two.edits], two.edits[0]);
      }
    }
  }
}

/** A tensor of which no number tells, or of zeros alone, is reproduced by far too much. */
function stagesFor(target: Target): readonly (readonly Family[])[] {
  const { key, user } = target;
  if (user.shape.length > 0 && !user.data.some(Number.isFinite)) return [OF_NO_NUMBERS];
  if (isRightWhereNumber(target)) return [OF_NO_NUMBERS];
  return key.startsWith('v:') && isZero(user) ? [OF_ZEROS] : STAGES;
}

/** Whether there is no difference but where NaN stands. */
function isRightWhereNumber({ user, predicted, precision }: Target): boolean {
  if (!user.data.some(Number.isNaN)) return false;
  const most = precision * largestMagnitude(user);
  return user.data.every((value, at) => {
    const right = predicted.data[at];
    return Number.isNaN(value) || value === right || Math.abs(value - right) <= most;
  });
}

function best(
  accepted: readonly Hypothesis[],
  runnerUp: Hypothesis | null,
  scoreOf: (hypothesis: Hypothesis) => Score,
  most: number,
): Found | null {
  const candidates = [...accepted].sort((a, b) => costOf(a.edits) - costOf(b.edits)).slice(0, most);
  const [winner, ...rest] = candidates
    .map((each) => ({ ...each, ...scoreOf(each) }))
    .filter(({ spoilt }) => spoilt === 0)
    .sort(
      (a, b) => b.gain - a.gain || costOf(a.edits) - costOf(b.edits) || a.residual - b.residual,
    );
  if (!winner) return null;
  const equal = rest.filter(
    ({ gain, edits }) =>
      gain === winner.gain &&
      edits.length === 1 &&
      edits[0].id !== winner.edits[0].id &&
      costOf(edits) <= costOf(winner.edits) + MOST_STRANGER,
  );
  return { ...winner, runnerUp, others: withoutTwins(equal).slice(0, MOST_OTHERS) };
}

/** One of each kind of mistake. */
function withoutTwins<T extends Hypothesis>(all: readonly T[]): T[] {
  return all.filter(
    ({ edits: [{ id }] }, n) => all.findIndex(({ edits: [other] }) => other.id === id) === n,
  );
}

/** Whether a program that is `off` by so much at `key` is no more than rounding off. */
function isRoundingOf({ config, type }: Context, state: State, key: Key, off: number): boolean {
  return off <= new Tolerances(config, type, state).of(key, off);
}

/** The edits of a slice, made anew for the whole, if they explain the whole too. */
export function onWhole(
  context: Context,
  target: Target,
  { edits, runnerUp, others }: Found,
): Found | null {
  const { key, user, precision, view } = target;
  let { state } = context;
  const made: Edit[] = [];
  for (const edit of edits) {
    const { id, title, wrong, node, kind } = edit;
    const site = sitesOf({ ...context, state }, target).find(
      (each) => each.node.id === node && each.kind === kind,
    );
    const same =
      site &&
      (madeBy.get(edit)?.(site) ?? []).find(
        (each) => each.id === id && each.title === title && each.wrong === wrong,
      );
    if (!same) return null;
    made.push(same);
    state = context.state.under(same.apply(state.program));
  }
  try {
    const off = apart(context.graph, key, view, state.predict(key), user);
    const residual = off / largestMagnitude(user);
    const isRounding = (): boolean =>
      residual <= MOST_PRECISION * precision && isRoundingOf(context, state, key, off);
    return residual <= precision || isRounding()
      ? { edits: made, state, residual, runnerUp, others }
      : null;
  } catch (error) {
    if (isMisfit(error)) return null;
    throw error;
  }
}

/** Places where an edit can reach the target, the nearest first. */
function sitesOf(context: Context, target: Target): Site[] {
  const { key, user, predicted, precision, settled, view } = target;
  const look = (tensor: Tensor): Tensor => seen(context.graph, key, view, tensor);
  const ratio = constantRatio(user, predicted, precision);
  const deviation = difference(predicted, user).maxAbs / (largestMagnitude(user) || 1);
  return [...context.state.region(key)].flatMap((each): Site[] => {
    if (!/^[vg]:/.test(each) || settled.has(each)) return [];
    const kind: Kind = each.startsWith('v:') ? 'value' : 'gradient';
    const node = nodeOf(context.graph, each.slice(2));
    if (kind === 'value' && node.kind === 'input' && each !== key) return [];
    const own = each === key ? { target: { user, predicted } } : {};
    const goal = { key, user, look };
    return [{ ...context, node, kind, ratio, precision, deviation, goal, ...own }];
  });
}
