// NumPy's .npz format: a zip archive of .npy arrays.
import { strFromU8, zipSync } from 'fflate';
import type { Tensor } from '../engine/tensor.ts';
import { FormatError } from './formatError.ts';
import type { CodeLine, NamedTensor } from './namedTensor.ts';
import { type NpyOptions, readNpy, writeNpy } from './npy.ts';
import { readZip, type ZipMember } from './zip.ts';

/** The arrays in the order of the archive, named without `.npy`; other members are left out. Throws FormatError. */
export function readNpz(bytes: Uint8Array, file: string, options: NpyOptions = {}): NamedTensor[] {
  const members = readZip(bytes, file);
  if (members.some(({ name }) => /(^|\/)data\.pkl$/.test(name))) {
    throw new FormatError(
      file,
      '',
      'a PyTorch checkpoint (a pickle, which is not run)',
      'a .npz of numpy.savez',
    );
  }
  const arrays = members.filter(({ name }) => name.endsWith('.npy'));
  const lines = codeLines(members);
  const seen = new Set<string>();
  return arrays.map(({ name, unpack }) => {
    const key = name.slice(0, -'.npy'.length);
    if (seen.has(key)) throw new FormatError(file, key, 'this array twice', 'it once');
    seen.add(key);
    const line = lines.get(key);
    return { ...readNpy(unpack(), file, key, options), ...(line && { line }) };
  });
}

/** Uncompressed as numpy.savez writes it, float64; the same bytes at every time. */
export function writeNpz(tensors: Readonly<Record<string, Tensor>>): Uint8Array {
  const members = Object.entries(tensors).map(
    ([name, tensor]) => [`${name}.npy`, writeNpy(tensor)] as const,
  );
  return zipSync(Object.fromEntries(members), { level: 0, mtime: new Date(1980, 0, 1) });
}

/** The member in which attention_trace.py says what an array cannot. */
export const META = '__meta__.json';
const LARGEST_META = 2 ** 20; // bytes

/** The lines of code that logged the arrays: help for the reader, so a broken one is no error. */
function codeLines(members: readonly ZipMember[]): Map<string, CodeLine> {
  const meta = members.find(({ name }) => name === META);
  if (!meta || meta.unpackedSize > LARGEST_META) return new Map();
  try {
    const { lines = {} } = JSON.parse(strFromU8(meta.unpack())) as { lines?: object };
    return new Map(
      Object.entries(lines as Record<string, unknown>).flatMap(([name, place]) => {
        const [file, line] = Array.isArray(place) ? (place as unknown[]) : [];
        const isLine = typeof file === 'string' && Number.isSafeInteger(line) && Number(line) > 0;
        return isLine ? [[name, { file, line: Number(line) }] as const] : [];
      }),
    );
  } catch {
    return new Map();
  }
}
