// Whether a reproduction can be chance: what agrees must tell more than the number of candidates that were tried.
import type { Tensor } from '../../engine/tensor.ts';

/** A number that is read off the tensor is as much as is told by one of its entries. */
const BITS_OF_NUMBER = 50;
/** Beyond the number of candidates: one in a million. */
const MARGIN = 20;
const MOST_BITS = 50;
/** Whatever hides an entry makes it 0. */
const BITS_OF_ZERO = 2;

export interface Agreement {
  readonly bits: number;
  /** How many entries agree. */
  readonly entries: number;
}

/**
 * Bits by which `found` agrees with `user` where the right tensor does not: entries times agreeing digits.
 * `floor`: the absolute difference that is accepted, to which an agreement can be told.
 */
export function agreement(user: Tensor, right: Tensor, found: Tensor, floor: number): Agreement {
  let [bits, entries] = [0, 0];
  for (let at = 0; at < user.data.length; at++) {
    const [own, other] = [user.data[at], right.data[at]];
    const before = Math.abs(own - other);
    // What agrees with the right formula too tells nothing.
    if (!(before > 2 * floor)) continue;
    entries++;
    const error = Math.max(Math.abs(own - found.data[at]), floor);
    const most = own === 0 ? BITS_OF_ZERO : MOST_BITS;
    bits += Math.min(most, Number.isFinite(before) ? Math.log2(before / error) : 1);
  }
  return { bits, entries };
}

/** Entries need not be independent (a row's may add up to 0), so that a fitted number takes several. */
const LEAST_ENTRIES = 2;
const ENTRIES_OF_NUMBER = 4;

/** Whether that is more than a chance among `tried` candidates with `holes` fitted numbers. */
export const isTelling = ({ bits, entries }: Agreement, tried: number, holes = 0): boolean =>
  entries >= LEAST_ENTRIES + ENTRIES_OF_NUMBER * holes &&
  bits > Math.log2(Math.max(1, tried)) + BITS_OF_NUMBER * holes + MARGIN;
