// How much a reproduction tells: more than one of so many hypotheses would by chance; which of several is told.
import type { Tensor } from '../../engine/tensor.ts';
import type { Edit } from '../edits/edit.ts';
import type { Found, Hypothesis, Score } from './search.ts';

/** Entries beyond which no hypothesis fits by chance. */
const PLENTY = 8;

/**
 * Whether the entries that were wrong and now are right tell more than one of so many hypotheses does: bits, each entry
 * as many as it has digits by which it was off, in units of what is accepted.
 */
export function isTold(
  { user, predicted }: { readonly user: Tensor; readonly predicted: Tensor },
  scale: number,
  accepted: number,
  tried: number,
): boolean {
  if (user.data.length > PLENTY) return true;
  const bits = user.data.reduce((sum, value, at) => {
    const off = Math.abs(value - predicted.data[at]) / scale;
    return sum + (off > accepted ? Math.min(52, Math.log2(off / accepted)) : 0);
  }, 0);
  return !Number.isFinite(bits) || bits > Math.log2(tried);
}

export function meanError(a: Tensor, b: Tensor): number {
  let sum = 0;
  for (let at = 0; at < a.data.length; at++) {
    const error = Math.abs(a.data[at] - b.data[at]);
    sum += Number.isNaN(error) ? 0 : Math.min(error, 1e300);
  }
  return sum / a.data.length;
}

/** Equal for equal tensors, and hardly ever for others. */
export function fingerprint({ data }: Tensor): string {
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

/** Others that give the same numbers are told if they are hardly stranger. */
export const MOST_STRANGER = 0.35;
const MOST_OTHERS = 2;

export const costOf = (edits: readonly Edit[]): number =>
  edits.reduce((sum, { cost }) => sum + cost, 0);

/** The explanation of the most tensors, the cheapest of those. */
export function best(
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
