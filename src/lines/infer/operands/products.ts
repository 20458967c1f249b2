// Which two recorded tensors a third one is the product of: every assignment of axes that fits, tried on its numbers.
import { offsetOf, strides, type Tensor } from '../../../engine/tensor.ts';
import type { Work } from '../values/work.ts';

/** Where each axis of an operand goes: an axis of the product, or this. */
export const SUMMED = -1;
/** An axis of length 1. */
const SINGLE = -2;

export interface Product<Operand> {
  readonly left: Operand;
  readonly right: Operand;
  readonly leftAxes: readonly number[];
  readonly rightAxes: readonly number[];
  /** product = factor * sum of left * right, up to what the way of comparing lets pass. */
  readonly factor: number;
}

interface Pattern {
  readonly leftAxes: readonly number[];
  readonly rightAxes: readonly number[];
}

/** Entries of a product that are compared: single ones, or second differences along two axes. */
interface Probe {
  readonly value: number;
  readonly entries: readonly (readonly [sign: number, index: readonly number[]])[];
}

const MAX_PATTERNS = 64;
/** Of two operands: batches, heads and groups of one length can be told apart by their numbers alone. */
const MAX_PAIRS = 256;
const PROBES = 48;

/** The axes of `operand` sent to axes of `target` of their length, at most one of them summed. */
function assignments(operand: readonly number[], target: readonly number[]): number[][] {
  const found: number[][] = [];
  const visit = (axis: number, sofar: number[], summed: boolean): void => {
    if (found.length > MAX_PATTERNS) return;
    if (axis === operand.length) {
      if (summed) found.push(sofar);
      return;
    }
    if (operand[axis] === 1) return visit(axis + 1, [...sofar, SINGLE], summed);
    target.forEach((length, n) => {
      if (length === operand[axis] && !sofar.includes(n)) visit(axis + 1, [...sofar, n], summed);
    });
    if (!summed) visit(axis + 1, [...sofar, SUMMED], true);
  };
  visit(0, [], false);
  return found;
}

/** Of three shapes, told by their text: a program has few shapes and many tensors. */
const patternsOfShapes = new Map<string, readonly Pattern[]>();
const MOST_SHAPES = 4096;

function patterns(
  left: readonly number[],
  right: readonly number[],
  target: readonly number[],
): readonly Pattern[] {
  const key = `${left.join()}|${right.join()}|${target.join()}`;
  const known = patternsOfShapes.get(key);
  if (known) return known;
  if (patternsOfShapes.size >= MOST_SHAPES) patternsOfShapes.clear();
  const made = findPatterns(left, right, target);
  patternsOfShapes.set(key, made);
  return made;
}

function findPatterns(
  left: readonly number[],
  right: readonly number[],
  target: readonly number[],
): Pattern[] {
  const needed = target.flatMap((length, n) => (length === 1 ? [] : [n]));
  const found: Pattern[] = [];
  const rights = assignments(right, target);
  for (const leftAxes of assignments(left, target)) {
    const length = left[leftAxes.indexOf(SUMMED)];
    for (const rightAxes of rights) {
      if (right[rightAxes.indexOf(SUMMED)] !== length) continue;
      const onlyLeft = needed.filter((n) => !rightAxes.includes(n));
      const onlyRight = needed.filter((n) => !leftAxes.includes(n));
      const covered = needed.every((n) => leftAxes.includes(n) || rightAxes.includes(n));
      if (covered && onlyLeft.length > 0 && onlyRight.length > 0)
        found.push({ leftAxes, rightAxes });
      if (found.length > MAX_PAIRS) return found;
    }
  }
  return found;
}

/** Axes of the product that only one operand has. */
export function ownAxes({ leftAxes, rightAxes }: Pattern): { left: number[]; right: number[] } {
  return {
    left: leftAxes.filter((n) => n >= 0 && !rightAxes.includes(n)),
    right: rightAxes.filter((n) => n >= 0 && !leftAxes.includes(n)),
  };
}

class Operand {
  readonly #data: Float64Array;
  readonly #steps: readonly number[];
  readonly length: number;
  readonly summedStep: number;

  constructor({ shape, data }: Tensor, axes: readonly number[], rank: number) {
    const own = strides(shape);
    const at = axes.indexOf(SUMMED);
    this.#data = data;
    this.length = shape[at];
    this.summedStep = own[at];
    this.#steps = Array.from({ length: rank }, (_, n) => own[axes.indexOf(n)] ?? 0);
  }

  dot(other: Operand, index: readonly number[]): number {
    let [a, b] = [this.#start(index), other.#start(index)];
    let total = 0;
    for (let k = 0; k < this.length; k++) {
      total += this.#data[a] * other.#data[b];
      a += this.summedStep;
      b += other.summedStep;
    }
    return total;
  }

  #start(index: readonly number[]): number {
    let at = 0;
    for (let n = 0; n < index.length; n++) at += index[n] * this.#steps[n];
    return at;
  }
}

/** A fixed sequence of numbers in [0, 1): the same probes on every run. */
function sequence(): () => number {
  let state = 12345;
  return () => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
    return state / 0x80000000;
  };
}

const isUsable = (value: number): boolean => Math.abs(value) < 1e6;

function singleProbes({ shape, data }: Tensor): Probe[] {
  const next = sequence();
  const probes: Probe[] = [];
  for (let attempt = 0; attempt < 6 * PROBES && probes.length < PROBES; attempt++) {
    const index = shape.map((length) => Math.floor(next() * length));
    const value = data[offsetOf(shape, index)];
    if (isUsable(value)) probes.push({ value, entries: [[1, index]] });
  }
  return largestFirst(probes);
}

/** Second differences along axes u and w: what is added per row or per column drops out. */
function crossProbes({ shape, data }: Tensor, u: number, w: number): Probe[] {
  const next = sequence();
  const probes: Probe[] = [];
  for (let attempt = 0; attempt < 40 * PROBES && probes.length < PROBES; attempt++) {
    const index = shape.map((length) => Math.floor(next() * length));
    const to = [Math.floor(next() * shape[u]), Math.floor(next() * shape[w])];
    if (to[0] === index[u] || to[1] === index[w]) continue;
    const moved = (byU: boolean, byW: boolean): number[] =>
      index.map((at, n) => (byU && n === u ? to[0] : byW && n === w ? to[1] : at));
    const entries = [
      [1, index],
      [-1, moved(true, false)],
      [-1, moved(false, true)],
      [1, moved(true, true)],
    ] as const;
    const values = entries.map(([sign, at]) => sign * data[offsetOf(shape, at)]);
    if (!values.every(isUsable)) continue;
    probes.push({ value: values.reduce((a, b) => a + b), entries });
  }
  return largestFirst(probes);
}

/** Different numbers without which a product tells nothing. */
const LEAST_PROBES = 5;

/** None where they tell nothing. */
function largestFirst(probes: Probe[]): Probe[] {
  const sizes = new Set(probes.map(({ value }) => Math.abs(value)));
  if (sizes.size < LEAST_PROBES || Math.max(...sizes) < 1e-12) return [];
  return probes.sort((a, b) => Math.abs(b.value) - Math.abs(a.value));
}

/** The factor between probes of a target and of a product; null where they are not proportional. */
function factorOf(
  probes: readonly Probe[],
  left: Operand,
  right: Operand,
  eps: number,
): number | null {
  if (probes.length === 0) return null;
  const size = Math.abs(probes[0].value);
  let factor: number | null = null;
  for (const { value, entries } of probes) {
    let predicted = 0;
    let largest = 0;
    for (const [sign, index] of entries) {
      const term = left.dot(right, index);
      largest = Math.max(largest, Math.abs(term));
      predicted += sign * term;
    }
    if (factor === null) {
      if (Math.abs(predicted) < 1e-9 * largest || predicted === 0) return null;
      factor = value / predicted;
      if (!(Math.abs(factor) > 1e-7 && Math.abs(factor) < 1e7)) return null;
    }
    const allowed = eps * (4 * size + Math.abs(factor) * largest + 1);
    if (!(Math.abs(value - factor * predicted) <= allowed)) return null;
  }
  return factor;
}

export type Comparison =
  /** The target is the product times a number. */
  | 'exact'
  /** Up to what is added per row and per column. */
  | 'crossed';

export interface Candidate {
  readonly tensor: Tensor;
  readonly eps: number;
}

/** What a way to multiply two tensors costs: mostly it is seen early that it is none. */
const EACH = 20;

/**
 * The pairs out of `candidates` whose product over one axis is `target` times a number. Axes of length 1 count
 * as absent. Entries that are not finite, or as large as the -1e9 of a mask, are not compared.
 */
export function findProducts<C extends Candidate>(
  target: Candidate,
  lefts: readonly C[],
  rights: readonly C[],
  how: Comparison,
  work?: Work,
): Product<C>[] {
  const { shape } = target.tensor;
  const probesOf = new Map<string, Probe[]>();
  const probes = (pattern: Pattern): Probe[] => {
    const own = ownAxes(pattern);
    const [u, w] = [own.left[own.left.length - 1], own.right[own.right.length - 1]];
    const key = how === 'exact' ? '' : `${Math.min(u, w)} ${Math.max(u, w)}`;
    const known = probesOf.get(key);
    if (known) return known;
    const made = how === 'exact' ? singleProbes(target.tensor) : crossProbes(target.tensor, u, w);
    probesOf.set(key, made);
    return made;
  };
  // The axes of patterns of the same shapes are the same arrays.
  const operands = new Map<C, Map<readonly number[], Operand>>();
  const operandOf = (each: C, axes: readonly number[]): Operand => {
    const own = operands.get(each) ?? new Map<readonly number[], Operand>();
    operands.set(each, own);
    const made = own.get(axes) ?? new Operand(each.tensor, axes, shape.length);
    own.set(axes, made);
    return made;
  };
  const shapes = new Map([...lefts, ...rights].map((each) => [each, each.tensor.shape.join()]));
  const isSymmetric = (lefts as unknown) === rights;
  const found: Product<C>[] = [];
  lefts.forEach((left, n) => {
    const byShape = new Map<string, readonly Pattern[]>();
    for (const right of isSymmetric ? rights.slice(n) : rights) {
      const key = shapes.get(right)!;
      const own = byShape.get(key) ?? patterns(left.tensor.shape, right.tensor.shape, shape);
      byShape.set(key, own);
      if (own.length === 0) continue;
      const eps = Math.max(target.eps, left.eps, right.eps);
      for (const pattern of own) {
        const told = probes(pattern);
        if (told.length === 0) continue;
        work?.spend(EACH);
        const a = operandOf(left, pattern.leftAxes);
        const factor = factorOf(told, a, operandOf(right, pattern.rightAxes), eps);
        if (factor !== null) found.push({ left, right, ...pattern, factor });
      }
    }
  });
  return found;
}
