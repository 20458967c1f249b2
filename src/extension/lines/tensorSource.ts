// The person's tensors as the lines made them, for the panel to hold against its own.
import * as vscode from 'vscode';
import type { NamedTensor } from '../../formats/namedTensor.ts';
import type { TensorSource } from '../compare/source.ts';
import { fileName } from '../uris.ts';

export class LinesSource implements TensorSource {
  readonly name: string;
  readonly file: vscode.Uri;
  /** What is wrong is told at the lines. */
  readonly isTold = true;
  readonly #changed = new vscode.EventEmitter<void>();
  readonly onDidChange = this.#changed.event;
  #tensors: readonly NamedTensor[];

  constructor(program: vscode.Uri, tensors: readonly NamedTensor[]) {
    this.name = fileName(program);
    this.file = program;
    this.#tensors = tensors;
  }

  /** The program has run again. */
  set(tensors: readonly NamedTensor[]): void {
    this.#tensors = tensors;
    this.#changed.fire();
  }

  read(): Promise<readonly NamedTensor[]> {
    return Promise.resolve(this.#tensors);
  }

  dispose(): void {
    this.#changed.dispose();
  }
}
