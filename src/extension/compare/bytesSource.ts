// A trace that was dropped on the panel from outside of VS Code: its bytes, once.
import { wantedBy } from '../../compare/align/fits.ts';
import type { NamedTensor } from '../../formats/namedTensor.ts';
import { type ResolvedName, resolveName } from '../../formats/nodeNames.ts';
import type { ComputableSetup } from '../../formats/openSetup.ts';
import type { LeftOut } from '../../formats/parts.ts';
import { openTensorFile } from '../../formats/readTensors.ts';
import type { TensorSource } from './source.ts';

export class BytesSource implements TensorSource {
  readonly name: string;
  readonly file = null;
  readonly #bytes: Uint8Array;
  #leftOut: readonly LeftOut[] = [];

  constructor(name: string, bytes: Uint8Array) {
    this.name = name;
    this.#bytes = bytes;
  }

  get leftOut(): readonly LeftOut[] {
    return this.#leftOut;
  }

  async read({ setup, graph }: ComputableSetup): Promise<readonly NamedTensor[]> {
    const resolve = (name: string, rank: number): ResolvedName | null =>
      resolveName(name, setup.names, rank);
    const opened = await openTensorFile(this.name, this.#bytes);
    const { tensors, leftOut } = await opened.read(wantedBy(graph, resolve));
    this.#leftOut = leftOut;
    return tensors;
  }

  dispose(): void {
    // Nothing is held but the bytes.
  }
}
