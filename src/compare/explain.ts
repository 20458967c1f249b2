// The search for a cause, first on a slice where the problem is large.
import { largestMagnitude, type Tensor } from '../engine/tensor.ts';
import type { Context } from './edits/edit.ts';
import { difference } from './judge.ts';
import { CircularError, entriesOf, type Key, type State } from './program.ts';
import { type Found, type Judge, onWhole, search, type Target } from './search.ts';
import { sliceOf } from './slice.ts';

/** Entries of all nodes together beyond which a slice is looked at first. */
const LARGE = 1_000_000;

/** Work for each stage of the search in a slice, and of what the slice could not explain. */
const SLICE_WORK = 1e9;
const WHOLE_WORK = 4e8;

/** `given`: all tensors of the person, by key; `isBrief`: only what is quickly looked through. */
export function explain(
  context: Context,
  target: Target,
  given: ReadonlyMap<Key, Tensor>,
  judge: Judge,
  isBrief: boolean,
): Found | null {
  const size = entriesOf(context.graph);
  // It takes seconds, and what comes after an unknown step may follow from it.
  if (isBrief && size > LARGE) return null;
  const slice = size > LARGE ? sliceOf(context, target.key) : null;
  const user = slice?.cut(target.key, target.user);
  if (!slice || !user) return search(context, target, judge, { isBrief });
  const predicted = slice.context.state.predict(target.key);
  // Rounding is told by the largest entry of the whole.
  const precision =
    target.precision * (largestMagnitude(target.user) / (largestMagnitude(user) || 1));
  const part = { ...target, user, predicted, precision };
  if (difference(predicted, user).maxAbs > 4 * precision * largestMagnitude(user)) {
    const cut = [...given].flatMap(([key, tensor]): [Key, Tensor][] => {
      const own = slice.cut(key, tensor);
      return own ? [[key, own]] : [];
    });
    const found = search(slice.context, part, sliceJudge(slice.context.state, cut, precision), {
      budget: SLICE_WORK,
    });
    const whole = found && onWhole(context, target, found);
    if (whole) return whole;
  }
  // What mixes heads or batch entries does not show in the slice.
  return search(context, target, judge, { budget: WHOLE_WORK });
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
      if (error instanceof CircularError || error instanceof RangeError) return false;
      throw error;
    }
  };
  return (edited) => {
    for (const [key] of given) before.predict(key);
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
