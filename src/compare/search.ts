// Looks for the edits of the program that reproduce a person's tensor: one edit, one and a factor, two edits.
import { nodeOf } from '../engine/graph.ts';
import { sameShape, type Tensor } from '../engine/tensor.ts';
import { namesOf } from './constants.ts';
import type { Context, Edit, Site } from './edits/edit.ts';
import { FAMILIES } from './edits/families.ts';
import { scaleEdit } from './edits/scale.ts';
import { difference, largest } from './judge.ts';
import {
  CircularError,
  givenKey,
  type Key,
  type Kind,
  type Program,
  type State,
} from './program.ts';

export interface Hypothesis {
  readonly edits: readonly Edit[];
  readonly state: State;
  /** Largest difference over the largest entry of the person's tensor. */
  readonly residual: number;
}

export interface Found extends Hypothesis {
  readonly runnerUp: Hypothesis | null;
}

export interface Target {
  readonly key: Key;
  readonly user: Tensor;
  /** What the program makes of the person's own tensors. */
  readonly predicted: Tensor;
  /** Accepted relative difference of a reproduction. */
  readonly precision: number;
}

/** How many of the given tensors that an edit reaches it explains, less those it contradicts. */
export type Score = (program: Program) => number;

const SINGLES_MS = 2500;
const PAIRS_MS = 1500;
/** Entries beyond which the first plain explanation is taken. */
const LARGE = 200_000;
const PLAIN_COST = 1.25;
/** Edits that take part in pairs, the nearest to the person's tensor first. */
const MOST_IN_PAIRS = 220;

const costOf = (edits: readonly Edit[]): number => edits.reduce((sum, { cost }) => sum + cost, 0);

/** The factor by which `user` is `predicted` throughout, or null. */
export function constantRatio(user: Tensor, predicted: Tensor, precision: number): number | null {
  let [dot, square] = [0, 0];
  for (let at = 0; at < user.data.length; at++) {
    const [a, b] = [user.data[at], predicted.data[at]];
    if (!Number.isFinite(a) || !Number.isFinite(b)) {
      if (Object.is(a, b)) continue;
      return null;
    }
    dot += a * b;
    square += b * b;
  }
  if (square === 0 || dot === 0) return null;
  const ratio = dot / square;
  const most = precision * largest(user);
  for (let at = 0; at < user.data.length; at++) {
    const error = user.data[at] - ratio * predicted.data[at];
    if (Math.abs(error) > most) return null;
  }
  return ratio;
}

export function search(context: Context, target: Target, score: Score): Found | null {
  const { state } = context;
  const { key, user, predicted, precision } = target;
  const scale = largest(user) || largest(predicted) || 1;
  const own = difference(predicted, user).maxAbs / scale;
  const accepted: Hypothesis[] = [];
  const near: (Hypothesis & { readonly prediction: Tensor })[] = [];
  const seen = new Set<string>();
  const test = (from: State, edits: readonly Edit[], last: Edit): void => {
    let prediction: Tensor;
    let edited: State;
    try {
      edited = from.under(last.apply(from.program));
      if (!edited.reaches(key)) return;
      prediction = edited.predict(key);
      // Computed out of the tensor itself, anything comes out right.
      if (edited.region(key).has(givenKey(key))) return;
    } catch (error) {
      // Two edits may not fit each other, or an operand may lack.
      if (
        error instanceof CircularError ||
        error instanceof RangeError ||
        error instanceof TypeError
      )
        return;
      throw error;
    }
    if (!sameShape(prediction.shape, user.shape)) return;
    const residual = difference(prediction, user).maxAbs / scale;
    const hypothesis = { edits, state: edited, residual };
    // An edit that changes nothing explains nothing.
    if (residual <= precision && own >= 4 * residual) accepted.push(hypothesis);
    else if (edits.length === 1) {
      const mark = fingerprint(prediction);
      if (seen.has(mark)) return;
      seen.add(mark);
      near.push({ ...hypothesis, prediction });
    }
  };
  const began = Date.now();
  const sites = sitesOf(context, target);
  const isLarge = user.data.length > LARGE;
  const isDone = (): boolean =>
    Date.now() - began > (isLarge ? 2 * SINGLES_MS : SINGLES_MS) ||
    (isLarge && accepted.some(({ edits }) => costOf(edits) <= PLAIN_COST));
  for (const site of sites) {
    for (const family of FAMILIES) {
      if (isDone()) break;
      for (const edit of family(site)) {
        test(state, [edit], edit);
        if (isDone()) break;
      }
    }
  }
  if (accepted.length === 0) {
    const [first] = sites;
    for (const { edits, state: edited, prediction } of near) {
      const ratio = constantRatio(user, prediction, precision);
      const names =
        ratio === null
          ? []
          : namesOf(ratio, context, first.node.id, first.kind, Math.max(precision, 1e-9));
      if (names.length === 0) continue;
      const factor = scaleEdit(first, names[0].value, names[0]);
      test(edited, [...edits, factor], factor);
    }
  }
  if (accepted.length === 0) pairs();
  return best(accepted, near, score);

  function pairs(): void {
    const closeness = (each: Tensor): number => meanError(each, user) / scale;
    const list = near
      .map((each) => ({ ...each, mean: closeness(each.prediction) }))
      .sort((a, b) => a.mean - b.mean)
      .slice(0, MOST_IN_PAIRS);
    const start = Date.now();
    // Diagonals: the pairs of the nearest edits come first.
    for (let sum = 1; sum < 2 * list.length; sum++) {
      for (let a = Math.max(0, sum - list.length + 1); a < list.length && a <= sum; a++) {
        const b = sum - a;
        if (a === b || b >= list.length) continue;
        if (Date.now() - start > PAIRS_MS || accepted.length > 8) return;
        const [one, two] = [list[a], list[b]];
        if (a > b && one.edits[0].node !== two.edits[0].node) continue;
        test(one.state, [...one.edits, ...two.edits], two.edits[0]);
      }
    }
  }
}

function best(
  accepted: readonly Hypothesis[],
  near: readonly Hypothesis[],
  score: Score,
): Found | null {
  const candidates = [...accepted].sort((a, b) => costOf(a.edits) - costOf(b.edits)).slice(0, 40);
  if (candidates.length === 1) return { ...candidates[0], runnerUp: nearest(near) };
  const ranked = candidates
    .map((each) => ({ ...each, score: score(each.state.program) }))
    .sort(
      (a, b) => b.score - a.score || costOf(a.edits) - costOf(b.edits) || a.residual - b.residual,
    );
  const [winner] = ranked;
  if (!winner) return null;
  return { ...winner, runnerUp: nearest(near) };
}

/** The nearest that does not reproduce the tensor: those that do say the same otherwise. */
const nearest = (near: readonly Hypothesis[]): Hypothesis | null =>
  near.reduce<Hypothesis | null>((a, b) => (!a || b.residual < a.residual ? b : a), null);

/** Places where an edit can reach the target, the nearest first. */
function sitesOf(context: Context, { key, user, predicted, precision }: Target): Site[] {
  const ratio = constantRatio(user, predicted, precision);
  const deviation = difference(predicted, user).maxAbs / (largest(user) || 1);
  return [...context.state.region(key)].flatMap((each): Site[] => {
    if (!/^[vg]:/.test(each)) return [];
    const kind: Kind = each.startsWith('v:') ? 'value' : 'gradient';
    const node = nodeOf(context.graph, each.slice(2));
    if (kind === 'value' && node.kind === 'input' && each !== key) return [];
    const own = each === key ? { target: { user, predicted } } : {};
    return [{ ...context, node, kind, ratio, precision, deviation, ...own }];
  });
}

function meanError(a: Tensor, b: Tensor): number {
  let sum = 0;
  for (let at = 0; at < a.data.length; at++) {
    const error = Math.abs(a.data[at] - b.data[at]);
    sum += Number.isNaN(error) ? 0 : Math.min(error, 1e300);
  }
  return sum / a.data.length;
}

/** Equal for equal tensors, and hardly ever for others. */
function fingerprint({ data }: Tensor): string {
  let [sum, weighted] = [0, 0];
  for (let at = 0; at < data.length; at++) {
    const value = Number.isFinite(data[at])
      ? data[at]
      : Number.isNaN(data[at])
        ? 0.123
        : Math.sign(data[at]) * 1e3;
    sum += value;
    weighted += value * Math.sin(at + 1);
  }
  return `${sum.toPrecision(11)} ${weighted.toPrecision(11)}`;
}
