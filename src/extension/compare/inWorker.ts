// Compares, and computes what is large, in a thread of its own.
import { Worker } from 'node:worker_threads';
import type { CheckInput, Compared } from '../../compare/check.ts';
import type { HeadConfig } from '../../engine/config.ts';
import type { Run } from '../../engine/run.ts';

/** What the thread is asked to compare. */
export type Question = Pick<CheckInput, 'config' | 'trace' | 'names'>;
/** What it is asked to compute. */
export type RunQuestion = Pick<CheckInput, 'config'>;

/** A run as a message: the graph is made anew from its config. */
export type Computed = Omit<Run, 'graph'>;

/**
 * `worker`: path of the bundled worker.ts. An aborted `signal` ends the thread. Rejects with what the thread threw,
 * or that it was ended.
 */
export const compareInWorker = (
  worker: string,
  question: Question,
  signal: AbortSignal,
): Promise<Compared> => ask(worker, question, signal, 'The comparison was stopped.');

/** As `compareInWorker`. */
export const runInWorker = (
  worker: string,
  config: HeadConfig,
  signal: AbortSignal,
): Promise<Computed> => ask(worker, { config }, signal, 'The computation was stopped.');

function ask<Reply>(
  worker: string,
  question: Question | RunQuestion,
  signal: AbortSignal,
  stopped: string,
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const thread = new Worker(worker, { workerData: question });
    const end = (): void => void thread.terminate();
    if (signal.aborted) end();
    signal.addEventListener('abort', end);
    thread.once('message', resolve);
    thread.once('error', reject);
    thread.once('exit', () => {
      signal.removeEventListener('abort', end);
      // Without effect where it has answered.
      reject(new Error(stopped));
    });
  });
}
