// What explains a slice of a problem, held against the whole of it.
import { largestMagnitude } from '../../engine/tensor.ts';
import type { Context, Edit } from '../edits/edit.ts';
import { sitesOf, type Target } from './places.ts';
import { isMisfit } from '../program/program.ts';
import type { Found } from './search.ts';
import { isRoundingOf, MOST_PRECISION } from '../reference/tolerances.ts';
import { apart } from '../judge/view.ts';

/** The edits of a slice, made anew for the whole, if they explain the whole too. */
export function onWhole(
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
