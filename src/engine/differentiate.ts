// The derivative of a scalar formula by the entries of one symbol that stands under its sums.
import { call, type Formula, fraction, minus, number, plus, power, product } from './formula.ts';
import { dependsOn } from './where.ts';

const ZERO = number(0);
const ONE = number(1);
const TWO = number(2);
const square = (x: Formula): Formula => power(x, TWO);

/** Derivatives of functions of one number. */
export const SLOPES: Readonly<Record<string, (x: Formula) => Formula>> = {
  abs: (x) => call('sign', x),
  acos: (x) => fraction(number(-1), call('sqrt', minus(ONE, square(x)))),
  acosh: (x) => fraction(ONE, call('sqrt', minus(square(x), ONE))),
  asin: (x) => fraction(ONE, call('sqrt', minus(ONE, square(x)))),
  asinh: (x) => fraction(ONE, call('sqrt', plus(square(x), ONE))),
  atan: (x) => fraction(ONE, plus(ONE, square(x))),
  atanh: (x) => fraction(ONE, minus(ONE, square(x))),
  cbrt: (x) => fraction(ONE, product(number(3), square(call('cbrt', x)))),
  cos: (x) => product(number(-1), call('sin', x)),
  cosh: (x) => call('sinh', x),
  erf: (x) => product(number(2 / Math.sqrt(Math.PI)), call('exp', product(number(-1), square(x)))),
  exp: (x) => call('exp', x),
  log: (x) => fraction(ONE, x),
  sech: (x) => product(number(-1), call('sech', x), call('tanh', x)),
  sigmoid: (x) => product(call('sigmoid', x), minus(ONE, call('sigmoid', x))),
  sin: (x) => call('cos', x),
  sinh: (x) => call('cosh', x),
  sqrt: (x) => fraction(ONE, product(TWO, call('sqrt', x))),
  tan: (x) => plus(ONE, square(call('tan', x))),
  tanh: (x) => minus(ONE, square(call('tanh', x))),
};

const isNumber = (formula: Formula, value: number): boolean =>
  formula.kind === 'number' && formula.value === value;

/** A product without ones, nothing where a factor is 0; numbers come first, as one. */
function simplyTimes(...factors: Formula[]): Formula {
  const flat = factors.flatMap((each) => (each.kind === 'product' ? each.factors : [each]));
  if (flat.some((each) => isNumber(each, 0))) return ZERO;
  const factor = flat.reduce((all, each) => (each.kind === 'number' ? all * each.value : all), 1);
  const rest = flat.filter(({ kind }) => kind !== 'number');
  const kept = factor === 1 && rest.length > 0 ? rest : [number(factor), ...rest];
  return kept.length === 1 ? kept[0] : product(...kept);
}

function simplyPlus(...terms: Formula[]): Formula {
  const kept = terms.filter((each) => !isNumber(each, 0));
  return kept.length === 0 ? ZERO : plus(...kept);
}

/**
 * d formula / d name[its letters]: sums over these letters fall away, for an entry stands in one of their terms.
 * The symbol must be elementwise under its sums. Throws RangeError for what has no derivative here.
 */
export function derivative(formula: Formula, name: string): Formula {
  const inner = (each: Formula): Formula => derivative(each, name);
  if (!dependsOn(formula, name)) return ZERO;
  switch (formula.kind) {
    case 'symbol':
      return ONE;
    case 'part':
    case 'sum':
      return inner(formula.body);
    case 'add':
      return simplyPlus(...formula.terms.map(inner));
    case 'subtract': {
      const [left, right] = [inner(formula.left), inner(formula.right)];
      if (isNumber(right, 0)) return left;
      return isNumber(left, 0) ? simplyTimes(number(-1), right) : minus(left, right);
    }
    case 'product':
      return simplyPlus(
        ...formula.factors.map((each, n) =>
          simplyTimes(inner(each), ...formula.factors.filter((_, m) => m !== n)),
        ),
      );
    case 'fraction':
      return ofFraction(formula.top, formula.bottom, inner);
    case 'power':
      return ofPower(formula.base, formula.exponent, inner);
    case 'call': {
      const slope = SLOPES[formula.name];
      if (!slope) break;
      return simplyTimes(slope(formula.argument), inner(formula.argument));
    }
    default:
  }
  throw new RangeError(`${formula.kind} has no derivative`);
}

function ofFraction(top: Formula, bottom: Formula, inner: (each: Formula) => Formula): Formula {
  const [above, below] = [inner(top), inner(bottom)];
  const first = isNumber(above, 0) ? ZERO : fraction(above, bottom);
  if (isNumber(below, 0)) return first;
  const second = simplyTimes(fraction(top, square(bottom)), below);
  return isNumber(first, 0) ? simplyTimes(number(-1), second) : minus(first, second);
}

function ofPower(base: Formula, exponent: Formula, inner: (each: Formula) => Formula): Formula {
  const lower = exponent.kind === 'number' ? number(exponent.value - 1) : minus(exponent, ONE);
  const lowered = isNumber(lower, 1) ? base : isNumber(lower, 0) ? ONE : power(base, lower);
  const ofBase = simplyTimes(exponent, lowered, inner(base));
  const ofExponent = simplyTimes(power(base, exponent), call('log', base), inner(exponent));
  return simplyPlus(ofBase, ofExponent);
}
