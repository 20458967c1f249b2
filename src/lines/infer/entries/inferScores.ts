// Entries of a setup between Q, K and the weights: rotary embedding, scale, softcap, mask, biases, dropout.
import type { Mask } from '../../../engine/config.ts';
import { alibiSlopes } from '../../../engine/heads/mask.ts';
import { sizeOf } from '../../../engine/tensor.ts';
import { byHead, findBias, hasUnknownBias, mayBeBiased } from '../weights/bias.ts';
import { findBeside } from '../weights/beside.ts';
import { type Context, nameOf, stepsOf } from './builder.ts';
import { type Factor, gather, type Layout } from '../values/layout.ts';
import { findLostDropout } from '../weights/lostDropout.ts';
import { findDropout, findMask, type FoundDropout, type FoundMask } from '../weights/maskFound.ts';
import type { Pattern } from '../weights/masks.ts';
import { addPositionBias, meantBias } from './positionBias.ts';
import { scaleOf } from '../weights/scale.ts';
import { scoreLayout } from '../weights/scores.ts';
import type { Value } from '../values/values.ts';

/** How many keys stand before those of x. */
function earlier(context: Context): number {
  return context.model.past?.K.token.size ?? 0;
}

/** Factors of heads and of queries, which the scale is beside. */
function addFactors({ model: { factors }, build, config }: Context): void {
  if (!factors) return;
  config.head = 'multihead';
  const vector = ({ tensor: { data } }: Value): Layout => ({
    offset: 0,
    axes: [[{ size: data.length, stride: 1 }]],
  });
  const { heads, queries } = factors;
  if (heads) {
    const note = `${nameOf(heads)}: a factor of each head's scores`;
    const headScale = build.tensor('weights.headScale', heads, vector(heads), note);
    config.weights = { ...config.weights, headScale };
  }
  if (!queries) return;
  const note = `${nameOf(queries)}: a factor of each query's scores`;
  config.temperature = build.tensor('temperature', queries, vector(queries), note);
}

export function addScale(context: Context): void {
  addFactors(context);
  const { told, query, key } = context.model;
  const { site } = told;
  const steps = [query, key].map((root) => stepsOf(context.model, root));
  const before = steps[0].factor * steps[1].factor;
  const unit = 1 / Math.sqrt(told.query.feature.size);
  const isUnit = steps.every(
    ({ norm, factor }) => norm?.kind === 'rms' && Math.abs(factor / unit - 1) < 1e-3,
  );
  const { cap } = site;
  if (cap !== undefined) {
    context.config.softcap = cap;
    context.build.note('softcap', site.scores, `scores are capped at ${cap}`);
  }
  const factor = site.product.factor * before;
  const found = scaleOf(context.values, factor, told.query.feature.size, {
    isPlain: context.config.head === 'kq',
    isUnit,
    isBiased: context.build.isBiased || context.model.factors?.heads !== undefined,
    others: [],
    eps: site.scores.eps,
  });
  if (found.scale !== undefined) context.config.scale = found.scale;
  context.build.note('scale', site.scores, found.note, found.sure);
  if (!found.sure) {
    const guess = found.scale ?? '1/sqrt(d)';
    const other = found.written === found.scale ? ['1/sqrt(d)'] : [found.written];
    context.build.ask('scale', guess, other, found.note);
  }
}

/** A one or a learned logit in the softmax's denominator. */
function addBeside(context: Context): void {
  const { model, build, config } = context;
  const found = findBeside(model);
  if (!found) return;
  const { logits, value } = found;
  const { weights } = model.told.site;
  if (!value && logits.every((logit) => logit === 0)) {
    config.softmax = 'plus-one';
    return build.note('softmax', weights, 'a one in the denominator');
  }
  config.head = 'multihead';
  const layout = { offset: 0, axes: [[{ size: logits.length, stride: 1 }]] };
  const sinks = value
    ? build.tensor('weights.sinks', value, layout, `${nameOf(value)}: in the denominator`)
    : { shape: [logits.length], data: logits };
  config.weights = { ...config.weights, sinks };
  if (!value) {
    const why = 'something is in the denominator of the softmax that was not recorded';
    build.ask('weights.sinks', 'as the weights show', ['none'], why);
  }
}

export function addMask(context: Context): void {
  addBeside(context);
  const lost = findLostDropout(context.model);
  if (lost) {
    context.config.mask = lost.mask;
    context.build.note('mask', lost.dropout.from, lost.mask);
    return addDropout(context, lost.dropout);
  }
  const found = findMask(context.model, earlier(context));
  const value = found.from ?? context.model.told.site.scores;
  if (found.window !== undefined) {
    context.config.window = found.window;
    context.build.note(
      'window',
      value,
      `${found.window}: a query sees keys at a smaller distance than that`,
    );
    askWindow(context, found.window);
  }
  if (found.mask === 'given') addGivenMask(context, found);
  else {
    context.config.mask = found.mask;
    const note = found.off ? `${found.mask} assumed; the program’s mask ${found.off}` : found.mask;
    context.build.note('mask', value, note, !found.off);
    if (found.off) context.build.ask('mask', found.mask, ['as written'], note);
  }
  addScoreBias(context);
  const dropout = findDropout(context.model);
  if (dropout) addDropout(context, dropout);
}

function addDropout(context: Context, { p, keep, layout, from }: FoundDropout): void {
  const note = `${nameOf(keep)}: what is not dropped`;
  const tensor = context.build.tensor('dropout.keep', keep, scoreAxes(context, layout), note);
  context.build.note('dropout.p', from, `p = ${p}`);
  context.config.dropout = { p, keep: tensor };
}

/** What is added to the scores: ALiBi, or a bias that a given mask must then hold. */
function addScoreBias(context: Context): void {
  const { told, heads } = context.model;
  const found = findBias(context.values, told, earlier(context));
  const meant = !found && mayBeBiased(told) ? meantBias(context) : null;
  if (meant && addPositionBias(context, meant)) return;
  if (!found && hasUnknownBias(told))
    context.build.ask('mask', context.config.mask, [], 'something else is added to the scores');
  if (!found) return;
  const { shape } = told.site.weights.tensor;
  const count = sizeOf(heads.map((axis) => shape[axis]));
  const slopes = found.slopes && byHead(found.slopes, count);
  const { scores } = told.site;
  if (slopes) {
    const usual = alibiSlopes(count);
    const isUsual = slopes.every((slope, n) => Math.abs(slope / usual[n] - 1) < 1e-3);
    context.config.alibi = isUsual ? true : { shape: [count], data: slopes };
    const note = `slopes of the distances: ${Array.from(slopes, (each) => Number(each.toPrecision(4))).join(', ')}`;
    return context.build.note('alibi', scores, note);
  }
  if (!found.value || addPositionBias(context, found)) return;
  const weights = gather(told.site.weights.tensor, scoreLayout(told)).data;
  const data = found.added.data.map((value, n) => (weights[n] > 0 ? value : -Infinity));
  const whole = { shape: found.added.shape, data };
  const [, queries, keys] = whole.shape;
  let stride = whole.data.length;
  const outer = told.site.outer.map((axis) => {
    stride /= shape[axis];
    return { size: shape[axis], stride };
  });
  const axes = [outer, [{ size: queries, stride: keys }], [{ size: keys, stride: 1 }]];
  const layout = scoreAxes(context, { offset: 0, axes });
  context.config.mask = { tensor: gather(whole, layout), meaning: 'add' };
  delete context.config.window;
  context.build.note('mask', found.value, `${nameOf(found.value)} is added to the scores`);
}

/** A window told by its mask, where the program calls another number its window. */
function askWindow(context: Context, window: number): void {
  const named = context.values.numbers.find(
    ({ name, value }) => /window|^w$/i.test(name) && value !== undefined && value === window - 1,
  );
  const equal = context.values.numbers.some(
    ({ name, value }) => /window|^w$/i.test(name) && value === window,
  );
  if (named && !equal) {
    const why = `${named.name} is ${named.value}; the mask shows keys up to that distance`;
    context.build.ask('window', window, [named.value], why);
  }
}

/** ([outer], query, key) as the setup's mask: (batch, heads, its own axes). */
function scoreAxes(context: Context, { offset, axes: [outer, query, key] }: Layout): Layout {
  const { told, batch } = context.model;
  const { site } = told;
  const isBatch = (n: number): boolean => batch.includes(site.outer[n]);
  const batches = outer.filter((_, n) => isBatch(n));
  const heads = outer.filter((_, n) => !isBatch(n));
  const last = context.keyFirst ? [key, query] : [query, key];
  if (context.config.head === 'multihead') return { offset, axes: [batches, heads, ...last] };
  return { offset, axes: batches.length > 0 ? [batches, ...last] : last };
}

/** Beside it scores are nothing, and differences of it are still numbers. */
const LOWEST = -1e30;

/**
 * A mask that hides with a number where a query sees nothing: all its weights are the same then. False where no query
 * is so.
 */
function addFiniteMask(
  context: Context,
  { blocks, queries, keys, visible }: Pattern,
  from: Value | null,
): boolean {
  const { told } = context.model;
  const weights = gather(told.site.weights.tensor, scoreLayout(told)).data;
  if (weights.length !== visible.length) return false;
  const isUniform = Array.from({ length: blocks * queries }, (_, n) => n * keys).some((start) => {
    const row = weights.subarray(start, start + keys);
    const isHidden = visible.subarray(start, start + keys).every((each) => each === 0);
    return isHidden && row.every((each) => Math.abs(each * keys - 1) < 1e-3);
  });
  const lowest = from?.tensor.data.reduce((a, b) => Math.min(a, b), 0) ?? 0;
  if (!isUniform || !(lowest <= -1e4) || lowest === -Infinity) return false;
  const whole = {
    shape: [],
    data: Float64Array.from(visible, (each) => (each === 1 ? 0 : Math.max(lowest, LOWEST))),
  };
  const layout = patternLayout(context, { blocks, queries, keys });
  context.config.mask = { tensor: gather(whole, layout), meaning: 'add' };
  context.build.note('mask', from, `keys are hidden by ${lowest.toPrecision(3)}`);
  return true;
}

/** The layout of a pattern as the setup's mask. */
function patternLayout(
  context: Context,
  { blocks, queries, keys }: Pick<Pattern, 'blocks' | 'queries' | 'keys'>,
): Layout {
  const { told } = context.model;
  const { shape } = told.site.weights.tensor;
  const outer: Factor[] = [];
  let stride = blocks * queries * keys;
  for (const axis of told.site.outer) {
    stride /= shape[axis];
    outer.push({ size: shape[axis], stride });
  }
  const axes = [outer, [{ size: queries, stride: keys }], [{ size: keys, stride: 1 }]];
  return scoreAxes(context, { offset: 0, axes });
}

function addGivenMask(context: Context, { pattern, recorded, from, off }: FoundMask): void {
  if (!pattern) return;
  if (off === undefined && addFiniteMask(context, pattern, from)) return;
  const sure = off === undefined;
  if (off !== undefined) {
    const guess = recorded ? nameOf(recorded.value) : 'the keys whose weights are not 0';
    context.build.ask('mask', guess, ['none', 'causal'], `the program’s mask ${off}`);
  }
  const meaning = recorded?.hides ? 'ignore' : 'attend';
  if (recorded) {
    const { value, layout } = recorded;
    const axes = scoreAxes(context, layout);
    const isAdditive = value.tensor.data.some((each) => each <= -1e4);
    const note = `${nameOf(value)}: what a query may see`;
    const tensor = context.build.tensor('mask', value, axes, note, sure);
    context.config.mask = { tensor, meaning: isAdditive ? 'add' : meaning } as Mask;
    return;
  }
  const { visible } = pattern;
  const layout = patternLayout(context, pattern);
  const whole = { shape: [visible.length], data: Float64Array.from(visible) };
  context.config.mask = { tensor: gather(whole, layout), meaning: 'attend' };
  context.build.note('mask', from, 'the keys whose weights are 0 are hidden', sure);
}
