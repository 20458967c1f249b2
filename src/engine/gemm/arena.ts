// Memory that several threads share and the kernels work in: tensors that lie in it are never copied.
import {
  growBy,
  type Kernels,
  kernelsIn,
  newMemory,
  type WasmMemory,
  WORKSPACE,
} from './kernel.ts';

/** WebAssembly's 4 GB. */
const MOST = 2 ** 32;
/** It grows by this much at least. */
const STEP = 2 ** 24;
/** Where tensors begin: at lines of the cache. */
const ALIGNMENT = 64;

/** What one thread computes with. */
export interface Place {
  readonly kernels: Kernels;
  /** Bytes at which its workspace begins. */
  readonly workspace: number;
}

let memory: WasmMemory | null = null;
let place: Place | null = null;
let top = 0;
/** All that the memory's buffer has been: it is another one when it has grown. */
const buffers = new WeakSet<ArrayBufferLike>();
/** Copies of what lies elsewhere, for one run. */
const staged = new Map<Float64Array, Float64Array>();

/** Opens it with workspaces for so many threads. Throws where there is no SIMD or no shared memory. */
export function openArena(threads: number): WasmMemory {
  const opened = newMemory(threads * WORKSPACE + STEP, MOST, true);
  joinArena(opened, 0);
  memory = opened;
  top = threads * WORKSPACE;
  buffers.add(opened.buffer);
  return opened;
}

/** Takes workspace `slot` of what another thread has opened. */
export function joinArena(opened: WasmMemory, slot: number): void {
  place = { kernels: kernelsIn(opened, true), workspace: slot * WORKSPACE };
}

/** From now on memory is this thread's own. What lies in the arena stays valid. */
export function leaveArena(): void {
  memory = null;
  place = null;
  staged.clear();
}

export const arenaPlace = (): Place | null => place;

/** null where there is no arena, or it is full. */
export function allocateInArena(length: number): Float64Array | null {
  if (!memory) return null;
  const bytes = Math.ceil((8 * length) / ALIGNMENT) * ALIGNMENT;
  const missing = top + bytes - memory.buffer.byteLength;
  if (missing > 0) {
    try {
      growBy(memory, Math.max(missing, STEP));
    } catch {
      return null;
    }
    buffers.add(memory.buffer);
  }
  const data = new Float64Array(memory.buffer, top, length);
  top += bytes;
  return data;
}

/** Where it lies, in bytes: null elsewhere. */
export function addressOf(data: Float64Array): number | null {
  return buffers.has(data.buffer) ? data.byteOffset : null;
}

/** Where it lies, or a copy that stays until `unstage`; null where there is no room. */
export function stagedAt(
  data: Float64Array,
  allocate: (length: number) => Float64Array,
): number | null {
  const own = addressOf(data);
  if (own !== null) return own;
  let copy = staged.get(data);
  if (!copy) {
    copy = allocate(data.length);
    if (addressOf(copy) === null) return null;
    copy.set(data);
    staged.set(data, copy);
  }
  return addressOf(copy);
}

/** Ends the copies, and returns them for use by others. */
export function unstage(): Float64Array[] {
  const copies = [...staged.values()];
  staged.clear();
  return copies;
}
