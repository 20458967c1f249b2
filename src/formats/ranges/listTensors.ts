// The tensors in a .npy, .npz or .safetensors file, from its headers alone.
import { FormatError } from '../formatError.ts';
import { META } from '../npz.ts';
import { NPY_PREFIX, npyHeaderEnd, npyLayout, type NpyOptions } from '../npyLayout.ts';
import { headerEnd, parseHeader } from '../safetensors.ts';
import { tensorFormat } from '../tensorFile.ts';
import { type ByteSource, partOf, readExactly } from './byteSource.ts';
import {
  checkBytes,
  type FileTensor,
  MOST_ENTRIES,
  type TensorList,
  type Unreadable,
} from './fileTensor.ts';
import { listMembers, type RangedMember } from './zipRanges.ts';

export interface ListOptions extends NpyOptions {
  /** Throws for a member of a .npz that cannot be shown, instead of listing it. */
  readonly strict?: boolean;
}

/** NumPy writes bfloat16 of ml_dtypes as two raw bytes; nothing else that is two raw bytes is a tensor. */
const SHOWN: ListOptions = { bfloat16: true };

const LONGEST_META = 2 ** 24; // bytes

/** Enough to tell the formats apart. */
const START = 64;

/**
 * What the file holds, in its order. A member of a .npz that cannot be shown is listed with the reason; any
 * other fault throws FormatError. Reads headers only.
 */
export async function listTensors(
  source: ByteSource,
  fileName: string,
  options = SHOWN,
): Promise<TensorList> {
  const start = await source.read(0, START);
  switch (tensorFormat(fileName, start)) {
    case 'npy':
      return { tensors: [await npyTensor(source, fileName, options)], unreadable: [] };
    case 'npz':
      return npzTensors(source, fileName, options);
    case 'safetensors':
      return { tensors: await safetensors(source, fileName), unreadable: [] };
    case 'json':
      throw new FormatError(fileName, '', 'JSON', 'a .npy, .npz or .safetensors file');
  }
}

async function npyTensor(
  source: ByteSource,
  file: string,
  options: NpyOptions,
): Promise<FileTensor> {
  const name = file.replace(/^.*[/\\]/s, '').replace(/\.[^.]*$/s, '');
  const prefix = await source.read(0, NPY_PREFIX);
  const end = npyHeaderEnd(prefix, file, name, source.size);
  const layout = npyLayout(
    await readExactly(source, 0, end, file, name),
    file,
    name,
    options,
    MOST_ENTRIES,
  );
  const bytes = source.size - end;
  checkBytes(file, name, bytes, layout);
  return {
    name,
    ...layout,
    bytes,
    compressed: false,
    open: () => Promise.resolve(partOf(source, end, bytes)),
  };
}

async function npzTensors(
  source: ByteSource,
  file: string,
  options: ListOptions,
): Promise<TensorList> {
  const members = await listMembers(source, file);
  if (members.some(({ name }) => /(^|\/)data\.pkl$/.test(name))) {
    throw new FormatError(
      file,
      '',
      'a PyTorch checkpoint (a pickle, which is not run)',
      'a .npz of numpy.savez',
    );
  }
  const tensors: FileTensor[] = [];
  const unreadable: Unreadable[] = [];
  const seen = new Set<string>();
  for (const member of members) {
    if (!member.name.endsWith('.npy')) continue;
    const name = member.name.slice(0, -'.npy'.length);
    if (seen.has(name)) throw new FormatError(file, name, 'this array twice', 'it once');
    seen.add(name);
    try {
      tensors.push(await memberTensor(member, file, name, options));
    } catch (error) {
      if (options.strict || !(error instanceof FormatError)) throw error;
      unreadable.push({ name, problem: error.message });
    }
  }
  const meta = members.find(({ name }) => name === META);
  if (!meta || meta.unpackedSize > LONGEST_META) return { tensors, unreadable };
  const open = (): Promise<ByteSource> => meta.open({ breathe: () => undefined, checked: true });
  return { tensors, unreadable, meta: async () => (await open()).read(0, meta.unpackedSize) };
}

async function memberTensor(
  member: RangedMember,
  file: string,
  name: string,
  options: NpyOptions,
): Promise<FileTensor> {
  const { unpackedSize, compressed } = member;
  const end = npyHeaderEnd(await member.head(NPY_PREFIX), file, name, unpackedSize);
  const header = (await member.head(end)).subarray(0, end);
  if (header.length < end)
    throw new FormatError(file, name, `${header.length} bytes`, `a header of ${end}`);
  const layout = npyLayout(header, file, name, options, MOST_ENTRIES);
  const bytes = unpackedSize - end;
  checkBytes(file, name, bytes, layout);
  return {
    ...{ name, ...layout, bytes, compressed },
    open: async (opening) => partOf(await member.open(opening), end, bytes),
  };
}

async function safetensors(source: ByteSource, file: string): Promise<FileTensor[]> {
  const end = headerEnd(await source.read(0, 8), file);
  const header = await source.read(0, Math.min(end, source.size));
  return parseHeader(header, file, source.size, MOST_ENTRIES).map(
    ({ name, dtype, shape, begin, end: last }) => ({
      ...{ name, dtype, shape, littleEndian: true, fortranOrder: false, compressed: false },
      bytes: last - begin,
      open: () => Promise.resolve(partOf(source, begin, last - begin)),
    }),
  );
}
