// Every operator at every sub-formula: the formulas that are one slip away from another.
import { type Formula, number } from '../../engine/formula.ts';
import { mapInner } from '../../engine/where.ts';
import type { Operator, Scope, Slip } from './mistake.ts';
import { OPERATORS } from './operators.ts';
import { eachSymbol } from './forms.ts';

export interface Mutant {
  /** Made when it is asked for: many are passed over. */
  readonly formula: Formula;
  readonly slip: Slip;
  readonly cost: number;
  /** Which of the formula's places, counted from the root; -1 for several at once. */
  readonly place: number;
}

/** Sub-formulas in which a slip can be made, each with the whole around another in its place. */
function* places(formula: Formula): Generator<{ own: Formula; put: (by: Formula) => Formula }> {
  yield { own: formula, put: (by) => by };
  let count = 0;
  mapInner(formula, (inner) => {
    count++;
    return inner;
  });
  for (let n = 0; n < count; n++) {
    // Left of a definition stands its name.
    if (formula.kind === 'relation' && n === 0 && formula.sign === '=') continue;
    let inner: Formula = formula;
    let at = 0;
    mapInner(formula, (each) => {
      if (at++ === n) inner = each;
      return each;
    });
    const around = (by: Formula): Formula => {
      let seen = 0;
      return mapInner(formula, (each) => (seen++ === n ? by : each));
    };
    for (const each of places(inner)) yield { own: each.own, put: (by) => around(each.put(by)) };
  }
}

/** Formulas one slip away, the nearest to the root first among the places, in the operators' order at each. */
export function* mutants(
  formula: Formula,
  scope: Scope,
  operators: readonly Operator[] = OPERATORS,
): Generator<Mutant> {
  let place = -1;
  for (const { own, put } of places(formula)) {
    place++;
    for (const operator of operators) {
      for (const { is, say, cost = 0 } of operator.apply(own, scope)) {
        yield {
          get formula() {
            return put(is);
          },
          slip: { operator: operator.name, say, was: own, is },
          cost: operator.cost + cost,
          place,
        };
      }
    }
  }
  yield* everywhere(formula, scope, operators);
}

/** The same slip at all places of a tensor, where there are several. */
function* everywhere(
  formula: Formula,
  scope: Scope,
  operators: readonly Operator[],
): Generator<Mutant> {
  const uses = new Map<string, (Formula & { kind: 'symbol' })[]>();
  eachSymbol(formula, (own) => {
    uses.set(own.name, [...(uses.get(own.name) ?? []), own]);
    return own;
  });
  for (const [name, symbols] of uses) {
    if (symbols.length < 2) continue;
    for (const operator of [...operators, leftOut]) {
      const lists = symbols.map((own) => [...operator.apply(own, scope)]);
      // Uses have other letters, but as many of each length.
      if (lists.some(({ length }) => length !== lists[0].length)) continue;
      for (const [n, { is, say, cost = 0 }] of lists[0].entries()) {
        let use = 0;
        const whole = eachSymbol(formula, (own) => (own.name === name ? lists[use++][n].is : own));
        const slip = { operator: operator.name, say: `${say} throughout`, was: symbols[0], is };
        yield { formula: whole, slip, cost: operator.cost + cost, place: -1 };
      }
    }
  }
}

/** 1 in the place of a tensor. */
const leftOut: Operator = {
  name: 'left-out',
  cost: 1,
  *apply(formula) {
    if (formula.kind === 'symbol') yield { is: number(1), say: `${formula.name} is left out` };
  },
};
