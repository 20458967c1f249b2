// Limits read off the tensor itself: entries clipped at a value, a constant floor, NaN born at some entries.
import { tensorName } from '../../engine/graph.ts';
import { indexOf, map } from '../../engine/tensor.ts';
import { shortNumber } from '../constants.ts';
import { after, entrywise } from '../operations.ts';
import { type Edit, type Family, operationAt, type Site } from './edit.ts';
import { contributionsTo, gradientEdit, type Say, stepEdit } from './make.ts';

export const limits: Family = (site) => {
  const { target, node, kind } = site;
  if (!target || node.shape.length === 0 || (kind === 'value' && !operationAt(site))) return [];
  const { user, predicted } = target;
  const own = tensorName(node.id, kind);
  const use = (
    say: Say,
    value: (entry: number, at: number) => number,
    passes: (entry: number) => boolean,
  ): Edit =>
    kind === 'gradient'
      ? gradientEdit(site, node.id, say, (right) => map(right(), value))
      : stepEdit(site, node.id, say, ({ operation }) =>
          after(
            operation,
            entrywise(value, (entry) => Number(passes(entry))),
          ),
        );
  let [low, high] = [Infinity, -Infinity];
  for (const value of user.data) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  const times = (limit: number): number =>
    user.data.reduce((n, value) => n + Number(value === limit), 0);
  const beyond = (of: (value: number) => boolean): boolean => predicted.data.some(of);
  const edits: Edit[] = [];
  const clip = (from: number, to: number, words: string): void => {
    edits.push(
      use(
        {
          id: kind === 'gradient' ? 'gradient-clipped-by-value' : 'clipped-by-value',
          title: `${own} is clipped ${words}`,
          why: `Every entry of ${own} beyond that limit stands exactly at it: a clip, clamp or eps that does not belong there.`,
          wrong: `${own} = clip(right ${own}, ${Number.isFinite(from) ? shortNumber(from) : '−∞'}, ${Number.isFinite(to) ? shortNumber(to) : '∞'})`,
          cost: 1.3,
        },
        (value) => Math.min(to, Math.max(from, value)),
        (value) => value > from && value < to,
      ),
    );
  };
  if (Number.isFinite(low) && Number.isFinite(high) && low < high) {
    const above = times(high) >= 2 && beyond((value) => value > high);
    const below = times(low) >= 2 && beyond((value) => value < low);
    if (low === -high && (above || below)) clip(low, high, `to ±${shortNumber(high)}`);
    else if (above && below) clip(low, high, `to ${shortNumber(low)} … ${shortNumber(high)}`);
    else if (above) clip(-Infinity, high, `at most ${shortNumber(high)}`);
    // At 0 it is a ReLU, which has its own name.
    else if (below && low !== 0) clip(low, Infinity, `at least ${shortNumber(low)}`);
  }
  for (const digits of [1, 2, 3, 4]) {
    const unit = 10 ** -digits;
    const round = (value: number): number => Math.round(value / unit) * unit;
    const isRounded = (value: number): boolean =>
      !Number.isFinite(value) || Math.abs(round(value) - value) <= 1e-6 * unit;
    if (!user.data.every(isRounded) || predicted.data.every(isRounded)) continue;
    const say = {
      id: 'rounded-to-decimals',
      title: `${own} is rounded to ${digits} decimal${digits > 1 ? 's' : ''}`,
      why: `Every entry of ${own} is a multiple of ${unit}; what it is computed from is not.`,
      wrong: `${own} = round(right ${own}, ${digits})`,
      cost: 1.1,
    };
    edits.push(
      use(
        say,
        (value) => (Number.isFinite(value) ? round(value) : value),
        () => true,
      ),
    );
    break;
  }
  const born = [...user.data.keys()].filter(
    (at) => !Number.isFinite(user.data[at]) && Number.isFinite(predicted.data[at]),
  );
  // Of a tensor without any number only what it is directly computed from tells that this is the place.
  if (born.length > 0 && (born.length < user.data.length || isNextToGiven(site))) {
    const where = indexOf(node.shape, born[0]).join(', ');
    const what = Number.isNaN(user.data[born[0]]) ? 'NaN' : 'infinity';
    const set = new Set(born);
    edits.push(
      use(
        {
          id: 'not-finite-born',
          title: `${what} is born in ${own}, first at [${where}]`,
          why: `All that ${own} is computed from is finite; ${born.length} of its ${user.data.length} entries are not: 0/0, ∞ − ∞, an overflow or memory that was never written.${born.length < user.data.length ? ' The others are right.' : ''}`,
          wrong: `${own}[${where}] = ${what}`,
          cost: 2.2,
        },
        (value, at) => (set.has(at) ? user.data[at] : value),
        () => true,
      ),
    );
  }
  return edits;
};

/** Whether all that the tensor is directly computed from is given. */
function isNextToGiven(site: Site): boolean {
  const { node, kind, state } = site;
  const { values, gradients } = state.given;
  if (kind === 'value') return operationAt(site)!.inputs.every((id) => values.has(id));
  return contributionsTo(site, node.id).every(({ from }) => gradients.has(from.id));
}
