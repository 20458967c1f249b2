// What of a file of tensors is worth reading: told by names and shapes, before any entry is.
import { MAX_ENTRIES } from './limits.ts';

/** Which tensors of a file are worth reading. */
export interface Want {
  /** Entries of the largest that may be wanted. */
  readonly most: number;
  /** The only name that is wanted, whatever its shape; without it, the shape decides. */
  readonly only?: string;
  /** '' for a tensor that is wanted, else why not, which name and shape tell. `isPart`: of one of several ranks. */
  readonly why: (name: string, shape: readonly number[], isPart: boolean) => string;
}

export const ALL: Want = { most: MAX_ENTRIES, why: () => '' };

export const tooLarge = (size: number, most: number): string =>
  `it has ${size} entries, at most ${most} can be used`;
