// A trace that was dropped on the panel from outside of VS Code: its bytes, once.
import * as vscode from 'vscode';
import type { NamedTensor } from '../../formats/namedTensor.ts';
import { readTensorFile } from '../../formats/tensorFile.ts';
import type { TensorSource } from './source.ts';

export class BytesSource implements TensorSource {
  readonly name: string;
  readonly file = null;
  readonly #bytes: Uint8Array;
  readonly #changed = new vscode.EventEmitter<void>();
  readonly onDidChange = this.#changed.event;

  constructor(name: string, bytes: Uint8Array) {
    this.name = name;
    this.#bytes = bytes;
  }

  read(): Promise<NamedTensor[]> {
    return new Promise((resolve) => {
      resolve(readTensorFile(this.name, this.#bytes));
    });
  }

  dispose(): void {
    this.#changed.dispose();
  }
}
