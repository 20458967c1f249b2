// What queries, keys and values were made of: a projection of x, or tensors that were given.
import type { Value, Values } from '../values/values.ts';
import { type Factor, gather } from '../values/layout.ts';
import { haveSameNumbers, type Lookup } from '../values/lookup.ts';
import { stepsBetween } from './steps.ts';
import { type Operand, placeOf, type Projection, projectionsOf, sameAxes } from './trace.ts';
import { productsOf } from '../values/virtual.ts';

export interface Root {
  /** As the scores or the weighted sum use it. */
  readonly operand: Operand;
  readonly projection?: Projection;
  /** The tensor that was given, where there is no projection. */
  readonly start?: Operand;
  /** Heads are shared by query heads in turns, h mod kv, and not by one group after the other. */
  readonly inTurns?: boolean;
}

const TRIES = 40;

/** The operand and what it was made from, nearest first, as far as axes can be told. */
function origins(values: Values, lookup: Lookup, operand: Operand): Operand[] {
  const ancestors = values.ancestors(operand.value);
  const same = lookup.find(operand.value.tensor, operand.value.eps);
  const earlier = values.all.filter(
    (value) =>
      value !== operand.value &&
      !value.isVirtual &&
      value.kind === 'float' &&
      (ancestors.has(value.id) || same.includes(value) || isStackOf(values, value, ancestors)),
  );
  const ordered = earlier.sort((a, b) => b.time - a.time);
  return [operand, ...ordered.flatMap((value) => sameAxes(value, operand))].slice(0, TRIES);
}

const isStackOf = (values: Values, value: Value, ancestors: ReadonlySet<number>): boolean =>
  value.grid.length > 0 &&
  value.parts.every(({ id }) => {
    const own = values.ofEvent(id);
    return own !== undefined && ancestors.has(own.id);
  });

/** A score from which a projection is taken without looking further: its weight is a leaf. */
const GOOD = 4;

/** Whether the operand is known to be made of this: the same, a multiple, or turned. */
const isMadeOf = (values: Values, operand: Operand, from: Operand): boolean =>
  stepsBetween(values, operand, from, []) !== null;

/** What was found of an operand is not looked for again while the same tensors are looked through. */
const roots = new WeakMap<Lookup, Map<string, Root>>();

export function rootOf(values: Values, lookup: Lookup, operand: Operand): Root {
  const known = roots.get(lookup) ?? new Map<string, Root>();
  roots.set(lookup, known);
  const key = placeOf(operand);
  const found = known.get(key) ?? findRoot(values, lookup, operand);
  known.set(key, found);
  return found;
}

function findRoot(values: Values, lookup: Lookup, operand: Operand): Root {
  const all = origins(values, lookup, operand);
  let best: Projection | undefined;
  for (const each of all) {
    const [found] = projectionsOf(values, each, Math.max(0, each.value.time));
    if (!found) continue;
    // What a statement reads may be of its other results.
    const isSource = stepsBetween(values, operand, each, found.heads) !== null;
    if (isSource && found.score >= GOOD) return { operand, projection: found };
    if (!best || (found.score > best.score && best.score < GOOD)) best = found;
  }
  const shared = sharedBy(values, operand);
  const ofShared = shared && { ...rootOf(values, lookup, shared.from), inTurns: shared.inTurns };
  if (ofShared?.projection && isKnown(values, ofShared)) return ofShared;
  if (best && best.score >= GOOD) return { operand, projection: best };
  if (ofShared?.start && isRepeated(operand.value)) return ofShared;
  // Later ones are the same with an entry moved there and back, as for a numerical gradient.
  const isLater = ({ value }: Operand): boolean => value.time > operand.value.time;
  const start = [...all.filter(isLater), ...all.filter((each) => !isLater(each))].findLast(
    (each) => values.isLeaf(each.value) && isMadeOf(values, operand, each),
  );
  if (start) return { operand, start };
  const part = partOf(values, operand);
  if (part) return { operand, start: part };
  if (ofShared?.projection ?? ofShared?.start) return ofShared;
  return misplaced(values, operand) ?? { operand, ...(best && { projection: best }) };
}

/** Whether entries of another tensor are taken several times. */
const isRepeated = ({ view }: Value): boolean =>
  view !== undefined && new Set(view.places).size < view.places.length;

const isKnown = (values: Values, { operand, projection }: Root): boolean =>
  projection !== undefined &&
  stepsBetween(values, operand, projection.of, projection.heads) !== null;

/** The part of a given tensor that the operand is, read piece by piece. */
function partOf(values: Values, operand: Operand): Operand | undefined {
  const { tensor, eps } = operand.value;
  for (const value of values.all) {
    if (!value.view || !values.isLeaf(value) || value.time >= operand.value.time) continue;
    if (!haveSameNumbers(value.tensor, tensor, eps)) continue;
    const found = sameAxes(value, operand).find((each) => isMadeOf(values, operand, each));
    if (found) return found;
  }
  return undefined;
}

/** The tensor whose heads the operand repeats, each for a group of query heads. */
function sharedBy(
  values: Values,
  operand: Operand,
): { readonly from: Operand; readonly inTurns: boolean } | undefined {
  const read = (each: Operand): Float64Array =>
    gather(each.value.tensor, {
      offset: 0,
      axes: [[...each.outer.values()], [each.token], [each.feature]],
    }).data;
  const own = read(operand);
  const ancestors = values.ancestors(operand.value);
  const earlier = values.all.filter(
    ({ id, kind, view }) =>
      kind === 'float' &&
      (ancestors.has(id) || (view !== undefined && view.of === operand.value.view?.of)),
  );
  for (const value of earlier.sort((a, b) => b.time - a.time)) {
    for (const [axis, { size }] of operand.outer) {
      for (let kv = 1; kv < size; kv++) {
        if (size % kv !== 0) continue;
        const fewer = {
          ...operand,
          outer: new Map([...operand.outer, [axis, { size: kv, stride: 0 }]]),
        };
        for (const from of sameAxes(value, fewer)) {
          const repeated = repeat(from, axis, size / kv);
          const n = repeated.findIndex((each) => isSame(own, read(each), value.eps));
          if (n >= 0) return { from, inTurns: n === 1 };
        }
      }
    }
  }
  return undefined;
}

/** A head's axis met several times: each head for a group, or all heads in turns. */
function repeat(from: Operand, axis: number, times: number): Operand[] {
  const { size, stride } = from.outer.get(axis) ?? { size: 1, stride: 0 };
  const again = { size: times, stride: 0 };
  const own = { size, stride };
  return [
    [own, again],
    [again, own],
  ].map((pair) => {
    const outer = new Map<number, Factor>();
    for (const [key, factor] of from.outer) {
      if (key !== axis) outer.set(key, factor);
      else for (const [n, each] of pair.entries()) outer.set(key + n / 2, each);
    }
    return { ...from, outer };
  });
}

function isSame(a: Float64Array, b: Float64Array, eps: number): boolean {
  const size = a.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return a.length === b.length && a.every((value, n) => Math.abs(value - b[n]) <= 8 * eps * size);
}

/** A projection whose numbers the operand has, but not in the order of its heads: a reshape that went wrong. */
function misplaced(values: Values, operand: Operand): Root | null {
  const { tensor, eps } = operand.value;
  const ancestors = values.ancestors(operand.value);
  const leaves = values.all.filter(({ id }) => ancestors.has(id));
  for (const product of productsOf(values, leaves, tensor.data.length)) {
    if (!haveSameNumbers(product.tensor, tensor, eps)) continue;
    const value = values.addVirtual(product.tensor, product.from);
    for (const each of value ? sameAxes(value, operand) : []) {
      const [projection] = projectionsOf(values, each, Infinity);
      if (projection && projection.score >= GOOD) return { operand, projection };
    }
  }
  return null;
}
