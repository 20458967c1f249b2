// Setups that take much: how much is said before it is taken, and they are computed in a thread of their own.
import { freemem } from 'node:os';
import * as vscode from 'vscode';
import { bytesOfRun, inWords, tooLarge } from '../engine/cost.ts';
import type { Graph } from '../engine/graph.ts';
import { run, type Run } from '../engine/run.ts';
import type { ComputableSetup } from '../formats/openSetup.ts';
import { adopt } from '../stepper/prepared.ts';
import { runInWorker, type Told } from './compare/inWorker.ts';

/** From here on the extension host would stand still: a first run is several times slower than those after it. */
const BESIDE = 2 ** 20; // bytes
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

  /** Whether it is computed in a thread of its own. */
  isLarge(graph: Graph): boolean {
    return bytesOfRun(graph) >= BESIDE;
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

  /** `tell` is called before each part. Ends what was being computed before. Rejects where it is ended itself, or would not fit the memory. */
  async compute(
    { config, graph }: Omit<ComputableSetup, 'setup'>,
    tell: (told: Told) => void,
  ): Promise<Run> {
    this.stop();
    if (!this.isLarge(graph)) return run(graph);
    const refusal = tooLarge(graph, freemem());
    if (refusal) throw new Error(refusal);
    const { signal } = this.#running;
    const { prepared, ...computed } = await runInWorker(this.#worker, config, signal, tell);
    const result = { graph, ...computed };
    adopt(result, prepared);
    return result;
  }
}
