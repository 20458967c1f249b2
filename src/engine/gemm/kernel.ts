// The SIMD kernels compiled from assembly/, with a memory of their own: operands are copied in by blocks.
import { KERNEL } from './kernelBytes.ts';

const PAGE = 65_536; // bytes of a page of WebAssembly's memory

/** Entries of the memory that a thread computes in. */
export const SCRATCH = 2 ** 20;
/** Its bytes: some room is left beyond the end, for kernels go by 2 or 4 entries and keep constants there. */
export const WORKSPACE = 8 * SCRATCH + PAGE;

export interface WasmMemory {
  readonly buffer: ArrayBufferLike;
  /** By pages; throws RangeError where there is no more. */
  grow(pages: number): number;
}

// Node and browsers have it; TypeScript declares it with the DOM only.
declare const WebAssembly: {
  readonly Memory: new (size: { initial: number; maximum: number; shared?: boolean }) => WasmMemory;
  readonly Module: new (code: Uint8Array) => object;
  readonly Instance: new (
    module: object,
    imports: object,
  ) => { readonly exports: Readonly<Record<string, unknown>> };
};

type Run = (...args: readonly number[]) => void;

/** What the comments in assembly/ say; all arguments are numbers of bytes or counts. */
export interface Kernels {
  readonly multiplyColumns: Run;
  readonly multiplyRows: Run;
  readonly packRows: Run;
  readonly packColumns: Run;
  readonly copy: Run;
  readonly exponentials: Run;
  readonly softmaxRows: Run;
  readonly softmaxColumns: Run;
  readonly softmaxBackRows: Run;
  readonly softmaxBackColumns: Run;
  readonly scale: Run;
  readonly isFine: (...args: readonly number[]) => number;
}

export interface Kernel extends Kernels {
  readonly scratch: Float64Array;
}

let known: Kernel | null | undefined;

/** null where there is no WebAssembly or it lacks SIMD. */
export function kernel(): Kernel | null {
  if (known === undefined) {
    try {
      const memory = newMemory(WORKSPACE, WORKSPACE, false);
      known = { ...kernelsIn(memory, false), scratch: new Float64Array(memory.buffer) };
    } catch {
      known = null;
    }
  }
  return known;
}

/** In bytes. Throws RangeError where there is not as much. */
export function newMemory(initial: number, maximum: number, shared: boolean): WasmMemory {
  const [first, last] = [initial, maximum].map((bytes) => Math.ceil(bytes / PAGE));
  return new WebAssembly.Memory({ initial: first, maximum: last, shared });
}

export const growBy = (memory: WasmMemory, bytes: number): void =>
  void memory.grow(Math.ceil(bytes / PAGE));

/** Throws where there is no WebAssembly or it lacks SIMD. */
export function kernelsIn(memory: WasmMemory, shared: boolean): Kernels {
  const code = Uint8Array.from(atob(KERNEL), (letter) => letter.charCodeAt(0));
  if (shared) code[limitsOf(code)] = LIMITS_SHARED;
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(code), { env: { memory } });
  return exports as unknown as Kernels;
}

/** WebAssembly's binary format: memory limits with a maximum are of kind 1, those of a shared memory of kind 3. */
const LIMITS_SHARED = 3;

/** Where the kind of the imported memory's limits stands: behind its name and the kind of import. */
function limitsOf(code: Uint8Array): number {
  const name = Array.from('memory', (letter) => letter.charCodeAt(0));
  for (let at = 0; at < code.length; at++)
    if (name.every((letter, n) => code[at + n] === letter)) return at + name.length + 1;
  throw new RangeError('the kernels import no memory');
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
