// NumPy's .npz format: a zip archive of .npy arrays.
import { FormatError } from './formatError.ts';
import type { NamedTensor } from './namedTensor.ts';
import { type NpyOptions, readNpy } from './npy.ts';
import { readZip } from './zip.ts';

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
  const seen = new Set<string>();
  return arrays.map(({ name, unpack }) => {
    const key = name.slice(0, -'.npy'.length);
    if (seen.has(key)) throw new FormatError(file, key, 'this array twice', 'it once');
    seen.add(key);
    return readNpy(unpack(), file, key, options);
  });
}
