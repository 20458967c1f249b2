// The thread that runs and judges programs, from the side of VS Code.
import { Worker } from 'node:worker_threads';
import type { FromThread, Outcome, RunRequest, ToThread } from './messages.ts';

/** For a cancelled run to end by itself, in ms: what is being judged cannot be asked to. */
const PATIENCE = 500;

interface Waiting {
  readonly request: RunRequest;
  readonly fix: boolean;
  readonly signal: AbortSignal;
  readonly done: (outcome: Outcome) => void;
  readonly failed: (error: Error) => void;
}

export interface ThreadOptions {
  /** Path of the bundled worker.ts. */
  readonly bundle: string;
  readonly onOutput: (text: string, stream: 'stdout' | 'stderr') => void;
}

/** Ends with an error of this kind where it was cancelled. */
export class Cancelled extends Error {}

/** One thread for all programs, begun with the first and begun anew after one that would not end. */
export class LinesThread {
  readonly #options: ThreadOptions;
  readonly #waiting = new Map<number, Waiting>();
  #worker: Worker | null = null;
  #next = 0;

  constructor(options: ThreadOptions) {
    this.#options = options;
  }

  /** Lets the interpreter import what the file imports. */
  warm(request: RunRequest): void {
    this.#send({ type: 'warm', request });
  }

  /** Rejects with Cancelled after `signal`, else with an Error that says in one line why nothing was recorded. */
  run(request: RunRequest, signal: AbortSignal, fix = false): Promise<Outcome> {
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      let patience: NodeJS.Timeout | undefined;
      const cancel = (): void => {
        this.#send({ type: 'cancel', id });
        patience = setTimeout(() => void this.#abandon(), PATIENCE);
      };
      const settle = (): void => {
        clearTimeout(patience);
        signal.removeEventListener('abort', cancel);
        this.#waiting.delete(id);
      };
      this.#waiting.set(id, {
        ...{ request, fix, signal },
        done: (outcome) => {
          settle();
          if (signal.aborted) reject(new Cancelled());
          else resolve(outcome);
        },
        failed: (error) => {
          settle();
          reject(signal.aborted ? new Cancelled() : error);
        },
      });
      this.#send({ type: 'run', id, request, fix });
      signal.addEventListener('abort', cancel);
      if (signal.aborted) cancel();
    });
  }

  dispose(): void {
    const worker = this.#worker;
    this.#worker = null;
    if (!worker) return;
    worker.on('message', ({ type }: FromThread) => {
      if (type === 'stopped') void worker.terminate();
    });
    this.#post(worker, { type: 'stop' });
    setTimeout(() => void worker.terminate(), PATIENCE).unref();
  }

  #send(message: ToThread): void {
    this.#worker ??= this.#begin();
    this.#post(this.#worker, message);
  }

  #post(worker: Worker, message: ToThread): void {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread's, not a window's
    worker.postMessage(message);
  }

  #begin(): Worker {
    const worker = new Worker(this.#options.bundle);
    worker.unref();
    worker.on('message', (message: FromThread) => this.#receive(message));
    worker.once('error', (error: Error) => this.#lost(worker, error));
    worker.once('exit', () => this.#lost(worker, new Error('The run was stopped.')));
    return worker;
  }

  /** What is being judged takes too long for one who has cancelled it; what else was asked is asked again. */
  async #abandon(): Promise<void> {
    const worker = this.#worker;
    this.#worker = null;
    const others = [...this.#waiting].filter(([, { signal }]) => !signal.aborted);
    await worker?.terminate();
    for (const [id, { request, fix }] of others)
      if (this.#waiting.has(id)) this.#send({ type: 'run', id, request, fix });
  }

  #lost(worker: Worker, error: Error): void {
    const isOurs = this.#worker === worker;
    if (isOurs) this.#worker = null;
    for (const { signal, failed } of [...this.#waiting.values()])
      if (isOurs || signal.aborted) failed(error);
  }

  #receive(message: FromThread): void {
    switch (message.type) {
      case 'output':
        this.#options.onOutput(message.text, message.stream);
        return;
      case 'done':
        this.#waiting.get(message.id)?.done(message.outcome);
        return;
      case 'failed':
        this.#waiting.get(message.id)?.failed(new Error(message.message));
        return;
      default:
    }
  }
}
