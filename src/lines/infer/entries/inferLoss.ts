// The loss of a setup.
import { ConfigError, type HeadConfig } from '../../../engine/config.ts';
import { buildGraph } from '../../../engine/heads/build.ts';
import { forward } from '../../../engine/run.ts';
import { sizeOf, strides, type Tensor } from '../../../engine/tensor.ts';
import { addAround } from '../output/around.ts';
import { type Context, merged, nameOf, tokens } from './builder.ts';
import { type Factor, gather, type Layout } from '../values/layout.ts';
import {
  FIRST_READ,
  findLoss,
  type FoundLoss,
  type Output as LossOutput,
  type Placed,
} from '../output/loss.ts';
import { type Kept, keptOf, ofKept } from '../output/keptOutput.ts';
import { haveSameNumbers } from '../values/lookup.ts';
import { isGradientName } from '../values/names.ts';
import { mixedAxes, tokenReadings } from '../output/output.ts';
import { goesOn, passedBack } from '../output/passedBack.ts';
import { sumsAsOperand } from '../output/mixed.ts';
import { type Operand, sameAxes } from '../operands/trace.ts';
import { isGradient } from '../values/values.ts';

/** y as (batch, query, feature), and how to read other tensors so. */
function lossOutput(context: Context): LossOutput | null {
  const { output, gate, batch, heads, told, lookup } = context.model;
  const mixed = gate?.gated ?? context.model.mixed;
  if (output) {
    const { operand, y } = output;
    const sizes = batch.map((axis) => ({ axis, size: operand.outer.get(axis)?.size ?? 1 }));
    const asLayout = (each: Operand): Layout =>
      tokens(merged([...each.outer.values()]), each.token, [each.feature]);
    return {
      ...{ y: gather(y.tensor, asLayout(operand)), eps: y.eps, time: y.time },
      family: [...lookup.find(y.tensor, y.eps), ...(y.isVirtual ? [y] : [])],
      readings: (value) =>
        likeFirst(tokenReadings(value, sizes, operand.token.size), operand).map(asLayout),
    };
  }
  if (!mixed) return null;
  const { outer } = told.site;
  const { rows, cols } = mixedAxes(mixed.tensor, outer, heads);
  const y = gather(mixed.tensor, tokens(merged(rows.slice(0, -1)), rows[rows.length - 1], cols));
  const own = sumsAsOperand(mixed, outer);
  const asLayout = (each: Operand): Layout => {
    const at = (axes: readonly number[]): Factor[] =>
      axes.flatMap((axis) => each.outer.get(axis) ?? []);
    return tokens(merged(at(batch)), each.token, [...merged(at(heads)), each.feature]);
  };
  return {
    ...{ y, eps: mixed.output.eps, time: mixed.output.time },
    family: lookup.find(mixed.tensor, mixed.output.eps),
    readings: (value) => [...sameAxes(value, own).map(asLayout), ...flatLayout(value.tensor, y)],
  };
}

/** Places of the axes, (batch axes, token, feature), by how far apart their entries lie. */
const orderOf = ({ outer, token, feature }: Operand): string => {
  const steps = [...outer.values(), token, feature].map(({ stride }) => stride);
  return steps.map((own) => steps.filter((other) => other > own).length).join();
};

/** Readings with the axes in the order of those of y come first: of axes of one length no shape tells which is which. */
const likeFirst = (found: readonly Operand[], like: Operand): Operand[] => {
  const isLike = (each: Operand): boolean => orderOf(each) === orderOf(like);
  return [...found.filter(isLike), ...found.filter((each) => !isLike(each))];
};

/** A flat buffer in the order of y. */
function flatLayout({ shape }: Tensor, y: Tensor): Layout[] {
  if (shape.length !== 1 || shape[0] !== y.data.length) return [];
  const own = strides(y.shape);
  return [{ offset: 0, axes: y.shape.map((size, n) => [{ size, stride: own[n] }]) }];
}

/** Whether the setup computes the y that was recorded. */
function givesOutput(config: HeadConfig, { y, eps }: LossOutput): boolean {
  try {
    const own = forward(buildGraph(config)).get('y');
    return own !== undefined && haveSameNumbers(own, y, Math.max(eps, 1e-7) * 10);
  } catch (error) {
    if (error instanceof ConfigError) return false;
    throw error;
  }
}

/** Why the loss is asked where nothing tells it. */
export const NO_LOSS = 'no gradient of y and no loss was found';

export function addLoss(context: Context): void {
  const own = lossOutput(context);
  const output = own && addAround(context, own);
  const kept = output && keptOf(context, output);
  const upstream = kept && findLoss(context.values, kept.output);
  if (kept && upstream?.kind === 'upstream') return addKept(context, kept, upstream);
  const found = output && lossAfter(context, output);
  if (!found) {
    context.build.note('loss', null, 'half the squared norm of y assumed', false);
    const hasBackward = context.values.all.some(
      ({ parts }) => parts.some(isGradient) || parts.some(({ name }) => isGradientName(name)),
    );
    if (hasBackward) context.build.ask('loss', 'sum(y .^ 2) / 2', [], NO_LOSS);
    return;
  }
  context.config.loss = lossOf(context, found, sizeOf(output.y.shape));
  if (found.isRecorded && !givesOutput(context.config, output)) {
    const why = 'y is not right, and the gradient of what comes after it may be another then';
    context.build.ask('loss', found.note, [], why);
  }
  if (!found.sure)
    context.build.ask('loss', found.note, found.alternatives ?? [], 'loss and gradient disagree');
}

/** The gradient of y is that of what is kept of it, where it is kept. */
function addKept({ config, build }: Context, kept: Kept, { given, note, sure }: FoundLoss): void {
  if (!given) return;
  const G = ofKept(kept, gather(given.value.tensor, given.layout));
  config.loss = { kind: 'upstream', G };
  const what = `${nameOf(given.value)} where ${nameOf(kept.value)} keeps y: ${note}`;
  build.note('loss.upstream', given.value, what, sure);
}

/** The loss that is found, or the gradient that is passed back where y is not the end. */
function lossAfter(context: Context, output: LossOutput): FoundLoss | null {
  const found = findLoss(context.values, output);
  const isOfOutput = found?.from?.parts.some(isGradient) === true || found?.computed !== undefined;
  const isOn = goesOn(context, output, found?.given?.value);
  context.build.isInner = isOn;
  if (found && isOfOutput) return found;
  if (found && !isOn && !found.note.includes(FIRST_READ)) return found;
  return passedBack(context, output) ?? (isOn ? null : found);
}

function lossOf(context: Context, found: FoundLoss, entries: number): HeadConfig['loss'] {
  const { build } = context;
  const { kind, note, sure, from } = found;
  const factor = usual(found.factor, entries, from?.eps ?? 0);
  const bound = (entry: string): Tensor => {
    const { value, layout } = found.given as Placed;
    return context.build.tensor(entry, value, layout, `${nameOf(value)}: ${note}`, sure);
  };
  const times = (terms: string, by: number): string => expression(terms, by, entries);
  const constants: Record<string, Tensor> = {};
  switch (kind) {
    case 'upstream':
      if (found.computed) {
        build.note('loss.upstream', from, note, sure);
        return { kind, G: found.computed };
      }
      return { kind, G: bound('loss.upstream') };
    case 'target':
      if (found.unseen) {
        build.note('loss.target', from, note, sure);
        return { kind, T: found.unseen };
      }
      if (found.counted) {
        constants.T = bound('loss.constants.T');
        constants.W = found.counted;
        build.note('loss.constants.W', from, 'tokens whose gradient is 0 do not count', sure);
        const terms = 'sum(W .* (y - T) .^ 2)';
        return { kind: 'expression', constants, expression: times(terms, factor / 2) };
      }
      if (Math.abs(factor - 1) < 1e-6) return { kind, T: bound('loss.target') };
      constants.T = bound('loss.constants.T');
      return { kind: 'expression', constants, expression: times('sum((y - T) .^ 2)', factor / 2) };
    case 'squares':
      context.build.note('loss', from, note, sure);
      if (Math.abs(factor - 1) < 1e-6) return { kind: 'half-squared-norm' };
      return { kind: 'expression', constants, expression: times('sum(y .^ 2)', factor / 2) };
    case 'elementwise': {
      context.build.note('loss', from, note, sure);
      const terms = `sum(${(found.terms ?? 'Y').replaceAll('Y', 'y')})`;
      return { kind: 'expression', constants, expression: times(terms, factor) };
    }
    case 'sum':
      context.build.note('loss', from, note, sure);
      return { kind: 'expression', constants, expression: times('sum(y)', factor) };
  }
}

/** A factor as it is meant, where a narrow number type shows it nearly: one or two, over the number of entries or another. */
function usual(factor: number, entries: number, eps: number): number {
  const allowed = eps / 4;
  const isNear = (other: number): boolean => Math.abs(factor / other - 1) <= allowed;
  const over = 2 / Math.abs(factor);
  const whole = Math.round(over);
  const found = [1, 2, 2 / entries, 1 / entries].find(isNear);
  if (found !== undefined) return found;
  return allowed * over < 0.1 && whole > 0 && isNear(2 / whole) ? 2 / whole : factor;
}

/** terms times a number, written as people do: over a whole number where it is one. */
function expression(terms: string, by: number, entries: number): string {
  if (Math.abs(by - 1) < 1e-6) return terms;
  for (const over of [2, entries, 2 * entries, Math.round(1 / by)])
    if (over > 0 && Math.abs(by * over - 1) < 1e-4) return `${terms} / ${over}`;
  return `${Number(by.toPrecision(12))} * ${terms}`;
}
