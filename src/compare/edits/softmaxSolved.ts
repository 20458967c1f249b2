// What the weights themselves tell: by which temperature, by which term in the denominator, over which keys.
import { namesOf, shortNumber } from '../search/constants.ts';
import { after, entrywise, fibres, normalised, onOperand, times } from '../program/operations.ts';
import { type Edit, type Family, roles, type Site } from './edit.ts';
import { stepEdit } from './make.ts';

export const softmaxSolved: Family = (site) => {
  const { node, kind, target } = site;
  if (kind !== 'value' || node.id !== 'P') return [];
  return target
    ? [...temperature(site), ...denominator(site), ...dropped(site), ...thresholded(site)]
    : [];
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

/** P = softmax(τ · logits): the logarithms of a row are τ times its logits, up to a constant. */
function temperature(site: Site): Edit[] {
  const { node, graph, state, target, precision } = site;
  const { logits } = roles(graph);
  const { data } = state.value(logits);
  const user = target!.user.data;
  const { starts, steps } = fibres(node.axes, ['i'], graph.extents);
  let [products, squares] = [0, 0];
  for (const start of starts) {
    const rows = steps.filter((step) => data[start + step] > -1e4 && user[start + step] > 1e-30);
    if (rows.length < 2) continue;
    const mean = (of: (at: number) => number): number =>
      rows.reduce((sum, step) => sum + of(start + step), 0) / rows.length;
    const [x, y] = [mean((at) => data[at]), mean((at) => Math.log(user[at]))];
    for (const step of rows) {
      const own = data[start + step] - x;
      products += own * (Math.log(user[start + step]) - y);
      squares += own * own;
    }
  }
  const tau = products / squares;
  // Next to 0 the scores do not enter at all, which is no temperature.
  if (!Number.isFinite(tau) || Math.abs(tau - 1) < 1e-6 || Math.abs(tau) < 1e-6) return [];
  const [name] = namesOf(tau, site, logits, 'value', Math.max(1e3 * precision, 1e-6));
  const usual: readonly (readonly [number, string, string])[] = [
    [
      Math.LN2,
      'softmax-of-base-2',
      'powers of 2 (exp2) instead of exponentials, without the factor log2(e)',
    ],
    [Math.LN10, 'softmax-of-base-10', 'powers of 10 instead of exponentials'],
    [Math.LOG2E, 'softmax-of-base-2', 'the factor log2(e) without exp2: exp(log2(e) · scores)'],
  ];
  const base = usual.find(([value]) => Math.abs(tau / value - 1) < 1e-3);
  const exact = base?.[0] ?? name?.value ?? tau;
  const number = shortNumber(exact);
  const title = base
    ? base[2]
    : `softmax of ${number} · ${logits}: ${name ? name.meaning : `a temperature of ${shortNumber(1 / exact)} that does not belong here`}`;
  const say = {
    ...{ id: base?.[1] ?? 'softmax-temperature', title, cost: base ? 1.2 : name ? 1.3 : 1.6 },
    why: `P comes out exactly with all scores times ${number} (a temperature, or a scale too many).`,
    wrong: `P = softmax(${number} · ${logits})`,
  };
  return [stepEdit(site, 'P', say, ({ operation }) => onOperand(operation, 0, times(exact)))];
}

/** P = exp(logits) / (extra + Σ exp(logits)): every row tells the extra term. */
function denominator(site: Site): Edit[] {
  const { node, graph, state, target, precision } = site;
  const { logits } = roles(graph);
  const { data } = state.value(logits);
  const { user, predicted } = target!;
  const { starts, steps } = fibres(node.axes, ['i'], graph.extents);
  const extras: { plain: number[]; shifted: number[] } = { plain: [], shifted: [] };
  for (const start of starts) {
    let max = -Infinity;
    let [own, right, sum] = [0, 0, 0];
    for (const step of steps) max = Math.max(max, data[start + step]);
    if (max === -Infinity) continue;
    for (const step of steps) {
      own += user.data[start + step];
      right += predicted.data[start + step];
      sum += Math.exp(data[start + step] - max);
    }
    const shifted = sum * (right / own - 1);
    extras.shifted.push(shifted);
    extras.plain.push(shifted * Math.exp(max));
  }
  return (['plain', 'shifted'] as const).flatMap((which): Edit[] => {
    const list = extras[which].filter(Number.isFinite).sort((a, b) => a - b);
    const middle = list[Math.floor(list.length / 2)];
    if (middle === undefined || Math.abs(middle) < 10 * precision) return [];
    const round = Number(middle.toPrecision(1));
    const extra = Math.abs(middle / round - 1) < 1e-3 ? round : middle;
    const late = which === 'shifted';
    const isOne = extra === 1;
    const text = shortNumber(extra);
    const exp = late ? `exp(${logits} − max)` : `exp(${logits})`;
    const say = {
      id: isOne ? 'softmax-plus-one' : 'softmax-denominator-eps',
      title: isOne
        ? `a 1 is added to the sum of the exponentials (softmax + 1, quiet softmax)${late ? ', after the maximum is subtracted' : ''}`
        : `an eps of ${text} is added to the denominator of the softmax${late ? ', after the maximum is subtracted' : ''}`,
      why: `The weights of a row add to less than 1: each denominator is Σ ${exp} + ${text}.`,
      wrong: `P = ${exp} / (${text} + Σ ${exp})`,
      cost: 1.2,
    };
    const own = (_: number, weighted: number): number => weighted;
    const options = { extra, late };
    const operation = normalised(node.axes, ['i'], graph.extents, Math.exp, own, options);
    return [stepEdit(site, 'P', say, () => operation)];
  });
}

/** Some weights are 0 and all others have one factor: dropout where the setup has none. */
function dropped(site: Site): Edit[] {
  const { config, target, precision } = site;
  if (config.dropout) return [];
  const { user, predicted } = target!;
  let [products, squares, zeros] = [0, 0, 0];
  user.data.forEach((value, at) => {
    if (value === 0 && predicted.data[at] !== 0) zeros++;
    if (value === 0) return;
    products += value * predicted.data[at];
    squares += predicted.data[at] ** 2;
  });
  const factor = products / squares;
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
