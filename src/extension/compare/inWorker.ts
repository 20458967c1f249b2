// Compares in a thread of its own.
import { Worker } from 'node:worker_threads';
import type { CheckInput, Compared } from '../../compare/check.ts';

/** What the thread is asked. */
export type Question = Pick<CheckInput, 'config' | 'trace' | 'names'>;

/**
 * `worker`: path of the bundled worker.ts. An aborted `signal` ends the thread. Rejects with what the thread threw,
 * or that it was ended.
 */
export function compareInWorker(
  worker: string,
  question: Question,
  signal: AbortSignal,
): Promise<Compared> {
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
      reject(new Error('The comparison was stopped.'));
    });
  });
}
