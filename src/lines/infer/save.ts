// An inferred setup as files: the document of a *.attention.json and the tensors beside it.
import type { HeadConfig } from '../../engine/config.ts';
import type { Tensor } from '../../engine/tensor.ts';
import { writeNpz } from '../../formats/npz.ts';
import { type Source, setupDocument } from '../tell/setupDocument.ts';

export interface SavedSetup {
  /** The text of the setup file. */
  readonly json: string;
  /** The bytes of the .npz that it refers to. */
  readonly npz: Uint8Array;
}

/** `npz` is the name of the tensors' file, relative to the setup's. */
export function savedSetup(config: HeadConfig, source: Source, npz: string): SavedSetup {
  const tensors: Record<string, Tensor> = {};
  const document = setupDocument(config, source, (entry, tensor) => {
    const key = entry.split('.').pop() as string;
    // The K of `start` and that of `past`.
    const own = Object.hasOwn(tensors, key) ? entry.replaceAll('.', '_') : key;
    tensors[own] = tensor;
    return { file: npz, key: own };
  });
  return { json: `${JSON.stringify(document, null, 2)}\n`, npz: writeNpz(tensors) };
}
