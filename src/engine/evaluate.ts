// Computes a formula: letters broadcast, sums of products are contractions, equal parts are computed once.
import type { AxisLetters, Extents, Letter } from './axes.ts';
import { shapeOf } from './axes.ts';
import type { Formula } from './formula.ts';
import { FUNCTIONS } from './functions.ts';
import { identityOf } from './identity.ts';
import {
  folded,
  laidOut,
  lengthOf,
  type Lettered,
  mapped,
  offsetsIn,
  scalarOf,
  summedOver,
  summedProduct,
  zipped,
} from './lettered.ts';
import { reordered } from './reductions.ts';
import { expanded, symbolsIn } from './where.ts';
import { sizeOf, type Tensor } from './tensor.ts';

/** A tensor with the letters of its axes. */
export interface Operand {
  readonly axes: readonly AxisLetters[];
  readonly tensor: Tensor;
}

export type Read = (name: string) => Operand | undefined;

/** Throws RangeError for what is no expression (words, a derivative, an open hole) and for a symbol that is not known. */
export function evaluate(formula: Formula, read: Read, extents: Extents): Lettered {
  return new Evaluator(read, extents).evaluate(formula);
}

/** The right side of `left = right` or `left += right` as a tensor with the axes of its left side. */
export function evaluateRelation(formula: Formula, evaluator: Evaluator): Tensor {
  if (formula.kind !== 'relation' || formula.left.kind !== 'symbol')
    throw new RangeError(`${formula.kind} is no definition of a tensor`);
  return evaluator.tensor(formula.right, formula.left.indices);
}

/** Of the same letters, with the names of the tensors that are others. */
interface Base {
  readonly evaluator: Evaluator;
  readonly changed: ReadonlySet<string>;
}

/** Keeps what it has computed: many formulas of the same tensors share most of their parts. */
export class Evaluator {
  readonly #read: Read;
  readonly #extents: Extents;
  readonly #known = new Map<number, Lettered>();
  /** While many variations of one formula pass: its parts, of which most are theirs too. */
  #parts: Map<Formula, Lettered> | null = null;
  #isPassing = false;
  readonly #base: Base | undefined;
  #own = 0;

  /** `base`: knows what does not depend on the tensors that are other ones here. */
  constructor(read: Read, extents: Extents, base?: Base) {
    this.#read = read;
    this.#extents = extents;
    this.#base = base;
  }

  /** Entries computed so far. */
  get work(): number {
    return this.#own + (this.#base?.evaluator.work ?? 0);
  }

  /** Keeps the parts of `formula` for its variations, until another takes its place. Throws RangeError as `evaluate`. */
  vary(formula: Formula): void {
    this.#parts = new Map();
    this.#isPassing = false;
    this.evaluate(formula);
  }

  /** A variation of that formula; nothing of it is kept. Null where letters are left over beside `axes`. */
  variation(formula: Formula, axes: readonly AxisLetters[]): Tensor | null {
    this.#isPassing = true;
    try {
      return this.#laidOut(this.evaluate(formula), axes);
    } finally {
      this.#isPassing = false;
    }
  }

  evaluate(formula: Formula): Lettered {
    const part = this.#parts?.get(formula);
    if (part) return part;
    if (this.#base && !symbolsIn(formula).some((name) => this.#base!.changed.has(name)))
      return this.#base.evaluator.evaluate(formula);
    if (this.#parts) {
      const value = this.#compute(formula);
      this.#own += value.data.length;
      if (!this.#isPassing) this.#parts.set(formula, value);
      return value;
    }
    const id = identityOf(formula);
    const known = this.#known.get(id);
    if (known) return known;
    const value = this.#compute(formula);
    this.#own += value.data.length;
    this.#known.set(id, value);
    return value;
  }

  /** Laid out along `axes`. Throws RangeError where a letter is left over. */
  tensor(formula: Formula, axes: readonly AxisLetters[]): Tensor {
    const value = this.evaluate(formula);
    const tensor = this.#laidOut(value, axes);
    if (tensor) return tensor;
    throw new RangeError(`of the letters ${value.letters.join(' ')} some are left over`);
  }

  #laidOut(value: Lettered, axes: readonly AxisLetters[]): Tensor | null {
    const letters = axes.flat();
    if (!value.letters.every((letter) => letters.includes(letter))) return null;
    const lengths = letters.map((letter) => this.#lengthOf(letter, value));
    const { data } = laidOut(value, letters, lengths);
    return { shape: shapeOf(axes, this.#extents), data };
  }

  #lengthOf(letter: Letter, ...arrays: Lettered[]): number {
    for (const each of arrays) {
      const own = lengthOf(each, letter);
      if (own !== undefined) return own;
    }
    const length = this.#extents[letter] ?? this.#extents[letter.replaceAll(/[′″‴]/g, '')];
    if (length === undefined) throw new RangeError(`how long is ${letter}?`);
    return length;
  }

  #compute(formula: Formula): Lettered {
    switch (formula.kind) {
      case 'number':
        return scalarOf(formula.value);
      case 'symbol':
        return this.#symbol(formula.name, formula.indices);
      case 'part':
        return this.evaluate(formula.body);
      case 'where':
        return this.evaluate(expanded(formula));
      case 'at': {
        const length = this.#lengthOf(formula.letter);
        const data = Float64Array.from({ length }, (_, n) => n);
        return { letters: [formula.letter], lengths: [length], data };
      }
      case 'sum':
        return this.#sum(formula.over, formula.body);
      case 'product':
        return summedProduct(
          formula.factors.map((each) => this.evaluate(each)),
          [],
        );
      case 'add':
        return formula.terms
          .map((each) => this.evaluate(each))
          .reduce((a, b) => zipped(a, b, (x, y) => x + y));
      case 'subtract':
        return this.#pair(formula, (x, y) => x - y);
      case 'modulo':
        return this.#pair(formula, (x, y) => x - y * Math.floor(x / y));
      case 'fraction':
        return this.#quotient(formula.top, formula.bottom);
      case 'power':
        return this.#pair(
          { left: formula.base, right: formula.exponent },
          (base, exponent) => base ** exponent,
        );
      case 'call': {
        const fn = FUNCTIONS.get(formula.name);
        if (!fn) throw new RangeError(`${formula.name} is not a known function`);
        return mapped(this.evaluate(formula.argument), fn);
      }
      case 'relation':
        if (formula.sign === '<') return this.#pair(formula, (x, y) => Number(x < y));
        if (formula.sign === '≤') return this.#pair(formula, (x, y) => Number(x <= y));
        return this.evaluate(formula.right);
      case 'reduce':
        return this.#reduce(formula);
      case 'index':
        return this.#at(formula);
      default:
        throw new RangeError(`${formula.kind} cannot be computed`);
    }
  }

  #pair(
    { left, right }: { readonly left: Formula; readonly right: Formula },
    fn: (x: number, y: number) => number,
  ): Lettered {
    return zipped(this.evaluate(left), this.evaluate(right), fn);
  }

  /** A merged axis is split by its letters; δ is 1 where its two letters agree. */
  #symbol(name: string, indices: readonly AxisLetters[]): Lettered {
    const letters = indices.flat();
    if (name === 'δ') return this.#delta(letters);
    const found = this.#read(name);
    if (!found) throw new RangeError(`what is ${name}?`);
    const own = found.axes.flat();
    // Where the axes are split in another way, as long ones are read: y in the letters of C.
    const lengths = (own.length === letters.length ? own : letters).map((letter) =>
      this.#lengthOf(letter),
    );
    if (sizeOf(lengths) !== found.tensor.data.length)
      throw new RangeError(`${name} has the letters ${own.join(' ')}, not ${letters.join(' ')}`);
    const whole: Lettered = { letters, lengths, data: found.tensor.data };
    const once = [...new Set(letters)];
    if (once.length === letters.length) return whole;
    return laidOut(
      whole,
      once,
      once.map((letter) => lengths[letters.indexOf(letter)]),
    );
  }

  #delta([a, b]: readonly Letter[]): Lettered {
    const lengths = [a, b].map((letter) => this.#lengthOf(letter));
    const data = new Float64Array(sizeOf(lengths));
    for (let n = 0; n < Math.min(...lengths); n++) data[n * lengths[1] + n] = 1;
    return { letters: [a, b], lengths, data };
  }

  #sum(over: readonly Letter[], body: Formula): Lettered {
    const inner = body.kind === 'part' ? body.body : body;
    const isProduct = inner.kind === 'product' && inner.factors.length > 1;
    const factors = isProduct ? inner.factors.map((each) => this.evaluate(each)) : [];
    const own = isProduct ? null : this.evaluate(body);
    const found = own ? [own] : factors;
    const absent = over.filter((letter) => !found.some(({ letters }) => letters.includes(letter)));
    const present = over.filter((letter) => !absent.includes(letter));
    const total = own ? summedOver(own, present) : summedProduct(factors, present);
    if (absent.length === 0) return total;
    // What does not depend on a letter is added as often as the letter is long.
    const count = absent.reduce((n, letter) => n * this.#lengthOf(letter), 1);
    return mapped(total, (value) => count * value);
  }

  /** 0/0 is 0: a row in which nothing is left has nothing to share out, as in the engine's softmax. */
  #quotient(top: Formula, bottom: Formula): Lettered {
    const [above, below] = this.#exponentials(top, bottom) ?? [
      this.evaluate(top),
      this.evaluate(bottom),
    ];
    return zipped(above, below, (x, y) => (x === 0 && y === 0 ? 0 : x / y));
  }

  /** exp(a) / sum of exp(b), both less the largest b, which changes nothing but that they stay finite. */
  #exponentials(top: Formula, bottom: Formula): [Lettered, Lettered] | null {
    if (top.kind !== 'call' || top.name !== 'exp' || bottom.kind !== 'sum') return null;
    const { over, body } = bottom;
    if (body.kind !== 'call' || body.name !== 'exp') return null;
    const [a, b] = [this.evaluate(top.argument), this.evaluate(body.argument)];
    const present = over.filter((letter) => b.letters.includes(letter));
    const largest = mapped(folded(b, present, -Infinity, Math.max), (x) =>
      x === -Infinity ? 0 : x,
    );
    const shifted = (own: Lettered): Lettered =>
      mapped(
        zipped(own, largest, (x, y) => x - y),
        Math.exp,
      );
    return [shifted(a), summedOver(shifted(b), present)];
  }

  #reduce({ how, over, body }: Formula & { kind: 'reduce' }): Lettered {
    const own = this.evaluate(body);
    const present = over.filter((letter) => own.letters.includes(letter));
    if (how === 'max') return folded(own, present, -Infinity, Math.max);
    if (how === 'mean') {
      const count = present.reduce((n, letter) => n * lengthOf(own, letter)!, 1);
      return mapped(summedOver(own, present), (value) => value / count);
    }
    return present.reduce((value, letter) => reordered(value, letter, how), own);
  }

  #at({ letter, source, body }: Formula & { kind: 'index' }): Lettered {
    const [from, own] = [this.evaluate(source), this.evaluate(body)];
    const length = lengthOf(own, letter);
    if (length === undefined) return own;
    const kept = own.letters.filter((each) => each !== letter);
    const letters = [...new Set([...kept, ...from.letters])];
    const lengths = letters.map((each) => this.#lengthOf(each, own, from));
    const base = offsetsIn(withoutLetter(own, letter), letters, lengths);
    const places = laidOut(from, letters, lengths).data;
    const stride = strideOf(own, letter);
    const data = new Float64Array(base.length);
    for (let at = 0; at < data.length; at++) {
      const place = places[at];
      const exists = Number.isInteger(place) && place >= 0 && place < length;
      data[at] = exists ? own.data[base[at] + place * stride] : 0;
    }
    return { letters, lengths, data };
  }
}

const strideOf = ({ letters, lengths }: Lettered, letter: Letter): number =>
  lengths.slice(letters.indexOf(letter) + 1).reduce((product, length) => product * length, 1);

/** The same array with a letter that no other has in the place of `letter`: its entries at 0. */
const withoutLetter = (own: Lettered, letter: Letter): Lettered => ({
  ...own,
  letters: own.letters.map((each) => (each === letter ? '' : each)),
});
