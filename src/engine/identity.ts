// Each formula once, as a number: equal ones have the same.
import type { Formula } from './formula.ts';

const byObject = new WeakMap<Formula, number>();
const byText = new Map<string, number>();
/** Beyond so many none is looked up any more: an equal one gets another number then, and is computed once more. */
const MOST = 200_000;
let count = 0;

/** The same number for equal formulas; never the same for others. */
export function identityOf(formula: Formula): number {
  const known = byObject.get(formula);
  if (known !== undefined) return known;
  const text = textOf(formula);
  let id = byText.get(text);
  if (id === undefined) {
    if (byText.size >= MOST) byText.clear();
    byText.set(text, (id = count++));
  }
  byObject.set(formula, id);
  return id;
}

const all = (formulas: readonly Formula[]): string => formulas.map(identityOf).join(' ');

function textOf(formula: Formula): string {
  const { kind } = formula;
  switch (formula.kind) {
    case 'symbol':
      return `symbol ${formula.name} ${formula.indices.map((axis) => axis.join('.')).join(' ')}`;
    case 'number':
      return `number ${formula.value}`;
    case 'sum':
      return `sum ${formula.over.join(' ')} ${identityOf(formula.body)}`;
    case 'reduce':
      return `${formula.how} ${formula.over.join(' ')} ${identityOf(formula.body)}`;
    case 'product':
      return `product ${all(formula.factors)}`;
    case 'add':
      return `add ${all(formula.terms)}`;
    case 'subtract':
    case 'modulo':
      return `${kind} ${all([formula.left, formula.right])}`;
    case 'relation':
      return `${formula.sign} ${all([formula.left, formula.right])}`;
    case 'fraction':
    case 'partial':
      return `${kind} ${all([formula.top, formula.bottom])}`;
    case 'power':
      return `power ${all([formula.base, formula.exponent])}`;
    case 'call':
      return `call ${formula.name} ${identityOf(formula.argument)}`;
    case 'part':
      return `part ${formula.name} ${identityOf(formula.body)}`;
    case 'index':
      return `index ${formula.letter} ${all([formula.source, formula.body])}`;
    case 'at':
      return `at ${formula.letter}`;
    case 'hole':
      return `hole ${formula.name}`;
    case 'words':
      return `words ${formula.text}`;
    case 'where':
      return `where ${all([formula.body, ...formula.definitions])}`;
  }
}
