// Setups that take much: how much is said before it is taken, and they are computed in a thread of their own.
import * as vscode from 'vscode';
import { bytesOfRun, inWords } from '../engine/cost.ts';
import type { Graph } from '../engine/graph.ts';
import { run, type Run } from '../engine/run.ts';
import type { ComputableSetup } from '../formats/openSetup.ts';
import { runInWorker } from './compare/inWorker.ts';
import { untilDone } from './progress.ts';

/** From here on VS Code would stand still. */
const BESIDE = 2 ** 24; // bytes
/** From here on it is asked first. */
const MUCH = 2 ** 30; // bytes
const COMPUTE = 'Compute It';

export class Computing {
  /** Path of the bundled worker. */
  readonly #worker: string;
  #running = new AbortController();
  /** The most that has been agreed to. */
  #allowed = MUCH;

  constructor(worker: string) {
    this.#worker = worker;
  }

  /** Ends what is being computed. */
  stop(): void {
    this.#running.abort();
    this.#running = new AbortController();
  }

  /** What is to be asked before `compute`: '' for nothing. */
  question(graph: Graph): string {
    const bytes = bytesOfRun(graph);
    return bytes > this.#allowed ? `It takes about ${inWords(bytes)} of memory.` : '';
  }

  /** Asks whether to go on; true if so, then and for all that takes no more. */
  async ask(name: string, graph: Graph): Promise<boolean> {
    const message = `${name}: ${this.question(graph)}`;
    if ((await vscode.window.showWarningMessage(message, COMPUTE)) !== COMPUTE) return false;
    this.#allowed = bytesOfRun(graph);
    return true;
  }

  /** Ends what was being computed before. Rejects where it is ended itself, or memory is not enough. */
  async compute(name: string, { config, graph }: Omit<ComputableSetup, 'setup'>): Promise<Run> {
    this.stop();
    if (bytesOfRun(graph) < BESIDE) return run(graph);
    const running = this.#running;
    const computed = runInWorker(this.#worker, config, running.signal);
    return { graph, ...(await untilDone(`Computing ${name}`, computed, running)) };
  }
}
