// The search for a cause, first on a slice where the problem is large.
import { largestMagnitude, type Tensor } from '../engine/tensor.ts';
import type { Context } from './edits/edit.ts';
import { difference } from './judge.ts';
import { entriesOf, isMisfit, type Key, type State } from './program.ts';
import { type Found, type Judge, onWhole, search, SINGLES_WORK, type Target } from './search.ts';
import { sliceOf } from './slice.ts';
import { seen } from './view.ts';

/** Entries of all nodes together beyond which a slice is looked at first. */
const LARGE = 1_000_000;

/** Parts of the usual work: in a slice, and for what the slice could not explain. */
const SLICE = 2;
const WHOLE = 0.8;
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
  inPairs: boolean,
): Found | null {
  const size = entriesOf(context.graph);
  const isBrief = before === 'unknown';
  const isFirst = before === 'nothing';
  const { meter } = context.state;
  const left = meter.brief ?? BRIEF_WORK;
  if (isBrief && left <= 0) return null;
  const share = before === 'known' ? LATER : 1;
  // It takes seconds, and what comes after an unknown step may follow from it.
  if (isBrief && size > LARGE) return null;
  const slice = size > LARGE ? sliceOf(context, target.key) : null;
  const user = slice?.cut(target.key, target.user);
  if (!slice || !user) {
    if (!isBrief) return search(context, target, judge, { isFirst, budget: share, inPairs });
    const began = meter.work;
    const found = search(context, target, judge, { isBrief, budget: left / SINGLES_WORK });
    meter.brief = left - (meter.work - began);
    return found;
  }
  const { ignored } = target.view;
  const view = { ...target.view, ignored: ignored && slice.cut(target.key, ignored) };
  const { graph } = slice.context;
  const predicted = seen(graph, target.key, view, slice.context.state.predict(target.key));
  // Rounding is told by the largest entry of the whole.
  const precision =
    target.precision * (largestMagnitude(target.user) / (largestMagnitude(user) || 1));
  const part = { ...target, user, predicted, precision, view };
  if (difference(predicted, user).maxAbs > 4 * precision * largestMagnitude(user)) {
    const cut = [...given].flatMap(([key, tensor]): [Key, Tensor][] => {
      const own = slice.cut(key, tensor);
      return own ? [[key, own]] : [];
    });
    const found = search(slice.context, part, sliceJudge(slice.context.state, cut, precision), {
      isFirst,
      budget: share * SLICE,
    });
    const whole = found && onWhole(context, target, found);
    if (whole) return whole;
  }
  // What mixes heads or batch entries does not show in the slice.
  return search(context, target, judge, { isFirst, budget: share * WHOLE });
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
    return { gain, spoilt: 0 };
  };
}
