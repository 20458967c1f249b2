// A person's tensors held against a setup's reference, again whenever either changes.
import type * as vscode from 'vscode';
import { compare, type Compared as Aligned } from '../../compare/check.ts';
import type { CodeLine } from '../../formats/namedTensor.ts';
import { resolveName } from '../../formats/nodeNames.ts';
import type { ComparisonView } from '../../protocol.ts';
import type { SetupModel } from '../setups.ts';
import type { TensorSource } from './source.ts';

export interface Compared extends Aligned {
  /** Where in the person's code the tensor of a name was logged, as far as the trace tells. */
  readonly lines: ReadonlyMap<string, CodeLine>;
}

export class Comparison implements vscode.Disposable {
  readonly source: TensorSource;
  readonly #setup: SetupModel;
  #compared: Compared | null = null;

  constructor(setup: SetupModel, source: TensorSource) {
    this.#setup = setup;
    this.source = source;
  }

  /** The person's tensors as the last comparison aligned them; null where it failed. */
  get compared(): Compared | null {
    return this.#compared;
  }

  /** Never rejects: what cannot be read is told. */
  async compare(): Promise<ComparisonView> {
    const trace = this.source.name;
    try {
      const { setup, graph, config } = await this.#setup.opened();
      if (!setup || !graph || !config) throw new Error(NO_REFERENCE);
      const names = { ...setup.names, ...this.source.names };
      const tensors = await this.source.read({ setup, graph, config });
      const compared = compare({ config, graph, trace: tensors, names, resolve: resolveName });
      const unaligned = [...(this.source.leftOut ?? []), ...compared.report.unaligned];
      const report = { ...compared.report, unaligned };
      if (report.verdict === 'unaligned') {
        const found = report.unaligned.map(({ name, reason }) => `${name} (${reason})`).join(', ');
        throw new Error(
          `${trace}: found ${found || 'no tensor'}, expected at least one node such as P or dQ`,
        );
      }
      const lines = tensors.flatMap(({ name, line }) => (line ? [[name, line] as const] : []));
      this.#compared = { ...compared, lines: new Map(lines) };
      return { trace, report, problem: null };
    } catch (error) {
      this.#compared = null;
      return { trace, report: null, problem: (error as Error).message };
    }
  }

  dispose(): void {
    this.source.dispose();
  }
}

const NO_REFERENCE = 'The setup cannot be computed, so there is no reference.';
