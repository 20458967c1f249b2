// Memory for results: a page that is new costs more than computing its entries, so what a run gives back is used again.
import { allocateInArena } from './gemm/arena.ts';

/** Entries from which memory is kept for the next run. */
const LARGE = 2 ** 10;

const free = new Map<number, Float64Array[]>();
/** What came from here and may be given back. */
const lent = new WeakSet<Float64Array>();

/** `length` entries, all 0. */
export function zeroed(length: number): Float64Array {
  return length < LARGE ? new Float64Array(length) : unwritten(length).fill(0);
}

/** `length` entries of any value: each must be written. */
export function unwritten(length: number): Float64Array {
  if (length < LARGE) return new Float64Array(length);
  const data = free.get(length)?.pop() ?? allocateInArena(length) ?? new Float64Array(length);
  lent.add(data);
  return data;
}

/** Takes back what came from here; nothing may hold it any more, nor a part of it. */
export function giveBack(arrays: Iterable<Float64Array>): void {
  for (const data of arrays) {
    // What is given twice is taken once.
    if (!lent.delete(data)) continue;
    const same = free.get(data.length);
    if (same) same.push(data);
    else free.set(data.length, [data]);
  }
}

/** Lets go of what was given back. */
export function forget(): void {
  free.clear();
}
