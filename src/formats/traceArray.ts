// Reads nested JSON arrays straight into a flat tensor, and tells where exactly they are ragged.
import type { Tensor } from '../engine/tensor.ts';
import { FormatError } from './formatError.ts';
import type { JsonCursor } from './jsonCursor.ts';
import { checkedSize } from './namedTensor.ts';
import { specialNumber } from './specialNumber.ts';

const EXPECTED_ENTRY = 'a number, true, false, "nan", "inf" or "-inf"';

/**
 * A number, a boolean or nested arrays of one of them, from where the cursor stands. Of more than `most` entries only
 * the shape is kept: `tensor.data` is empty then. Throws FormatError.
 */
export function readArray(
  cursor: JsonCursor,
  name: string,
  most: number,
): { dtype: 'float64' | 'bool'; tensor: Tensor } {
  const lengths: number[] = [];
  const data = new Entries(most);
  const index: number[] = [];
  let entryDepth: number | undefined;
  let kind: 'number' | 'boolean' | undefined;
  const place = (): string => name + index.map((i) => `[${i}]`).join('');
  const fail = (found: string, expected: string): never => {
    throw new FormatError(cursor.file, place(), found, expected);
  };

  const readEntry = (): void => {
    const depth = index.length;
    if (depth !== (entryDepth ??= depth) || depth < lengths.length)
      fail('an entry', 'an array as before it');
    const value = cursor.number() ?? cursor.boolean() ?? readSpecial(cursor, place);
    const found = typeof value === 'boolean' ? 'boolean' : 'number';
    if (found !== (kind ??= found)) fail(`the ${found} ${value}`, `a ${kind} as before it`);
    data.push(Number(value));
  };
  const read = (): void => {
    if (cursor.peek() !== '[') {
      readEntry();
      return;
    }
    const depth = index.length;
    if (entryDepth !== undefined && depth >= entryDepth) fail('an array', `a ${kind} as before it`);
    const length = cursor.elements((i) => {
      index.push(i);
      read();
      index.pop();
    });
    if (length !== (lengths[depth] ??= length))
      fail(`${length} entries`, `${lengths[depth]} as before it`);
  };
  read();
  checkedSize(cursor.file, name, lengths);
  const dtype = kind === 'boolean' ? 'bool' : 'float64';
  return { dtype, tensor: { shape: lengths, data: data.all() } };
}

const CHUNK = 2 ** 14;

/** Grows by chunks: an array that doubles would take three times what it holds. */
class Entries {
  readonly #most: number;
  #chunks: Float64Array[] = [];
  #last = new Float64Array(0);
  #filled = 0;
  #count = 0;

  constructor(most: number) {
    this.#most = most;
  }

  push(value: number): void {
    if (++this.#count > this.#most) {
      this.#chunks = [];
      return;
    }
    if (this.#filled === this.#last.length) {
      // A scalar needs no chunk.
      this.#last = new Float64Array(Math.min(CHUNK, 4 * this.#count));
      this.#chunks.push(this.#last);
      this.#filled = 0;
    }
    this.#last[this.#filled++] = value;
  }

  all(): Float64Array {
    if (this.#count > this.#most) return new Float64Array(0);
    const all = new Float64Array(this.#count);
    let at = 0;
    for (const chunk of this.#chunks) {
      all.set(chunk.subarray(0, this.#count - at), at);
      at += chunk.length;
    }
    return all;
  }
}

function readSpecial(cursor: JsonCursor, place: () => string): number {
  const next = cursor.peek();
  if (next === 'n') {
    cursor.fail('"nan", "inf" or a number (JavaScript writes NaN and Infinity as null)', place());
  }
  const text = next === '"' ? cursor.string() : cursor.fail(EXPECTED_ENTRY, place());
  const value = specialNumber(text);
  if (value !== undefined) return value;
  throw new FormatError(cursor.file, place(), JSON.stringify(text), EXPECTED_ENTRY);
}
