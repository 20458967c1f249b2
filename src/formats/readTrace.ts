// Reads what a person names as their trace: one file, a folder of .npy files, or the parts of several ranks.
import { FormatError } from './formatError.ts';
import type { NamedTensor } from './namedTensor.ts';
import { type Part, partName, readPart, wholeName } from './partMeta.ts';
import { joinParts, type Joined, type JoinOptions } from './parts.ts';
import { readTensorFile } from './tensorFile.ts';

/** The folder in which the trace is, or which is the trace. */
export interface TraceFolder {
  /** The names of its files. */
  names(): Promise<readonly string[]>;
  /** Rejects if there is no such file. */
  read(name: string): Promise<Uint8Array>;
  /** How messages call a file of it. */
  label(name: string): string;
}

/**
 * The tensors of the file `name`; of all parts where it is a rank's, or where parts of that name are there and it is
 * not. Throws FormatError, or what `read` rejects with.
 */
export async function readTrace(
  folder: TraceFolder,
  name: string,
  options: JoinOptions,
): Promise<Joined> {
  const whole = wholeName(name);
  let bytes: Uint8Array;
  try {
    bytes = await folder.read(name);
  } catch (error) {
    const first = await anyPart(folder, whole ?? name);
    if (!first) throw error;
    return joinAll(folder, whole ?? name, first, options);
  }
  const part = whole !== null && bytes.length > 0 ? readPart(bytes, folder.label(name)) : null;
  // A rank that says of no head and no token that it is its own has a trace of its own.
  if (whole === null || !part || Object.keys(part.spans).length === 0)
    return plain(readTensorFile(folder.label(name), bytes));
  return joinAll(folder, whole, part, options);
}

/** The tensors of all .npy files of the folder, or of the parts in it. Throws FormatError. */
export async function readTraceFolder(folder: TraceFolder, options: JoinOptions): Promise<Joined> {
  const names = [...(await folder.names())].sort();
  const arrays = names.filter((name) => name.endsWith('.npy'));
  if (arrays.length > 0) {
    const read = arrays.map(async (name) =>
      readTensorFile(folder.label(name), await folder.read(name)),
    );
    return plain((await Promise.all(read)).flat());
  }
  const wholes = [...new Set(names.flatMap((name) => wholeName(name) ?? []))];
  const [whole] = wholes;
  const expected = 'one .npy file per tensor, or the parts of all ranks (NAME.rank0.npz, ...)';
  if (whole === undefined) throw new FormatError(folder.label(''), '', 'no .npy file', expected);
  if (wholes.length > 1) {
    const found = `parts of ${wholes.slice(0, 5).join(', ')}`;
    throw new FormatError(
      folder.label(''),
      '',
      found,
      'those of one: name it instead of the folder',
    );
  }
  return readTrace(folder, whole, options);
}

/** The tensors of `whole` from its parts, found by asking for rank 0; null where there is none. */
export async function readPartsOf(
  folder: Pick<TraceFolder, 'read' | 'label'>,
  whole: string,
  options: JoinOptions,
): Promise<Joined | null> {
  if (!whole.endsWith('.npz')) return null;
  const first = await partOf(folder, whole, 0);
  return first && joinAll(folder, whole, first, options);
}

const plain = (tensors: readonly NamedTensor[]): Joined => ({ tensors, leftOut: [] });

async function anyPart(folder: TraceFolder, whole: string): Promise<Part | null> {
  const names = await folder.names().catch(() => []);
  const first = names.find((name) => wholeName(name) === whole);
  return first === undefined ? null : readPart(await folder.read(first), folder.label(first));
}

async function joinAll(
  folder: Pick<TraceFolder, 'read' | 'label'>,
  whole: string,
  first: Part,
  options: JoinOptions,
): Promise<Joined> {
  const parts: Part[] = [];
  for (let rank = 0; rank < first.world; rank++) {
    const part = rank === first.rank ? first : await partOf(folder, whole, rank);
    if (part) parts.push(part);
  }
  return joinParts(folder.label(whole), parts, options);
}

async function partOf(
  folder: Pick<TraceFolder, 'read' | 'label'>,
  whole: string,
  rank: number,
): Promise<Part | null> {
  const name = partName(whole, rank);
  let bytes: Uint8Array;
  try {
    bytes = await folder.read(name);
  } catch {
    return null;
  }
  const part = readPart(bytes, folder.label(name));
  if (part && part.rank === rank) return part;
  const found = part ? `a part of rank ${part.rank}` : 'no part of several ranks';
  throw new FormatError(folder.label(name), '', found, `that of rank ${rank}`);
}
