// What a program means where its own numbers do not tell, for it goes wrong there: by names, shapes and what is left.
import { strides, type Tensor } from '../../engine/tensor.ts';
import { type Factor, gather, type Layout } from './values/layout.ts';
import { type Mixed, readings, weightedSum } from './output/mixed.ts';
import {
  isGradientName,
  lastName,
  namesOf,
  nodeOfName,
  roleOf,
  weightRole,
} from './values/names.ts';
import { isSummand, lessOf, type Output, tokenReadings } from './output/output.ts';
import type { Told } from './weights/scores.ts';
import type { Operand, Projection } from './operands/trace.ts';
import { sameAxes } from './operands/trace.ts';
import { isBlank, isGradient, type Value, type Values } from './values/values.ts';

const layoutOf = (operand: Operand): Layout => ({
  offset: 0,
  axes: [[...operand.outer.values()], [operand.token], [operand.feature]],
});

/** The person's own numbers of a weighted sum, as ([outer], query, feature). */
function asMixed(operand: Operand, outerShape: readonly number[]): Tensor {
  const { data } = gather(operand.value.tensor, layoutOf(operand));
  return { shape: [...outerShape, operand.token.size, operand.feature.size], data };
}

const isCalled = (value: Value, pattern: (name: string) => boolean): boolean =>
  namesOf(value).some((name) => pattern(name));

/** Values that stand beside the weights, and what the program made of both, where it is no weighted sum. */
export function guessMixed(values: Values, told: Told, taken: readonly Value[]): Mixed | null {
  const { site, keyAxis, queryAxis } = told;
  const candidates = values.all.flatMap((value) => {
    const isOperand =
      value.kind === 'float' &&
      !value.isVirtual &&
      !taken.includes(value) &&
      !value.parts.some(isGradient) &&
      !values.descends(value, site.weights) &&
      value.tensor.data.every(Number.isFinite);
    if (!isOperand) return [];
    const fits = readings(value, site).filter(({ key }) => key === keyAxis);
    return fits.map(({ operand }) => ({
      operand,
      called: isCalled(value, (name) => roleOf(name) === 'V'),
    }));
  });
  const shape = site.weights.tensor.shape;
  const outerShape = site.outer.map((axis) => shape[axis]);
  const ranked = candidates
    .filter(({ operand, called }) => called || !isCalled(operand.value, isGradientName))
    .sort(
      (a, b) => Number(b.called) - Number(a.called) || a.operand.value.time - b.operand.value.time,
    );
  const called = ranked.filter((each) => each.called);
  for (const { operand } of called.length > 0 ? called : ranked) {
    const wanted: Operand = {
      value: operand.value,
      outer: new Map(site.outer.map((axis) => [axis, { size: shape[axis], stride: 0 }])),
      token: { size: shape[queryAxis], stride: 0 },
      feature: operand.feature,
    };
    const later = values.all.filter(
      (value) =>
        value.kind === 'float' &&
        !value.isVirtual &&
        value.time > operand.value.time &&
        !value.parts.some(isGradient) &&
        !isCalled(value, isGradientName) &&
        values.descends(value, site.weights) &&
        values.descends(value, operand.value),
    );
    for (const value of later.sort((a, b) => a.time - b.time)) {
      const [found] = sameAxes(value, wanted);
      if (!found) continue;
      return {
        ...{ weights: site.weights, key: keyAxis, query: queryAxis, values: operand },
        ...{ tensor: asMixed(found, outerShape), output: value, isGuess: true },
      };
    }
  }
  // What came of both is nowhere by itself, as where one statement mixes and merges the heads.
  const [first] = called;
  if (!first) return null;
  const reading = { operand: first.operand, key: keyAxis, query: queryAxis };
  const tensor = weightedSum(site.weights.tensor, site.outer, reading);
  const { weights } = site;
  return {
    weights,
    ...{ key: keyAxis, query: queryAxis },
    values: first.operand,
    tensor,
    output: weights,
    isGuess: true,
  };
}

/** Leaves that nothing else was taken for; a matrix of zeros is an array that is yet to be filled. */
export const unused = (values: Values, taken: readonly Value[]): Value[] =>
  values.all.filter(
    (value) =>
      value.kind === 'float' &&
      !value.isVirtual &&
      !taken.includes(value) &&
      values.isLeaf(value) &&
      !value.parts.some(isGradient) &&
      !(value.tensor.shape.length > 1 && isBlank(value)),
  );

/** A weight's axes as (in, out): PyTorch's linear layers are (out, in). */
export function matrixLayout(value: Value, rows: number, cols: number): Layout | null {
  const { shape } = value.tensor;
  const own = strides(shape);
  if (shape.length !== 2) return null;
  const axis = (n: number): Factor[] => [{ size: shape[n], stride: own[n] }];
  const isLinear = value.parts[0].how === 'leaf' && value.parts[0].name.endsWith('weight');
  const straight = shape[0] === rows && shape[1] === cols;
  const turned = shape[1] === rows && shape[0] === cols;
  if (turned && (isLinear || !straight)) return { offset: 0, axes: [axis(1), axis(0)] };
  return straight ? { offset: 0, axes: [axis(0), axis(1)] } : null;
}

/** A projection by a weight that is left over and called so, of the x and the shape of another projection. */
export function guessProjection(
  values: Values,
  letter: 'Q' | 'K' | 'V',
  operand: Operand,
  like: Projection,
  taken: readonly Value[],
): Projection | null {
  const cols = like.heads.map((axis) => operand.outer.get(axis)).flatMap((each) => each ?? []);
  const width = cols.reduce((product, { size }) => product * size, operand.feature.size);
  const rows = like.weightLayout.axes[0][0].size;
  const fitting = unused(values, taken).flatMap((weight) => {
    const layout = matrixLayout(weight, rows, width);
    return layout ? [{ weight, layout }] : [];
  });
  const found =
    fitting.find(({ weight }) => isCalled(weight, (name) => weightRole(name) === letter)) ??
    (fitting.length === 1 ? fitting[0] : undefined);
  if (!found) return null;
  const [summed, [out]] = found.layout.axes;
  const step = (n: number): number =>
    cols
      .slice(n + 1)
      .reduce((product, { size }) => product * size, operand.feature.size * out.stride);
  const factors = [
    ...cols.map(({ size }, n) => ({ size, stride: step(n) })),
    { size: operand.feature.size, stride: out.stride },
  ];
  return {
    ...like,
    ...{ of: operand, weight: found.weight, factor: 1, score: 0 },
    guess: 'no tensor is projected by it',
    weightLayout: { offset: 0, axes: [summed, factors] },
    bias: undefined,
  };
}

/** Which projection all names of a weight stand for; undefined where they differ or say nothing. */
function calledFor({ events }: Value): 'Q' | 'K' | 'V' | 'O' | undefined {
  const roles = new Set(events.flatMap(({ name }) => weightRole(name) ?? []));
  return roles.size === 1 ? [...roles][0] : undefined;
}

type Letter = 'Q' | 'K' | 'V';

/**
 * The projection that a letter is meant to have, where its weight is called another's: the one that is called so,
 * of another letter or left over.
 */
export function meantProjection(
  values: Values,
  letter: Letter,
  operand: Operand,
  all: Readonly<Partial<Record<Letter, Projection>>>,
): Projection | null {
  const own = all[letter];
  const called = own && calledFor(own.weight);
  if (!own || called === undefined || called === letter || called === 'O') return null;
  // Parts of one weight are called by none of them.
  const isFused = Object.values(all).some(
    ({ weight, weightLayout }) =>
      weight === own.weight && weightLayout.offset !== own.weightLayout.offset,
  );
  if (isFused) return null;
  const guess = `the program projects ${letter} by ${lastName(own.weight.events[0]?.name ?? '')}`;
  const other = Object.values(all).find(({ weight }) => calledFor(weight) === letter);
  if (other && other.heads.join() === own.heads.join()) return { ...own, ...pick(other), guess };
  const taken = Object.values(all).flatMap(({ x, weight }) => [x, weight]);
  const left = guessProjection(values, letter, operand, own, taken);
  return left && { ...left, guess };
}

const pick = ({ weight, weightLayout, bias }: Projection): Partial<Projection> => ({
  ...{ weight, weightLayout },
  bias,
});

/** A vector that is left over, called the bias of this projection. */
export function unusedBias(
  values: Values,
  letter: 'Q' | 'K' | 'V' | 'O',
  width: number,
  taken: readonly Value[],
): Value | undefined {
  return unused(values, taken).find(
    (value) =>
      value.tensor.data.length === width &&
      value.tensor.shape.length <= 2 &&
      isCalled(value, (name) => weightRole(name) === letter && /b/i.test(lastName(name))),
  );
}

/** Width of the values of one head. */
const lastOf = ({ tensor: { shape } }: Mixed): number => shape[shape.length - 1];

/** What the statement of a value read. */
const readBy = (values: Values, value: Value): Value[] =>
  value.parts
    .flatMap((event) => values.sources(event))
    .flatMap(({ id }) => values.ofEvent(id) ?? []);

/** Whether one statement made y of the weight and of what came of the weighted sums. */
function readsBoth(values: Values, y: Value, weight: Value, output: Value): boolean {
  const read = readBy(values, y);
  const isWeight = (value: Value): boolean =>
    value === weight || weight.parts.some(({ id }) => values.ofEvent(id) === value);
  const isOutput = (value: Value): boolean =>
    value === output ||
    values.descends(value, output) ||
    output.parts.some(({ id }) => values.ofEvent(id) === value);
  return read.some(isWeight) && read.some((value) => !isWeight(value) && isOutput(value));
}

/** The bias of the layer whose weight this is. */
export function biasBeside(values: Values, weight: Value): Value | undefined {
  const names = new Set(weight.events.map(({ name }) => name.replace(/weight$/, 'bias')));
  return values.all.find(
    (value) =>
      value !== weight && isCalled(value, (name) => names.has(name) && name.endsWith('bias')),
  );
}

/**
 * What the statement of y adds to the output, one of those that go past the attention; undefined where it reads more
 * than that and a projection: what it does then is not known, and no mistake.
 */
function addedTo(
  values: Values,
  y: Value,
  weight: Value,
  { output, tensor: { shape } }: Mixed,
  streams: readonly Value[],
): Value | null | undefined {
  const parts = new Set([...weight.parts, ...output.parts].map(({ id }) => id));
  const isPart = (value: Value): boolean => value.parts.some(({ id }) => parts.has(id));
  const others = readBy(values, y).filter(
    (value) =>
      value.kind === 'float' &&
      value !== weight &&
      value !== y &&
      value !== output &&
      !isPart(value) &&
      !values.descends(value, output),
  );
  const stream = others.find((value) => streams.includes(value));
  const isBias = (value: Value): boolean =>
    value.tensor.shape.filter((length) => length > 1).length === 1 &&
    value.tensor.data.length === y.tensor.shape.at(-1) &&
    isCalled(value, (name) => weightRole(name) === 'O' || /^b|bias/i.test(lastName(name)));
  const isOther = (value: Value): boolean =>
    value !== stream &&
    !isBias(value) &&
    (value.tensor.shape.at(-2) === shape.at(-2) || values.isLeaf(value));
  return others.some(isOther) ? undefined : (stream ?? null);
}

/** A matrix of all heads, or one for each head. */
const isOutputLike = ({ tensor: { shape } }: Value, merged: number): boolean =>
  shape.length === 2
    ? shape.includes(merged)
    : shape.length === 3 && shape[0] * shape[1] === merged;

/** What a loop over heads made last by the statement that made a value. */
function lastOfLoop(values: Values, value: Value, { output }: Mixed): Value {
  const [{ statement, name, frame, loops }] = value.parts;
  const isOfLoop = output.grid.length > 0 && value.grid.length === 0 && loops.length > 0;
  if (!isOfLoop) return value;
  const runs = values.all.filter(
    ({ grid, tensor, parts: [event] }) =>
      grid.length === 0 &&
      event.statement === statement &&
      event.name === name &&
      event.frame === frame &&
      tensor.shape.join() === value.tensor.shape.join(),
  );
  return runs.reduce((a, b) => (b.time > a.time ? b : a), value);
}

function outputLayout(weight: Value, merged: number, width: number): Layout | null {
  const { shape } = weight.tensor;
  if (shape.length === 2) return matrixLayout(weight, merged, width);
  if (shape[2] !== width) return null;
  const [heads, rows] = shape;
  const own = [
    { size: heads, stride: rows * width },
    { size: rows, stride: width },
  ];
  return { offset: 0, axes: [own, [{ size: width, stride: 1 }]] };
}

/** y and its weight by what is left over: called so, or the only matrix that fits. */
export function guessOutput(
  values: Values,
  mixed: Mixed,
  merged: number,
  batch: readonly { readonly axis: number; readonly size: number }[],
  taken: readonly Value[],
  streams: readonly Value[] = [],
): Output | null {
  const tokens = mixed.tensor.shape[mixed.tensor.shape.length - 2];
  const later = values.all
    .filter(
      (value) =>
        value.kind === 'float' &&
        !value.isVirtual &&
        value.time > mixed.output.time &&
        values.descends(value, mixed.output),
    )
    .sort((a, b) => a.time - b.time);
  const candidates = unused(values, taken)
    .filter((weight) => isOutputLike(weight, merged))
    .filter((weight) => !isCalled(weight, isGradientName))
    .map((weight) => ({ weight, called: isCalled(weight, (name) => weightRole(name) === 'O') }));
  for (const { weight, called } of candidates.sort((a, b) => Number(b.called) - Number(a.called))) {
    for (const each of later) {
      const y = lastOfLoop(values, each, mixed);
      const isNamed = isCalled(y, (name) => nodeOfName(name)?.node === 'y');
      for (const operand of tokenReadings(y, batch, tokens)) {
        const layout = outputLayout(weight, merged, operand.feature.size);
        const isProjection = called || weight.parts[0].how === 'leaf' || merged !== lastOf(mixed);
        const isRead = isProjection && readsBoth(values, y, weight, mixed.output);
        const isLeft = candidates.length === 1 && weight.parts[0].how === 'leaf';
        if (!layout || !(isRead || (called && isNamed) || isLeft)) continue;
        const stream = addedTo(values, y, weight, mixed, streams);
        if (stream === undefined) return null;
        if (stream && isSummand(values, stream, y)) {
          const before = values.addVirtual(lessOf(y.tensor, stream.tensor), [y, stream]);
          if (before)
            return {
              ...{ y: before, operand: { ...operand, value: before }, weight },
              ...{ weightLayout: layout, score: 0, isGuess: true },
            };
        }
        return { y, operand, weight, weightLayout: layout, score: 0, isGuess: true };
      }
    }
  }
  return null;
}
