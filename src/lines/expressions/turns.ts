// The variables of loops, which are no events: what each of them is in an iteration.
import { NotComputed } from './arrays.ts';
import { evaluate, type Lookup } from './evaluate.ts';
import { type Expression, pathOf } from './parse.ts';
import { isList, numberOf, tensorOf, type Value } from './values.ts';

/** Another number for the variable of a loop, in one iteration of it. */
export interface Turn {
  readonly loop: number;
  readonly name: string;
  readonly frame: number;
  /** Iterations of the loops around it, and its own. */
  readonly loops: readonly number[];
  readonly value: number;
}

/** Whether both are of one iteration. */
export const isSameTurn = (one: Turn, other: Turn): boolean =>
  one.loop === other.loop &&
  one.name === other.name &&
  one.frame === other.frame &&
  one.loops.join() === other.loops.join();

/** What a loop over an expression takes in its n-th iteration; undefined where that is not known. */
export function iterated(over: Expression, n: number, lookup: Lookup): Value | undefined {
  const name = over.kind === 'call' ? pathOf(over.of) : null;
  if (over.kind === 'call' && name === 'range') {
    const bound = (at: number, otherwise: number): number =>
      over.args[at] ? numberOf(evaluate(over.args[at], lookup)) : otherwise;
    return over.args.length === 1 ? n : bound(0, 0) + n * bound(2, 1);
  }
  if (over.kind === 'call' && name === 'enumerate') {
    const from = over.named.start ?? over.args[1];
    const first = from ? numberOf(evaluate(from, lookup)) : 0;
    return [first + n, attempted(() => iterated(over.args[0], n, lookup)) ?? null];
  }
  if (over.kind === 'call' && name === 'zip')
    return over.args.map((arg) => attempted(() => iterated(arg, n, lookup)) ?? null);
  const all = evaluate(over, lookup);
  if (isList(all)) return all[n];
  const tensor = tensorOf(all);
  return tensor.shape.length === 1 ? tensor.data[n] : undefined;
}

/** Null where it is not computed. */
export function attempted<T>(compute: () => T): T | null {
  try {
    return compute();
  } catch (error) {
    if (error instanceof NotComputed) return null;
    throw error;
  }
}

/** What one of the names of a loop's target gets. */
export function partAt(
  value: Value | undefined,
  target: Expression,
  name: string,
): Value | undefined {
  if (pathOf(target) === name) return value;
  if (target.kind !== 'list' || value === undefined || !isList(value)) return undefined;
  for (const [at, item] of target.items.entries()) {
    const found = partAt(value[at], item, name);
    if (found !== undefined && found !== null) return found;
  }
  return undefined;
}
