// Threads for what is large enough to gain by them.
import { availableParallelism } from 'node:os';
import { bytesOfRun } from '../engine/cost.ts';
import type { Graph } from '../engine/graph.ts';
import { run, type Run } from '../engine/run.ts';
import { Threads } from './crew.ts';

/** Threads help from here on: it takes longer than to start them. */
const LARGE = 2 ** 25; // bytes
const MOST_THREADS = 4;

/** null where it is small, or the machine cannot. */
export function helped(bytes: number): Threads | null {
  const size = Math.min(MOST_THREADS, availableParallelism());
  if (bytes < LARGE || size < 2) return null;
  try {
    // Bundled, it lies beside whatever bundle this is in.
    const ending = import.meta.url.slice(import.meta.url.lastIndexOf('.'));
    return new Threads(size, new URL(`./helper${ending}`, import.meta.url));
  } catch {
    return null;
  }
}

/** A run by threads; null where they would be no gain. What it holds stays when they have ended. */
export function runHelped(graph: Graph): Run | null {
  const threads = helped(bytesOfRun(graph));
  if (!threads) return null;
  try {
    return run(graph);
  } finally {
    void threads.end();
  }
}
