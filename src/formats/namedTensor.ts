// What every reader of tensor files returns: tensors with the name and number type they had in the file.
import type { Tensor } from '../engine/tensor.ts';
import type { DType } from './dtype.ts';
import { FormatError } from './formatError.ts';
import { MAX_AXES, MAX_ENTRIES } from './limits.ts';

/** A line of a person's code, from 1. */
export interface CodeLine {
  /** Absolute path. */
  readonly file: string;
  readonly line: number;
}

export interface NamedTensor {
  readonly name: string;
  /** The number type in the file; the tensor itself is always float64. */
  readonly dtype: DType;
  readonly tensor: Tensor;
  /** How it was made of several, such as a sum. */
  readonly note?: string;
  /** Where the person's program logged it, if the file says so. */
  readonly line?: CodeLine;
}

/**
 * Number of entries of a shape read from a file, before anything is allocated for it.
 * Throws FormatError if an axis is no length, there are too many axes, or more than `most` entries.
 */
export function checkedSize(
  file: string,
  entry: string,
  shape: readonly number[],
  most = MAX_ENTRIES,
): number {
  const found = `shape (${shape.slice(0, MAX_AXES + 1).join(', ')})`;
  if (shape.length > MAX_AXES)
    throw new FormatError(file, entry, found, `at most ${MAX_AXES} axes`);
  let size = 1;
  // Lengths are multiplied as if an empty axis had length 1, so that (2^40, 0) is refused like (2^40, 1).
  for (const length of shape) {
    if (!Number.isSafeInteger(length) || length < 0) {
      throw new FormatError(file, entry, found, 'axis lengths that are integers from 0');
    }
    size *= Math.max(length, 1);
    if (size > most) {
      throw new FormatError(file, entry, found, `at most ${most} entries`);
    }
  }
  return shape.includes(0) ? 0 : size;
}
