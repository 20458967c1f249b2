// Formulas written as text in the tables of mistakes: "P * (dP - sum_i(P * dP))", each tensor in its own letters.
import type { Letter } from '../../engine/axes.ts';
import {
  atIndex,
  atMost,
  below,
  call,
  type Formula,
  fraction,
  minus,
  modulo,
  number,
  plus,
  position,
  power,
  product,
  reduce,
  type Reduce,
  sum,
} from '../../engine/formula.ts';
import { FUNCTIONS } from '../../engine/functions.ts';
import { innerOf, renamed } from '../../engine/where.ts';
import { DoesNotFit } from '../program/program.ts';

/** What the names of a text stand for; null for a name that a setup does not have. */
export interface Vocabulary {
  readonly term: (name: string) => Formula | null;
  readonly letters: (name: string) => readonly Letter[];
}

const TOKEN = /[\p{L}_][\p{L}\p{N}_′@]*|\d+(?:\.\d+)?(?:e-?\d+)?|<=|[^\s]/gu;
/** Queries for keys and keys for queries. */
export const TURNED = new Map([
  ['i', 'j'],
  ['j', 'i'],
]);
const REDUCTION = /^(sum|mean|max|last|first|running|peak)_(\w+′?)$/;

/**
 * `name = formula; ... formula`: + − * / ^ %, < and <= (1 where they hold), the functions of formulas, sum_i(...) and the
 * other reductions over letters, at(i, source, ...) for another index, turned(...) for keys and queries exchanged, letters as
 * their index. Null where it speaks of
 * what the setup does not have.
 */
export function parsed(text: string, vocabulary: Vocabulary): Formula | null {
  try {
    return new Parser(text, vocabulary).whole();
  } catch (error) {
    if (error instanceof DoesNotFit) return null;
    throw error;
  }
}

/** Whether a letter stands in it, summed or not. */
const speaksOf = (formula: Formula, letter: Letter): boolean =>
  (formula.kind === 'symbol' && formula.indices.flat().includes(letter)) ||
  (formula.kind === 'at' && formula.letter === letter) ||
  innerOf(formula).some((inner) => speaksOf(inner, letter));

class Parser {
  readonly #tokens: readonly string[];
  readonly #vocabulary: Vocabulary;
  readonly #defined = new Map<string, Formula>();
  #at = 0;

  constructor(text: string, vocabulary: Vocabulary) {
    this.#tokens = text.match(TOKEN) ?? [];
    this.#vocabulary = vocabulary;
  }

  whole(): Formula {
    while (this.#tokens[this.#at + 1] === '=') {
      const name = this.#next();
      this.#next();
      this.#defined.set(name, this.#condition());
      this.#expect(';');
    }
    const formula = this.#condition();
    if (this.#at < this.#tokens.length)
      throw new TypeError(`${this.#tokens[this.#at]} is left over`);
    return formula;
  }

  #next = (): string => this.#tokens[this.#at++];

  #takes(...tokens: string[]): string | null {
    return tokens.includes(this.#tokens[this.#at]) ? this.#next() : null;
  }

  #expect(token: string): void {
    if (this.#next() !== token) throw new TypeError(`${token} is missing in a formula`);
  }

  #condition(): Formula {
    const left = this.#terms();
    const sign = this.#takes('<', '<=');
    return sign === null ? left : (sign === '<' ? below : atMost)(left, this.#terms());
  }

  #terms(): Formula {
    let formula = this.#factors();
    for (let sign; (sign = this.#takes('+', '-')) !== null;)
      formula = (sign === '+' ? plus : minus)(formula, this.#factors());
    return formula;
  }

  #factors(): Formula {
    let formula = this.#powers();
    for (let sign; (sign = this.#takes('*', '/', '%')) !== null;) {
      const right = this.#powers();
      if (sign === '*') {
        const factors = formula.kind === 'product' ? formula.factors : [formula];
        formula = product(...factors, right);
      } else formula = (sign === '/' ? fraction : modulo)(formula, right);
    }
    return formula;
  }

  #powers(): Formula {
    if (this.#takes('-') !== null) return product(number(-1), this.#powers());
    const base = this.#atom();
    return this.#takes('^') === null ? base : power(base, this.#powers());
  }

  #atom(): Formula {
    const token = this.#next();
    if (token === '(') return this.#closed();
    if (/^\d/.test(token)) return number(Number(token));
    if (this.#takes('(') === null) return this.#named(token);
    const [, how, over] = REDUCTION.exec(token) ?? [];
    if (how !== undefined) {
      const letters = this.#vocabulary.letters(over);
      const body = this.#closed();
      return how === 'sum' ? sum(letters, body) : reduce(how as Reduce, letters, body);
    }
    if (token === 'turned') return renamed(this.#closed(), TURNED);
    if (token !== 'at') {
      if (token.endsWith('_')) throw new DoesNotFit(`there is nothing to take ${token} over`);
      if (!FUNCTIONS.has(token)) throw new TypeError(`${token} is no function`);
      return call(token, this.#closed());
    }
    const [letter] = this.#vocabulary.letters(this.#next());
    this.#expect(',');
    const source = this.#condition();
    this.#expect(',');
    const body = this.#closed();
    return source.kind === 'at' && !speaksOf(body, source.letter)
      ? renamed(body, new Map([[letter, source.letter]]))
      : atIndex(letter, source, body);
  }

  #closed(): Formula {
    const inner = this.#condition();
    this.#expect(')');
    return inner;
  }

  #named(name: string): Formula {
    const own = this.#defined.get(name) ?? this.#vocabulary.term(name);
    if (own) return own;
    const [letter] = this.#vocabulary.letters(name);
    if (letter === undefined) throw new DoesNotFit(`there is no ${name}`);
    return position(letter);
  }
}
