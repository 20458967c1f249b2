// Memory for results: a page that is new costs more than computing its entries, so what a run gives back is used again.

/** Entries from which memory is kept for the next run. */
const LARGE = 2 ** 13;

const free = new Map<number, Float64Array[]>();
/** What came from here and may be given back. */
const lent = new WeakSet<Float64Array>();

/** `length` entries, all 0. */
export function zeroed(length: number): Float64Array {
  const again = length >= LARGE ? take(length) : undefined;
  return again ? again.fill(0) : fresh(length);
}

/** `length` entries of any value: each must be written. */
export function unwritten(length: number): Float64Array {
  return (length >= LARGE ? take(length) : undefined) ?? fresh(length);
}

function take(length: number): Float64Array | undefined {
  const data = free.get(length)?.pop();
  if (data) lent.add(data);
  return data;
}

function fresh(length: number): Float64Array {
  const data = new Float64Array(length);
  if (length >= LARGE) lent.add(data);
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
