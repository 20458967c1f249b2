// What the weights themselves tell: dropout that the setup does not have, a threshold.
import { map } from '../../engine/tensor.ts';
import { shortNumber } from '../search/constants.ts';
import { after, entrywise } from '../program/operations.ts';
import type { Edit, Family, Site } from './edit.ts';
import { stepEdit } from './make.ts';
import { shareOf } from './solve.ts';

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
