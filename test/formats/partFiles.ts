// Parts of several ranks as attention_trace.py writes them, made up in memory.
import { strToU8, zipSync } from 'fflate';
import { sizeOf, type Tensor } from '../../src/engine/tensor.ts';
import { resolveName } from '../../src/formats/nodeNames.ts';
import { writeNpy } from '../../src/formats/npy.ts';
import type { Joined, JoinOptions } from '../../src/formats/parts.ts';
import { readTrace, type TraceFolder } from '../../src/formats/readTrace.ts';

export const options: JoinOptions = { resolve: (name, rank) => resolveName(name, {}, rank) };

export function folderOf(files: Readonly<Record<string, Uint8Array>>): TraceFolder {
  return {
    names: () => Promise.resolve(Object.keys(files)),
    read: (name) =>
      Object.hasOwn(files, name)
        ? Promise.resolve(files[name])
        : Promise.reject(new Error(`ENOENT ${name}`)),
    label: (name) => name || 'folder',
  };
}

/** Entries 0, 1, 2, ... from `first` on. */
export const counting = (shape: number[], first = 0): Tensor => ({
  shape,
  data: Float64Array.from({ length: sizeOf(shape) }, (_, n) => first + n),
});

/** A part as attention_trace.py writes it. */
export function part(
  rank: number,
  world: number,
  spans: unknown,
  tensors: Readonly<Record<string, Tensor>>,
): Uint8Array {
  const arrays = Object.entries(tensors).map(([name, tensor]) => [`${name}.npy`, writeNpy(tensor)]);
  const meta = { complete: true, rank, world, part: spans, dtypes: {} };
  return zipSync({
    ...(Object.fromEntries(arrays) as Record<string, Uint8Array>),
    '__meta__.json': strToU8(JSON.stringify(meta)),
  });
}

export const joined = (
  parts: readonly Uint8Array[],
  more: Partial<JoinOptions> = {},
): Promise<Joined> =>
  readTrace(
    folderOf(Object.fromEntries(parts.map((bytes, n) => [`m.rank${n}.npz`, bytes]))),
    'm.npz',
    { ...options, ...more },
  );
