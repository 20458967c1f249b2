// Entries of a setup that are tensors: x, weights, biases, given projections, earlier tokens.
import type { HeadConfig } from '../../../engine/config.ts';
import { sameShape, sizeOf, type Tensor } from '../../../engine/tensor.ts';
import { type Context, merged, nameOf, stepsOf, stored, tokens, withFeature } from './builder.ts';
import { biasBeside, guessProjection, meantProjection, unusedBias } from '../guess.ts';
import { type Factor, gather, lengthOf } from '../values/layout.ts';
import type { Latent } from '../operands/latent.ts';
import type { Recording } from '../../recorded/recording.ts';
import { takenBy } from '../model.ts';
import { namesOf, roleOf, weightRole } from '../values/names.ts';
import type { Root } from '../operands/roots.ts';
import type { Operand, Projection } from '../operands/trace.ts';

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

export function addHeads(context: Context): void {
  const { heads, told, key } = context.model;
  const { shape } = told.site.weights.tensor;
  const count = sizeOf(heads.map((axis) => shape[axis]));
  context.config.heads = count;
  context.config.kvHeads = count === 1 ? 1 : headsOf(context, key);
  addGrouping(context);
  if (context.config.head !== 'multihead') return;
  context.build.note('heads', told.query.value, `${count} heads of ${told.query.feature.size}`);
  if (context.config.kvHeads !== count)
    context.build.note(
      'kvHeads',
      told.key.value,
      `${context.config.kvHeads} heads of keys and values`,
    );
}

/** Query heads that share keys and values in turns: as written, for both are shared so. */
function addGrouping(context: Context): void {
  const { key, value } = context.model;
  const { heads, kvHeads } = context.config;
  if (kvHeads === 1 || kvHeads === heads || !value) return;
  if (![key, value].every(isSharedInTurns)) return;
  context.config.grouping = 'interleaved';
  const note = `query head h meets head h mod ${kvHeads} of keys and values`;
  context.build.note('grouping', key.operand.value, note, false);
  context.build.ask(
    'grouping',
    'interleaved',
    ['blocks'],
    `${note}; usual is floor(h / ${heads / kvHeads})`,
  );
}

function isSharedInTurns({ projection, inTurns }: Root): boolean {
  const axes = projection?.weightLayout.axes[1].slice(0, -1).filter(({ size }) => size > 1);
  const at = axes?.findIndex(({ stride }) => stride === 0) ?? -1;
  return inTurns === true || (axes !== undefined && at === 0 && axes.length > 1);
}

/** Heads of a root that are stored each for itself. */
function headsOf(context: Context, root: Root): number {
  const { heads } = context.model;
  const { projection, start } = root;
  if (projection)
    return lengthOf(stored(projection.weightLayout.axes[1])) / root.operand.feature.size;
  const from = start ?? root.operand;
  return sizeOf(heads.map((axis) => from.outer.get(axis)?.size ?? 1));
}

export function addInputs(context: Context): void {
  const { query, key, value, latent } = context.model;
  if (latent) return addLatent(context, latent);
  const x = (key.projection ?? value?.projection)?.x;
  const xPrime = query.projection?.x;
  if (xPrime && x && xPrime !== x) addInput(context, 'xPrime', query.projection);
  const first = key.projection ?? value?.projection ?? query.projection;
  if (first) addInput(context, 'x', first);
  else if (context.config.head === 'kq' && value?.start) addStart(context, 'V', value);
  const ofValues = value?.projection;
  // Values of the queries' tokens are a mistake where keys are of others.
  if (x && ofValues && key.projection && ofValues.x !== x && ofValues.x !== xPrime)
    addInput(context, 'xValue', ofValues);
  if (!context.isOrdered) {
    const why = 'queries, keys and values are not taken in this order';
    context.build.ask('weights', 'as written', ['in the order Q, K, V'], why);
  }
  addProjection(context, 'Q', query);
  addProjection(context, 'K', key);
  if (value && context.config.head !== 'kq') addProjection(context, 'V', value);
}

/** The latents of keys and values, and of queries, and the parts that turn. */
function addLatent(context: Context, { from, turned }: Latent): void {
  const { build, config, model } = context;
  const { query, key, value } = model;
  const ofTokens = from.KV.projection as Projection;
  addInput(context, 'x', ofTokens);
  const ofQueries = (from.Q ?? query).projection as Projection;
  if (ofQueries.x !== ofTokens.x) addInput(context, 'xPrime', ofQueries);
  addProjection(context, 'Q', query);
  addProjection(context, 'K', key);
  if (value) addProjection(context, 'V', value);
  const weights: Mutable<HeadConfig['weights']> = { ...config.weights };
  const bind = (id: 'DKV' | 'DQ' | 'KR' | 'QR', root: Root | null): void => {
    if (!root?.projection) return;
    const { weight, weightLayout, of } = root.projection;
    const [summed, out] = weightLayout.axes;
    const layout = { offset: weightLayout.offset, axes: [summed, withFeature(out)] };
    const note = `${nameOf(weight)}, as in ${nameOf(of.value)}`;
    weights[`W_${id}`] = build.tensor(`weights.W_${id}`, weight, layout, note);
    if (id !== 'DKV' && id !== 'DQ') return;
    const { norm } = stepsOf(model, root);
    if (!norm) return;
    const { kind, eps, gain } = norm;
    config.latentNorm = { kind, eps };
    if (!gain) return;
    const axes = [[{ size: gain.tensor.data.length, stride: 1 }]];
    const about = `${nameOf(gain)}: of the norm`;
    const entry = `weights.gamma_${id}`;
    weights[`gamma_${id}`] = build.tensor(entry, gain, { offset: 0, axes }, about);
  };
  bind('DKV', from.KV);
  bind('DQ', from.Q);
  bind('KR', turned.K);
  bind('QR', turned.Q);
  config.weights = weights;
}

function addInput(
  context: Context,
  entry: 'x' | 'xPrime' | 'xValue',
  { x, xLayout }: Projection,
): void {
  const factors = xLayout.axes.flat();
  const [token, feature] = factors.slice(-2);
  const layout = tokens(merged(factors.slice(0, -2)), token, [feature]);
  const of = { x: 'keys', xPrime: 'queries', xValue: 'values' }[entry];
  const why = `${of} are projected from it`;
  context.config[entry] = context.build.tensor(entry, x, layout, `${nameOf(x)}: ${why}`);
}

function addProjection(context: Context, letter: 'Q' | 'K' | 'V', root: Root): void {
  const projection =
    meantBy(context, letter, root) ?? root.projection ?? guessed(context, letter, root);
  if (!projection) return addStart(context, letter, root);
  const { weight, weightLayout } = projection;
  const [summed, out] = weightLayout.axes;
  const layout = { offset: weightLayout.offset, axes: [summed, withFeature(out)] };
  const entry = `weights.W_${letter}`;
  const note = `${nameOf(weight)}, as in ${nameOf(projection.of.value)}`;
  const weights = { ...context.config.weights };
  const sure = projection.guess === undefined && context.isOrdered;
  weights[`W_${letter}`] = context.build.tensor(entry, weight, layout, note, sure);
  if (projection.guess !== undefined)
    context.build.ask(entry, nameOf(weight), ['as written'], projection.guess);
  addBias(context, letter, projection, weights);
  context.config.weights = weights;
}

/** The projection that the names mean, where they do not mean the one that is used. */
function meantBy(context: Context, letter: 'Q' | 'K' | 'V', root: Root): Projection | null {
  const { query, key, value } = context.model;
  const all = {
    ...(query.projection && { Q: query.projection }),
    ...(key.projection && { K: key.projection }),
    ...(value?.projection && { V: value.projection }),
  };
  return meantProjection(context.values, letter, root.operand, all);
}

/** Where nothing gives the operand: a weight that is left over and called so. */
function guessed(
  { values, model }: Context,
  letter: 'Q' | 'K' | 'V',
  root: Root,
): Projection | null {
  if (root.start) return null;
  const roots = [model.query, model.key, model.value];
  const like = roots.find((each) => each?.projection)?.projection;
  return like ? guessProjection(values, letter, root.operand, like, takenBy(roots)) : null;
}

/** The bias of a projection; one that is left over and called so was forgotten. */
function addBias(
  context: Context,
  letter: 'Q' | 'K' | 'V',
  projection: Projection,
  weights: Mutable<HeadConfig['weights']>,
): void {
  const { bias, weightLayout } = projection;
  const entry = `weights.b_${letter}`;
  const out = withFeature(weightLayout.axes[1]);
  if (!bias) {
    const { query, key, value } = context.model;
    const taken = takenBy([query, key, value]);
    const unused = unusedBias(context.values, letter, lengthOf(out), taken);
    if (!unused) return;
    const why = `${nameOf(unused)} is never added to ${nameOf(projection.of.value)}`;
    const layout = { offset: 0, axes: [[{ size: lengthOf(out), stride: 1 }]] };
    weights[`b_${letter}`] = context.build.tensor(entry, unused, layout, why, false);
    context.build.ask(entry, nameOf(unused), ['none'], why);
    return;
  }
  const own = { offset: bias.layout.offset, axes: [withFeature(bias.layout.axes[0])] };
  const about = `${nameOf(bias.value)}, as in ${nameOf(projection.of.value)}`;
  weights[`b_${letter}`] = context.build.tensor(entry, bias.value, own, about);
}

function addStart(context: Context, letter: 'Q' | 'K' | 'V', root: Root): void {
  const from = root.start ?? root.operand;
  const { batch, heads } = context.model;
  const at = (axes: readonly number[]): Factor[] =>
    axes.flatMap((axis) => from.outer.get(axis) ?? []);
  const layout = tokens(merged(at(batch)), from.token, [...merged(at(heads)), from.feature]);
  if (letter !== 'V' && isInput(context, gather(from.value.tensor, layout)))
    return addIdentity(context, letter, from);
  const note = `${nameOf(from.value)}, given`;
  const isCalled = namesOf(from.value).some((name) => roleOf(name) === letter);
  const sure = root.start !== undefined && (isCalled || !context.model.mixed?.isGuess);
  const tensor = context.build.tensor(`start.${letter}`, from.value, layout, note, sure);
  context.config.start = { ...context.config.start, [letter]: tensor };
  if (!sure)
    context.build.ask(`start.${letter}`, nameOf(from.value), [], 'no x and weight give it');
}

/** Whether one head takes the tokens as they are: what it makes of them is a part of their gradient. */
function isInput({ config: { x, heads } }: Context, given: Tensor): boolean {
  if (heads !== 1 || !x || !sameShape(x.shape, given.shape)) return false;
  return x.data.every((value, n) => value === given.data[n]);
}

/** Tokens that are taken as they are, as those that the identity projects. */
function addIdentity({ config, build }: Context, letter: 'Q' | 'K', from: Operand): void {
  const width = from.feature.size;
  const data = Float64Array.from({ length: width * width }, (_, n) =>
    Number(n % (width + 1) === 0),
  );
  config.weights = { ...config.weights, [`W_${letter}`]: { shape: [width, width], data } };
  const note = `the identity: ${nameOf(from.value)} is taken as it is`;
  build.note(`weights.W_${letter}`, from.value, note);
}

export function addPast(context: Context): void {
  const { past, batch, heads } = context.model;
  if (!past) return;
  const bound = (letter: 'K' | 'V'): Tensor => {
    const { value, outer, token, feature } = past[letter];
    const at = (axes: readonly number[]): Factor[] => axes.flatMap((axis) => outer.get(axis) ?? []);
    const batches = merged(at(batch));
    const layout = { offset: 0, axes: [at(heads), [token], [feature]] };
    if (batches.length > 0) layout.axes.unshift(batches);
    return context.build.tensor(
      `past.${letter}`,
      value,
      layout,
      `${nameOf(value)}: of earlier tokens`,
    );
  };
  context.config.past = { K: bound('K'), V: bound('V') };
}

/** Keys and values behind those of the tokens: learned, of zeros. */
export function addNulls(context: Context): void {
  const { build, config } = context;
  const { nulls } = context.model;
  if (!nulls) return;
  config.head = 'multihead';
  const weights: Mutable<HeadConfig['weights']> = { ...config.weights };
  for (const letter of ['K', 'V'] as const) {
    const { learned } = nulls[letter];
    if (!learned) continue;
    const layout = { offset: 0, axes: [[{ size: learned.tensor.data.length, stride: 1 }]] };
    const note = `${nameOf(learned)}: behind those of the tokens`;
    weights[`null_${letter}`] = build.tensor(`weights.null_${letter}`, learned, layout, note);
  }
  config.weights = weights;
  if (!nulls.K.zero) return;
  config.zeroKey = true;
  build.note('zeroKey', nulls.K.rest.value, 'a key and a value of zeros behind the others');
}

/** The gate on what the heads give. */
function addGate({ build, config, model: { gate } }: Context): void {
  if (!gate) return;
  config.head = 'multihead';
  const { weight, weightLayout, bias, of } = gate.projection;
  const [summed, out] = weightLayout.axes;
  const note = `${nameOf(weight)}, as in ${nameOf(gate.gated.output)}`;
  const layout = { offset: weightLayout.offset, axes: [summed, out] };
  const weights: Mutable<HeadConfig['weights']> = { ...config.weights };
  weights.W_gate = build.tensor('weights.W_gate', weight, layout, note);
  if (bias) {
    const about = `${nameOf(bias.value)}, as in ${nameOf(of.value)}`;
    weights.b_gate = build.tensor('weights.b_gate', bias.value, bias.layout, about);
  }
  config.weights = weights;
}

export function addOutput(context: Context): void {
  addGate(context);
  const { output } = context.model;
  if (!output) return;
  const { weight, weightLayout, bias } = output;
  const weights = { ...context.config.weights };
  const note = `${nameOf(weight)}, as in ${nameOf(output.y)}`;
  const sure = !output.isGuess || weightRole(nameOf(weight)) === 'O';
  weights.W_O = context.build.tensor('weights.W_O', weight, weightLayout, note, sure);
  if (!sure) context.build.ask('weights.W_O', nameOf(weight), ['none'], 'y is not projected by it');
  if (bias) {
    const about = `${nameOf(bias.value)}, as in ${nameOf(output.y)}`;
    weights.b_O = context.build.tensor('weights.b_O', bias.value, bias.layout, about);
  } else if (output.isGuess) {
    const own = biasBeside(context.values, weight);
    const layout = own && { offset: 0, axes: [[{ size: own.tensor.data.length, stride: 1 }]] };
    if (own && layout)
      weights.b_O = context.build.tensor('weights.b_O', own, layout, 'the bias of W_O', sure);
  }
  context.config.weights = weights;
}

/** Whether queries, keys and values are all called so, and nothing else, and no name says in which order they lie. */
const areNamed = (roots: readonly (Root | null)[], { statements }: Recording): boolean =>
  roots.every((root, n) => {
    const { of, weight } = root?.projection ?? {};
    const value = of?.value ?? root?.operand.value;
    if (!value) return false;
    const texts = value.parts.map(({ statement }) => statements[statement].text);
    const names = (weight?.events ?? []).map(({ name }) => name);
    if ([...texts, ...names].some((text) => /qkv/i.test(text))) return false;
    const roles = value.events.flatMap(({ name }) => roleOf(name) ?? []);
    return roles.length > 0 && roles.every((role) => role === 'QKV'[n]);
  });

/** Whether parts of one weight, or weights of one list, are taken in the order Q, K, V. */
export function inUsualOrder(roots: readonly (Root | null)[], recording: Recording): boolean {
  if (areNamed(roots, recording)) return true;
  const projections = roots.flatMap((root) => (root?.projection ? [root.projection] : []));
  const places = projections.map(({ weight, weightLayout }) => {
    const number = /(?:^|[.[])(\d+)(?:\]|\.weight|$)/.exec(nameOf(weight));
    const base = nameOf(weight).replaceAll(/\d+/g, '#');
    return { base, weight, number: number && Number(number[1]), offset: weightLayout.offset };
  });
  const [first] = places;
  if (places.length < 3) return true;
  const isAscending = (all: readonly number[]): boolean =>
    all.every((each, n) => n === 0 || each > all[n - 1]);
  if (places.every(({ weight }) => weight === first.weight))
    return isAscending(places.map(({ offset }) => offset));
  const numbers = places.map(({ number }) => number);
  if (places.some(({ base }) => base !== first.base) || new Set(numbers).size < 3) return true;
  return isAscending(numbers.map(Number));
}
