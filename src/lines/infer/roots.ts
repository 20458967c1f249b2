// What queries, keys and values were made of: a projection of x, or tensors that were given.
import type { Value, Values } from './values.ts';
import type { Lookup } from './lookup.ts';
import { type Operand, type Projection, projectionsOf, sameAxes } from './trace.ts';

export interface Root {
  /** As the scores or the weighted sum use it. */
  readonly operand: Operand;
  readonly projection?: Projection;
  /** The tensor that was given, where there is no projection. */
  readonly start?: Operand;
}

const TRIES = 24;

/** The operand and what it was made from, nearest first, as far as axes can be told. */
export function origins(values: Values, lookup: Lookup, operand: Operand): Operand[] {
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

export function rootOf(values: Values, lookup: Lookup, operand: Operand): Root {
  const all = origins(values, lookup, operand);
  let best: Projection | undefined;
  for (const each of all) {
    const [found] = projectionsOf(values, each, Math.max(0, each.value.time));
    if (found && (!best || found.score > best.score)) best = found;
    if (best && best.score >= GOOD) return { operand, projection: best };
  }
  const start = all.findLast(({ value }) => values.isLeaf(value));
  if (start) return { operand, start };
  return { operand, ...(best && { projection: best }) };
}
