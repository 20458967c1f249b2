// The SIMD kernels compiled from assembly/, with a memory of their own: operands are copied in by blocks.
import { KERNEL } from './kernelBytes.ts';

const PAGE = 65_536; // bytes of a page of WebAssembly's memory
/** Room beyond the end: kernels go by 2 or 4 entries. */
const SLACK = PAGE;

/** Entries of the memory. */
export const SCRATCH = 2 ** 20;

// Node and browsers have it; TypeScript declares it with the DOM only.
declare const WebAssembly: {
  readonly Memory: new (size: { initial: number }) => { readonly buffer: ArrayBuffer };
  readonly Module: new (code: Uint8Array) => object;
  readonly Instance: new (
    module: object,
    imports: object,
  ) => { readonly exports: Readonly<Record<string, unknown>> };
};

/** What the comments in assembly/ say; all arguments are numbers of bytes or counts. */
interface Kernels {
  readonly multiplyColumns: (...args: readonly number[]) => void;
  readonly multiplyRows: (...args: readonly number[]) => void;
  readonly packRows: (...args: readonly number[]) => void;
  readonly packColumns: (...args: readonly number[]) => void;
  readonly exponentials: (...args: readonly number[]) => void;
  readonly softmaxRows: (...args: readonly number[]) => void;
  readonly softmaxColumns: (...args: readonly number[]) => void;
  readonly softmaxBackRows: (...args: readonly number[]) => void;
  readonly softmaxBackColumns: (...args: readonly number[]) => void;
}

export interface Kernel extends Kernels {
  /** The whole memory. */
  readonly scratch: Float64Array;
}

let known: Kernel | null | undefined;

/** null where there is no WebAssembly or it lacks SIMD. */
export function kernel(): Kernel | null {
  if (known === undefined) known = load();
  return known;
}

function load(): Kernel | null {
  try {
    const memory = new WebAssembly.Memory({ initial: (8 * SCRATCH + SLACK) / PAGE });
    const code = Uint8Array.from(atob(KERNEL), (letter) => letter.charCodeAt(0));
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(code), { env: { memory } });
    return { ...(exports as unknown as Kernels), scratch: new Float64Array(memory.buffer) };
  } catch {
    return null;
  }
}

/**
 * Copies `count` runs of `length` entries, `stride` apart in `from`, to `at` of the scratch; returns how far apart
 * they are there. One copy where they lie close.
 */
export function copyIn(
  scratch: Float64Array,
  at: number,
  from: Float64Array,
  runs: { first: number; count: number; length: number; stride: number },
): number {
  const { first, count, length, stride } = runs;
  if (stride >= length && stride <= length + CLOSE) {
    scratch.set(from.subarray(first, first + (count - 1) * stride + length), at);
    return stride;
  }
  const apart = length + (length % 2);
  for (let n = 0, start = first; n < count; n++, start += stride)
    scratch.set(from.subarray(start, start + length), at + n * apart);
  return apart;
}

/** Entries between two runs that are copied sooner than another copy begins. */
export const CLOSE = 8;

/** The way back: runs `apart` from each other in the scratch, `stride` in `to`. */
export function copyOut(
  scratch: Float64Array,
  at: number,
  apart: number,
  to: Float64Array,
  runs: { first: number; count: number; length: number; stride: number },
): void {
  const { first, count, length, stride } = runs;
  if (stride === length && apart === length) {
    to.set(scratch.subarray(at, at + count * length), first);
    return;
  }
  for (let n = 0, start = first; n < count; n++, start += stride)
    to.set(scratch.subarray(at + n * apart, at + n * apart + length), start);
}
