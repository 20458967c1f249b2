// What a tensor tells by itself: entries clipped at a value, NaN born at some, zeros throughout; weights that are dropped or cut.
import { tensorName } from '../../engine/graph.ts';
import { indexOf, isZero, map } from '../../engine/tensor.ts';
import { shortNumber } from '../search/constants.ts';
import { after, entrywise, times } from '../program/operations.ts';
import { type Edit, type Family, operationAt, type Site } from './edit.ts';
import { contributionsTo, type Say, stepEdit } from './make.ts';
import { shareOf } from './solve.ts';
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

/** A value that is 0 everywhere: never written. */
export const unwritten: Family = (site) => {
  const { target, node, kind } = site;
  if (kind !== 'value' || !target || !operationAt(site) || !isZero(target.user)) return [];
  return [
    stepEdit(
      site,
      node.id,
      {
        id: 'left-at-zero',
        title: `${node.id} is 0 everywhere: never written, or multiplied by 0`,
        why: `All ${target.user.data.length} entries of ${node.id} are 0, though what it is computed from is not. An array made by zeros() is not filled, its result goes elsewhere, or a step before that is not in the trace gives 0.`,
        wrong: `${node.id} = 0`,
      },
      ({ operation }) => after(operation, times(0)),
    ),
  ];
};

/** Dropout that the setup does not have, and a threshold, as weights tell them. */
export const softmaxSolved: Family = (site) => {
  const { node, kind, target } = site;
  if (kind !== 'value' || node.id !== 'P') return [];
  return target ? [...dropped(site), ...thresholded(site)] : [];
};

/** 1 for all weights beyond a threshold, 0 for the others. */
function thresholded(site: Site): Edit[] {
  const { user, predicted } = site.target!;
  let [lowest, highest] = [Infinity, -Infinity];
  for (let at = 0; at < user.data.length; at++) {
    const right = predicted.data[at];
    if (user.data[at] === 1) lowest = Math.min(lowest, right);
    else if (user.data[at] === 0) highest = Math.max(highest, right);
    else return [];
  }
  if (!(lowest > highest) || highest <= 0) return [];
  // A half where it may be one: what people round at.
  const at = lowest > 0.5 && highest <= 0.5 ? 0.5 : (lowest + highest) / 2;
  const say = {
    id: 'weights-thresholded',
    title: `the weights are cut to 0 and 1 at a threshold (of about ${shortNumber(at)})`,
    why: `Every weight from ${shortNumber(lowest)} on is 1, every one up to ${shortNumber(highest)} is 0.`,
    wrong: `P = (softmax > ${shortNumber(at)})`,
    cost: 1.15,
  };
  const cut = entrywise(
    (weight) => Number(weight > at),
    () => 0,
  );
  return [stepEdit(site, 'P', say, ({ operation }) => after(operation, cut))];
}

/** Some weights are 0 and all others have one factor: dropout where the setup has none. */
function dropped(site: Site): Edit[] {
  const { config, target, precision } = site;
  if (config.dropout) return [];
  const { user, predicted } = target!;
  const zeros = user.data.filter((value, at) => value === 0 && predicted.data[at] !== 0).length;
  const left = map(predicted, (value, at) => (user.data[at] === 0 ? NaN : value));
  const none = map(predicted, () => 0);
  const factor = shareOf(user, none, left) ?? NaN;
  if (zeros === 0 || !(factor > 1 + 10 * precision)) return [];
  const p = 1 - 1 / factor;
  const kept = user.data.map((value) => Number(value !== 0));
  const by = (at: number): number => kept[at] * factor;
  const say = {
    id: 'dropout-unwanted',
    title: `the weights went through dropout (p = ${shortNumber(p)}) that the setup does not have`,
    why: `${zeros} weights are 0 and all others are ${shortNumber(factor)} = 1/(1 − p) times the right ones: dropout is active, perhaps at evaluation (eval() forgotten).`,
    wrong: `P = softmax ∘ keep / (1 − ${shortNumber(p)})`,
    cost: 1.2,
  };
  const change = entrywise(
    (value, at) => value * by(at),
    (_, at) => by(at),
  );
  return [stepEdit(site, 'P', say, ({ operation }) => after(operation, change))];
}
