// Reverse mode over one formula: what each tensor in it receives of its upstream gradient.
import type { Letter } from './axes.ts';
import { SLOPES } from './differentiate.ts';
import type { Evaluator } from './evaluate.ts';
import type { Formula } from './formula.ts';
import {
  folded,
  laidOut,
  lengthOf,
  type Lettered,
  mapped,
  offsetsIn,
  summedOver,
  summedProduct,
  times,
  zipped,
} from './lettered.ts';
import { identityOf } from './identity.ts';
import { expanded, innerOf } from './where.ts';

/** Gradients by the tensors' names, in the letters of their uses flattened: row-major as the tensors are. */
export type Gradients = Map<string, Float64Array>;

/** `upstream` has the letters of the formula's left side. Throws RangeError for what has no derivative. */
export function vjpOf(formula: Formula, upstream: Lettered, evaluator: Evaluator): Gradients {
  const gradients: Gradients = new Map();
  new Backward(evaluator, gradients).pass(formula, upstream);
  return gradients;
}

class Backward {
  readonly #evaluator: Evaluator;
  readonly #gradients: Gradients;

  constructor(evaluator: Evaluator, gradients: Gradients) {
    this.#evaluator = evaluator;
    this.#gradients = gradients;
  }

  /** `upstream` may lack letters of the formula (it is the same along them) or have more (they are summed). */
  pass(formula: Formula, upstream: Lettered): void {
    if (!passesBack(formula)) return;
    switch (formula.kind) {
      case 'symbol':
        this.#store(formula, upstream);
        return;
      case 'number':
      case 'at':
      case 'hole':
      case 'modulo':
        return;
      case 'part':
        this.pass(formula.body, upstream);
        return;
      case 'where':
        this.pass(expanded(formula), upstream);
        return;
      case 'sum':
        // Along the summed letters the upstream is the same.
        this.pass(formula.body, this.#fitted(upstream, formula));
        return;
      case 'add':
        for (const each of formula.terms) this.pass(each, upstream);
        return;
      case 'subtract':
        this.pass(formula.left, upstream);
        this.pass(
          formula.right,
          mapped(upstream, (value) => -value),
        );
        return;
      case 'product':
        this.#product(formula.factors, upstream);
        return;
      case 'fraction':
        if (isSoftmax(formula)) this.#softmax(formula, upstream);
        else this.#fraction(formula.top, formula.bottom, upstream);
        return;
      case 'power':
        this.#power(formula.base, formula.exponent, upstream);
        return;
      case 'call':
        this.#call(formula.name, formula.argument, upstream);
        return;
      case 'reduce':
        this.#reduce(formula, this.#fitted(upstream, formula));
        return;
      case 'index':
        this.#index(formula, this.#fitted(upstream, formula));
        return;
      case 'relation':
        if (formula.sign === '<' || formula.sign === '≤') return;
        this.pass(formula.right, upstream);
        return;
      default:
        throw new RangeError(`${formula.kind} has no derivative`);
    }
  }

  /** With exactly the letters of the formula's value: others are summed, lacking ones repeated. */
  #fitted(upstream: Lettered, formula: Formula): Lettered {
    const { letters, lengths } = this.#evaluator.evaluate(formula);
    const over = upstream.letters.filter((letter) => !letters.includes(letter));
    const own = over.length > 0 ? summedOver(upstream, over) : upstream;
    return laidOut(own, letters, lengths);
  }

  #store(own: Formula & { kind: 'symbol' }, upstream: Lettered): void {
    const value = this.#fitted(upstream, own);
    const letters = own.indices.flat();
    const lengths = letters.map((letter) => lengthOf(value, letter)!);
    const size = lengths.reduce((product, length) => product * length, 1);
    const data = this.#gradients.get(own.name) ?? new Float64Array(size);
    this.#gradients.set(own.name, data);
    const places = offsetsIn({ letters, lengths }, value.letters, value.lengths);
    for (let at = 0; at < places.length; at++) data[places[at]] += value.data[at];
  }

  #product(factors: readonly Formula[], upstream: Lettered): void {
    const values = factors.map((each) => this.#evaluator.evaluate(each));
    factors.forEach((each, n) => {
      if (!passesBack(each)) return;
      const others = [upstream, ...values.filter((_, m) => m !== n)];
      const own = values[n].letters;
      const over = [...new Set(others.flatMap(({ letters }) => letters))].filter(
        (letter) => !own.includes(letter),
      );
      this.pass(each, summedProduct(others, over));
    });
  }

  /** exp(a) / Σ exp(a): as the engine's softmax, with numbers that stay finite. */
  #softmax(formula: Softmax, upstream: Lettered): void {
    const shares = this.#evaluator.evaluate(formula);
    const own = zipped(upstream, shares, times);
    const total = summedOver(own, formula.bottom.over);
    const share = zipped(own, zipped(shares, total, times), (x, y) => x - y);
    this.pass(formula.top.argument, share);
  }

  #fraction(top: Formula, bottom: Formula, upstream: Lettered): void {
    const [above, below] = [top, bottom].map((each) => this.#evaluator.evaluate(each));
    const share = zipped(upstream, below, (x, y) => (x === 0 ? 0 : x / y));
    this.pass(top, share);
    const down = zipped(zipped(share, above, times), below, (x, y) => (x === 0 ? 0 : -x / y));
    this.pass(bottom, down);
  }

  #power(base: Formula, exponent: Formula, upstream: Lettered): void {
    const [x, n] = [base, exponent].map((each) => this.#evaluator.evaluate(each));
    const slope = zipped(x, n, (value, power) => (power === 0 ? 0 : power * value ** (power - 1)));
    this.pass(base, zipped(upstream, slope, times));
    const other = zipped(x, n, (value, power) =>
      value > 0 ? value ** power * Math.log(value) : 0,
    );
    this.pass(exponent, zipped(upstream, other, times));
  }

  #call(name: string, argument: Formula, upstream: Lettered): void {
    const value = this.#evaluator.evaluate(argument);
    const passes = PASSES[name];
    if (passes) {
      this.pass(
        argument,
        zipped(upstream, value, (up, x) => (passes(x) ? up : 0)),
      );
      return;
    }
    const slope = SLOPES[name];
    if (!slope) throw new RangeError(`${name} has no derivative`);
    this.pass(argument, zipped(upstream, this.#evaluator.evaluate(slope(argument)), times));
  }

  #reduce({ how, over, body }: Formula & { kind: 'reduce' }, upstream: Lettered): void {
    const own = this.#evaluator.evaluate(body);
    const present = over.filter((letter) => own.letters.includes(letter));
    if (how === 'mean') {
      const count = present.reduce((n, letter) => n * lengthOf(own, letter)!, 1);
      this.pass(
        body,
        mapped(upstream, (value) => value / count),
      );
      return;
    }
    if (how === 'max') {
      const largest = folded(own, present, -Infinity, Math.max);
      const isLargest = zipped(own, largest, (x, most) => Number(x === most));
      this.pass(body, zipped(isLargest, upstream, times));
      return;
    }
    for (const letter of present) this.pass(body, alongLetter(own, letter, how, upstream));
  }

  #index({ letter, source, body }: Formula & { kind: 'index' }, upstream: Lettered): void {
    const [own, from] = [body, source].map((each) => this.#evaluator.evaluate(each));
    const length = lengthOf(own, letter);
    if (length === undefined) {
      this.pass(body, upstream);
      return;
    }
    const data = new Float64Array(own.data.length);
    const unplaced = own.letters.map((each) => (each === letter ? '' : each));
    const base = offsetsIn({ ...own, letters: unplaced }, upstream.letters, upstream.lengths);
    const step = own.lengths
      .slice(own.letters.indexOf(letter) + 1)
      .reduce((product, each) => product * each, 1);
    const places = laidOut(from, upstream.letters, upstream.lengths).data;
    places.forEach((place, at) => {
      if (Number.isInteger(place) && place >= 0 && place < length)
        data[base[at] + place * step] += upstream.data[at];
    });
    this.pass(body, { ...own, data });
  }
}

/** Where the functions whose slope is 1 or 0 pass a gradient on. */
const PASSES: Readonly<Record<string, (x: number) => boolean>> = {
  clip: (x) => x > 0 && x < 1,
  finite: Number.isFinite,
  relu: (x) => x > 0,
};

type Kind<Name> = Formula & { readonly kind: Name };
type Softmax = Kind<'fraction'> & { readonly top: Kind<'call'>; readonly bottom: Kind<'sum'> };

const isSoftmax = (formula: Kind<'fraction'>): formula is Softmax =>
  formula.top.kind === 'call' &&
  formula.top.name === 'exp' &&
  formula.bottom.kind === 'sum' &&
  identityOf(formula.bottom.body) === identityOf(formula.top);

const known = new WeakMap<Formula, boolean>();

/** Whether a gradient reaches a tensor in it: indices and conditions do not vary. */
function passesBack(formula: Formula): boolean {
  if (formula.kind === 'symbol') return true;
  if (formula.kind === 'relation' && formula.sign !== '=' && formula.sign !== '+=') return false;
  if (formula.kind === 'call' && /^(held|hide|not|floor|round|sign)$/.test(formula.name))
    return false;
  const found = known.get(formula);
  if (found !== undefined) return found;
  const passes = innerOf(formula).some(passesBack);
  known.set(formula, passes);
  return passes;
}

/** Of the first or last entry, or of a running sum. */
function alongLetter(own: Lettered, letter: Letter, how: string, upstream: Lettered): Lettered {
  const length = lengthOf(own, letter)!;
  const spread = laidOut(upstream, own.letters, own.lengths);
  const kept = own.letters.filter((each) => each !== letter);
  const starts = offsetsIn(
    own,
    kept,
    kept.map((each) => lengthOf(own, each)!),
  );
  const steps = offsetsIn(own, [letter], [length]);
  const data = new Float64Array(own.data.length);
  for (const start of starts) {
    let total = 0;
    for (let n = length - 1; n >= 0; n--) {
      const at = start + steps[n];
      total += spread.data[at];
      const isPlace = n === (how === 'first' ? 0 : length - 1);
      data[at] = how === 'running' ? total : isPlace ? spread.data[at] : 0;
    }
  }
  return { ...own, data };
}
