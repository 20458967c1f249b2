// The scalar that is differentiated: a given upstream gradient, a target, or an expression of y.
import { sizeOf, type Tensor } from '../../../engine/tensor.ts';
import { gather, type Layout, lengthOf } from '../values/layout.ts';
import { haveSameNumbers } from '../values/lookup.ts';
import { isGradientName, isLossName, lastName } from '../values/names.ts';
import { crossEntropyOf } from './crossEntropy.ts';
import { elementwise, multiple } from './elementwise.ts';
import { isUninitialised } from '../values/memory.ts';
import { isGradient, type Value, type Values } from '../values/values.ts';

export interface FoundLoss {
  readonly kind: 'upstream' | 'target' | 'squares' | 'sum' | 'elementwise';
  /** Of `elementwise`: the function, of Y. */
  readonly terms?: string;
  /** Target or upstream gradient. */
  readonly given?: Placed;
  /** The upstream gradient, where it follows from what the loss is. */
  readonly computed?: Tensor;
  /** The target, where it is read in the statement that takes it off y and nowhere recorded. */
  readonly unseen?: Tensor;
  /** Of a target: 1 where an entry of y counts, 0 where it does not, as of padding. */
  readonly counted?: Tensor;
  /** dy = factor * (y - target), factor * y, or factor. */
  readonly factor: number;
  /** What shows it: the gradient of y, or the loss. */
  readonly from: Value | null;
  readonly sure: boolean;
  readonly note: string;
  readonly alternatives?: readonly number[];
  /** The upstream gradient is not given: what came of this y. */
  readonly isRecorded?: boolean;
}

/** A recorded tensor and how the entry of the setup lies in it. */
export interface Placed {
  readonly value: Value;
  readonly layout: Layout;
}

export interface Output {
  /** y as (batch, query, feature). */
  readonly y: Tensor;
  readonly eps: number;
  /** When it was made. */
  readonly time: number;
  readonly family: readonly Value[];
  /** The ways to read another tensor with the axes of y. */
  readonly readings: (value: Value) => Layout[];
}

const dataOf = ({ value, layout }: Placed): Float64Array => gather(value.tensor, layout).data;

const placed = (value: Value, { readings, y }: Output): Placed[] =>
  readings(value)
    .filter(({ axes }) => sizeOf(axes.map(lengthOf)) === y.data.length)
    .map((layout) => ({ value, layout }));

interface Scalar {
  readonly factor: number;
  /** It is called a loss. */
  readonly isNamed: boolean;
}

/** Numbers after y that a sum of `terms` explains: the factor with f = factor * terms. */
function lossFactors(values: Values, terms: number, after: number, eps: number): Scalar[] {
  return values.numbers.flatMap((event) => {
    const value = event.value ?? values.recording.tensor(event.id)?.data[0];
    if (event.id <= after || value === undefined || value === 0 || isGradient(event)) return [];
    const factor = value / terms;
    const isNamed = isLossName(event.name);
    return Number.isFinite(factor) && isUsual(factor, eps) ? [{ factor, isNamed }] : [];
  });
}

const LARGEST_COUNT = 2 ** 24;

/** One or two over a whole number: what losses are averaged with. */
function isUsual(factor: number, eps: number): boolean {
  const inverse = 2 / factor;
  const tolerance = Math.min(0.01, 50 * eps * Math.abs(inverse));
  return (
    inverse > 0.9 && inverse < LARGEST_COUNT && Math.abs(inverse - Math.round(inverse)) <= tolerance
  );
}

export function gradientsOf(values: Values, output: Output): Placed[] {
  const after = output.time;
  return values.all
    .filter((value) => value.kind === 'float' && !value.isVirtual && value.time > after)
    .flatMap((value) => placed(value, output));
}

/** Leaves that have the axes of y and were not used to make it. */
function givenTensors(values: Values, output: Output): Placed[] {
  // Later ones are those of other runs, such as a numerical gradient's.
  const own = output.family.filter(({ time }) => time <= output.time);
  const ancestors = new Set(own.flatMap((value) => [...values.ancestors(value)]));
  // What was handed to the same call as outputs that have no name before it: `loss(p @ v, goal)`.
  const frames = new Set(
    own.flatMap(({ parts: [{ how, frame }] }) => (how === 'argument' ? [frame] : [])),
  );
  const isBeside = ({ events }: Value): boolean =>
    events.some(({ how, frame }) => how === 'argument' && frames.has(frame));
  return values.all
    .filter(
      (value) =>
        value.kind === 'float' &&
        !value.isVirtual &&
        (!ancestors.has(value.id) || isBeside(value)) &&
        values.isLeaf(value) &&
        !isUninitialised(value, values.recording) &&
        !value.parts.some(isGradient) &&
        (isVaried(value) || (isNamedGradient(value) && value.tensor.data[0] !== 0)),
    )
    .flatMap((value) => placed(value, output));
}

/** Tensors that have the axes of y, of which y was not made, and which were not made of y: targets, even computed ones. */
function targets(values: Values, output: Output): Placed[] {
  const own = output.family.filter(({ time }) => time <= output.time);
  const ancestors = new Set(own.flatMap((value) => [value.id, ...values.ancestors(value)]));
  return values.all
    .filter(
      (value) =>
        value.kind === 'float' &&
        !value.isVirtual &&
        !ancestors.has(value.id) &&
        !value.parts.some(isGradient) &&
        !isNamedGradient(value) &&
        isVaried(value) &&
        !own.some(({ id }) => values.ancestors(value).has(id)),
    )
    .flatMap((value) => placed(value, output));
}

const isVaried = ({ tensor: { data } }: Value): boolean => data.some((each) => each !== data[0]);

/** dy = ones: of one number, and told by its name. */
const isNamedGradient = ({ events }: Value): boolean =>
  events.some(({ name }) => isGradientName(name));

/** Whether something else was computed from a tensor after y. */
const isUsedAfter = (values: Values, value: Value, output: Output): boolean =>
  values.all.some(
    (each) =>
      each !== value &&
      each.time > output.time &&
      each.time > value.time &&
      values.ancestors(each).has(value.id),
  );

const isOf = (values: Values, value: Value, { family }: Output): boolean =>
  value.events.some(({ of }) => {
    const own = of === undefined ? undefined : values.ofEvent(of);
    return own !== undefined && family.includes(own);
  }) || family.some((each) => isOfPieces(values, value, each));

/** Whether the pieces of one are the gradients of the other's, as of samples that are taken one by one. */
const isOfPieces = (values: Values, { parts }: Value, { grid, parts: pieces }: Value): boolean =>
  grid.length > 0 &&
  parts.length === pieces.length &&
  parts.every(
    ({ of }, n) => of !== undefined && values.ofEvent(of) === values.ofEvent(pieces[n].id),
  );

/** What f is, from the gradient of y and from the loss; null where nothing tells. */
export function findLoss(values: Values, output: Output): FoundLoss | null {
  const y = output.y.data;
  const { eps } = output;
  const gradients = gradientsOf(values, output);
  const given = givenTensors(values, output);
  const own = gradients.find(({ value }) => isOf(values, value, output));
  const same = given.find(({ value }) => own?.value === value);
  if (same) return upstreamLoss(same);
  const entropy = own ? null : crossEntropyOf(values, output);
  if (entropy) return entropy;
  const varied = given.filter(({ value }) => isVaried(value));
  const computed = targets(values, output).filter(
    ({ value }) => !varied.some((each) => each.value === value),
  );
  for (const target of [...varied, ...computed]) {
    const t = dataOf(target);
    const error = y.map((value, n) => value - t[n]);
    const partly = partlyCounted(values, output, target, error, gradients);
    if (partly) return partly;
    const squares = error.reduce((sum, value) => sum + value * value, 0);
    const scalars = lossFactors(values, squares, output.time, eps);
    const slopes = gradients.flatMap((each) => {
      const factor = multiple(dataOf(each), error, eps);
      return factor === null ? [] : [{ each, factor }];
    });
    // One number alone tells no target among all that were computed.
    const isTold = varied.includes(target) && scalars.some(({ isNamed }) => isNamed);
    if (slopes.length === 0 && !isTold) continue;
    return targetLoss(target, slopes, scalars, (value) => isOf(values, value, output));
  }
  // A gradient that comes after y and of which nothing is computed is an end, such as a numerical one, and no beginning.
  const named = given.filter(({ value }) => isNamedGradient(value));
  const upstream =
    named.find(({ value }) => isUsedAfter(values, value, output)) ??
    named.find(({ value }) => value.time < output.time);
  if (upstream) return upstreamLoss(asTaken(values, upstream, output));
  return own ? ofGradient(own, y, eps) : withoutGradient(values, output, y, given);
}

/** dy = factor (y - target) at some tokens and 0 at the others, such as of padding; null where it is not so. */
function partlyCounted(
  values: Values,
  output: Output,
  target: Placed,
  error: Float64Array,
  gradients: readonly Placed[],
): FoundLoss | null {
  const { shape } = output.y;
  const width = shape[shape.length - 1];
  const found = gradients.flatMap((each) => {
    const dy = dataOf(each);
    const counts = Float64Array.from(dy, (_, n) => {
      const start = n - (n % width);
      return dy.subarray(start, start + width).some((value) => value !== 0) ? 1 : 0;
    });
    if (!counts.includes(0) || !counts.includes(1)) return [];
    const part = error.map((value, n) => value * counts[n]);
    // At the other tokens the target is no y either.
    if (part.every((value, n) => value === error[n])) return [];
    const factor = multiple(dy, part, output.eps);
    return factor === null ? [] : [{ each, factor, counts, part }];
  });
  const [first] = found;
  if (!first) return null;
  const squares = first.part.reduce((sum, value) => sum + value * value, 0);
  const slopes = found.filter(({ counts }) => counts.every((c, n) => c === first.counts[n]));
  const scalars = lossFactors(values, squares, output.time, output.eps);
  const loss = targetLoss(target, slopes, scalars, (value) => isOf(values, value, output));
  return { ...loss, counted: { shape, data: first.counts } };
}

/** Whether a statement after y reads the tensor itself. */
function isReadAfter({ recording }: Values, { events }: Value, output: Output): boolean {
  const own = new Set(events.map(({ id }) => id));
  return recording.events.some(
    ({ id, reads }) => id > output.time && reads.some((read) => own.has(read)),
  );
}

/** A given tensor as the backward pass takes it: in another order, such as that of a batch sorted by length. */
function asTaken(values: Values, given: Placed, output: Output): Placed {
  if (isReadAfter(values, given.value, output)) return given;
  const arranged = values.all.find(
    (value) =>
      value !== given.value &&
      value.kind === 'float' &&
      !value.isVirtual &&
      value.tensor.shape.join() === given.value.tensor.shape.join() &&
      values.descends(value, given.value) &&
      haveSameNumbers(value.tensor, given.value.tensor, value.eps) &&
      isReadAfter(values, value, output),
  );
  return arranged ? { ...given, value: arranged } : given;
}

function upstreamLoss(given: Placed): FoundLoss {
  const note = `upstream gradient ${lastName(given.value.parts[0].name)}`;
  return { kind: 'upstream', given, factor: 1, from: given.value, sure: true, note };
}

function targetLoss(
  target: Placed,
  slopes: readonly { readonly each: Placed; readonly factor: number }[],
  scalars: readonly Scalar[],
  isGradientOfY: (value: Value) => boolean,
): FoundLoss {
  const own = slopes.find(({ each }) => isGradientOfY(each.value));
  const scalar = (scalars.find(({ isNamed }) => isNamed) ?? scalars[0])?.factor;
  // The last multiple of the error is what the backward pass begins with; a bare difference may come before it.
  const slope =
    own ??
    slopes.findLast(({ each }) => !each.value.events.every(({ how }) => how === 'expression'));
  const wanted = own ? own.factor : scalar === undefined ? slope?.factor : 2 * scalar;
  // What is called the loss is what is to be differentiated, whatever the backward pass begins with.
  const agree =
    scalar !== undefined ||
    slopes.some(({ factor }) => Math.abs(factor / (wanted ?? 0) - 1) < 1e-3);
  const factor = wanted ?? 1;
  const note =
    own || scalar === undefined
      ? `dy = ${Number(factor.toPrecision(6))} (y - target)`
      : `f = ${Number(scalar.toPrecision(6))} |y - target|²`;
  return {
    ...{
      kind: 'target',
      given: target,
      factor,
      from: own?.each.value ?? slope?.each.value ?? null,
    },
    ...{ sure: agree, note },
    ...(!agree && slope && { alternatives: [slope.factor] }),
  };
}

/** f by the gradient that PyTorch computed: of a sum, of squares, or of whatever comes after y. */
function ofGradient(own: Placed, y: Float64Array, eps: number): FoundLoss {
  const dy = dataOf(own);
  const constant = dy.every((value) => Math.abs(value - dy[0]) <= 10 * eps * Math.abs(dy[0]));
  if (constant)
    return {
      kind: 'sum',
      factor: dy[0],
      from: own.value,
      sure: true,
      note: `dy is ${dy[0]} everywhere`,
    };
  const factor = multiple(dy, y, eps);
  if (factor !== null)
    return { kind: 'squares', factor, from: own.value, sure: true, note: `dy = ${factor} y` };
  const found = elementwise(dy, y, eps);
  if (found) {
    const note = `dy is that of sum(${found.terms.replaceAll('Y', 'y')})`;
    return { kind: 'elementwise', ...found, from: own.value, sure: true, note };
  }
  const note = 'the recorded gradient of y';
  return {
    kind: 'upstream',
    isRecorded: true,
    given: own,
    factor: 1,
    from: own.value,
    sure: true,
    note,
  };
}

/** Why a tensor is taken for an upstream gradient that nothing else tells. */
export const FIRST_READ = 'has the shape of y and is first read after it';

function withoutGradient(
  values: Values,
  output: Output,
  y: Float64Array,
  given: readonly Placed[],
): FoundLoss | null {
  const { eps } = output;
  const squares = y.reduce((sum, value) => sum + value * value, 0);
  const scalars = lossFactors(values, squares, output.time, eps);
  const scalar = scalars.find(({ isNamed: named }) => named)?.factor;
  // dY = Y is another name for y itself, or the last multiple of it.
  const slope = output.family.some(isNamedGradient)
    ? 1
    : gradientsOf(values, output)
        .filter(({ value }) => isNamedGradient(value))
        .map((each) => multiple(dataOf(each), y, eps))
        .find((factor) => factor !== null);
  if (slope === undefined && scalar === undefined) {
    for (const each of gradientsOf(values, output)) {
      if (!isNamedGradient(each.value)) continue;
      const found = elementwise(dataOf(each), y, eps);
      if (!found) continue;
      const note = `dy is that of sum(${found.terms.replaceAll('Y', 'y')})`;
      return { kind: 'elementwise', ...found, from: each.value, sure: true, note };
    }
  }
  const ones = gradientsOf(values, output).find(
    ({ value }) =>
      isNamedGradient(value) &&
      value.tensor.data.every((each) => each !== 0 && each === value.tensor.data[0]),
  );
  if (ones && (slope === undefined || slope === null)) {
    const [factor] = ones.value.tensor.data;
    return {
      kind: 'sum',
      factor,
      from: ones.value,
      sure: true,
      note: `dy is ${factor} everywhere`,
    };
  }
  if (slope !== undefined && slope !== null && scalar === undefined) {
    const note = `dy = ${Number(slope.toPrecision(6))} y`;
    return {
      kind: 'squares',
      factor: slope,
      from: output.family[0] ?? null,
      sure: slope === 1,
      note,
    };
  }
  if (scalar !== undefined) {
    const note = `f = ${scalar} |y|²`;
    return { kind: 'squares', factor: 2 * scalar, from: null, sure: true, note };
  }
  // A tensor of y's shape that only what comes after y reads.
  const used = given.find(({ value }) => isUsedAfter(values, value, output));
  if (used) {
    const note = `${lastName(used.value.parts[0].name)} ${FIRST_READ}`;
    const taken = asTaken(values, used, output);
    return { kind: 'upstream', given: taken, factor: 1, from: used.value, sure: true, note };
  }
  return null;
}
