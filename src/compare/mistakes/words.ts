// Small helpers of the operators.
import { type Formula, number, product, toText } from '../../engine/formula.ts';

const LONGEST = 60;
const MINUS_ONE = number(-1);

/** Thousands of slips are made in a few sub-formulas. */
const known = new WeakMap<Formula, string>();

/** A sub-formula in words: a tensor by its name alone. */
export function named(formula: Formula): string {
  if (formula.kind === 'symbol') return formula.name;
  const own = known.get(formula);
  if (own !== undefined) return own;
  const text = toText(formula).replaceAll(/(?<=[\p{L}\p{N}′_])\[[^\]]*\]/gu, '');
  const short = text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text;
  known.set(formula, short);
  return short;
}

export const negative = (formula: Formula): Formula => product(MINUS_ONE, formula);
export const oneOf = (factors: readonly Formula[]): Formula =>
  factors.length === 1 ? factors[0] : product(...factors);
export const without = <Item>(list: readonly Item[], at: number): Item[] =>
  list.filter((_, n) => n !== at);
