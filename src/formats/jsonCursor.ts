// A strict JSON reader that moves through the text once, so that large arrays never become objects.
import { strFromU8 } from 'fflate';
import { FormatError } from './formatError.ts';
import { oneLine } from './shown.ts';
import { MAX_DEPTH } from './limits.ts';

const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/;
/** What Python's json module writes for numbers that JSON has not. */
const PYTHON_NUMBERS: readonly (readonly [string, number])[] = [
  ['NaN', NaN],
  ['Infinity', Infinity],
  ['-Infinity', -Infinity],
];
/** Bytes that are decoded at once where a number begins; longer ones are decoded whole. */
const SHORT = 32;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const CHARACTERS = Array.from({ length: 256 }, (_, code) => String.fromCharCode(code));
const IN_NUMBER = Uint8Array.from(CHARACTERS, (each) => (/[-+.0-9eE]/.test(each) ? 1 : 0));

/** Goes through the bytes themselves: a text of them would take as much memory again. */
export class JsonCursor {
  readonly file: string;
  readonly #bytes: Uint8Array;
  #at = 0;
  #depth = 0;

  constructor(file: string, bytes: Uint8Array) {
    this.file = file;
    this.#bytes = bytes;
    if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) this.#at = 3;
  }

  /** The next byte that is not white space, as a character; '' at the end. */
  peek(): string {
    const bytes = this.#bytes;
    let next = bytes[this.#at];
    while (next === 0x20 || next === 0x0a || next === 0x0d || next === 0x09)
      next = bytes[++this.#at];
    return this.#at < bytes.length ? CHARACTERS[next] : '';
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
    const bytes = this.#bytes;
    let end = this.#at + 1;
    while (end < bytes.length && bytes[end] !== QUOTE) end += bytes[end] === BACKSLASH ? 2 : 1;
    try {
      const value = JSON.parse(strFromU8(bytes.subarray(this.#at, end + 1))) as string;
      this.#at = end + 1;
      return value;
    } catch {
      return this.fail('a string in double quotes');
    }
  }

  /** A number, also NaN, Infinity and -Infinity as Python writes them; undefined if no number is next. */
  number(): number | undefined {
    this.peek();
    const bytes = this.#bytes;
    let end = this.#at;
    while (IN_NUMBER[bytes[end]] === 1) end++;
    if (end > this.#at) {
      const text = this.#text(this.#at, end);
      const [number] = NUMBER.exec(text) ?? [];
      if (number !== undefined) {
        this.#at += number.length;
        return Number(number);
      }
    }
    const special = PYTHON_NUMBERS.find(([word]) => this.#startsWith(word));
    this.#at += special?.[0].length ?? 0;
    return special?.[1];
  }

  boolean(): boolean | undefined {
    this.peek();
    for (const value of [true, false]) {
      if (this.#startsWith(String(value))) {
        this.#at += String(value).length;
        return value;
      }
    }
    return undefined;
  }

  /** Throws FormatError: found what stands here, expected something else. */
  fail(expected: string, entry = this.#place()): never {
    const next = this.peek();
    // 31 characters are at most four times as many bytes.
    const rest = strFromU8(this.#bytes.subarray(this.#at, this.#at + 4 * 31)).slice(0, 31);
    const found =
      next === '' ? 'the end of the text' : (/^\S[^\s,\]}]{0,30}/.exec(rest)?.[0] ?? rest[0]);
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

  #startsWith(word: string): boolean {
    for (let n = 0; n < word.length; n++)
      if (this.#bytes[this.#at + n] !== word.charCodeAt(n)) return false;
    return true;
  }

  /** ASCII. */
  #text(begin: number, end: number): string {
    if (end - begin > SHORT) return strFromU8(this.#bytes.subarray(begin, end), true);
    let text = '';
    for (let at = begin; at < end; at++) text += CHARACTERS[this.#bytes[at]];
    return text;
  }

  #place(): string {
    const before = this.#bytes.subarray(0, this.#at);
    let line = 1;
    let begin = 0;
    before.forEach((byte, at) => {
      if (byte !== 0x0a) return;
      line++;
      begin = at + 1;
    });
    return `line ${line}, column ${strFromU8(before.subarray(begin)).length + 1}`;
  }
}
