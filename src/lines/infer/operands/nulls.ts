// Keys and values that are no tokens, put behind those of the tokens: a learned one, one of zeros.
import { rest } from './past.ts';
import { largest, type Rows, rowsOf } from '../values/rows.ts';
import type { Operand } from './trace.ts';
import type { Value, Values } from '../values/values.ts';

export interface Nulls {
  /** How many keys are no tokens. */
  readonly count: number;
  /** The last one is of zeros. */
  readonly zero: boolean;
  /** The learned one, of all heads side by side. */
  readonly learned: Value | null;
  /** The operand without them, as a value of its own. */
  readonly rest: Operand;
}

/** What an operand ends with that is no token; null where its last rows are neither zeros nor a recorded vector. */
export function nullsOf(values: Values, operand: Operand): Nulls | null {
  const rows = rowsOf(operand);
  if (rows.tokens < 3) return null;
  const zero = lastRows(rows, 0).every((row) => row.every((value) => value === 0));
  const learned = learnedRow(values, rows, zero ? 1 : 0);
  const count = (zero ? 1 : 0) + (learned ? 1 : 0);
  if (count === 0) return null;
  const tokens = rest(values, operand, 0, rows.tokens - count);
  return tokens && { count, zero, learned, rest: tokens };
}

/** In each block the row that is so many before the last. */
function lastRows({ data, tokens, width }: Rows, before: number): Float64Array[] {
  const blocks = data.length / (tokens * width);
  return Array.from({ length: blocks }, (_, block) => {
    const start = (block * tokens + tokens - 1 - before) * width;
    return data.subarray(start, start + width);
  });
}

function learnedRow(values: Values, rows: Rows, before: number): Value | null {
  const own = lastRows(rows, before);
  const size = Math.max(...own.map(largest));
  if (size === 0) return null;
  const found = values.all.find(({ kind, isVirtual, tensor: { data }, eps }) => {
    const heads = data.length / rows.width;
    if (kind !== 'float' || isVirtual || !Number.isInteger(heads) || own.length % heads !== 0)
      return false;
    if (rows.outer.length === 0 ? heads !== 1 : !rows.outer.includes(heads)) return false;
    const allowed = 8 * Math.max(eps, rows.eps) * size;
    return own.every((row, block) =>
      row.every((value, a) => Math.abs(value - data[(block % heads) * rows.width + a]) <= allowed),
    );
  });
  return found ?? null;
}
