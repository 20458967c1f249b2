// The search for a cause, first on a slice where the problem is large.
import { largestMagnitude, type Tensor } from '../../engine/tensor.ts';
import type { Thoroughness } from '../checkInput.ts';
import type { Context, Edit } from '../edits/edit.ts';
import { difference } from '../judge/judge.ts';
import { entriesOf, isMisfit, type Key, type State } from '../program/program.ts';
import { isRoundingOf, MOST_PRECISION } from '../reference/tolerances.ts';
import { sitesOf, type Target } from './places.ts';
import { type Effort, type Found, type Judge, search, SINGLES_WORK } from './search.ts';
import { type Cut, CUT, factorOf, HEADS, type Slice, sliceOf } from './slice.ts';
import { apart, PLAIN_VIEW, seen } from '../judge/view.ts';

/** Entries of all nodes together beyond which a slice is looked at first. */
const LARGE = 1_000_000;

/** Parts of the usual work: for what the slices could not explain, and where there are none. */
const REST = 0.1;
const WHOLE = 0.5;
/**
 * Slices in their order, with parts of the usual work: the first queries of one head show nearly all mistakes; those
 * that mix queries show in one head, those that mix heads or batch entries in the first queries of all.
 */
const SLICES: readonly (Pick<Cut, 'one'> & { readonly isShort: boolean; share: number })[] = [
  { one: CUT, isShort: true, share: 0.1 },
  { one: CUT, isShort: false, share: 0.15 },
  { one: HEADS, isShort: false, share: 0.15 },
  { one: new Set(), isShort: true, share: 0.1 },
];
const QUERIES: ReadonlySet<string> = new Set(['j']);
/** All queries of one head are needed for what is summed over them: so much more for that. */
const ALONE = 3;
/** So many times what is rounding a mistake must be off in a slice: those of narrow types are hardly more anywhere. */
const SHOWN = 1.5;
/** Weights of one head in a slice of the first queries, and queries at least. */
const FEW_WEIGHTS = 2 ** 15;
const FEWEST_QUERIES = 8;
/** For all that comes after an unknown step together: what is found there is no cause, but may explain what follows. */
const BRIEF_WORK = 1.2e8;
/** After a mistake that is known, for another that may be there. */
const LATER = 0.4;

/** What was looked for before: nothing, mistakes that all are known, or one that is unknown. */
export type Before = 'nothing' | 'known' | 'unknown';

/** `given`: all tensors of the person, by key. What comes after an unknown step is only quickly looked through. */
export function explain(
  context: Context,
  target: Target,
  given: ReadonlyMap<Key, Tensor>,
  judge: Judge,
  before: Before,
  thoroughness: Thoroughness & Pick<Effort, 'isAgain'>,
): Found | null {
  const size = entriesOf(context.graph);
  const isBrief = before === 'unknown';
  const { meter } = context.state;
  const left = meter.brief ?? BRIEF_WORK;
  if (isBrief && left <= 0) return null;
  const isFirst = before === 'nothing';
  const share = before === 'known' ? LATER : 1;
  // It takes seconds, and what comes after an unknown step may follow from it.
  if (isBrief && size > LARGE) return null;
  if (size > LARGE) {
    const inSlice = explainedInSlice(context, target, given, { isFirst, share });
    if (inSlice.found) return inSlice.found;
    const { isSearched } = inSlice;
    const budget = share * (isSearched ? REST : WHOLE);
    return search(context, target, judge, { isFirst, budget, ...(isSearched && { mixing: CUT }) });
  }
  if (!isBrief) return search(context, target, judge, { isFirst, budget: share, ...thoroughness });
  const began = meter.work;
  const found = search(context, target, judge, { isBrief, budget: left / SINGLES_WORK });
  meter.brief = left - (meter.work - began);
  return found;
}

interface InSlice {
  readonly found: Found | null;
  /** Whether the mistake shows in a slice, in which most of its causes were tried. */
  readonly isSearched: boolean;
}

function explainedInSlice(
  context: Context,
  target: Target,
  given: ReadonlyMap<Key, Tensor>,
  { isFirst, share }: { readonly isFirst: boolean; readonly share: number },
): InSlice {
  let isSearched = false;
  const { i: keys } = context.graph.extents;
  const inHeads = standIn(context, target, given);
  for (const { one, isShort, share: own } of SLICES) {
    // All batch entries are only needed for what is summed over them.
    if (one === HEADS && isSearched) continue;
    const goal = isShort ? target : inHeads;
    const parts = one.size > 0 ? 1 : factorOf(context.graph, CUT);
    const few = Math.max(FEWEST_QUERIES, Math.floor(FEW_WEIGHTS / keys / parts));
    const slice = sliceOf(context, goal.key, { one, queries: isShort ? few : Infinity });
    const part = slice && targetIn(slice, context, goal);
    if (!part) continue;
    const cut = [...given].flatMap(([each, tensor]): [Key, Tensor][] => {
      const small = slice.cut(each, tensor);
      return small ? [[each, small]] : [];
    });
    const judge = sliceJudge(slice.context.state, cut, part.precision);
    const found = search(slice.context, part, judge, {
      ...{ isFirst, budget: share * (isSearched ? own : ALONE * own) },
      inPairs: false,
      ...(one.size === 0 && { mixing: CUT }),
      // The first queries have shown that it is no other.
      ...(isSearched && !isShort && { mixing: QUERIES }),
    });
    isSearched = true;
    // In a slice two masks may be one.
    for (const each of found ? [found, ...found.others] : []) {
      const whole = onWhole(context, target, { ...found!, ...each });
      if (whole) return { found: whole, isSearched };
    }
  }
  return { found: null, isSearched };
}

/** Gradients of one head that a mistake behind it changes as it does those of the tokens, which mix all heads. */
const STAND_IN: readonly Key[] = ['g:W_Q', 'g:W_K', 'g:W_V'];

/** The target, or where it mixes all heads another wrong gradient that does not. */
function standIn(context: Context, target: Target, given: ReadonlyMap<Key, Tensor>): Target {
  const { key, precision } = target;
  if (!/^g:x(Prime|Value)?$/.test(key)) return target;
  for (const other of STAND_IN) {
    const user = given.get(other);
    if (!user) continue;
    const predicted = context.state.predict(other);
    const isWrong = difference(predicted, user).maxAbs > 8 * precision * largestMagnitude(user);
    // What is made there alone would not show in the target.
    const settled = new Set([...target.settled, other]);
    if (isWrong) return { ...target, key: other, user, predicted, settled, view: PLAIN_VIEW };
  }
  return target;
}

/** The target in a slice; null where it does not show there, or the slice is not computed as the whole is. */
function targetIn(slice: Slice, { graph: whole }: Context, target: Target): Target | null {
  const { key, view: given } = target;
  const user = slice.cut(key, target.user);
  const expected = slice.cut(key, target.predicted);
  if (!user || !expected) return null;
  const { ignored } = given;
  const view = { ...given, ignored: ignored && slice.cut(key, ignored) };
  const { graph, state } = slice.context;
  const predicted = seen(graph, key, view, state.predict(key));
  // Rounding is told by the largest entry of the whole.
  const size = largestMagnitude(user) || 1;
  const precision = target.precision * (largestMagnitude(target.user) / size);
  const most = 4 * precision * size;
  const isFaithful = difference(predicted, seen(graph, key, view, expected)).maxAbs <= most;
  if (whole.extents['j'] !== graph.extents['j'] && !isFaithful) return null;
  if (difference(predicted, user).maxAbs <= SHOWN * precision * size) return null;
  return { ...target, user, predicted, precision, view };
}

/** The edits of a slice, made anew for the whole, if they explain the whole too. */
function onWhole(
  context: Context,
  target: Target,
  { edits, families, runnerUp, others }: Found,
): Found | null {
  const { key, user, precision, view } = target;
  let { state } = context;
  const made: Edit[] = [];
  for (const [n, { id, title, wrong, node, kind }] of edits.entries()) {
    const site = sitesOf({ ...context, state }, target).find(
      (each) => each.node.id === node && each.kind === kind,
    );
    const alike = (site ? families[n](site) : []).filter(
      (each) => each.id === id && each.title === title,
    );
    // Numbers of the sizes may stand in its formula.
    const same = alike.find((each) => each.wrong === wrong) ?? alike[0];
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
      ? { edits: made, families, state, residual, runnerUp, others }
      : null;
  } catch (error) {
    if (isMisfit(error)) return null;
    throw error;
  }
}

/** By the tensors of the slice. */
function sliceJudge(
  before: State,
  given: readonly (readonly [Key, Tensor])[],
  precision: number,
): Judge {
  const explains = (state: State, key: Key, user: Tensor): boolean => {
    try {
      return difference(state.predict(key), user).maxAbs <= 8 * precision * largestMagnitude(user);
    } catch (error) {
      if (isMisfit(error)) return false;
      throw error;
    }
  };
  return (program) => {
    // What depends on what is known only of what has been computed.
    for (const [key] of given) before.predict(key);
    const edited = before.under(program);
    const gain = given.reduce(
      (sum, [key, user]) =>
        edited.reaches(key)
          ? sum + Number(explains(edited, key, user)) - Number(explains(before, key, user))
          : sum,
      0,
    );
    const left = (): number => given.filter(([key, user]) => !explains(edited, key, user)).length;
    return { gain, spoilt: 0, left };
  };
}
