// Reads nested JSON arrays straight into a flat tensor, and tells where exactly they are ragged.
import type { Tensor } from '../engine/tensor.ts';
import { FormatError } from './formatError.ts';
import type { JsonCursor } from './jsonCursor.ts';
import { MAX_ENTRIES } from './limits.ts';
import { checkedSize } from './namedTensor.ts';
import { specialNumber } from './specialNumber.ts';

const EXPECTED_ENTRY = 'a number, true, false, "nan", "inf" or "-inf"';

/** A number, a boolean or nested arrays of one of them, from where the cursor stands. Throws FormatError. */
export function readArray(
  cursor: JsonCursor,
  name: string,
): { dtype: 'float64' | 'bool'; tensor: Tensor } {
  const lengths: number[] = [];
  const data: number[] = [];
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
    if (data.push(Number(value)) > MAX_ENTRIES)
      fail(`entry ${data.length}`, `at most ${MAX_ENTRIES}`);
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
  return { dtype, tensor: { shape: lengths, data: Float64Array.from(data) } };
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
