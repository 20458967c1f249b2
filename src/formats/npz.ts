// NumPy's .npz format: a zip archive of .npy arrays.
import { strFromU8, zipSync } from 'fflate';
import type { Tensor } from '../engine/tensor.ts';
import { FormatError } from './formatError.ts';
import type { CodeLine, NamedTensor } from './namedTensor.ts';
import { MAX_UNPACKED_BYTES } from './limits.ts';
import { type NpyOptions, readNpy, writeNpy } from './npy.ts';
import { NPY_PREFIX, npyHeaderEnd, npyLayout } from './npyLayout.ts';
import { checkBytes } from './ranges/fileTensor.ts';
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
  const lines = codeLines(metaOf(members));
  const seen = new Set<string>();
  let total = 0;
  // Before anything is unpacked: an array takes eight bytes for each of its entries.
  for (const member of arrays) {
    total += 8 * entriesOf(member, file, options);
    if (total > MAX_UNPACKED_BYTES) {
      const found = `${total} bytes up to here, as float64`;
      throw new FormatError(file, member.name, found, `at most ${MAX_UNPACKED_BYTES}`);
    }
  }
  return arrays.map(({ name, unpack }) => {
    const key = name.slice(0, -'.npy'.length);
    if (seen.has(key)) throw new FormatError(file, key, 'this array twice', 'it once');
    seen.add(key);
    const line = lines.get(key);
    return { ...readNpy(unpack(), file, key, options), ...(line && { line }) };
  });
}

/** Of the array in a member, as its header says; 0 where what is there is damaged. Throws FormatError. */
function entriesOf(member: ZipMember, file: string, options: NpyOptions): number {
  const key = member.name.slice(0, -'.npy'.length);
  const start = member.head(NPY_PREFIX);
  if (start.length < NPY_PREFIX) return 0;
  const end = npyHeaderEnd(start, file, key, member.unpackedSize);
  const header = member.head(end);
  if (header.length < end) return 0;
  const { dtype, shape, size } = npyLayout(header, file, key, options);
  checkBytes(file, key, member.unpackedSize - end, { dtype, shape });
  return size;
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

function metaOf(members: readonly ZipMember[]): Uint8Array | undefined {
  const meta = members.find(({ name }) => name === META);
  try {
    return meta && meta.unpackedSize <= LARGEST_META ? meta.unpack() : undefined;
  } catch {
    return undefined;
  }
}

/** The lines of code that logged the arrays: help for the reader, so a broken one is no error. */
export function codeLines(meta: Uint8Array | undefined): Map<string, CodeLine> {
  if (!meta || meta.length > LARGEST_META) return new Map();
  try {
    const { lines = {} } = JSON.parse(strFromU8(meta)) as { lines?: object };
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
