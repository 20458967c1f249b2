// Formulas rewritten: definitions put in, letters renamed, sub-formulas exchanged.
import type { Letter } from './axes.ts';
import { atIndex, type Formula } from './formula.ts';

/** `change` of each sub-formula that stands directly in a formula. */
export function mapInner(formula: Formula, change: (inner: Formula) => Formula): Formula {
  switch (formula.kind) {
    case 'sum':
    case 'part':
    case 'reduce':
      return { ...formula, body: change(formula.body) };
    case 'product':
      return { ...formula, factors: formula.factors.map(change) };
    case 'add':
      return { ...formula, terms: formula.terms.map(change) };
    case 'subtract':
    case 'modulo':
    case 'relation':
      return { ...formula, left: change(formula.left), right: change(formula.right) };
    case 'fraction':
    case 'partial':
      return { ...formula, top: change(formula.top), bottom: change(formula.bottom) };
    case 'power':
      return { ...formula, base: change(formula.base), exponent: change(formula.exponent) };
    case 'call':
      return { ...formula, argument: change(formula.argument) };
    case 'index':
      return { ...formula, source: change(formula.source), body: change(formula.body) };
    case 'where':
      return {
        ...formula,
        body: change(formula.body),
        definitions: formula.definitions.map(change),
      };
    default:
      return formula;
  }
}

/** The sub-formulas that stand directly in a formula. */
export function innerOf(formula: Formula): Formula[] {
  const found: Formula[] = [];
  mapInner(formula, (inner) => {
    found.push(inner);
    return inner;
  });
  return found;
}

const knownLetters = new WeakMap<Formula, ReadonlySet<Letter>>();

/** The letters over which a formula's value runs. */
export function freeLetters(formula: Formula): ReadonlySet<Letter> {
  const known = knownLetters.get(formula);
  if (known) return known;
  const found = new Set(lettersOf(formula));
  knownLetters.set(formula, found);
  return found;
}

function* lettersOf(formula: Formula): Generator<Letter> {
  switch (formula.kind) {
    case 'symbol':
      yield* formula.indices.flat();
      return;
    case 'at':
      yield formula.letter;
      return;
    case 'sum':
    case 'reduce': {
      const keeps = formula.kind === 'reduce' && /^(running|peak)$/.test(formula.how);
      for (const letter of freeLetters(formula.body))
        if (keeps || !formula.over.includes(letter)) yield letter;
      return;
    }
    case 'index':
      for (const letter of freeLetters(formula.body)) if (letter !== formula.letter) yield letter;
      yield* freeLetters(formula.source);
      return;
    case 'where':
      yield* freeLetters(expanded(formula));
      return;
    default:
      for (const inner of innerOf(formula)) yield* freeLetters(inner);
  }
}

type Names = ReadonlyMap<Letter, Letter>;

/** Letters renamed everywhere, those of sums too. */
export function renamed(formula: Formula, names: Names): Formula {
  const name = (letter: Letter): Letter => names.get(letter) ?? letter;
  const own = mapInner(formula, (inner) => renamed(inner, names));
  switch (own.kind) {
    case 'symbol':
      return { ...own, indices: own.indices.map((axis) => axis.map(name)) };
    case 'sum':
    case 'reduce':
      return { ...own, over: own.over.map(name) };
    case 'at':
    case 'index':
      return { ...own, letter: name(own.letter) };
    default:
      return own;
  }
}

/** A formula with its definitions put in the place of what they define. */
export function expanded({ body, definitions }: Formula & { kind: 'where' }): Formula {
  const symbols = new Map<string, { readonly letters: Letter[]; readonly right: Formula }>();
  const letters = new Map<Letter, Formula>();
  for (const each of definitions) {
    if (each.kind !== 'relation') continue;
    const { left, right } = each;
    if (left.kind === 'at') letters.set(left.letter, right);
    if (left.kind === 'symbol') symbols.set(left.name, { letters: left.indices.flat(), right });
  }
  const put = (formula: Formula): Formula => {
    if (formula.kind !== 'symbol') return mapInner(formula, put);
    const definition = symbols.get(formula.name);
    const own = formula.indices.flat();
    if (definition) {
      const names = new Map(definition.letters.map((letter, n) => [letter, own[n]]));
      return put(renamed(definition.right, names));
    }
    return own
      .filter((letter) => letters.has(letter))
      .reduce<Formula>((inner, letter) => atIndex(letter, letters.get(letter)!, inner), formula);
  };
  return put(body);
}

/** Whether a tensor stands in a formula. */
export function dependsOn(formula: Formula, name: string): boolean {
  if (formula.kind === 'symbol') return formula.name === name;
  return innerOf(formula).some((each) => dependsOn(each, name));
}

const knownSymbols = new WeakMap<Formula, readonly string[]>();

/** The names of the tensors in a formula, each once. */
export function symbolsIn(formula: Formula): readonly string[] {
  if (formula.kind === 'symbol') return [formula.name];
  const known = knownSymbols.get(formula);
  if (known) return known;
  const found = [...new Set(innerOf(formula).flatMap(symbolsIn))];
  knownSymbols.set(formula, found);
  return found;
}

/** Without any definitions beside it, at any depth. */
export const expandedWhole = (formula: Formula): Formula =>
  formula.kind === 'where' ? expandedWhole(expanded(formula)) : mapInner(formula, expandedWhole);
