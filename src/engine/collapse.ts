// Σ_l a_l (δ_li − b) = a_i − b Σ_l a_l: the sum over a Jacobian as programs compute it.
import type { Letter } from './axes.ts';
import { type Formula, minus, product, sum } from './formula.ts';
import { identityOf } from './identity.ts';
import { mapInner, renamed } from './where.ts';

const one = (factors: readonly Formula[]): Formula =>
  factors.length === 1 ? factors[0] : product(...factors);

function collapsedSum(over: readonly Letter[], factors: readonly Formula[]): Formula | null {
  for (const factor of factors) {
    if (factor.kind !== 'subtract' || factor.left.kind !== 'symbol' || factor.left.name !== 'δ')
      continue;
    const [summed, own] = factor.left.indices.flat();
    const rest = factors.filter((each) => each !== factor);
    if (over.length !== 1 || over[0] !== summed || rest.length === 0) continue;
    const here = rest.map((each) => renamed(each, new Map([[summed, own]])));
    const total = sum(over, one(rest));
    const shared = here.find((each) => identityOf(each) === identityOf(factor.right));
    const others = here.filter((each) => each !== shared);
    if (shared && others.length > 0) return product(shared, minus(one(others), total));
    return minus(one(here), product(factor.right, total));
  }
  return null;
}

/** The same value without δ, where a sum over its letter makes that possible. */
export function collapsed(formula: Formula): Formula {
  const own = mapInner(formula, collapsed);
  if (own.kind !== 'sum' || own.body.kind !== 'product') return own;
  return collapsedSum(own.over, own.body.factors) ?? own;
}
