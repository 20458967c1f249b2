// Compares, and computes what is large, in a thread of its own.
import { Worker } from 'node:worker_threads';
import type { CheckInput, Compared } from '../../compare/check.ts';
import type { HeadConfig } from '../../engine/config.ts';
import type { Part, Run } from '../../engine/run.ts';
import type { Drawn } from '../../stepper/outline.ts';
import type { Prepared } from '../../stepper/prepared.ts';

/** What the thread is asked to compare. */
export type Question = Pick<CheckInput, 'config' | 'trace' | 'names'>;
/** What it is asked to compute. */
export type RunQuestion = Pick<CheckInput, 'config'>;

/** A run as a message: the graph is made anew from its config. */
export type Computed = Omit<Run, 'graph'> & { readonly prepared: Prepared };

/**
 * `worker`: path of the bundled worker.ts. An aborted `signal` ends the thread. Rejects with what the thread threw,
 * or that it was ended.
 */
export const compareInWorker = (
  worker: string,
  question: Question,
  signal: AbortSignal,
): Promise<Compared> => ask(worker, question, signal, 'The comparison was stopped.');

/** As `compareInWorker`; `tell` is called before each part. */
export const runInWorker = (
  worker: string,
  config: HeadConfig,
  signal: AbortSignal,
  tell: (told: Told) => void = () => {},
): Promise<Computed> => ask(worker, { config }, signal, 'The computation was stopped.', tell);

/** How far it is, on the way to the reply, and what is there by then. */
export interface Told {
  readonly part: Omit<Part, 'made'>;
  readonly drawn: readonly Drawn[];
}

const isTold = (message: unknown): message is Told =>
  typeof message === 'object' && message !== null && 'part' in message;

function ask<Reply>(
  worker: string,
  question: Question | RunQuestion,
  signal: AbortSignal,
  stopped: string,
  tell: (told: Told) => void = () => {},
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const thread = new Worker(worker, { workerData: question });
    const end = (): void => void thread.terminate();
    if (signal.aborted) end();
    signal.addEventListener('abort', end);
    thread.on('message', (message: Reply | Told) => {
      if (isTold(message)) tell(message);
      else resolve(message);
    });
    thread.once('error', reject);
    thread.once('exit', () => {
      signal.removeEventListener('abort', end);
      // Without effect where it has answered.
      reject(new Error(stopped));
    });
  });
}
