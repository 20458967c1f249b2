// A person's tensors held against a setup's reference, again whenever either changes.
import type * as vscode from 'vscode';
import type { Compared as Aligned } from '../../compare/check.ts';
import type { CodeLine } from '../../formats/namedTensor.ts';
import type { ComparisonView } from '../../protocol.ts';
import { untilDone } from '../progress.ts';
import type { SetupModel } from '../setups.ts';
import { compareInWorker } from './inWorker.ts';
import type { TensorSource } from './source.ts';

export interface Compared extends Aligned {
  /** Where in the person's code the tensor of a name was logged, as far as the trace tells. */
  readonly lines: ReadonlyMap<string, CodeLine>;
}

export class Comparison implements vscode.Disposable {
  readonly source: TensorSource;
  readonly #setup: SetupModel;
  /** Path of the bundled worker. */
  readonly #worker: string;
  #running = new AbortController();
  #latest: Promise<ComparisonView> | null = null;
  #compared: Compared | null = null;

  constructor(setup: SetupModel, source: TensorSource, worker: string) {
    this.#setup = setup;
    this.source = source;
    this.#worker = worker;
  }

  /** The person's tensors as the last comparison aligned them; null where it failed. */
  get compared(): Compared | null {
    return this.#compared;
  }

  /** Never rejects: what cannot be read is told. One that the next has stopped answers as that does. */
  async compare(): Promise<ComparisonView> {
    this.#running.abort();
    this.#running = new AbortController();
    const run = this.#run(this.#running);
    this.#latest = run;
    const view = await run;
    return this.#latest === run ? view : this.#latest;
  }

  async #run(running: AbortController): Promise<ComparisonView> {
    const trace = this.source.name;
    const keep = (compared: Compared | null): void => {
      if (running === this.#running) this.#compared = compared;
    };
    try {
      const { setup, graph, config } = await this.#setup.opened();
      if (!setup || !graph || !config) throw new Error(NO_REFERENCE);
      const names = { ...setup.names, ...this.source.names };
      const tensors = await this.source.read({ setup, graph, config });
      const compared = await untilDone(
        `Comparing with ${trace}`,
        compareInWorker(this.#worker, { config, trace: tensors, names }, running.signal),
        running,
      );
      const leftOut = this.source.leftOut ?? [];
      const report = {
        ...compared.report,
        given: compared.report.given + leftOut.length,
        unaligned: [...leftOut, ...compared.report.unaligned],
      };
      const lines = tensors.flatMap(({ name, line }) => (line ? [[name, line] as const] : []));
      keep({ ...compared, lines: new Map(lines) });
      return { trace, report, problem: null };
    } catch (error) {
      keep(null);
      return { trace, report: null, problem: (error as Error).message };
    }
  }

  dispose(): void {
    this.#running.abort();
    this.source.dispose();
  }
}

const NO_REFERENCE = 'The setup cannot be computed, so there is no reference.';
