// Limits read off the tensor itself: entries clipped at a value, a constant floor, NaN born at some entries.
import { tensorName } from '../../engine/graph.ts';
import { indexOf } from '../../engine/tensor.ts';
import { shortNumber } from '../search/constants.ts';
import { entrywise } from '../program/operations.ts';
import { type Edit, type Family, operationAt, type Site } from './edit.ts';
import { contributionsTo, type Say } from './make.ts';
import { onResult } from './spots.ts';

type Target = NonNullable<Site['target']>;

/** The tensor with every entry changed, and where the change lets a gradient through. */
type Use = (
  say: Say,
  value: (entry: number, at: number) => number,
  passes?: (entry: number) => boolean,
) => Edit;

export const limits: Family = (site) => {
  const { target, node, kind } = site;
  if (!target || node.shape.length === 0 || (kind === 'value' && !operationAt(site))) return [];
  const use: Use = (say, value, passes = () => true) =>
    onResult(
      site,
      say,
      entrywise(value, (entry) => Number(passes(entry))),
    );
  return [...clipped(site, target, use), ...born(site, target, use)];
};

function clipped({ node, kind }: Site, { user, predicted }: Target, use: Use): Edit[] {
  const own = tensorName(node.id, kind);
  let [low, high] = [Infinity, -Infinity];
  for (const value of user.data) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  if (!Number.isFinite(low) || !Number.isFinite(high) || low >= high) return [];
  const isLimit = (limit: number, isBeyond: (value: number) => boolean): boolean =>
    user.data.reduce((n, value) => n + Number(value === limit), 0) >= 2 &&
    predicted.data.some(isBeyond);
  const clip = (from: number, to: number, words: string): Edit[] => {
    const say = {
      id: kind === 'gradient' ? 'gradient-clipped-by-value' : 'clipped-by-value',
      title: `${own} is clipped ${words}`,
      why: `Every entry of ${own} beyond that limit stands exactly at it: a clip, clamp or eps that does not belong there.`,
      wrong: `${own} = clip(right ${own}, ${Number.isFinite(from) ? shortNumber(from) : '−∞'}, ${Number.isFinite(to) ? shortNumber(to) : '∞'})`,
      cost: 1.3,
    };
    const within = (value: number): number => Math.min(to, Math.max(from, value));
    return [use(say, within, (value) => value > from && value < to)];
  };
  const above = isLimit(high, (value) => value > high);
  const below = isLimit(low, (value) => value < low);
  if (low === -high && (above || below)) return clip(low, high, `to ±${shortNumber(high)}`);
  if (above && below) return clip(low, high, `to ${shortNumber(low)} … ${shortNumber(high)}`);
  if (above) return clip(-Infinity, high, `at most ${shortNumber(high)}`);
  // At 0 it is a ReLU, which has its own name.
  return below && low !== 0 ? clip(low, Infinity, `at least ${shortNumber(low)}`) : [];
}

function born(site: Site, { user, predicted }: Target, use: Use): Edit[] {
  const own = tensorName(site.node.id, site.kind);
  const found = [...user.data.keys()].filter(
    (at) => !Number.isFinite(user.data[at]) && Number.isFinite(predicted.data[at]),
  );
  const isAll = found.length === user.data.length;
  // Of a tensor without any number only what it is directly computed from tells that this is the place.
  if (found.length === 0 || (isAll && !isNextToGiven(site))) return [];
  const where = indexOf(site.node.shape, found[0]).join(', ');
  const what = Number.isNaN(user.data[found[0]]) ? 'NaN' : 'infinity';
  const say = {
    id: 'not-finite-born',
    title: `${what} is born in ${own}, first at [${where}]`,
    why: `All that ${own} is computed from is finite; ${found.length} of its ${user.data.length} entries are not: 0/0, ∞ − ∞, an overflow or memory that was never written.${isAll ? '' : ' The others are right.'}`,
    wrong: `${own}[${where}] = ${what}`,
    cost: 2.2,
  };
  const set = new Set(found);
  return [use(say, (value, at) => (set.has(at) ? user.data[at] : value))];
}

/** Whether all that the tensor is directly computed from is given. */
function isNextToGiven(site: Site): boolean {
  const { node, kind, state } = site;
  const { values, gradients } = state.given;
  if (kind === 'value') return operationAt(site)!.inputs.every((id) => values.has(id));
  return contributionsTo(site, node.id).every(({ from }) => gradients.has(from.id));
}
