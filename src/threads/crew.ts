// Threads that compute together with this one. Tensors lie in shared memory: a task's message holds none of their numbers.
import { Worker } from 'node:worker_threads';
import { joinArena, leaveArena, openArena } from '../engine/gemm/arena.ts';
import type { WasmMemory } from '../engine/gemm/kernel.ts';
import { forget } from '../engine/memory.ts';
import { type Crew, doPart, employ, type Task } from '../engine/parallel.ts';

/** What a helper is started with. */
export interface Employment {
  /** How many tasks there have been: a helper sleeps on it. */
  readonly calls: Int32Array;
  /** The arena, and the workspace in it that is the helper's. */
  readonly memory: WasmMemory;
  readonly slot: number;
}

/** A task as it is told. */
export interface Order {
  readonly task: Task;
  readonly parts: number;
  /** By these places: the next part that nobody does, how many are done, and how many have failed. */
  readonly state: Int32Array;
}

const NEXT = 0;
const DONE = 1;
const FAILED = 2;

/** No part of a task takes as long. */
const PATIENCE = 120_000; // ms

/** Takes parts until none is left. */
function takeParts({ task, parts, state }: Order): void {
  for (;;) {
    const part = Atomics.add(state, NEXT, 1);
    if (part >= parts) return;
    try {
      doPart(task, part, parts);
    } catch {
      Atomics.add(state, FAILED, 1);
    }
    Atomics.add(state, DONE, 1);
    Atomics.notify(state, DONE);
  }
}

export class Threads implements Crew {
  readonly size: number;
  readonly #helpers: readonly Worker[];
  readonly #calls = new Int32Array(new SharedArrayBuffer(4));

  /**
   * `size` threads with this one, which must be one that may stand still. `helper`: the module helper.ts, bundled or
   * not. Throws where there is no SIMD or no shared memory.
   */
  constructor(size: number, helper: URL) {
    this.size = size;
    const memory = openArena(size);
    this.#helpers = Array.from({ length: size - 1 }, (_, n) => {
      const workerData: Employment = { calls: this.#calls, memory, slot: n + 1 };
      return new Worker(helper, { workerData });
    });
    for (const each of this.#helpers) {
      // They end with the process.
      each.unref();
      // One that cannot start takes no part: the others do all.
      each.on('error', () => {});
    }
    employ(size > 1 ? this : null);
  }

  perform(task: Task, parts: number): void {
    const state = new Int32Array(new SharedArrayBuffer(12));
    const order: Order = { task, parts, state };
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
    for (const each of this.#helpers) each.postMessage(order);
    Atomics.add(this.#calls, 0, 1);
    Atomics.notify(this.#calls, 0);
    takeParts(order);
    for (;;) {
      const done = Atomics.load(state, DONE);
      if (done === parts) break;
      if (Atomics.wait(state, DONE, done, PATIENCE) === 'timed-out')
        throw new Error('a thread does not answer');
    }
    if (Atomics.load(state, FAILED) > 0) throw new Error('a thread could not do its part');
  }

  /** Ends the helpers; what was computed stays. */
  async end(): Promise<void> {
    employ(null);
    leaveArena();
    forget();
    await Promise.all(this.#helpers.map((each) => each.terminate()));
  }
}

/** A helper's life: sleeps until there is a task, and takes parts of it. */
export function serve(
  { calls, memory, slot }: Employment,
  receive: () => Order | undefined,
): never {
  joinArena(memory, slot);
  for (let seen = 0; ;) {
    Atomics.wait(calls, 0, seen);
    seen = Atomics.load(calls, 0);
    for (let order = receive(); order; order = receive()) takeParts(order);
  }
}
