// A formula as a line of NumPy or PyTorch: letters become axes, sums of products matrix products or einsum.
import { type AxisLetters, axisLength, type Extents, type Letter } from '../axes.ts';
import { evaluate } from '../evaluate.ts';
import type { Formula } from '../formula.ts';
import { expanded, expandedWhole } from '../where.ts';
import {
  aligned,
  arrayOf,
  ATOM,
  bracketed,
  type Code,
  einsumNames,
  inOrder,
  joinedLetters,
  NotPrintable,
  POWER,
  PRODUCT,
  same,
  scalar,
  subscript,
  SUM,
} from './code.ts';
import type { Dialect } from './dialect.ts';
import { fused } from './fuse.ts';
import { type Softmax, softmaxOf } from './softmaxOf.ts';
import { writtenNumber } from './numbers.ts';

export interface CodeScope {
  readonly dialect: Dialect;
  readonly extents: Extents;
}

/** `name = code` for a relation; throws RangeError for what cannot be computed. */
export function assignment(whole: Formula, { dialect, extents: all }: CodeScope): string {
  const { formula, extents } = fused(expandedWhole(whole), all);
  if (formula.kind !== 'relation' || formula.left.kind !== 'symbol')
    throw new RangeError(`${formula.kind} is no definition of a tensor`);
  const { name, indices } = formula.left;
  const scope = { dialect, extents };
  const soft = softmaxOf(formula.right);
  const writer = new Writer(scope, indices.flat());
  if (soft) return writer.softmax(name, indices, soft);
  return `${name} = ${writer.laidOut(writer.write(formula.right), indices)}`;
}

type Pair = readonly [Formula, Formula];

class Writer {
  readonly #scope: CodeScope;
  /** The order of letters that is wanted in the end. */
  readonly #wanted: readonly Letter[];

  constructor(scope: CodeScope, wanted: readonly Letter[]) {
    this.#scope = scope;
    this.#wanted = wanted;
  }

  get #dialect(): Dialect {
    return this.#scope.dialect;
  }

  write(formula: Formula): Code {
    switch (formula.kind) {
      case 'number':
        return scalar(
          writtenNumber(formula.value, this.#dialect.module),
          formula.value < 0 ? SUM : formula.value % 1 === 0 ? ATOM : POWER,
        );
      case 'hole':
        return scalar(formula.name);
      case 'part':
        return this.write(formula.body);
      case 'where':
        return this.write(expanded(formula));
      case 'symbol':
        return this.#symbol(formula.name, formula.indices);
      case 'at':
        return this.#range(formula.letter);
      case 'add':
        return formula.terms
          .map((each) => this.write(each))
          .reduce((a, b) => this.#joined(a, b, '+', SUM));
      case 'subtract':
        return this.#operated([formula.left, formula.right], '-', SUM);
      case 'product':
        return formula.factors
          .map((each) => this.write(each))
          .reduce((a, b) => this.#joined(a, b, '*', PRODUCT));
      case 'fraction':
        return this.#operated([formula.top, formula.bottom], '/', PRODUCT);
      case 'modulo':
        return this.#operated([formula.left, formula.right], '%', PRODUCT);
      case 'power':
        return this.#operated([formula.base, formula.exponent], '**', POWER);
      case 'relation':
        return this.#compared(formula);
      case 'call':
        return this.#called(formula, this.write(formula.argument));
      case 'sum':
        return this.#sum(formula.over, formula.body);
      case 'reduce':
        return this.#reduce(formula);
      case 'index':
        return this.#moved(formula);
      default:
        throw new RangeError(`${formula.kind} cannot be computed`);
    }
  }

  softmax(name: string, axes: readonly AxisLetters[], { logits, summed, over }: Softmax): string {
    const { module } = this.#dialect;
    const own = this.write(logits);
    const bottom = this.write(summed);
    const dims = this.#dims(bottom.letters, over);
    if (this.#dialect.name === 'pytorch' && same(own.letters, axes.flat())) {
      const code = { ...own, text: `torch.softmax(${own.text}, dim=${dims})`, level: ATOM };
      if (own.letters.length === bottom.letters.length)
        return `${name} = ${this.laidOut(code, axes)}`;
    }
    const { axis, keep, largest } = this.#dialect;
    const shift = `${bracketed(bottom, ATOM)}.${largest}(${axis}=${dims}, ${keep})`;
    const shares: Code = {
      text: `E / E.sum(${axis}=${dims}, ${keep})`,
      letters: own.letters,
      level: PRODUCT,
    };
    return `E = ${module}.exp(${bracketed(own, SUM)} - ${shift}); ${name} = ${this.laidOut(shares, axes)}`;
  }

  /** In the order of `axes`, merged as they are. */
  laidOut(code: Code, axes: readonly AxisLetters[]): string {
    const letters = axes.flat();
    const ordered = this.#whole(code, letters);
    if (axes.every((axis) => axis.length === 1)) return ordered.text;
    const shape = axes.map((axis) => axisLength(axis, this.#scope.extents));
    return `${bracketed(ordered, ATOM)}.reshape(${shape.join(', ')})`;
  }

  #symbol(name: string, indices: readonly AxisLetters[]): Code {
    const letters = indices.flat();
    const { module } = this.#dialect;
    if (name === 'δ')
      return { text: `${module}.eye(${this.#lengths(letters)[0]})`, letters, level: ATOM };
    const code = name.replaceAll(/[^A-Za-z0-9_]/g, '_');
    if (indices.every((axis) => axis.length === 1)) return { text: code, letters, level: ATOM };
    const shape = this.#lengths(letters);
    return { text: `${code}.reshape(${shape.join(', ')})`, letters, level: ATOM };
  }

  #lengths(letters: readonly Letter[]): number[] {
    return letters.map((letter) => {
      const length = this.#scope.extents[letter.replaceAll(/[*′]/g, '')];
      if (length === undefined) throw new RangeError(`how long is ${letter}?`);
      return length;
    });
  }

  #range(letter: Letter): Code {
    return {
      text: this.#dialect.range(this.#lengths([letter])[0]),
      letters: [letter],
      level: ATOM,
    };
  }

  #operated([a, b]: Pair, sign: string, level: number): Code {
    return this.#joined(this.write(a), this.write(b), sign, level);
  }

  #joined(a: Code, b: Code, sign: string, level: number): Code {
    const letters = joinedLetters(a.letters, b.letters);
    const [left, right] = [a, b].map((each) => aligned(each, letters, this.#dialect));
    // Right of a minus, a division or a power the same level is bracketed too.
    const isStrict = sign === '-' || sign === '/' || sign === '**' || sign === '%';
    const rightText = bracketed(right, isStrict ? level + 1 : level);
    const leftText = bracketed(left, sign === '**' ? level + 1 : level);
    // a * b % c is (a * b) % c.
    return { text: `${leftText} ${sign} ${rightText}`, letters, level: sign === '%' ? SUM : level };
  }

  #compared({ left, sign, right }: Formula & { kind: 'relation' }): Code {
    if (sign !== '<' && sign !== '≤') return this.write(right);
    const code = this.#operated([left, right], sign === '≤' ? '<=' : '<', SUM);
    return { ...code, text: this.#dialect.counted(code.text), level: ATOM, isTruth: true };
  }

  #called({ name, argument: own }: Formula & { kind: 'call' }, argument: Code): Code {
    const { module, functions } = this.#dialect;
    const { letters } = argument;
    if (name === 'not')
      return { text: `(${bracketed(argument, SUM)} == 0)`, letters, level: ATOM, isTruth: true };
    if (name === 'relu')
      return { text: this.#dialect.notBelowZero(argument.text), letters, level: ATOM };
    if (name === 'clip')
      return { text: `${module}.clip(${argument.text}, 0, 1)`, letters, level: ATOM };
    if (name === 'hide') {
      const isCondition = own.kind === 'relation' || (own.kind === 'call' && own.name === 'not');
      const text = isCondition ? argument.text : `${bracketed(argument, SUM)} != 0`;
      return { text: this.#dialect.hidden(text), letters, level: ATOM };
    }
    if (name === 'sech')
      return { text: `1 / ${module}.cosh(${argument.text})`, letters, level: PRODUCT };
    if (name === 'sigmoid' && module === 'np')
      return { text: `1 / (1 + np.exp(-${bracketed(argument, ATOM)}))`, letters, level: PRODUCT };
    if (name === 'cbrt' && module === 'torch') {
      const inner = argument.text;
      const text = `torch.sign(${inner}) * torch.abs(${inner}) ** (1 / 3)`;
      return { text, letters, level: PRODUCT };
    }
    const isNumber = letters.length === 0 && module === 'torch';
    const text = isNumber ? `torch.as_tensor(${argument.text})` : argument.text;
    return { text: `${module}.${functions[name] ?? name}(${text})`, letters, level: ATOM };
  }

  /** The dimensions of letters, from the end: "-1", "(-1, -2)". */
  #dims(own: readonly Letter[], over: readonly Letter[]): string {
    const dims = over.flatMap((letter) => {
      const n = own.indexOf(letter);
      return n < 0 ? [] : [n - own.length];
    });
    return dims.length === 1 ? String(dims[0]) : `(${dims.join(', ')})`;
  }

  #summed(body: Code, over: readonly Letter[], how: string): Code {
    const own = over.filter((letter) => body.letters.includes(letter));
    if (own.length === 0) return body;
    const { axis, keep } = this.#dialect;
    const dims = this.#dims(body.letters, own);
    const call = `${bracketed(body, ATOM)}.${how}(${axis}=${dims}`;
    return {
      text:
        own.length === body.letters.length && how === 'sum'
          ? `${bracketed(body, ATOM)}.sum()`
          : `${call})`,
      letters: body.letters.filter((letter) => !own.includes(letter)),
      level: ATOM,
      kept: {
        text: `${call}, ${keep})`,
        at: body.letters.map((letter) => (own.includes(letter) ? null : letter)),
      },
    };
  }

  #sum(over: readonly Letter[], body: Formula): Code {
    const factors = (body.kind === 'product' ? body.factors : [body]).map((each) =>
      this.write(each),
    );
    const arrays = factors.filter(({ letters }) => letters.length > 0);
    const numbers = factors.filter(({ letters }) => letters.length === 0);
    const absent = over.filter((letter) => !arrays.some(({ letters }) => letters.includes(letter)));
    const present = over.filter((letter) => !absent.includes(letter));
    const counts = this.#lengths(absent).map((length) => scalar(String(length)));
    const all = [
      ...counts,
      ...numbers,
      ...(arrays.length > 0 ? [this.#contracted(arrays, present)] : []),
    ];
    return all.reduce((a, b) => this.#joined(a, b, '*', PRODUCT));
  }

  #contracted(arrays: readonly Code[], over: readonly Letter[]): Code {
    const [first] = arrays;
    if (over.length === 0 || arrays.every(({ letters }) => same(letters, first.letters))) {
      const body = arrays.reduce((a, b) => this.#joined(a, b, '*', PRODUCT));
      return this.#summed(body, over, 'sum');
    }
    return this.#asMatrixProduct(arrays, over) ?? this.#asEinsum(arrays, over);
  }

  /** a @ b where the one letter summed over is the last two's, and all before are the same. */
  #asMatrixProduct(arrays: readonly Code[], over: readonly Letter[]): Code | null {
    if (arrays.length !== 2 || over.length !== 1) return null;
    const [first, second] = arrays;
    const [one, other] = [
      this.#product(first, second, over[0]),
      this.#product(second, first, over[0]),
    ];
    const isWanted = (code: Code | null): boolean =>
      code !== null && same(code.letters, inOrder(code.letters, this.#wanted));
    return isWanted(one) ? one : isWanted(other) ? other : (one ?? other);
  }

  #product(a: Code, b: Code, letter: Letter): Code | null {
    const [left, right] = [a, b].map((each) => each.letters.slice(-2));
    const before = [a, b].map((each) => each.letters.slice(0, -2));
    if (left.length < 2 || right.length < 2) return null;
    if (!left.includes(letter) || !right.includes(letter)) return null;
    const row = left.find((each) => each !== letter)!;
    const column = right.find((each) => each !== letter)!;
    const shorter = before[0].length < before[1].length ? before[0] : before[1];
    const longer = shorter === before[0] ? before[1] : before[0];
    if (row === column || (shorter.length > 0 && !same(shorter, longer))) return null;
    if (longer.includes(row) || longer.includes(column)) return null;
    const written = (own: Code, isLast: boolean): string =>
      isLast ? bracketed(own, ATOM) : this.#dialect.transposed(bracketed(own, ATOM));
    return {
      text: `${written(a, left[1] === letter)} @ ${written(b, right[0] === letter)}`,
      letters: [...longer, row, column],
      level: PRODUCT,
    };
  }

  #asEinsum(arrays: readonly Code[], over: readonly Letter[]): Code {
    const all = [...new Set(arrays.flatMap(({ letters }) => letters))];
    const names = einsumNames(all);
    const letters = inOrder(
      all.filter((letter) => !over.includes(letter)),
      this.#wanted,
    );
    const spec = (own: readonly Letter[]): string => own.map((each) => names.get(each)!).join('');
    const operands = arrays.map((each) => spec(each.letters)).join(',');
    const isTyped = this.#dialect.name === 'pytorch';
    const list = arrays
      .map(({ text, isTruth }) => (isTruth && isTyped ? `${text}.double()` : text))
      .join(', ');
    return {
      text: `${this.#dialect.module}.einsum("${operands}->${spec(letters)}", ${list})`,
      letters,
      level: ATOM,
    };
  }

  #reduce({ how, over, body }: Formula & { kind: 'reduce' }): Code {
    const own = this.write(body);
    if (how === 'mean') return this.#summed(own, over, 'mean');
    if (how === 'max') return this.#summed(own, over, this.#dialect.largest);
    const [letter] = over;
    const n = own.letters.indexOf(letter) - own.letters.length;
    if (n >= 0) return own;
    const { axis } = this.#dialect;
    if (how === 'running' || how === 'peak')
      return {
        ...own,
        text: `${bracketed(own, ATOM)}.${how === 'peak' ? 'cummax' : 'cumsum'}(${axis}=${n})`,
        level: ATOM,
        kept: undefined,
      };
    const place = how === 'first' ? '0' : '-1';
    return {
      text: `${bracketed(own, ATOM)}${subscript(n, place)}`,
      letters: own.letters.filter((each) => each !== letter),
      level: ATOM,
    };
  }

  /** A letter taken from elsewhere: a list of places; 0 where there is no such entry. */
  #moved({ letter, source, body }: Formula & { kind: 'index' }): Code {
    const own = this.write(body);
    const n = own.letters.indexOf(letter) - own.letters.length;
    if (n >= 0) return own;
    const [length] = this.#lengths([letter]);
    const places = evaluate(source, () => undefined, this.#scope.extents);
    if (places.letters.some((each) => own.letters.includes(each)))
      throw new NotPrintable(`${letter} is taken from where another letter of it says`);
    const isThere = (place: number): boolean => place >= 0 && place < length;
    const list = Array.from(places.data, (place) => (isThere(place) ? place : 0));
    const isSingle = places.letters.length === 0;
    const letters = own.letters.flatMap((each) => (each === letter ? places.letters : [each]));
    const place = isSingle
      ? String(list[0])
      : places.letters.length > 1
        ? arrayOf(this.#dialect, list, places.lengths)
        : this.#places(list);
    const taken: Code = {
      text: `${bracketed(own, ATOM)}${subscript(n, place)}`,
      letters,
      level: ATOM,
    };
    if (places.data.every(isThere)) return taken;
    const there = Array.from(places.data, (each) => Number(isThere(each)));
    const mask: Code = {
      text: arrayOf(this.#dialect, there, places.lengths),
      letters: places.letters,
      level: ATOM,
    };
    return this.#joined(taken, mask, '*', PRODUCT);
  }

  #places(list: readonly number[]): string {
    const isRange = list.every((each, n) => each === list[0] + n);
    return isRange ? `${list[0]}:${list[0] + list.length}` : this.#dialect.list(list);
  }

  /** Spread over all letters. */
  #whole(code: Code, letters: readonly Letter[]): Code {
    if (code.letters.length === letters.length) return aligned(code, letters, this.#dialect);
    const { module } = this.#dialect;
    const own = aligned(code, letters, this.#dialect);
    const shape = this.#lengths(letters).join(', ');
    const ones = `${module}.ones((${shape}${letters.length === 1 ? ',' : ''}))`;
    return this.#joined(
      { ...own, letters: code.letters.length === 0 ? [] : letters },
      { text: ones, letters, level: ATOM },
      '*',
      PRODUCT,
    );
  }
}
