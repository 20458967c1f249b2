// A strict JSON reader that moves through the text once, so that large arrays never become objects.
import { FormatError, oneLine } from './formatError.ts';
import { MAX_DEPTH } from './limits.ts';

const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
/** What Python's json module writes for numbers that JSON has not. */
const PYTHON_NUMBER = /NaN|-?Infinity/y;

export class JsonCursor {
  readonly file: string;
  readonly #text: string;
  #at = 0;
  #depth = 0;

  constructor(file: string, text: string) {
    this.file = file;
    this.#text = text;
    if (text.startsWith('\uFEFF')) this.#at = 1;
  }

  /** The next character that is not white space, '' at the end. */
  peek(): string {
    while (' \n\r\t'.includes(this.#text[this.#at] ?? '#')) this.#at++;
    return this.#text[this.#at] ?? '';
  }

  /** Steps over `character` if it is the next one. */
  skip(character: string): boolean {
    if (this.peek() !== character) return false;
    this.#at++;
    return true;
  }

  /** Calls back at each value of an object, which `visit` must read. */
  members(visit: (key: string) => void): void {
    const seen = new Set<string>();
    this.#sequence('{', '}', () => {
      if (this.peek() !== '"') this.fail('a key in double quotes');
      const key = this.string();
      if (seen.has(key)) throw new FormatError(this.file, key, 'this key twice', 'it once');
      seen.add(key);
      if (!this.skip(':')) this.fail('a colon');
      visit(key);
    });
  }

  /** Calls back at each element of an array, which `visit` must read; returns how many there were. */
  elements(visit: (index: number) => void): number {
    let index = 0;
    this.#sequence('[', ']', () => visit(index++));
    return index;
  }

  string(): string {
    const text = this.#text;
    let end = this.#at + 1;
    while (end < text.length && text[end] !== '"') end += text[end] === '\\' ? 2 : 1;
    try {
      const value = JSON.parse(text.slice(this.#at, end + 1)) as string;
      this.#at = end + 1;
      return value;
    } catch {
      return this.fail('a string in double quotes');
    }
  }

  /** A number, also NaN, Infinity and -Infinity as Python writes them; undefined if no number is next. */
  number(): number | undefined {
    this.peek();
    for (const pattern of [NUMBER, PYTHON_NUMBER]) {
      pattern.lastIndex = this.#at;
      if (pattern.test(this.#text)) {
        const number = Number(this.#text.slice(this.#at, pattern.lastIndex));
        this.#at = pattern.lastIndex;
        return number;
      }
    }
    return undefined;
  }

  boolean(): boolean | undefined {
    this.peek();
    for (const value of [true, false]) {
      if (this.#text.startsWith(String(value), this.#at)) {
        this.#at += String(value).length;
        return value;
      }
    }
    return undefined;
  }

  /** Throws FormatError: found what stands here, expected something else. */
  fail(expected: string, entry = this.#place()): never {
    const next = this.peek();
    const found =
      next === ''
        ? 'the end of the text'
        : (/^\S[^\s,\]}]{0,30}/.exec(this.#text.slice(this.#at, this.#at + 31))?.[0] ?? next);
    throw new FormatError(this.file, entry, oneLine(found), expected);
  }

  /** Throws FormatError unless nothing is left. */
  end(): void {
    if (this.peek() !== '') this.fail('the end of the text');
  }

  #sequence(open: string, close: string, visit: () => void): void {
    if (!this.skip(open)) this.fail(open);
    if (++this.#depth > MAX_DEPTH) this.fail(`at most ${MAX_DEPTH} nested brackets`);
    if (!this.skip(close)) {
      do visit();
      while (this.skip(','));
      if (!this.skip(close)) this.fail(`a comma or ${close}`);
    }
    this.#depth--;
  }

  #place(): string {
    const before = this.#text.slice(0, this.#at);
    const line = before.split('\n').length;
    return `line ${line}, column ${this.#at - before.lastIndexOf('\n')}`;
  }
}
