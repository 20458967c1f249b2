// Entries of a setup between the projections and the scores: the norm of queries and keys, the rotary embedding.
import type { HeadConfig, Rope as ConfigRope } from '../../../engine/config.ts';
import type { Tensor } from '../../../engine/tensor.ts';
import { type Context, fromOf, nameOf, stepsOf } from './builder.ts';
import { haveSameNumbers } from '../values/lookup.ts';
import type { Rope } from '../operands/rope.ts';
import type { Root } from '../operands/roots.ts';
import type { Steps } from '../operands/steps.ts';
import type { Value } from '../values/values.ts';

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

export function addSteps(context: Context): void {
  const { model, build } = context;
  const query = model.latent?.turned.Q ?? model.query;
  const key = model.latent?.turned.K ?? model.key;
  const [q, k] = [stepsOf(model, query), stepsOf(model, key)];
  addNorm(context, q, k);
  const found = q.rope ?? k.rope;
  addTemperature(context, q);
  if (k.factors) build.ask('temperature', 'none', [], 'keys have a factor each');
  if (found?.angles) return addAngles(context, found, q, k);
  if (found) return addRope(context, found, q, k);
  const isOther = (steps: typeof q, root: Root): boolean =>
    !steps.isKnown && root.projection !== undefined && root.projection.guess === undefined;
  if (isOther(q, query) || isOther(k, key)) addUnknownTurn(context);
}

/** The norm of queries and keys, which is one of both. */
function addNorm(context: Context, q: Steps, k: Steps): void {
  const { config, build, model } = context;
  const norm = q.norm ?? k.norm;
  if (!norm) return;
  const { kind, eps, over, place, unitOffset } = norm;
  config.qkNorm = { kind, eps, over, place, ...(unitOffset && { unitOffset }) };
  const value = q.norm ? model.query.operand.value : model.key.operand.value;
  const name = kind === 'rms' ? 'root mean square' : 'deviation';
  const what = over === 'all' ? 'all heads together' : 'each head';
  build.note('qkNorm', value, `queries and keys over their ${name}, ${what}, eps ${eps}`);
  if (!q.norm || !k.norm) {
    const lacking = q.norm ? 'keys' : 'queries';
    build.ask('qkNorm', 'of queries and keys', [], `the ${lacking} are not normed in the same way`);
  }
  const weights: Mutable<HeadConfig['weights']> = { ...config.weights };
  const bound = (entry: 'gamma_K' | 'gamma_Q' | 'beta_K' | 'beta_Q', of: Value | null): void => {
    if (!of) return;
    const axes = [[{ size: of.tensor.data.length, stride: 1 }]];
    const note = `${nameOf(of)}: of the norm`;
    weights[entry] = build.tensor(`weights.${entry}`, of, { offset: 0, axes }, note);
  };
  bound('gamma_Q', q.norm?.gain ?? null);
  bound('gamma_K', k.norm?.gain ?? null);
  bound('beta_Q', q.norm?.bias ?? null);
  bound('beta_K', k.norm?.bias ?? null);
  config.weights = weights;
}

/** A factor of each query's scores. */
function addTemperature({ config, build, model }: Context, { factors }: Steps): void {
  if (!factors) return;
  config.temperature = { shape: [factors.length], data: factors };
  build.note('temperature', model.query.operand.value, 'queries have a factor each');
}

/** Turned by angles that are no multiples of positions: each pair has positions of its own. */
function addAngles(context: Context, found: Rope, q: Steps, k: Steps): void {
  const { config, build, model } = context;
  const [a, b] = [q.rope?.angles?.data, k.rope?.angles?.data];
  const isSame =
    a?.length === b?.length && a?.every((angle, n) => Math.abs(wrap(angle - (b?.[n] ?? 0))) < 1e-3);
  if (!isSame || !found.angles || config.xPrime) return addUnknownTurn(context);
  const half = found.angles.shape[0];
  const { base, pairing, features, angles } = found;
  config.rope = {
    ...{ base, pairing, positions: angles, sections: Array.from({ length: half }, () => 1) },
    invFreq: { shape: [half], data: new Float64Array(half).fill(1) },
    ...(features !== undefined && { features }),
  };
  const why = 'queries and keys turn by angles that do not go up evenly, as of rows and columns';
  build.note('rope', model.query.operand.value, why, false);
  build.ask('rope', 'as written', ['none'], why);
}

const wrap = (value: number): number => Math.atan2(Math.sin(value), Math.cos(value));

function addRope(context: Context, found: Rope, q: Steps, k: Steps): void {
  const { config, build, model } = context;
  const { base, pairing, features, scaling, invFreq } = found;
  const value = q.rope ? model.query.operand.value : model.key.operand.value;
  const rope: Mutable<ConfigRope> = {
    ...{ base, pairing },
    ...(features !== undefined && { features }),
    ...(scaling && { scaling }),
  };
  if (invFreq) {
    const axes = [[{ size: invFreq.tensor.data.length, stride: 1 }]];
    const note = `${nameOf(invFreq)}: radians per position`;
    rope.invFreq = build.tensor('rope.invFreq', invFreq, { offset: 0, axes }, note);
  }
  addPositions(context, rope, q, k);
  config.rope = rope;
  const isUsual = Number(base.toPrecision(4)) === base;
  const how = scaling ? `, ${scaling.kind} scaling by ${scaling.factor}` : '';
  const note = `queries and keys turn with their position, base ${base}, pairs ${pairing}${how}`;
  build.note('rope', value, note, isUsual);
  if (!isUsual) build.ask('rope.base', base, [10000], 'it is no round number');
}

/** Positions where they do not begin with the tokens: recorded, or up by one from another number. */
function addPositions(context: Context, rope: Mutable<ConfigRope>, q: Steps, k: Steps): void {
  const { build, model, config } = context;
  const [own, other] = [k.rope ?? q.rope, q.rope ?? k.rope];
  if (!own || !other) return;
  const positions = own.positions ?? other.positions;
  if (positions) {
    const { shape } = positions.tensor;
    const { size } = model.key.operand.token;
    const count = positions.tensor.data.length / size;
    const tokens = [{ size, stride: 1 }];
    const axes = count > 1 ? [[{ size: count, stride: size }], tokens] : [tokens];
    const note = `${nameOf(positions)}: positions of the tokens`;
    if (shape.length > 0)
      rope.positions = build.tensor('rope.positions', positions, { offset: 0, axes }, note);
    return;
  }
  const past = model.past?.K.token.size ?? 0;
  const isSame = Math.abs(own.start - other.start) < 0.01 && own.isBackward === other.isBackward;
  if (!isSame) {
    const why = 'queries and keys begin at other positions';
    build.ask('rope', 'the same positions', [], why);
    return;
  }
  const sign = own.isBackward ? -1 : 1;
  if ((own.start === past && sign > 0) || !Number.isInteger(own.start)) return;
  const upFrom = (size: number): Tensor => ({
    shape: [size],
    data: Float64Array.from({ length: size }, (_, n) => sign * (own.start + n)),
  });
  rope.positions = upFrom(model.key.operand.token.size);
  if (config.xPrime) rope.queryPositions = upFrom(model.query.operand.token.size);
}

/** Something is done to projections before they meet: turned, by the names, and not as it should be. */
function addUnknownTurn(context: Context): void {
  const { recording, numbers } = context.values;
  const texts = recording.statements.map(({ text }) => text).join('\n');
  const { query } = context.model;
  if (haveSameNumbers(query.operand.value.tensor, fromOf(query).value.tensor, 1e-6)) return;
  if (!/\b(?:cos|sin|polar|rotate\w*|rope\w*|rotary\w*)\b/i.test(texts)) {
    const why = 'queries and keys are no projections and not turned';
    return context.build.ask('start', 'as projected', [], why);
  }
  const named = numbers.find(({ name }) => /base|theta/i.test(name))?.value;
  const literal = /(?:base|theta)\w*\s*[=:][^=\n]*?(\d+(?:\.\d*)?)/i.exec(texts)?.[1];
  const base = named ?? Number(literal ?? 10000);
  const isPaired = /::\s*2|, 2\)|complex/.test(texts);
  const pairing = isPaired ? 'interleaved' : 'half';
  context.config.rope = { base, pairing };
  const note = `assumed, base ${base}, pairs ${pairing}: queries are turned in another way`;
  context.build.note('rope', query.operand.value, note, false);
  context.build.ask('rope', { base, pairing }, ['none'], note);
}
