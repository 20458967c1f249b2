// A trace that was dropped on the panel from outside of VS Code: its bytes, once.
import type { NamedTensor } from '../../formats/namedTensor.ts';
import { readTensorFile } from '../../formats/tensorFile.ts';
import type { TensorSource } from './source.ts';

export class BytesSource implements TensorSource {
  readonly name: string;
  readonly file = null;
  readonly #bytes: Uint8Array;

  constructor(name: string, bytes: Uint8Array) {
    this.name = name;
    this.#bytes = bytes;
  }

  async read(): Promise<NamedTensor[]> {
    return readTensorFile(this.name, this.#bytes);
  }

  dispose(): void {
    // Nothing is held but the bytes.
  }
}
